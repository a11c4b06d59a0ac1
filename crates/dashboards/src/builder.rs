//! The words in which dashboards are written.

use crate::{
    model::{Dashboard, Kind, Level, Meaning, Panel, Row, Target, Threshold, Tone, Unit},
    promql::quantile,
};

impl Dashboard {
    /// An empty dashboard.
    pub(crate) fn new(uid: &'static str, title: &'static str, description: &'static str) -> Self {
        Self { uid, title, description, next: Vec::new(), rows: Vec::new() }
    }

    /// Leads on to these dashboards.
    pub(crate) fn next(mut self, uids: &[&'static str]) -> Self {
        self.next = uids.to_vec();
        self
    }

    /// Has one more row.
    pub(crate) fn row(
        mut self,
        title: impl Into<String>,
        panels: impl IntoIterator<Item = Panel>,
    ) -> Self {
        self.rows.push(Row { title: title.into(), panels: panels.into_iter().collect() });
        self
    }
}

impl Panel {
    fn new(title: impl Into<String>, kind: Kind, unit: Unit, (width, height): (u32, u32)) -> Self {
        Self {
            title: title.into(),
            description: String::new(),
            kind,
            unit,
            width,
            height,
            targets: Vec::new(),
            thresholds: Vec::new(),
            meanings: Vec::new(),
            tones: Vec::new(),
            exemplars: false,
            next: None,
        }
    }

    pub(crate) fn lines(title: impl Into<String>, unit: Unit) -> Self {
        Self::new(title, Kind::Lines, unit, (8, 8))
    }

    pub(crate) fn areas(title: impl Into<String>, unit: Unit) -> Self {
        Self::new(title, Kind::Areas, unit, (8, 8))
    }

    pub(crate) fn stat(title: impl Into<String>, unit: Unit) -> Self {
        Self::new(title, Kind::Stat, unit, (4, 4))
    }

    pub(crate) fn bars(title: impl Into<String>, unit: Unit) -> Self {
        Self::new(title, Kind::Bars, unit, (8, 8))
    }

    pub(crate) fn table(title: impl Into<String>, unit: Unit) -> Self {
        Self::new(title, Kind::Table, unit, (12, 8))
    }

    pub(crate) fn heatmap(title: impl Into<String>, unit: Unit) -> Self {
        Self::new(title, Kind::Heatmap, unit, (12, 8))
    }

    pub(crate) fn timeline(title: impl Into<String>) -> Self {
        Self::new(title, Kind::Timeline, Unit::Count, (12, 8))
    }

    /// Says what it shows and what good looks like.
    pub(crate) fn says(mut self, description: impl Into<String>) -> Self {
        self.description = description.into();
        self
    }

    /// Draws the series of one more query.
    pub(crate) fn draws(mut self, expr: impl Into<String>, legend: impl Into<String>) -> Self {
        self.targets.push(Target { expr: expr.into(), legend: legend.into(), unit: None });
        self
    }

    /// Has one more column; only for tables.
    pub(crate) fn column(
        mut self,
        heading: impl Into<String>,
        unit: Unit,
        expr: impl Into<String>,
    ) -> Self {
        let target = Target { expr: expr.into(), legend: heading.into(), unit: Some(unit) };
        self.targets.push(target);
        self
    }

    /// Draws p50, p95 and p99 of a histogram, with exemplars.
    pub(crate) fn percentiles(mut self, histogram: &str, matchers: &str) -> Self {
        self.targets.extend([0.5, 0.95, 0.99].map(|share| Target {
            expr: quantile(share, "", histogram, matchers),
            legend: format!("p{}", share * 100.0),
            unit: None,
        }));
        self.exemplars()
    }

    /// Draws exemplars.
    pub(crate) fn exemplars(mut self) -> Self {
        self.exemplars = true;
        self
    }

    /// Numbers are worth a look from `warn` on, and bad from `bad` on.
    pub(crate) fn too_high(mut self, warn: f64, bad: f64) -> Self {
        self.thresholds = steps(Level::Good, [(warn, Level::Warn), (bad, Level::Bad)]);
        self
    }

    /// Numbers are bad from `bad` on.
    pub(crate) fn bad_from(mut self, bad: f64) -> Self {
        self.thresholds = steps(Level::Good, [(bad, Level::Bad)]);
        self
    }

    /// Numbers have these levels from these bounds on.
    pub(crate) fn limits<const N: usize>(mut self, limits: [(f64, Level); N]) -> Self {
        self.thresholds = steps(Level::Good, limits);
        self
    }

    /// Numbers are bad below `warn`, and worth a look below `good`.
    pub(crate) fn too_low(mut self, good: f64, warn: f64) -> Self {
        self.thresholds = steps(Level::Bad, [(warn, Level::Warn), (good, Level::Good)]);
        self
    }

    /// A number is a word.
    pub(crate) fn means(mut self, value: i32, text: &'static str, level: Level) -> Self {
        self.meanings.push(Meaning { value, text, level });
        self
    }

    /// These series have the color of a level.
    pub(crate) fn tone(mut self, series: &'static str, level: Level) -> Self {
        self.tones.push(Tone { series, level });
        self
    }

    /// This dashboard says more.
    pub(crate) fn next(mut self, uid: &'static str) -> Self {
        self.next = Some(uid);
        self
    }

    pub(crate) fn size(mut self, width: u32, height: u32) -> Self {
        (self.width, self.height) = (width, height);
        self
    }
}

fn steps<const N: usize>(base: Level, steps: [(f64, Level); N]) -> Vec<Threshold> {
    let base = Threshold { from: None, level: base };
    let steps = steps.map(|(from, level)| Threshold { from: Some(from), level });
    std::iter::once(base).chain(steps).collect()
}
