//! The course of a load, second by second.

use std::time::Duration;

use hdrhistogram::Histogram;

use super::{
    outcome::{Class, Ended, Outcome},
    tally::{Outcomes, histogram, micros, quantile},
};

/// On any day, nineteen in twenty answers come sooner than this.
const NORMAL_P95: Duration = Duration::from_millis(500);
/// On any day, more than this share of the answers are right.
const NORMAL_SUCCESS: f64 = 0.95;

/// One second of the course.
#[derive(Clone, Debug)]
pub struct Second {
    /// Requests that were due in it.
    pub offered: u64,
    /// Right answers that came in it, and soon enough.
    pub good: u64,
    /// How requests ended in it, whenever they were due.
    pub ended: Outcomes,
    /// Of those that were due in it: how many had a right answer soon enough.
    answered_well: u64,
    /// How long those took that were due in it.
    times: Histogram<u32>,
}

impl Second {
    pub(super) fn new() -> Self {
        let ended = Outcomes::default();
        Self { offered: 0, good: 0, ended, answered_well: 0, times: histogram(2) }
    }

    /// Counts a request that ended in it.
    pub(super) fn end(&mut self, outcome: Outcome, good: bool) {
        self.ended.count(outcome);
        self.good += u64::from(good);
    }

    /// Counts what became of a request that was due in it.
    pub(super) fn settle(&mut self, ended: &Ended, good: bool) {
        self.answered_well += u64::from(good);
        if ended.outcome.class() != Class::Shed {
            self.times.saturating_record(micros(ended.took));
        }
    }

    /// Whether those who were due in it were served as on any day; not, if nobody was.
    pub fn is_normal(&self) -> bool {
        let quick = self.quantile(0.95).is_some_and(|p95| p95 < NORMAL_P95);
        quick && self.answered_well as f64 > NORMAL_SUCCESS * self.offered as f64
    }

    /// How long this share of those that were due in it took at most.
    pub fn quantile(&self, share: f64) -> Option<Duration> {
        quantile(&self.times, share)
    }
}

/// Some seconds together.
#[derive(Debug)]
pub struct Slice {
    /// How many seconds.
    pub seconds: usize,
    /// Requests that were due.
    pub offered: u64,
    /// Right answers that came soon enough.
    pub good: u64,
    /// How requests ended.
    pub ended: Outcomes,
    times: Histogram<u32>,
}

impl Slice {
    /// These seconds.
    pub(super) fn of(seconds: &[Second]) -> Self {
        let ended = Outcomes::default();
        let mut slice =
            Self { seconds: seconds.len(), offered: 0, good: 0, ended, times: histogram(2) };
        seconds.iter().for_each(|second| slice.add(second));
        slice
    }

    fn add(&mut self, second: &Second) {
        self.offered += second.offered;
        self.good += second.good;
        self.ended.add(second.ended);
        self.times.add(&second.times).expect("all have the same bounds");
    }

    /// So many per second.
    pub fn rate(&self, count: u64) -> f64 {
        count as f64 / self.seconds.max(1) as f64
    }

    /// How long this share of those that were due took at most.
    pub fn quantile(&self, share: f64) -> Option<Duration> {
        quantile(&self.times, share)
    }
}
