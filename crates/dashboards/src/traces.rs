//! Which panels lead to the traces of which service.

use crate::{audit::words, model::Panel};

/// Those who send traces, and how the names of the metrics begin that only they have.
const MEASURED_BY: [(&str, &[&str]); 4] = [
    ("lab", &["lab_"]),
    ("web-gateway", &["http_", "route:http_"]),
    (
        "order-api",
        &["grpc_request_", "method:grpc_request_", "db_", "query:db_", "outbox_", "payment_"],
    ),
    ("fulfillment-worker", &["fulfillment_", "fulfillment:"]),
];

impl Panel {
    /// The service whose traces show one by one what this panel shows of many: the first whose
    /// durations it draws. None if it draws none of which there are traces.
    pub fn traced(&self) -> Option<&'static str> {
        self.targets.iter().find_map(|target| {
            let duration = words(&target.expr).find(|word| is_duration(word))?;
            let found = MEASURED_BY.iter().find(|(service, own)| {
                let asked = target.expr.contains(&format!(r#"job="{service}""#));
                asked || own.iter().any(|start| duration.starts_with(start))
            })?;
            Some(found.0)
        })
    }
}

/// Whether a series tells how long each of many things took: a histogram's, or a recorded
/// percentile of one.
fn is_duration(series: &str) -> bool {
    series.ends_with("_seconds_bucket") || series.contains("_seconds:p")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Unit;

    fn traced(expr: &str) -> Option<&'static str> {
        Panel::lines("One", Unit::Seconds).draws(expr, "one").traced()
    }

    #[test]
    fn a_duration_leads_to_whoever_measures_it() {
        assert_eq!(traced("rate(outbox_delay_seconds_bucket[1m])"), Some("order-api"));
        assert_eq!(traced("fulfillment:message_age_seconds:p95"), Some("fulfillment-worker"));
        let runtime = r#"rate(runtime_lag_seconds_bucket{job="web-gateway"}[1m])"#;
        assert_eq!(traced(runtime), Some("web-gateway"));
    }

    #[test]
    fn what_has_no_traces_leads_to_none() {
        assert_eq!(traced("max(outbox_oldest_age_seconds)"), None);
        assert_eq!(traced("rate(http_requests_total[1m])"), None);
        assert_eq!(traced("rate(traces_spanmetrics_duration_seconds_bucket[1m])"), None);
    }
}
