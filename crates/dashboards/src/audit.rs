//! Every query with its place, and which of them may rightly be empty.
//!
//! A panel is alive if each of its queries answers, under traffic, with at least one sample. What
//! is excused from that is listed here by metric, with the reason.

use serde::{Deserialize, Serialize};

use crate::model::{ANNOTATIONS, Kind, Panel};

/// A query, and where it is drawn.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Query {
    /// The uid of the dashboard; of an annotation, the name.
    pub dashboard: &'static str,
    /// The title of the panel.
    pub panel: String,
    /// How the panel is drawn.
    pub kind: Kind,
    /// PromQL.
    pub expr: String,
}

/// What has to be there for a metric to be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Part {
    /// Something that is wrong: a fault, or an alert.
    Incident,
    /// node-exporter, on the host of compose.
    NodeExporter,
    /// cAdvisor, beside the containers of compose.
    Cadvisor,
    /// postgres-exporter; needs Postgres.
    PostgresExporter,
    /// Alertmanager.
    Alertmanager,
    /// A RabbitMQ, of any version, instead of the embedded broker.
    RabbitMq,
    /// A broker that counts deliveries by queue: the embedded one, or RabbitMQ from 3.13 on.
    DeliveriesByQueue,
    /// The OpenTelemetry collector, which counts spans.
    OtelCollector,
    /// k6, while it runs.
    K6,
}

/// A metric whose absence is no defect where a part is missing.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Excuse {
    /// The name of the metric; with `*` at its end, of all that begin so.
    pub metric: &'static str,
    /// What it needs.
    pub needs: Part,
    /// Why.
    pub reason: &'static str,
}

/// What is excused.
pub const EXCUSES: &[Excuse] = &[
    excuse("fault_armed", Part::Incident, "no fault is on"),
    excuse("ALERTS", Part::Incident, "no alert is pending or firing"),
    excuse("ALERTS_FOR_STATE", Part::Incident, "no alert is firing"),
    excuse("node_*", Part::NodeExporter, "node-exporter measures this, in compose"),
    excuse("container_*", Part::Cadvisor, "cAdvisor measures this, in compose"),
    excuse("pg_*", Part::PostgresExporter, "postgres-exporter measures this, in compose"),
    excuse("alertmanager_*", Part::Alertmanager, "Alertmanager measures this, in compose"),
    excuse("rabbitmq_channels", Part::RabbitMq, "the embedded broker does not tell"),
    excuse("rabbitmq_disk_*", Part::RabbitMq, "the embedded broker keeps nothing on disk"),
    excuse("rabbitmq_global_messages_unroutable_dropped_total", Part::RabbitMq, DROPPED),
    excuse("rabbitmq_resident_memory_limit_bytes", Part::RabbitMq, "the embedded broker is small"),
    excuse("rabbitmq_queue_messages_acked_total", Part::DeliveriesByQueue, BY_QUEUE),
    excuse("rabbitmq_queue_messages_delivered_ack_total", Part::DeliveriesByQueue, BY_QUEUE),
    excuse("rabbitmq_queue_messages_redelivered_total", Part::DeliveriesByQueue, BY_QUEUE),
    excuse("traces_*", Part::OtelCollector, "the collector counts spans, in compose"),
    excuse("k6_*", Part::K6, "k6 measures this while it runs: just k6 stress"),
];
const DROPPED: &str = "the embedded broker does not tell; the shop asks for unrouted messages back";
const BY_QUEUE: &str = "an old RabbitMQ counts deliveries by channel only";

/// Every query: of every panel, and of the annotations.
pub fn queries() -> Vec<Query> {
    let dashboards = crate::all();
    let drawn = dashboards.iter().flat_map(|dashboard| {
        dashboard.panels().flat_map(|panel| {
            panel.targets.iter().map(|target| Query {
                dashboard: dashboard.uid,
                panel: panel.title.clone(),
                kind: panel.kind,
                expr: target.expr.clone(),
            })
        })
    });
    let annotations = ANNOTATIONS.iter().map(|annotation| Query {
        dashboard: "annotation",
        panel: annotation.name.to_owned(),
        kind: Kind::Lines,
        expr: annotation.expr.to_owned(),
    });
    drawn.chain(annotations).collect()
}

/// What an empty panel means, if it may be empty.
pub fn when_empty(panel: &Panel) -> Option<&'static str> {
    let excuses = panel.targets.iter().map(|target| find_excuse(&target.expr, &[]));
    let all: Vec<_> = excuses.collect::<Option<_>>()?;
    all.first().map(|excuse| excuse.reason)
}

fn find_excuse(expr: &str, present: &[Part]) -> Option<&'static Excuse> {
    let missing = |excuse: &&Excuse| !present.contains(&excuse.needs);
    EXCUSES.iter().filter(missing).find(|excuse| excuse.is_for(expr))
}

impl Query {
    /// Why it may be empty where only these parts are; none if it must not.
    pub fn excuse(&self, present: &[Part]) -> Option<&'static Excuse> {
        find_excuse(&self.expr, present)
    }
}

impl Excuse {
    fn is_for(&self, expr: &str) -> bool {
        match self.metric.strip_suffix('*') {
            Some(start) => words(expr).any(|word| word.starts_with(start)),
            None => words(expr).any(|word| word == self.metric),
        }
    }
}

/// The names in a query: of metrics, labels and functions.
pub(crate) fn words(expr: &str) -> impl Iterator<Item = &str> {
    expr.split(|character: char| !(character.is_ascii_alphanumeric() || "_:".contains(character)))
}

const fn excuse(metric: &'static str, needs: Part, reason: &'static str) -> Excuse {
    Excuse { metric, needs, reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(expr: &str) -> Query {
        let (panel, kind) = (String::new(), Kind::Lines);
        Query { dashboard: "queue", panel, kind, expr: expr.to_owned() }
    }

    #[test]
    fn a_metric_is_excused_where_what_it_needs_is_missing_and_only_there() {
        let load = query("avg(node_load1)");
        assert_eq!(load.excuse(&[]).map(|excuse| excuse.needs), Some(Part::NodeExporter));
        assert!(load.excuse(&[Part::NodeExporter]).is_none());
        assert!(query("sum(rate(http_requests_total[1m]))").excuse(&[]).is_none());
    }

    #[test]
    fn a_name_that_only_contains_an_excused_one_is_not_excused() {
        assert!(query("my_node_load1").excuse(&[]).is_none());
        assert!(query("rabbitmq_channels_opened_total").excuse(&[]).is_none());
    }
}
