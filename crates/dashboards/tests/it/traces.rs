//! Whoever sees that something took long finds the traces of it.

use std::fs;

use dashboards::{
    grafana::{TRACES, render},
    model::Panel,
};
use serde_yaml_ng::Value;

use crate::{measured, parsed::reads};

const SOURCE: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/../../grafana/provisioning/datasources/jaeger.yml");

/// Every panel, with its place.
fn panels() -> Vec<(String, Panel)> {
    let all = dashboards::all();
    let placed = all.iter().flat_map(|dashboard| {
        dashboard.panels().map(|panel| (format!("{} / {}", dashboard.uid, panel.title), panel))
    });
    placed.map(|(place, panel)| (place, panel.clone())).collect()
}

#[test]
fn every_panel_with_exemplars_leads_to_traces() {
    let astray: Vec<_> = panels()
        .into_iter()
        .filter(|(_, panel)| panel.exemplars && panel.traced().is_none())
        .map(|(place, _)| place)
        .collect();
    assert!(astray.is_empty(), "no traces from {astray:#?}");
}

#[test]
fn traces_are_those_of_a_service_that_measures_what_is_drawn() {
    let services = measured::services();
    let mut seen = 0;
    for (place, panel) in panels() {
        let Some(traced) = panel.traced().filter(|service| *service != "lab") else { continue };
        let reads = panel.targets.iter().flat_map(|target| reads(&target.expr));
        let mut drawn = reads.flat_map(|read| measured::behind(&read.metric));
        let (_, declared) =
            services.iter().find(|(name, _)| *name == traced).expect("a service has traces");
        let measures = drawn.any(|metric| declared.contains(&metric));
        assert!(measures, "{place} leads to {traced}, which measures nothing of it");
        seen += 1;
    }
    assert!(seen > 20, "only {seen} panels lead to traces");
}

#[test]
fn every_such_panel_has_the_link_and_its_data_source_is_there() {
    for dashboard in dashboards::all() {
        let json: serde_json::Value = serde_json::from_str(&render(&dashboard)).unwrap();
        let linked = json["panels"].as_array().unwrap().iter().filter(|panel| {
            let link = &panel["fieldConfig"]["defaults"]["links"][0]["url"];
            link.as_str().is_some_and(|url| url.contains(&format!("%22{TRACES}%22")))
        });
        let traced = dashboard.panels().filter(|panel| panel.traced().is_some());
        assert_eq!(linked.count(), traced.count(), "{}", dashboard.uid);
    }
    let sources: Value = serde_yaml_ng::from_str(&fs::read_to_string(SOURCE).unwrap()).unwrap();
    assert_eq!(sources["datasources"][0]["uid"], TRACES);
}
