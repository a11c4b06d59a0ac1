//! Grafana's JSON, made of the dashboards' data: the dashboard around its panels.

mod field;
mod layout;
mod options;
mod panel;
mod traces;

use serde_json::{Map, Value, json};

use crate::model::{ANNOTATIONS, Annotation, Dashboard, Level};

/// The uid of the data source, as `grafana/provisioning` fixes it.
pub const DATA_SOURCE: &str = "prometheus";
/// The uid of the data source of traces.
pub const TRACES: &str = "jaeger";
/// The tag that all dashboards have.
pub const TAG: &str = "mishap";
/// The last version of this schema; Grafana 12 writes it.
const SCHEMA_VERSION: u32 = 42;

/// The name of a dashboard's file in `grafana/dashboards`.
pub fn file_name(dashboard: &Dashboard) -> String {
    format!("{}.json", dashboard.uid)
}

/// The text of a dashboard's file: the same for the same dashboard, keys in order.
pub fn render(dashboard: &Dashboard) -> String {
    let value = sorted(whole(dashboard));
    let text = serde_json::to_string_pretty(&value).expect("a value of strings and numbers");
    text + "\n"
}

fn whole(dashboard: &Dashboard) -> Value {
    json!({
        "annotations": { "list": ANNOTATIONS.iter().map(annotation).collect::<Vec<_>>() },
        "description": format!(
            "{} Derived from crates/dashboards; do not edit.",
            dashboard.description,
        ),
        "editable": true,
        "graphTooltip": 1,
        "links": links(dashboard),
        "panels": layout::placed(dashboard),
        "refresh": "5s",
        "schemaVersion": SCHEMA_VERSION,
        "tags": [TAG],
        "templating": { "list": [] },
        "time": { "from": "now-15m", "to": "now" },
        "timezone": "browser",
        "title": dashboard.title,
        "uid": dashboard.uid,
    })
}

fn annotation(annotation: &Annotation) -> Value {
    json!({
        "datasource": data_source(),
        "enable": true,
        "expr": annotation.expr,
        "hide": false,
        "iconColor": match annotation.level {
            Level::Neutral => "purple",
            level => field::color(level),
        },
        "name": annotation.name,
        "step": "5s",
        "titleFormat": annotation.title,
    })
}

/// To the dashboards that this one leads to, and a menu of all.
fn links(dashboard: &Dashboard) -> Vec<Value> {
    let next = dashboard.next.iter().map(|uid| {
        json!({
            "asDropdown": false,
            "icon": "dashboard",
            "includeVars": false,
            "keepTime": true,
            "tags": [],
            "targetBlank": false,
            "title": title(uid),
            "tooltip": "",
            "type": "link",
            "url": format!("/d/{uid}"),
        })
    });
    let all = json!({
        "asDropdown": true,
        "icon": "external link",
        "includeVars": false,
        "keepTime": true,
        "tags": [TAG],
        "targetBlank": false,
        "title": "All dashboards",
        "tooltip": "",
        "type": "dashboards",
        "url": "",
    });
    next.chain([all]).collect()
}

fn data_source() -> Value {
    json!({ "type": "prometheus", "uid": DATA_SOURCE })
}

/// The title of the dashboard with this uid.
fn title(uid: &str) -> &'static str {
    let found = crate::all().into_iter().find(|dashboard| dashboard.uid == uid);
    found.expect("a test looks for links that lead nowhere").title
}

/// The value with the keys of its objects in order, whichever map `serde_json` was built with.
fn sorted(value: Value) -> Value {
    match value {
        Value::Object(object) => {
            let mut entries: Vec<_> = object.into_iter().collect();
            entries.sort_by(|(one, _), (other, _)| one.cmp(other));
            Value::Object(
                entries.into_iter().map(|(key, value)| (key, sorted(value))).collect::<Map<_, _>>(),
            )
        }
        Value::Array(values) => Value::Array(values.into_iter().map(sorted).collect()),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value,
    }
}
