//! Where traces and logs go: pipelines are whole, made of what the images have, and bounded.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_yaml_ng::Value;

use crate::{repository, stack};

/// The components that are used here of those in the collector's image, from
/// distributions/otelcol-contrib/manifest.yaml of
/// <https://github.com/open-telemetry/opentelemetry-collector-releases> at this version.
const COLLECTOR: &str = "0.136.0";
const IN_COLLECTOR: &[(&str, &[&str])] = &[
    ("receivers", &["otlp"]),
    ("processors", &["memory_limiter", "batch"]),
    ("exporters", &["otlp", "otlphttp", "prometheus"]),
    ("connectors", &["spanmetrics", "servicegraph"]),
    ("extensions", &["health_check"]),
];

/// The same of Jaeger, a collector too, from cmd/jaeger/config-spm.yaml of
/// <https://github.com/jaegertracing/jaeger>.
const IN_JAEGER: &[(&str, &[&str])] = &[
    ("receivers", &["otlp"]),
    ("exporters", &["jaeger_storage_exporter"]),
    ("extensions", &["jaeger_storage", "jaeger_query"]),
];

type Components = BTreeMap<String, Value>;

/// A file of configuration of an OpenTelemetry collector.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Collector {
    receivers: Components,
    processors: Components,
    exporters: Components,
    connectors: Components,
    extensions: Components,
    service: Service,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Service {
    extensions: Vec<String>,
    pipelines: BTreeMap<String, Pipeline>,
    telemetry: Value,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Pipeline {
    receivers: Vec<String>,
    #[serde(default)]
    processors: Vec<String>,
    exporters: Vec<String>,
}

impl Collector {
    /// This with what a second file adds; both having something of one name is a mistake.
    fn with(mut self, other: Self) -> Self {
        add(&mut self.receivers, other.receivers);
        add(&mut self.processors, other.processors);
        add(&mut self.exporters, other.exporters);
        add(&mut self.connectors, other.connectors);
        add(&mut self.extensions, other.extensions);
        add(&mut self.service.pipelines, other.service.pipelines);
        self
    }

    fn kinds(&self) -> [(&str, &Components); 5] {
        [
            ("receivers", &self.receivers),
            ("processors", &self.processors),
            ("exporters", &self.exporters),
            ("connectors", &self.connectors),
            ("extensions", &self.extensions),
        ]
    }

    /// What is wrong with the way its components hang together.
    fn complaints(&self, available: &[(&str, &[&str])]) -> Vec<String> {
        let mut complaints = Vec::new();
        for (kind, components) in self.kinds() {
            let types = available.iter().find(|(name, _)| *name == kind);
            let types = types.map_or(&[][..], |(_, types)| types);
            for name in components.keys() {
                let of = name.split('/').next().unwrap_or_default();
                if !types.contains(&of) {
                    complaints.push(format!("the image has no {of} among its {kind}"));
                }
            }
            let declared: BTreeSet<_> = components.keys().cloned().collect();
            let used = self.used(kind);
            let missing = used.difference(&declared);
            complaints.extend(missing.map(|name| format!("there is no {name} in {kind}")));
            let idle = declared.difference(&used);
            complaints.extend(idle.map(|name| format!("nobody uses {name} of {kind}")));
        }
        complaints
    }

    /// The names that the service uses as components of this kind.
    fn used(&self, kind: &str) -> BTreeSet<String> {
        let pipelines = self.service.pipelines.values();
        let connects = |name: &String| self.connectors.contains_key(name);
        let names: Vec<&Vec<String>> = match kind {
            "receivers" => pipelines.map(|pipeline| &pipeline.receivers).collect(),
            "processors" => pipelines.map(|pipeline| &pipeline.processors).collect(),
            "exporters" => pipelines.map(|pipeline| &pipeline.exporters).collect(),
            "connectors" => return self.connected(),
            _ => vec![&self.service.extensions],
        };
        names.into_iter().flatten().filter(|name| !connects(name)).cloned().collect()
    }

    /// The connectors that one pipeline ends with and another begins with.
    fn connected(&self) -> BTreeSet<String> {
        let pipelines = || self.service.pipelines.values();
        let begins: BTreeSet<_> = pipelines().flat_map(|pipeline| &pipeline.receivers).collect();
        let ends = pipelines().flat_map(|pipeline| &pipeline.exporters);
        let connectors = ends.filter(|name| self.connectors.contains_key(*name));
        connectors.filter(|name| begins.contains(name)).cloned().collect()
    }
}

fn add<T>(to: &mut BTreeMap<String, T>, from: BTreeMap<String, T>) {
    for (name, value) in from {
        assert!(!to.contains_key(&name), "{name} is there twice");
        to.insert(name, value);
    }
}

fn collector() -> Collector {
    repository::yaml_file("otel-collector/config.yml")
}

/// With what the profile elk adds.
fn collector_with_elk() -> Collector {
    collector().with(repository::yaml_file("otel-collector/elk.yml"))
}

#[test]
fn the_collectors_pipelines_are_whole_and_made_of_what_its_image_has() {
    assert_eq!(stack::compose().services["otel-collector"].version(), COLLECTOR);
    for collector in [collector(), collector_with_elk()] {
        assert_eq!(collector.complaints(IN_COLLECTOR), Vec::<String>::new());
    }
}

#[test]
fn jaegers_pipelines_are_whole() {
    let jaeger: Collector = repository::yaml_file("jaeger/config.yml");
    assert_eq!(jaeger.complaints(IN_JAEGER), Vec::<String>::new());
}

#[test]
fn a_pipeline_that_is_not_whole_is_found() {
    let text = "
receivers: {otlp: {}}
exporters: {tcp: {}, otlp/idle: {}}
connectors: {spanmetrics: {}}
service:
  pipelines:
    traces: {receivers: [otlp], processors: [batch], exporters: [tcp, spanmetrics]}";
    let collector: Collector = serde_yaml_ng::from_str(text).unwrap();
    let expected = [
        "there is no batch in processors",
        "the image has no tcp among its exporters",
        "nobody uses otlp/idle of exporters",
        "nobody uses spanmetrics of connectors",
    ];
    assert_eq!(collector.complaints(IN_COLLECTOR), expected);
}

#[test]
fn whoever_is_sent_to_may_be_away() {
    let collector = collector_with_elk();
    for (name, exporter) in collector.exporters.iter().filter(|(name, _)| *name != "prometheus") {
        let queue = exporter["sending_queue"]["queue_size"].as_u64();
        assert!(queue.is_some_and(|size| (1..=512).contains(&size)), "{name} queues {queue:?}");
        let tries = exporter["retry_on_failure"]["max_elapsed_time"].as_str();
        assert!(tries.is_some_and(|time| time != "0s"), "{name} tries for ever");
    }
    for (name, pipeline) in &collector.service.pipelines {
        if pipeline.receivers == ["otlp"] {
            assert_eq!(pipeline.processors, ["memory_limiter", "batch"], "{name}");
        }
    }
}

#[test]
fn the_lab_gets_both_traces_and_logs() {
    let collector = collector();
    for name in ["traces", "logs"] {
        let exporters = &collector.service.pipelines[name].exporters;
        assert!(exporters.iter().any(|exporter| exporter == "otlp/lab"), "{name}");
    }
}

#[test]
fn whoever_is_sent_to_is_in_the_stack() {
    let services = stack::compose().services;
    let collector = collector_with_elk();
    for (name, exporter) in collector.exporters.iter().filter(|(name, _)| *name != "prometheus") {
        let written = exporter.get("endpoint").or_else(|| exporter.get("logs_endpoint"));
        let endpoint = written.and_then(Value::as_str).unwrap();
        assert!(services.contains_key(stack::host(endpoint)), "{name}: nobody is {endpoint}");
    }
}
