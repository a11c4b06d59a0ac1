//! The profile elk: from the collector through Logstash into a daily index, and what Kibana finds
//! there.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::{repository, stack};

const PIPELINE: &str = "logstash/pipeline/logs.conf";
const OBJECTS: &str = "kibana/objects.ndjson";
const TEMPLATE: &str = "elasticsearch/index-template.json";

/// The plugins of the pipeline, all of which are in Logstash's image:
/// <https://www.elastic.co/docs/reference/logstash/plugins>.
const PLUGINS: &[(&str, &[&str])] =
    &[("input", &["tcp", "http"]), ("filter", &["ruby", "mutate"]), ("output", &["elasticsearch"])];

/// A pipeline without comments and strings: where its blocks begin, how deep, and with which word.
fn blocks(text: &str) -> Vec<(usize, String)> {
    let mut blocks = Vec::new();
    let (mut depth, mut word) = (0_usize, String::new());
    for line in text.lines() {
        let code = line.split('#').next().unwrap_or_default();
        for part in code.split('"').step_by(2).flat_map(str::split_whitespace) {
            match part {
                "{" => {
                    blocks.push((depth, word.clone()));
                    depth += 1;
                }
                "}" => depth = depth.checked_sub(1).expect("no block ends twice"),
                other => word = other.to_owned(),
            }
        }
    }
    assert_eq!(depth, 0, "a block does not end");
    blocks
}

fn setting(name: &str) -> Vec<String> {
    let text = repository::read(PIPELINE);
    let lines = text.lines().filter_map(|line| line.trim().split_once(" => "));
    lines
        .filter(|(key, _)| *key == name)
        .map(|(_, value)| value.trim_matches('"').to_owned())
        .collect()
}

fn json(file: &str) -> Value {
    serde_json::from_str(&repository::read(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

fn objects() -> Vec<Value> {
    let text = repository::read(OBJECTS);
    let read = |line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}"));
    text.lines().map(read).collect()
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_else(|| panic!("{name} is missing in {value}"))
}

#[test]
fn the_pipeline_takes_changes_and_gives_with_plugins_that_are_there() {
    let blocks = blocks(&repository::read(PIPELINE));
    let parts: Vec<_> = blocks.iter().filter(|(depth, _)| *depth == 0).collect();
    assert_eq!(parts.len(), PLUGINS.len());
    let mut part = "";
    for (depth, word) in &blocks {
        let condition = word == "else" || word.ends_with(']');
        match depth {
            0 => part = word,
            _ if condition => assert_eq!(part, "filter"),
            _ => {
                let known = PLUGINS
                    .iter()
                    .any(|(name, plugins)| *name == part && plugins.contains(&word.as_str()));
                assert!(known, "{word} is no plugin for {part}");
            }
        }
    }
}

#[test]
fn logstash_listens_where_the_collector_sends_and_where_json_lines_come() {
    let ports = setting("port");
    assert_eq!(ports, ["5000", "8080"]);
    assert_eq!(setting("codec"), ["json_lines"]);
    let sends = repository::read("otel-collector/elk.yml");
    assert!(
        sends.contains(&format!("http://logstash:{}/", ports[1])),
        "the collector sends elsewhere"
    );
    let published = &stack::compose().services["logstash"].ports;
    assert!(published[0].ends_with(&format!(":{}", ports[0])), "{published:?}");
}

#[test]
fn the_script_of_the_pipeline_is_mounted() {
    let script = setting("path").remove(0);
    let mounts = &stack::compose().services["logstash"].volumes;
    assert!(mounts.iter().any(|mount| mount.contains(&format!(":{script}:"))), "{script}");
}

#[test]
fn an_index_a_day_has_the_template_and_is_in_the_data_view() {
    let index = setting("index").remove(0);
    let family = index.strip_suffix("%{+YYYY.MM.dd}").unwrap();
    let pattern = format!("{family}*");
    let template = json(TEMPLATE);
    assert_eq!(template["index_patterns"], serde_json::json!([pattern]));
    let view = objects().into_iter().find(|object| object["type"] == "index-pattern").unwrap();
    assert_eq!(view["attributes"]["title"], pattern.as_str());
    assert_eq!(view["attributes"]["timeFieldName"], "@timestamp");
    let policy = &template["template"]["settings"]["index.lifecycle.name"];
    let setup = repository::read("kibana/setup");
    assert!(setup.contains(&format!("put _ilm/policy/{} ", policy.as_str().unwrap())));
    assert!(json("elasticsearch/lifecycle.json")["policy"]["phases"]["delete"].is_object());
}

#[test]
fn what_kibana_is_given_refers_to_what_it_is_given() {
    let objects = objects();
    let known: BTreeSet<_> =
        objects.iter().map(|object| (text(object, "type"), text(object, "id"))).collect();
    assert_eq!(known.len(), objects.len(), "an id is there twice");
    for object in &objects {
        let references = object["references"].as_array().unwrap();
        for reference in references {
            let to = (text(reference, "type"), text(reference, "id"));
            assert!(known.contains(&to), "{} refers to {to:?}", object["id"]);
        }
        if object["type"] == "search" {
            let source = text(&object["attributes"]["kibanaSavedObjectMeta"], "searchSourceJSON");
            let source: Value = serde_json::from_str(source).unwrap();
            let name = text(&source, "indexRefName");
            assert!(references.iter().any(|reference| reference["name"] == name), "{name}");
        }
    }
}

#[test]
fn there_is_a_search_for_a_trace_for_errors_and_for_an_order() {
    let objects = objects();
    let searches = objects.iter().filter(|object| object["type"] == "search");
    let titles: Vec<_> = searches.map(|object| text(&object["attributes"], "title")).collect();
    assert_eq!(titles, ["One trace", "All errors", "One order"]);
}
