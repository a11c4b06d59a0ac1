//! What a load has to keep to, and whether it did.

use std::{fmt, str::FromStr, time::Duration};

use serde::Serialize;

use super::{
    outcome::Class,
    tally::Tally,
    words::{share, time},
};

/// What is held against a bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Measure {
    /// Nineteen in twenty requests took less than this, in seconds.
    P95,
    /// Ninety-nine in a hundred did.
    P99,
    /// The share of requests that failed is less than this.
    Errors,
    /// The share of requests with a right answer is more than this.
    Success,
}

/// A measure with its bound.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Threshold {
    /// What.
    pub measure: Measure,
    /// The bound: seconds, or a share of 1.
    pub bound: f64,
}

/// A threshold, and what was measured.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Verdict {
    /// What.
    pub measure: Measure,
    /// The bound: seconds, or a share of 1.
    pub bound: f64,
    /// What was measured; none if there was nothing to measure.
    pub seen: Option<f64>,
    /// Whether the threshold is kept.
    pub kept: bool,
}

/// What every profile has to keep to unless it is told otherwise.
pub const THRESHOLDS: [Threshold; 4] = [
    Threshold { measure: Measure::P95, bound: 0.5 },
    Threshold { measure: Measure::P99, bound: 1.0 },
    Threshold { measure: Measure::Errors, bound: 0.05 },
    Threshold { measure: Measure::Success, bound: 0.95 },
];

/// The thresholds, with some bounds replaced.
pub fn thresholds(replaced: &[Threshold]) -> [Threshold; 4] {
    THRESHOLDS.map(|usual| {
        let own = replaced.iter().rev().find(|own| own.measure == usual.measure);
        own.copied().unwrap_or(usual)
    })
}

impl Threshold {
    /// Holds it against what came of a load. What was not measured keeps no threshold.
    pub fn judge(self, tally: &Tally) -> Verdict {
        let Self { measure, bound } = self;
        let seen = match measure {
            Measure::P95 => tally.quantile(0.95).map(|time| time.as_secs_f64()),
            Measure::P99 => tally.quantile(0.99).map(|time| time.as_secs_f64()),
            Measure::Errors => tally.outcomes().share(Class::Error),
            Measure::Success => tally.outcomes().share(Class::Success),
        };
        let kept = seen.is_some_and(|seen| match measure {
            Measure::P95 | Measure::P99 | Measure::Errors => seen < bound,
            Measure::Success => seen > bound,
        });
        Verdict { measure, bound, seen, kept }
    }
}

impl Measure {
    const ALL: [Self; 4] = [Self::P95, Self::P99, Self::Errors, Self::Success];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::P95 => "p95",
            Self::P99 => "p99",
            Self::Errors => "errors",
            Self::Success => "success",
        }
    }

    fn is_time(self) -> bool {
        match self {
            Self::P95 | Self::P99 => true,
            Self::Errors | Self::Success => false,
        }
    }

    fn show(self, value: f64) -> String {
        if self.is_time() { time(Duration::from_secs_f64(value)) } else { share(value) }
    }
}

impl FromStr for Threshold {
    type Err = String;

    /// Reads `p95=800ms` or `errors=2%`.
    fn from_str(text: &str) -> Result<Self, String> {
        let possible = "p95=500ms, p99=1s, errors=5% or success=95%";
        let read = || {
            let (name, value) = text.split_once('=')?;
            let measure = Measure::ALL.into_iter().find(|measure| measure.name() == name)?;
            let bound = match measure.is_time() {
                true => humantime::parse_duration(value).ok()?.as_secs_f64(),
                false => value.strip_suffix('%')?.trim().parse::<f64>().ok()? / 100.0,
            };
            let sensible = measure.is_time() || (0.0..=1.0).contains(&bound);
            sensible.then_some(Self { measure, bound })
        };
        read().ok_or_else(|| format!("a threshold is one of {possible}"))
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { measure, bound, seen, kept } = *self;
        let verdict = if kept { "kept" } else { "MISSED" };
        let seen = seen.map_or("nothing".to_owned(), |seen| measure.show(seen));
        let than = if measure == Measure::Success { ">" } else { "<" };
        write!(f, "{verdict:<7} {:<8} {seen:>9}  {than} {}", measure.name(), measure.show(bound))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::{errand::Kind, outcome::Outcome, record::Record};

    fn read(text: &str) -> Result<(Measure, f64), String> {
        text.parse::<Threshold>().map(|threshold| (threshold.measure, threshold.bound))
    }

    #[test]
    fn a_threshold_is_read_with_its_unit() {
        assert_eq!(read("p95=800ms"), Ok((Measure::P95, 0.8)));
        assert_eq!(read("p99=2s"), Ok((Measure::P99, 2.0)));
        assert_eq!(read("errors=2.5%"), Ok((Measure::Errors, 0.025)));
        assert_eq!(read("success=90%"), Ok((Measure::Success, 0.9)));
        for bad in ["p95", "p95=", "p95=800", "p90=1s", "errors=0.05", "errors=101%", "errors=-1%"]
        {
            assert!(read(bad).is_err_and(|error| error.contains("p95=500ms")), "{bad}");
        }
    }

    #[test]
    fn the_last_word_on_a_bound_counts_and_the_others_stay() {
        let own = [read("p95=1s"), read("p95=2s")]
            .map(|own| own.map(|(measure, bound)| Threshold { measure, bound }).unwrap());
        let bounds = thresholds(&own).map(|threshold| threshold.bound);
        assert_eq!(bounds, [2.0, 1.0, 0.05, 0.95]);
    }

    #[test]
    fn nothing_measured_keeps_no_threshold_and_a_bound_itself_is_not_kept() {
        let second = Duration::from_secs(1);
        let mut record = Record::new(second, second);
        assert!(THRESHOLDS.iter().all(|threshold| !threshold.judge(&record.all).kept));
        for number in 0..20 {
            record.offer(Duration::ZERO, 1);
            let outcome = if number == 0 { Outcome::Dropped } else { Outcome::Served };
            match outcome {
                Outcome::Dropped => record.drop_one(Kind::Browse, Duration::ZERO),
                _ => record.end(&crate::load::outcome::served(Duration::from_millis(20))),
            }
        }
        let verdicts = THRESHOLDS.map(|threshold| threshold.judge(&record.all));
        assert_eq!(verdicts.map(|verdict| verdict.kept), [true, true, false, false]);
        assert_eq!(verdicts[2].to_string(), "MISSED  errors       5.0 %  < 5.0 %");
    }
}
