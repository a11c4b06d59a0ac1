//! The scripts of k6: the same loads as `lab load`, whose numbers are derived from it, and what
//! they measure is what Grafana draws.

use std::fs;

use lab::load::{
    profile::{PROFILES, Profile},
    threshold::{Measure, THRESHOLDS},
};
use serde_json::{Value, json};

use crate::repository;

const DERIVED: &str = "k6/lib/profiles.js";

fn derived() -> String {
    let mut profiles: Vec<_> =
        PROFILES.iter().map(|profile| (profile.name, load(profile))).collect();
    profiles.push(("thresholds", thresholds()));
    let lines = profiles.iter().map(|(name, value)| format!("  {name}: {value},\n"));
    format!(
        "// Derived from crates/lab/src/load; do not edit.\nexport const profiles = {{\n{}}};\n",
        lines.collect::<String>()
    )
}

fn load(profile: &Profile) -> Value {
    let schedule = profile.schedule();
    let stages = schedule
        .stages()
        .iter()
        .map(|stage| json!({"seconds": stage.lasts.as_secs(), "from": stage.from, "to": stage.to}));
    let weights: Vec<_> = profile.mix.weights.iter().map(|each| json!([each.0, each.1])).collect();
    json!({
        "stages": stages.collect::<Vec<_>>(),
        "mix": {"weights": weights, "declined": profile.mix.declined},
    })
}

/// Times are in milliseconds, as k6 has them.
fn thresholds() -> Value {
    let bounds = THRESHOLDS.iter().map(|threshold| {
        let bound = match threshold.measure {
            Measure::P95 | Measure::P99 => threshold.bound * 1000.0,
            Measure::Errors | Measure::Success => threshold.bound,
        };
        (threshold.measure.name().to_owned(), json!(bound))
    });
    Value::Object(bounds.collect())
}

#[test]
fn the_loads_of_k6_are_those_of_the_lab() {
    let wanted = derived();
    if fs::read_to_string(repository::path(DERIVED)).ok().as_ref() != Some(&wanted) {
        fs::write(repository::path(DERIVED), wanted).expect("it can be written");
        panic!("rewritten, now commit: {DERIVED}");
    }
}

#[test]
fn there_is_a_script_for_each_load_and_it_is_that_load() {
    let scripts = repository::names("k6", ".js");
    let mut names: Vec<_> = PROFILES.iter().map(|profile| profile.name.to_owned()).collect();
    names.sort();
    assert_eq!(scripts, names);
    for name in names {
        let script = repository::read(&format!("k6/{name}.js"));
        assert!(script.contains(&format!("export const options = load('{name}');")), "{script}");
        let parts = "export { setup, shop as default } from './lib/shop.js';";
        assert!(script.contains(parts), "{script}");
    }
}

/// How Prometheus knows a metric of a kind: k6's output writes it so.
fn series(kind: &str, name: &str) -> Vec<String> {
    match kind {
        "Counter" => vec![format!("k6_{name}_total")],
        "Rate" => vec![format!("k6_{name}_rate")],
        "Trend" => ["p50", "p95", "p99"].map(|stat| format!("k6_{name}_{stat}")).into(),
        other => panic!("{name} is of the unknown kind {other}"),
    }
}

#[test]
fn what_the_scripts_measure_is_drawn() {
    let metrics = repository::read("k6/lib/metrics.js");
    let declared = metrics.lines().filter_map(|line| line.split_once("= new "));
    let declared: Vec<_> = declared
        .map(|(_, made)| {
            let (kind, rest) = made.split_once('(').expect("it is made of something");
            (kind, rest.split('\'').nth(1).expect("it has a name"))
        })
        .collect();
    for name in ["order_creation_duration", "payment_processing_success", "compensation_calls"] {
        assert!(declared.iter().any(|(_, declared)| *declared == name), "nobody measures {name}");
    }
    let queries = dashboards::audit::queries();
    for (kind, name) in declared {
        for series in series(kind, name) {
            let drawn = queries.iter().any(|query| query.expr.contains(&series));
            assert!(drawn, "nobody draws {series}");
        }
    }
}

#[test]
fn k6_writes_to_the_prometheus_of_the_stack_what_is_drawn() {
    let stack = crate::stack::compose();
    let setting = |name: &str| {
        let value = stack.services["k6"].environment.get(name).and_then(|value| value.as_str());
        value.unwrap_or_else(|| panic!("k6 has no {name}")).to_owned()
    };
    let prometheus = crate::stack::host(&setting("K6_PROMETHEUS_RW_SERVER_URL")).to_owned();
    assert!(stack.services.contains_key(&prometheus), "nobody is {prometheus}");
    assert_eq!(setting("K6_PROMETHEUS_RW_TREND_STATS"), "p(50),p(95),p(99)");
    assert!(setting("GATEWAY_URL").contains("web-gateway"));
    let text = repository::read("docker-compose.yml");
    assert!(text.contains("- --web.enable-remote-write-receiver"), "nobody takes what k6 writes");
    assert!(text.contains("/k6/${K6_SCRIPT:-smoke}.js"), "no script can be chosen");
}

#[test]
fn every_load_is_run_at_night() {
    let workflow: serde_yaml_ng::Value =
        repository::yaml_file(".github/workflows/nightly-load.yml");
    let listed = &workflow["jobs"]["load"]["strategy"]["matrix"]["load"];
    let listed: Vec<_> =
        listed.as_sequence().expect("a list").iter().filter_map(|each| each.as_str()).collect();
    assert_eq!(listed, PROFILES.map(|profile| profile.name));
}
