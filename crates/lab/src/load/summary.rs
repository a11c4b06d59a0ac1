//! The results as a table for people.

use std::{fmt, time::Duration};

use super::{
    results::{Results, Row, Sample},
    words::{NONE, rate, share, time},
};

impl fmt::Display for Results {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} shows {}", self.profile, self.shows)?;
        writeln!(
            f,
            "{} for {}, up to {}, seed {}\n",
            self.url,
            time(seconds(self.lasted)),
            rate(self.highest_rate),
            self.seed
        )?;
        self.table(f)?;
        self.rates(f)?;
        writeln!(f, "\nthresholds")?;
        self.thresholds.iter().try_for_each(|verdict| writeln!(f, "  {verdict}"))?;
        samples(f, "slowest", &self.slowest)?;
        samples(f, "failed, for example", &self.failed)
    }
}

impl Results {
    fn table(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let titles = ["count", "success", "shed", "errors", "p50", "p95", "p99", "max"];
        write!(f, "{:<19}", "request")?;
        titles.iter().try_for_each(|title| write!(f, "{title:>9}"))?;
        writeln!(f)?;
        for row in self.requests.iter().chain([&self.all]) {
            write!(f, "{:<19}{:>9}", row.name, row.count)?;
            row.cells().iter().try_for_each(|cell| write!(f, "{cell:>9}"))?;
            writeln!(f)?;
        }
        Ok(())
    }

    fn rates(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ended =
            self.ended.iter().map(|each| format!("{} {}", each.count, each.outcome.as_str()));
        writeln!(f, "\nended: {}", ended.collect::<Vec<_>>().join(", "))?;
        writeln!(
            f,
            "offered {}, answered {}, good {} (right within {})",
            rate(self.offered_rate),
            rate(self.achieved_rate),
            rate(self.good_rate),
            time(seconds(self.good_within))
        )?;
        writeln!(
            f,
            "in flight: {} at most, of {}; sent late by {} at most",
            self.most_in_flight,
            self.in_flight_limit,
            time(seconds(self.sent_late_by))
        )
    }
}

impl Row {
    /// All but its name and count.
    pub(crate) fn cells(&self) -> [String; 7] {
        let share = |value: Option<f64>| value.map_or(NONE.to_owned(), share);
        let time = |value: Option<f64>| value.map_or(NONE.to_owned(), |value| time(seconds(value)));
        let times = self.times;
        [
            share(self.success),
            share(self.shed),
            share(self.errors),
            time(times.p50),
            time(times.p95),
            time(times.p99),
            time(self.max),
        ]
    }
}

impl Sample {
    /// Its answer's status, or why there is none.
    pub(crate) fn ending(&self) -> String {
        match self.status {
            Some(status) => format!("{status} {}", self.outcome.as_str()),
            None => self.outcome.as_str().to_owned(),
        }
    }
}

fn samples(f: &mut fmt::Formatter<'_>, title: &str, samples: &[Sample]) -> fmt::Result {
    if samples.is_empty() {
        return Ok(());
    }
    writeln!(f, "\n{title}")?;
    for sample in samples {
        let (took, ending) = (time(seconds(sample.took)), sample.ending());
        writeln!(f, "  {took:>8}  {:<18}  {ending:<14}  {}", sample.request, sample.look)?;
    }
    Ok(())
}

fn seconds(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}
