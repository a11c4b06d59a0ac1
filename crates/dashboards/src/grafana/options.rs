//! How each kind of panel is drawn by Grafana.

use serde_json::{Value, json};

use crate::model::{Kind, Panel};

/// The name of the plugin that draws it.
pub(super) fn plugin(kind: Kind) -> &'static str {
    match kind {
        Kind::Lines | Kind::Areas => "timeseries",
        Kind::Stat => "stat",
        Kind::Bars => "bargauge",
        Kind::Table => "table",
        Kind::Heatmap => "heatmap",
        Kind::Timeline => "state-timeline",
    }
}

pub(super) fn options(panel: &Panel) -> Value {
    match panel.kind {
        Kind::Lines | Kind::Areas => json!({
            "legend": legend(panel),
            "tooltip": { "mode": "multi", "sort": "desc" },
        }),
        Kind::Stat => stat(panel),
        Kind::Bars => json!({
            "displayMode": "basic",
            "legend": {
                "calcs": [],
                "displayMode": "list",
                "placement": "bottom",
                "showLegend": false,
            },
            "maxVizHeight": 60,
            "minVizHeight": 16,
            "minVizWidth": 8,
            "namePlacement": "auto",
            "orientation": "horizontal",
            "reduceOptions": latest(),
            "showUnfilled": true,
            "sizing": "auto",
            "valueMode": "color",
        }),
        Kind::Table => json!({ "cellHeight": "sm", "showHeader": true }),
        Kind::Heatmap => heatmap(),
        Kind::Timeline => json!({
            "alignValue": "left",
            "legend": { "displayMode": "list", "placement": "bottom", "showLegend": false },
            "mergeValues": true,
            "rowHeight": 0.8,
            "showValue": "auto",
            "tooltip": { "mode": "single", "sort": "none" },
        }),
    }
}

/// Beside a wide picture, below others.
fn legend(panel: &Panel) -> Value {
    let (mode, place) = if panel.width >= 12 { ("table", "right") } else { ("list", "bottom") };
    let numbers = ["lastNotNull", "max"];
    json!({ "calcs": numbers, "displayMode": mode, "placement": place, "showLegend": true })
}

fn latest() -> Value {
    json!({ "calcs": ["lastNotNull"], "fields": "", "values": false })
}

fn stat(panel: &Panel) -> Value {
    json!({
        "colorMode": if panel.thresholds.is_empty() { "none" } else { "value" },
        "graphMode": "area",
        "justifyMode": "auto",
        "orientation": "auto",
        "percentChangeColorMode": "standard",
        "reduceOptions": latest(),
        "showPercentChange": false,
        "textMode": "value",
        "wideLayout": true,
    })
}

fn heatmap() -> Value {
    json!({
        "calculate": false,
        "cellGap": 0,
        "color": {
            "exponent": 0.5,
            "fill": "dark-orange",
            "mode": "scheme",
            "reverse": false,
            "scale": "exponential",
            "scheme": "Turbo",
            "steps": 64,
        },
        "exemplars": { "color": "rgba(255,0,255,0.7)" },
        // Empty cells are not drawn.
        "filterValues": { "le": 1e-9 },
        "legend": { "show": true },
        "rowsFrame": { "layout": "auto" },
        "showValue": "never",
        "tooltip": { "mode": "single", "showColorScale": false, "yHistogram": true },
        "yAxis": { "axisPlacement": "left", "reverse": false, "unit": "s" },
    })
}
