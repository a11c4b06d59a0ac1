//! What Grafana shows and leads to is there.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_yaml_ng::Value;

use crate::{names, repository, stack};

#[derive(Deserialize)]
struct Sources {
    datasources: Vec<Source>,
}

/// A data source of Grafana.
#[derive(Deserialize)]
struct Source {
    uid: String,
    url: String,
    #[serde(rename = "jsonData")]
    settings: Value,
}

fn sources() -> Vec<Source> {
    let files: Vec<Sources> = repository::yaml("grafana/provisioning/datasources");
    files.into_iter().flat_map(|file| file.datasources).collect()
}

/// The uids that settings name.
fn leads_to(settings: &Value) -> Vec<String> {
    match settings {
        Value::Mapping(mapping) => {
            let inside = mapping.values().flat_map(leads_to);
            let uid = mapping.get("datasourceUid").and_then(Value::as_str).map(str::to_owned);
            uid.into_iter().chain(inside).collect()
        }
        Value::Sequence(items) => items.iter().flat_map(leads_to).collect(),
        _ => Vec::new(),
    }
}

#[test]
fn metrics_lead_to_traces_traces_to_logs_and_metrics_and_logs_to_traces() {
    let sources = sources();
    let found: BTreeMap<_, _> =
        sources.iter().map(|source| (source.uid.as_str(), leads_to(&source.settings))).collect();
    assert_eq!(found.len(), sources.len(), "a uid is there twice");
    assert_eq!(found["prometheus"], ["jaeger"]);
    assert_eq!(found["jaeger"], ["loki", "prometheus"]);
    assert_eq!(found["loki"], ["jaeger"]);
    assert_eq!(found["service-graph"], ["prometheus"]);
}

#[test]
fn whoever_is_asked_is_in_the_stack() {
    let services = stack::compose().services;
    for source in sources() {
        let host = stack::host(&source.url);
        assert!(services.contains_key(host), "{}: nobody is {}", source.uid, source.url);
    }
}

/// The queries by which a data source leads from a trace to metrics.
fn queries(settings: &Value) -> Vec<&str> {
    let queries = settings["tracesToMetrics"]["queries"].as_sequence();
    queries.into_iter().flatten().filter_map(|query| query["query"].as_str()).collect()
}

#[test]
fn the_way_from_a_trace_to_metrics_asks_for_what_the_collector_counts() {
    let sources = sources();
    let asked: Vec<_> = sources.iter().flat_map(|source| queries(&source.settings)).collect();
    assert_eq!(asked.len(), 3);
    let namespace = repository::yaml_file::<Value>("otel-collector/config.yml")["connectors"]
        ["spanmetrics"]["namespace"]
        .as_str()
        .map(|name| name.replace('.', "_"));
    let counted = namespace.expect("the span metrics have a namespace");
    for query in asked {
        // The dollar is written twice, so that Grafana does not take it for a variable of its own
        // environment, and what stands for a span's name is no PromQL.
        assert_eq!(names::complaints(query), Vec::<String>::new());
        assert!(query.contains(&format!("{counted}_")), "{query}");
        assert!(query.contains(r#"{span_name="$${__span.name}""#), "{query}: of which span?");
    }
}
