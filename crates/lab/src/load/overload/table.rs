//! What came of too much: as text, as CSV and as a picture.

use std::{fmt, time::Duration};

use super::Held;
use crate::load::{
    chart::{Axis, Chart, Scale, Series, Shape},
    words::{NONE, rate, share, time},
};

/// At three times what the shop can do, this share of the peak has to be left.
const GOODPUT_LEFT: f64 = 0.8;
/// How soon after the load's end everything has to be normal.
const RECOVERED_WITHIN: Duration = Duration::from_secs(30);
/// How much more memory than at what it can do a service may hold at three times as much.
const MEMORY_GROWTH: f64 = 1.5;
const MIB: f64 = 1024.0 * 1024.0;

/// What came of too much.
#[derive(Clone, Debug)]
pub(super) struct Table {
    /// What the shop can do, in good answers per second.
    pub(super) capacity: f64,
    /// Whose memory was watched.
    pub(super) services: Vec<String>,
    /// The loads, from the smallest on.
    pub(super) held: Vec<Held>,
}

/// Something that has to be kept.
struct Promise {
    text: String,
    kept: bool,
}

impl Table {
    /// Whether everything was kept that has to be.
    pub(super) fn kept(&self) -> bool {
        self.promises().iter().all(|promise| promise.kept)
    }

    /// The numbers, for other programs. Memory is in bytes, times are in seconds.
    pub(super) fn csv(&self) -> String {
        let memory = self.services.iter().map(|name| format!(",{name}_bytes")).collect::<String>();
        let mut csv = format!(
            "factor,offered,answered,good,shed_share,error_share,dropped_share,p95,p99,recovered_after{memory}\n"
        );
        for held in &self.held {
            let seconds = |time: Option<Duration>| number(time.map(|time| time.as_secs_f64()), 4);
            let memory = held.memory.iter().map(|bytes| format!(",{}", number(*bytes, 0)));
            let Held { factor, offered, answered, good, shed, errors, dropped, .. } = held;
            csv.push_str(&format!(
                "{factor},{offered:.1},{answered:.1},{good:.1},{shed:.4},{errors:.4},{dropped:.4},\
                 {},{},{}{}\n",
                seconds(held.p95),
                seconds(held.p99),
                seconds(held.recovered),
                memory.collect::<String>()
            ));
        }
        csv
    }

    /// Goodput over offered load.
    pub(super) fn plot(&self) -> String {
        let axis = |label| Axis { label, show: |value| format!("{value}"), scale: Scale::Linear };
        let series = |name: &str, color, shape, value: fn(&Held) -> f64| {
            let held = self.held.iter().map(|held| (held.offered, Some(value(held))));
            let points = [(0.0, Some(0.0))].into_iter().chain(held).collect();
            Series { name: name.to_owned(), color, shape, points }
        };
        let least = GOODPUT_LEFT * self.peak();
        let chart = Chart {
            title: "Goodput over offered load",
            x: axis("requests offered per second"),
            y: axis("answers per second"),
            series: vec![
                series("answered, shed ones included", "gray", Shape::Dashed, |held| held.answered),
                series("good", "green", Shape::Dotted, |held| held.good),
            ],
            bounds: vec![(least, format!("80 % of the peak: {}", rate(least)))],
        };
        chart.file()
    }

    fn peak(&self) -> f64 {
        self.held.iter().map(|held| held.good).fold(0.0, f64::max)
    }

    fn at(&self, factor: f64) -> Option<&Held> {
        self.held.iter().find(|held| held.factor == factor)
    }

