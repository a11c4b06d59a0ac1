//! Dashboards, panels and their queries, as data that anything can draw.

use serde::Serialize;

/// A page of panels about one subject.
#[derive(Clone, Debug, Serialize)]
pub struct Dashboard {
    /// Its name in addresses; never changes.
    pub uid: &'static str,
    /// Its name for people.
    pub title: &'static str,
    /// Which question it answers.
    pub description: &'static str,
    /// The uids of the dashboards to look at next.
    pub next: Vec<&'static str>,
    /// Its rows, from the top.
    pub rows: Vec<Row>,
}

/// Panels that belong together, under a heading.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// The heading.
    pub title: String,
    /// The panels, from the left; they wrap when a line is full.
    pub panels: Vec<Panel>,
}

/// One picture.
#[derive(Clone, Debug, Serialize)]
pub struct Panel {
    /// Its name; unique on its dashboard.
    pub title: String,
    /// What it shows, and what good looks like.
    pub description: String,
    /// How it is drawn.
    pub kind: Kind,
    /// What its numbers are.
    pub unit: Unit,
    /// Columns that it takes, of [`COLUMNS`].
    pub width: u32,
    /// Lines that it takes, of about 30 pixels.
    pub height: u32,
    /// What it asks.
    pub targets: Vec<Target>,
    /// Where a number begins to mean something, ascending.
    pub thresholds: Vec<Threshold>,
    /// What numbers that are no quantity mean.
    pub meanings: Vec<Meaning>,
    /// Series whose color says something.
    pub tones: Vec<Tone>,
    /// Whether exemplars are drawn: dots that lead from a duration to a trace.
    pub exemplars: bool,
    /// The uid of the dashboard that says more.
    pub next: Option<&'static str>,
}

/// One query of a panel.
#[derive(Clone, Debug, Serialize)]
pub struct Target {
    /// PromQL.
    pub expr: String,
    /// The name of a series: text with `{{label}}` in it. In a table, the heading of the column.
    pub legend: String,
    /// What its numbers are, if not what the panel's are; only in tables.
    pub unit: Option<Unit>,
}

/// How wide a dashboard is.
pub const COLUMNS: u32 = 24;

/// How a panel is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Lines over time.
    Lines,
    /// Areas over time, one upon the other: the parts of a whole.
    Areas,
    /// The latest number, large, and its course behind it.
    Stat,
    /// The latest numbers as bars.
    Bars,
    /// The latest numbers, a line for each set of labels, a column for each query.
    Table,
    /// How a histogram's buckets fill over time.
    Heatmap,
    /// Which state each series is in over time.
    Timeline,
}

impl Kind {
    /// Whether only the latest numbers are asked for.
    pub fn is_instant(self) -> bool {
        matches!(self, Self::Bars | Self::Table)
    }
}

/// What a number is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unit {
    /// Things.
    Count,
    /// Seconds.
    Seconds,
    /// Bytes.
    Bytes,
    /// Bytes per second.
    BytesPerSecond,
    /// A share, 0 to 1.
    Ratio,
    /// Requests per second.
    RequestsPerSecond,
    /// Things per second.
    PerSecond,
    /// Things per minute.
    PerMinute,
    /// Euro.
    Euro,
    /// How many times as much.
    Times,
}

/// From which number on things are as good or as bad as `level` says.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Threshold {
    /// The number; none is everything below the first.
    pub from: Option<f64>,
    /// How good it is.
    pub level: Level,
}

/// How good something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// As it should be.
    Good,
    /// Worth a look.
    Warn,
    /// Broken.
    Bad,
    /// Neither: a limit, a state without a judgement.
    Neutral,
}

/// What a number stands for.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Meaning {
    /// The number.
    pub value: i32,
    /// What is shown instead.
    pub text: &'static str,
    /// How good it is.
    pub level: Level,
}

/// The color of series.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Tone {
    /// A regular expression for the whole name of a series, without `/` in it.
    pub series: &'static str,
    /// What its color says. A neutral one is drawn as a limit: dashed and gray.
    pub level: Level,
}

/// Something that happened, drawn across every dashboard; can be switched off there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Annotation {
    /// What kind of thing it is.
    pub name: &'static str,
    /// PromQL: it happens for as long as there is a sample.
    pub expr: &'static str,
    /// Its title, with `{{label}}` in it.
    pub title: &'static str,
    /// How good it is.
    pub level: Level,
}

/// What is drawn across every dashboard.
pub const ANNOTATIONS: &[Annotation] = &[
    Annotation {
        name: "Faults",
        expr: "fault_armed == 1",
        title: "fault: {{fault}}",
        level: Level::Neutral,
    },
    Annotation {
        name: "Alerts",
        expr: r#"ALERTS{alertstate="firing"}"#,
        title: "{{severity}}: {{alertname}}",
        level: Level::Bad,
    },
];

impl Dashboard {
    /// Its panels, from the top.
    pub fn panels(&self) -> impl Iterator<Item = &Panel> {
        self.rows.iter().flat_map(|row| &row.panels)
    }
}
