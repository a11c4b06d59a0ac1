//! What is drawn is measured, and what is recorded is drawn.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

use dashboards::audit::{EXCUSES, queries};
use instrumentation::{
    export,
    metrics::{Declaration, Kind},
    process,
};
use serde_yaml_ng::Value;

use crate::parsed::reads;

const RULES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../prometheus/rules");
/// What others measure, from their documentation.
const KNOWN: &str = include_str!("../known-metrics.txt");

/// What each service declares, by its name.
const SERVICES: [(&str, &[&[Declaration]]); 3] = [
    ("web-gateway", web_gateway::metrics::CATALOGUES),
    ("order-api", order_api::metrics::CATALOGUES),
    ("fulfillment-worker", fulfillment_worker::metrics::CATALOGUES),
];
/// What every process declares.
const SHARED: &[&[Declaration]] = &[process::Metrics::CATALOGUE, export::Metrics::CATALOGUE];

/// The series of each service, by its name: its own and those of every process.
pub(crate) fn services() -> Vec<(&'static str, BTreeSet<String>)> {
    let series = |own: &[&'static [Declaration]]| {
        declared_in(own.iter().chain(SHARED).copied()).into_keys().collect()
    };
    SERVICES.map(|(name, own)| (name, series(own))).into()
}

/// Our own metrics with their labels, series by series.
fn declared() -> BTreeMap<String, BTreeSet<&'static str>> {
    let own = SERVICES.into_iter().flat_map(|(_, catalogues)| catalogues);
    declared_in(own.chain(SHARED).copied())
}

fn declared_in(
    catalogues: impl Iterator<Item = &'static [Declaration]>,
) -> BTreeMap<String, BTreeSet<&'static str>> {
    let mut series = BTreeMap::new();
    for metric in catalogues.flatten() {
        let labels = || (metric.labels)().into_iter().chain(["job", "instance"]);
        let name = metric.name;
        match metric.kind {
            Kind::Counter | Kind::Gauge => {
                series.insert(name.to_owned(), labels().collect());
            }
            Kind::Histogram => {
                series.insert(format!("{name}_bucket"), labels().chain(["le"]).collect());
                series.insert(format!("{name}_sum"), labels().collect());
                series.insert(format!("{name}_count"), labels().collect());
            }
        }
    }
    series
}

fn known() -> BTreeSet<&'static str> {
    let lines = KNOWN.lines().map(str::trim);
    lines.filter(|line| !line.is_empty() && !line.starts_with('#')).collect()
}

/// The rules of all files: what each is named, and what it asks.
fn rules(kind: &str) -> Vec<(String, String)> {
    let files = fs::read_dir(RULES).unwrap().map(|file| file.unwrap().path());
    let texts = files.map(|path| fs::read_to_string(path).unwrap());
    let groups = texts.flat_map(|text| {
        let file: Value = serde_yaml_ng::from_str(&text).unwrap();
        file["groups"].as_sequence().unwrap().clone()
    });
    let rules = groups.flat_map(|group| group["rules"].as_sequence().unwrap().clone());
    let text = |rule: &Value, key: &str| rule[key].as_str().map(str::to_owned);
    rules.filter_map(|rule| Some((text(&rule, kind)?, text(&rule, "expr")?))).collect()
}

/// The metrics that a metric is made of: itself, or if a rule records it, what that asks for.
pub(crate) fn behind(metric: &str) -> Vec<String> {
    let recorded = rules("record").into_iter().find(|(name, _)| name == metric);
    let asked =
        recorded.map(|(_, expr)| reads(&expr).into_iter().map(|read| read.metric).collect());
    asked.unwrap_or_else(|| vec![metric.to_owned()])
}

#[test]
fn every_metric_that_is_drawn_is_declared_recorded_or_documented() {
    let (declared, known) = (declared(), known());
    let recorded: BTreeSet<_> = rules("record").into_iter().map(|(name, _)| name).collect();
    let unknown: BTreeSet<_> = queries()
        .into_iter()
        .flat_map(|query| {
            let reads = reads(&query.expr).into_iter();
            reads.map(move |read| (read.metric, query.dashboard, query.panel.clone()))
        })
        .filter(|(metric, ..)| {
            let metric = metric.as_str();
            !declared.contains_key(metric) && !recorded.contains(metric) && !known.contains(metric)
        })
        .collect();
    assert!(unknown.is_empty(), "nobody measures {unknown:#?}");
}

#[test]
fn every_label_that_is_asked_for_is_one_of_the_metric() {
    let declared = declared();
    let wrong: BTreeSet<_> = queries()
        .into_iter()
        .flat_map(|query| reads(&query.expr))
        .filter_map(|read| {
            let labels = declared.get(&read.metric)?;
            let mut asked = read.labels.into_iter();
            let unknown = asked.find(|label| !labels.contains(label.as_str()))?;
            Some((read.metric, unknown))
        })
        .collect();
    assert!(wrong.is_empty(), "no such labels: {wrong:#?}");
}

#[test]
fn everything_that_is_recorded_is_drawn_or_asked_for_by_a_rule() {
    let asked: BTreeSet<_> = queries()
        .into_iter()
        .map(|query| query.expr)
        .chain(rules("alert").into_iter().chain(rules("record")).map(|(_, expr)| expr))
        .flat_map(|expr| reads(&expr))
        .map(|read| read.metric)
        .collect();
    let unused: BTreeSet<_> = rules("record")
        .into_iter()
        .map(|(name, _)| name)
        .filter(|name| !asked.contains(name))
        .collect();
    assert!(unused.is_empty(), "nobody looks at {unused:#?}");
}

#[test]
fn every_excuse_is_for_something_that_is_drawn() {
    let drawn: BTreeSet<_> =
        queries().iter().flat_map(|query| reads(&query.expr)).map(|read| read.metric).collect();
    let idle = EXCUSES.iter().map(|excuse| excuse.metric).find(|metric| {
        !drawn.iter().any(|drawn| match metric.strip_suffix('*') {
            Some(start) => drawn.starts_with(start),
            None => drawn == metric,
        })
    });
    assert_eq!(idle, None, "excuses a metric that no panel draws");
}