    fn promises(&self) -> Vec<Promise> {
        let (Some(full), Some(most)) = (self.at(1.0), self.held.last()) else { return Vec::new() };
        let left = most.good / self.peak();
        let recovered = most.recovered.map_or("not in time".to_owned(), time);
        let memory = self.services.iter().zip(full.memory.iter().zip(&most.memory));
        let memory = memory.map(|(name, (at_full, at_most))| {
            let growth = at_full.zip(*at_most).map(|(at_full, at_most)| at_most / at_full);
            let seen =
                growth.map_or("not measured".to_owned(), |growth| format!("{growth:.2} times"));
            Promise {
                text: format!("memory of {name}: {seen}, at most {MEMORY_GROWTH} times"),
                kept: growth.is_some_and(|growth| growth <= MEMORY_GROWTH),
            }
        });
        [
            Promise {
                text: format!("goodput: {} of the peak, at least 80 %", share(left)),
                kept: left >= GOODPUT_LEFT,
            },
            Promise {
                text: format!("normal again after {recovered}, at most 30 s"),
                kept: most.recovered.is_some_and(|time| time <= RECOVERED_WITHIN),
            },
        ]
        .into_iter()
        .chain(memory)
        .collect()
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "the shop can do {}\n", rate(self.capacity))?;
        let titles = [
            "load", "offered", "answered", "good", "shed", "errors", "dropped", "p95", "p99",
            "normal",
        ];
        titles.iter().try_for_each(|title| write!(f, "{title:>9}"))?;
        self.services.iter().try_for_each(|name| write!(f, "  {name:>18}"))?;
        writeln!(f)?;
        for held in &self.held {
            writeln!(f, "{held}")?;
        }
        writeln!(f, "\nat three times what it can do")?;
        self.promises().iter().try_for_each(|promise| {
            let verdict = if promise.kept { "kept" } else { "MISSED" };
            writeln!(f, "  {verdict:<7} {}", promise.text)
        })
    }
}

impl fmt::Display for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let or_none = |time: Option<Duration>| time.map_or(NONE.to_owned(), self::time);
        let cells = [
            format!("{} ×", self.factor),
            rate(self.offered),
            rate(self.answered),
            rate(self.good),
            share(self.shed),
            share(self.errors),
            share(self.dropped),
            or_none(self.p95),
            or_none(self.p99),
            self.recovered.map_or(NONE.to_owned(), |time| format!("{} s", time.as_secs())),
        ];
        cells.iter().try_for_each(|cell| write!(f, "{cell:>9}"))?;
        self.memory.iter().try_for_each(|bytes| {
            let mib = bytes.map_or(NONE.to_owned(), |bytes| format!("{:.1} MiB", bytes / MIB));
            write!(f, "  {mib:>18}")
        })
    }
}

fn number(value: Option<f64>, digits: usize) -> String {
    value.map_or(String::new(), |value| format!("{value:.digits$}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(factor: f64, good: f64, mebibytes: f64) -> Held {
        Held {
            factor,
            offered: 100.0 * factor,
            answered: 100.0 * factor,
            good,
            shed: 0.0,
            errors: 0.0,
            dropped: 0.0,
            p95: Some(Duration::from_millis(120)),
            p99: None,
            recovered: Some(Duration::from_secs(2)),
            memory: vec![Some(mebibytes * MIB)],
        }
    }

    fn table(most: Held) -> Table {
        let held = vec![held(0.5, 50.0, 10.0), held(1.0, 100.0, 10.0), most];
        Table { capacity: 100.0, services: vec!["order-api".to_owned()], held }
    }

    #[test]
    fn what_stays_above_four_fifths_bounded_and_recovers_is_kept() {
        assert!(table(held(3.0, 80.0, 15.0)).kept());
        assert!(!table(held(3.0, 79.0, 15.0)).kept(), "goodput");
        assert!(!table(held(3.0, 80.0, 15.1)).kept(), "memory");
        assert!(!table(Held { memory: vec![None], ..held(3.0, 80.0, 15.0) }).kept(), "unmeasured");
        let late = Some(Duration::from_secs(31));
        assert!(!table(Held { recovered: late, ..held(3.0, 80.0, 15.0) }).kept(), "late");
        assert!(!table(Held { recovered: None, ..held(3.0, 80.0, 15.0) }).kept(), "never");
    }

    #[test]
    fn the_numbers_are_written_for_other_programs() {
        let csv = table(held(3.0, 80.0, 15.0)).csv();
        let lines: Vec<_> = csv.lines().collect();
        assert!(lines[0].ends_with("p95,p99,recovered_after,order-api_bytes"), "{csv}");
        assert_eq!(lines[3], "3,300.0,300.0,80.0,0.0000,0.0000,0.0000,0.1200,,2.0000,15728640");
        let columns = |line: &str| line.split(',').count();
        assert!(lines.iter().all(|line| columns(line) == columns(lines[0])));
    }
}
