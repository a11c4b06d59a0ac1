//! What a panel's numbers are, and the colors that say how good they are.

use serde_json::{Value, json};

use super::traces;
use crate::{
    audit,
    model::{Kind, Level, Panel, Threshold, Tone, Unit},
};

pub(super) fn config(panel: &Panel) -> Value {
    let mut defaults = json!({
        "color": { "mode": color_mode(panel) },
        "custom": custom(panel),
        "mappings": mappings(panel),
        "thresholds": { "mode": "absolute", "steps": steps(&panel.thresholds) },
        "unit": unit(panel.unit),
    });
    if color_mode(panel) == "fixed" {
        defaults["color"]["fixedColor"] = json!("text");
    }
    if let Some(text) = audit::when_empty(panel) {
        defaults["noValue"] = json!(text);
    }
    if let Some(service) = panel.traced() {
        defaults["links"] = json!([traces::link(service)]);
    }
    if panel.unit == Unit::Ratio && panel.kind == Kind::Bars {
        (defaults["min"], defaults["max"]) = (json!(0), json!(1));
    }
    let tones = panel.tones.iter().map(tone);
    let overrides: Vec<_> = tones.chain(columns(panel)).collect();
    json!({ "defaults": defaults, "overrides": overrides })
}

/// Grafana's name of a color.
pub(super) fn color(level: Level) -> &'static str {
    match level {
        Level::Good => "green",
        Level::Warn => "orange",
        Level::Bad => "red",
        Level::Neutral => "text",
    }
}

/// Grafana's name of a unit.
fn unit(unit: Unit) -> &'static str {
    match unit {
        Unit::Count => "short",
        Unit::Seconds => "s",
        Unit::Bytes => "bytes",
        Unit::BytesPerSecond => "binBps",
        Unit::Ratio => "percentunit",
        Unit::RequestsPerSecond => "reqps",
        Unit::PerSecond => "suffix:/s",
        Unit::PerMinute => "suffix:/min",
        Unit::Euro => "currencyEUR",
        Unit::Times => "suffix:×",
    }
}

fn color_mode(panel: &Panel) -> &'static str {
    match panel.kind {
        Kind::Lines | Kind::Areas | Kind::Heatmap => "palette-classic",
        Kind::Timeline => "thresholds",
        Kind::Stat | Kind::Bars | Kind::Table if panel.thresholds.is_empty() => "fixed",
        Kind::Stat | Kind::Bars | Kind::Table => "thresholds",
    }
}

fn custom(panel: &Panel) -> Value {
    match panel.kind {
        Kind::Lines => course(panel, "none", 8, 1),
        // Without lines: that of an empty area would lie upon the others and color them.
        Kind::Areas => course(panel, "normal", 70, 0),
        Kind::Timeline => json!({ "fillOpacity": 75, "lineWidth": 0 }),
        Kind::Table => json!({ "align": "auto", "cellOptions": { "type": "auto" } }),
        Kind::Stat | Kind::Bars | Kind::Heatmap => json!({}),
    }
}

fn course(panel: &Panel, stacking: &str, fill: u32, width: u32) -> Value {
    let thresholds = if panel.thresholds.is_empty() { "off" } else { "dashed" };
    let mut course = json!({
        // Zero is always in the picture: a small change must not look like a large one.
        "axisSoftMin": 0,
        "drawStyle": "line",
        "fillOpacity": fill,
        "lineInterpolation": "linear",
        "lineWidth": width,
        "showPoints": "never",
        "spanNulls": false,
        "stacking": { "group": "A", "mode": stacking },
        "thresholdsStyle": { "mode": thresholds },
    });
    if let Some(top) = soft_top(panel) {
        course["axisSoftMax"] = json!(top);
    }
    course
}

/// What is always in the picture of numbers that are mostly 0: where they begin to matter.
fn soft_top(panel: &Panel) -> Option<f64> {
    let matters = panel.thresholds.get(1).filter(|step| step.level != Level::Good);
    match panel.unit {
        Unit::Seconds | Unit::Bytes | Unit::BytesPerSecond | Unit::Euro | Unit::Times => None,
        Unit::Count => Some(matters?.from?.max(1.0)),
        Unit::Ratio | Unit::RequestsPerSecond | Unit::PerSecond | Unit::PerMinute => matters?.from,
    }
}

fn mappings(panel: &Panel) -> Vec<Value> {
    let meanings = panel.meanings.iter().enumerate();
    meanings
        .map(|(index, meaning)| {
            let shown =
                json!({ "color": color(meaning.level), "index": index, "text": meaning.text });
            let mut options = json!({});
            options[meaning.value.to_string()] = shown;
            json!({ "type": "value", "options": options })
        })
        .collect()
}

fn steps(thresholds: &[Threshold]) -> Vec<Value> {
    let base = Threshold { from: None, level: Level::Good };
    let steps = if thresholds.is_empty() { &[base][..] } else { thresholds };
    steps.iter().map(|step| json!({ "color": color(step.level), "value": step.from })).collect()
}

fn tone(tone: &Tone) -> Value {
    let mut properties = vec![json!({
        "id": "color",
        "value": { "fixedColor": color(tone.level), "mode": "fixed" },
    })];
    if tone.level == Level::Neutral {
        let dashes = json!({ "dash": [6, 4], "fill": "dash" });
        properties.push(json!({ "id": "custom.lineStyle", "value": dashes }));
        properties.push(json!({ "id": "custom.lineWidth", "value": 1 }));
        properties.push(json!({ "id": "custom.fillOpacity", "value": 0 }));
        properties.push(json!({
            "id": "custom.stacking",
            "value": { "group": "A", "mode": "none" },
        }));
    }
    let whole = format!("/^(?:{})$/", tone.series);
    json!({ "matcher": { "id": "byRegexp", "options": whole }, "properties": properties })
}

fn columns(panel: &Panel) -> impl Iterator<Item = Value> {
    panel.targets.iter().filter_map(|target| {
        let unit = unit(target.unit?);
        Some(json!({
            "matcher": { "id": "byName", "options": target.legend },
            "properties": [{ "id": "unit", "value": unit }],
        }))
    })
}
