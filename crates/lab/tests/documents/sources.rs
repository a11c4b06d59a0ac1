//! What Grafana shows and leads to is there.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_yaml_ng::Value;

use crate::{repository, stack};

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
