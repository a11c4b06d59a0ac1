//! Where panels stand: from the left, line by line, under their row's heading.

use serde_json::{Value, json};

use super::panel;
use crate::model::{COLUMNS, Dashboard, Row};

/// The rows' headings and their panels, in order, each with its place.
pub(super) fn placed(dashboard: &Dashboard) -> Vec<Value> {
    let mut below = 0;
    let mut all = Vec::new();
    for row in &dashboard.rows {
        all.push(heading(row, below));
        below = place(row, below + 1, &mut all);
    }
    all
}

/// Places a row's panels; returns where the next row begins.
fn place(row: &Row, top: u32, all: &mut Vec<Value>) -> u32 {
    let (mut x, mut y, mut line) = (0, top, 0);
    for panel in &row.panels {
        if x + panel.width > COLUMNS {
            (x, y, line) = (0, y + line, 0);
        }
        let position = json!({ "h": panel.height, "w": panel.width, "x": x, "y": y });
        all.push(panel::panel(panel, position));
        (x, line) = (x + panel.width, line.max(panel.height));
    }
    y + line
}

fn heading(row: &Row, y: u32) -> Value {
    json!({
        "collapsed": false,
        "gridPos": { "h": 1, "w": COLUMNS, "x": 0, "y": y },
        "id": panel::id(&row.title),
        "panels": [],
        "title": row.title,
        "type": "row",
    })
}
