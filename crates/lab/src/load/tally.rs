//! How requests ended and how long they took, counted.

use std::time::Duration;

use hdrhistogram::Histogram;

use super::outcome::{Class, Ended, Outcome};

/// The longest time that is told from a longer one, in microseconds.
const LONGEST_MICROS: u64 = 120_000_000;

/// How requests ended, and how long they took.
#[derive(Clone, Debug)]
pub struct Tally {
    outcomes: Outcomes,
    /// Right answers that came soon enough.
    good: u64,
    /// Of all that were sent and not turned away: a quick no must not make answers look quick.
    times: Histogram<u32>,
}

/// Numbers of requests by how they ended.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Outcomes([u64; Outcome::ALL.len()]);

impl Tally {
    pub(super) fn new() -> Self {
        Self { outcomes: Outcomes::default(), good: 0, times: histogram(3) }
    }

    /// Counts one that was sent and has ended.
    pub(super) fn end(&mut self, ended: &Ended, good: bool) {
        self.outcomes.count(ended.outcome);
        self.good += u64::from(good);
        if ended.outcome.class() != Class::Shed {
            self.times.saturating_record(micros(ended.took));
        }
    }

    /// Counts one that was never sent.
    pub(super) fn drop_one(&mut self) {
        self.outcomes.count(Outcome::Dropped);
    }

    /// How they ended.
    pub fn outcomes(&self) -> Outcomes {
        self.outcomes
    }

    /// How many right answers came soon enough.
    pub fn good(&self) -> u64 {
        self.good
    }

    /// How long all but this share took at most; none if nothing was measured.
    pub fn quantile(&self, share: f64) -> Option<Duration> {
        quantile(&self.times, share)
    }
}

impl Outcomes {
    pub(super) fn count(&mut self, outcome: Outcome) {
        self.0[outcome as usize] += 1;
    }

    pub(super) fn add(&mut self, others: Self) {
        self.0.iter_mut().zip(others.0).for_each(|(sum, count)| *sum += count);
    }

    /// How many ended so.
    pub fn of(&self, outcome: Outcome) -> u64 {
        self.0[outcome as usize]
    }

    /// How many ended in a way of this class.
    pub fn of_class(&self, class: Class) -> u64 {
        Outcome::ALL.iter().filter(|each| each.class() == class).map(|each| self.of(*each)).sum()
    }

    /// How many there are.
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }

    /// How many answers came, right or wrong.
    pub fn answered(&self) -> u64 {
        let silent = [Outcome::TimedOut, Outcome::Unreachable, Outcome::Dropped];
        self.total() - silent.iter().map(|each| self.of(*each)).sum::<u64>()
    }

    /// Which share of all ended in a way of this class; none of nothing.
    pub fn share(&self, class: Class) -> Option<f64> {
        (self.total() > 0).then(|| self.of_class(class) as f64 / self.total() as f64)
    }
}

/// A time in the unit of histograms.
pub(super) fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

/// How long this share took at most; none if nothing was measured.
pub(super) fn quantile(times: &Histogram<u32>, share: f64) -> Option<Duration> {
    (!times.is_empty()).then(|| Duration::from_micros(times.value_at_quantile(share)))
}

/// Microseconds, to so many digits.
pub(super) fn histogram(digits: u8) -> Histogram<u32> {
    Histogram::new_with_max(LONGEST_MICROS, digits).expect("the bounds are constants")
}
