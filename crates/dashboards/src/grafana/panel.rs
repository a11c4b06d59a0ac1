//! One panel as Grafana has it.

use serde_json::{Value, json};

use super::{data_source, field, options, title};
use crate::model::{Kind, Panel, Target};

/// The names of queries.
const REFERENCES: [&str; 8] = ["A", "B", "C", "D", "E", "F", "G", "H"];

pub(super) fn panel(panel: &Panel, position: Value) -> Value {
    let mut value = json!({
        "datasource": data_source(),
        "description": panel.description,
        "fieldConfig": field::config(panel),
        "gridPos": position,
        "id": id(&panel.title),
        "links": panel.next.into_iter().map(link).collect::<Vec<_>>(),
        "options": options::options(panel),
        "targets": targets(panel),
        "title": panel.title,
        "type": options::plugin(panel.kind),
    });
    if panel.kind == Kind::Table {
        value["transformations"] = columns(panel);
    }
    value
}

/// A number for a panel that stays the same for as long as its title does: FNV-1a, 31 bits.
pub(super) fn id(title: &str) -> u32 {
    let hash = title
        .bytes()
        .fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    hash & 0x7fff_ffff
}

fn link(uid: &str) -> Value {
    json!({
        "targetBlank": false,
        "title": title(uid),
        "url": format!("/d/{uid}?${{__url_time_range}}"),
    })
}

fn targets(panel: &Panel) -> Vec<Value> {
    // One query with exemplars is enough: the same dots would be drawn once for each.
    let exemplars = panel.targets.iter().rposition(|target| target.expr.contains("_bucket"));
    let targets = panel.targets.iter().zip(REFERENCES).enumerate();
    targets
        .map(|(place, (target, reference))| {
            let exemplar = panel.exemplars && Some(place) == exemplars;
            query(panel.kind, target, reference, exemplar)
        })
        .collect()
}

fn query(kind: Kind, target: &Target, reference: &str, exemplar: bool) -> Value {
    json!({
        "datasource": data_source(),
        "editorMode": "code",
        "exemplar": exemplar,
        "expr": target.expr,
        "format": match kind {
            Kind::Table => "table",
            Kind::Heatmap => "heatmap",
            Kind::Lines | Kind::Areas | Kind::Stat | Kind::Bars | Kind::Timeline => "time_series",
        },
        "instant": kind.is_instant(),
        "legendFormat": target.legend,
        "range": !kind.is_instant(),
        "refId": reference,
    })
}

/// One line for each set of labels, and each query's number under its heading.
fn columns(panel: &Panel) -> Value {
    let headings = panel.targets.iter().zip(REFERENCES);
    let names: serde_json::Map<_, _> = headings
        .map(|(target, reference)| {
            // Grafana names the only number "Value", and several "Value #A", "Value #B", ….
            let name = match panel.targets.len() {
                1 => "Value".to_owned(),
                _ => format!("Value #{reference}"),
            };
            (name, Value::String(target.legend.clone()))
        })
        .collect();
    let organize = json!({
        "excludeByName": { "Time": true },
        "indexByName": {},
        "renameByName": names,
    });
    json!([{ "id": "merge", "options": {} }, { "id": "organize", "options": organize }])
}
