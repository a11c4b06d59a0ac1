//! What happened in the last ten seconds: a ring of one-second slots.

use std::time::Duration;

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

use crate::metrics::Outcome;

/// The slots, of one second each: the one that fills now and those before it.
const SLOTS: u64 = 10;
/// The longest time that is told from a longer one, in microseconds.
const LONGEST_MICROS: u64 = 60_000_000;

/// Half, nineteen in twenty and ninety-nine in a hundred took no longer than this; 0 if there was
/// nothing to measure.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Percentiles {
    /// The median, in seconds.
    pub p50_seconds: f64,
    /// The 95th percentile, in seconds.
    pub p95_seconds: f64,
    /// The 99th percentile, in seconds.
    pub p99_seconds: f64,
}

/// One request that has ended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ended {
    pub(crate) outcome: Outcome,
    pub(crate) took: Duration,
    /// Whether it was the attempt to place an order.
    pub(crate) ordering: bool,
}

/// The last ten seconds.
#[derive(Debug)]
pub(crate) struct Window {
    slots: Vec<Slot>,
}

/// The sum of the last ten seconds.
#[derive(Debug)]
pub(crate) struct Sum {
    /// How many seconds are in it.
    pub(crate) seconds: f64,
    pub(crate) requests: u64,
    pub(crate) errors: u64,
    pub(crate) orders: u64,
    pub(crate) times: Percentiles,
    pub(crate) ordering_times: Percentiles,
}

#[derive(Debug)]
struct Slot {
    /// The second since the beginning that this slot holds.
    second: u64,
    requests: u64,
    errors: u64,
    orders: u64,
    times: Histogram<u32>,
    ordering_times: Histogram<u32>,
}

impl Window {
    pub(crate) fn new() -> Self {
        Self { slots: (0..SLOTS).map(Slot::new).collect() }
    }

    /// Adds a request that ended at `now`, which is the time since the beginning.
    pub(crate) fn add(&mut self, now: Duration, ended: Ended) {
        let slot = self.slot(now);
        let micros = u64::try_from(ended.took.as_micros()).unwrap_or(u64::MAX);
        slot.requests += 1;
        slot.errors += u64::from(ended.outcome.is_error());
        slot.times.saturating_record(micros);
        if ended.ordering {
            slot.orders += u64::from(ended.outcome == Outcome::Served);
            slot.ordering_times.saturating_record(micros);
        }
    }

    /// Everything in the ten seconds before `now`, the second that fills included.
    pub(crate) fn sum(&self, now: Duration) -> Sum {
        let (mut times, mut ordering_times) = (histogram(), histogram());
        let mut sum = Sum {
            seconds: now.as_secs_f64().min((SLOTS - 1) as f64 + now.as_secs_f64().fract()),
            requests: 0,
            errors: 0,
            orders: 0,
            times: Percentiles::default(),
            ordering_times: Percentiles::default(),
        };
        for slot in self.slots.iter().filter(|slot| slot.second + SLOTS > now.as_secs()) {
            sum.requests += slot.requests;
            sum.errors += slot.errors;
            sum.orders += slot.orders;
            times.add(&slot.times).expect("all have the same bounds");
            ordering_times.add(&slot.ordering_times).expect("all have the same bounds");
        }
        sum.times = Percentiles::of(&times);
        sum.ordering_times = Percentiles::of(&ordering_times);
        sum
    }

    fn slot(&mut self, now: Duration) -> &mut Slot {
        let slot = &mut self.slots[(now.as_secs() % SLOTS) as usize];
        if slot.second != now.as_secs() {
            slot.begin(now.as_secs());
        }
        slot
    }
}

impl Slot {
    fn new(second: u64) -> Self {
        let (times, ordering_times) = (histogram(), histogram());
        Self { second, requests: 0, errors: 0, orders: 0, times, ordering_times }
    }

    fn begin(&mut self, second: u64) {
        (self.second, self.requests, self.errors, self.orders) = (second, 0, 0, 0);
        self.times.reset();
        self.ordering_times.reset();
    }
}

impl Percentiles {
    fn of(times: &Histogram<u32>) -> Self {
        let seconds = |quantile| times.value_at_quantile(quantile) as f64 / 1e6;
        Self { p50_seconds: seconds(0.5), p95_seconds: seconds(0.95), p99_seconds: seconds(0.99) }
    }
}

/// Microseconds to one percent.
fn histogram() -> Histogram<u32> {
    Histogram::new_with_max(LONGEST_MICROS, 2).expect("the bounds are constants")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn served(millis: u64) -> Ended {
        Ended { outcome: Outcome::Served, took: Duration::from_millis(millis), ordering: true }
    }

    #[test]
    fn percentiles_are_right_to_one_percent() {
        let mut window = Window::new();
        for millis in 1..=1000 {
            window.add(Duration::from_millis(millis * 9), served(millis));
        }
        let times = window.sum(Duration::from_secs(9)).ordering_times;
        for (seen, right) in
            [(times.p50_seconds, 0.5), (times.p95_seconds, 0.95), (times.p99_seconds, 0.99)]
        {
            assert!((seen / right - 1.0).abs() < 0.01, "{seen} for {right}");
        }
    }

    #[test]
    fn what_is_older_than_ten_seconds_is_forgotten() {
        let mut window = Window::new();
        window.add(Duration::from_millis(500), served(900));
        let failed = Ended { outcome: Outcome::Failed, ..served(1) };
        window.add(Duration::from_millis(9800), failed);
        let sum = window.sum(Duration::from_millis(9900));
        assert_eq!((sum.requests, sum.errors, sum.orders), (2, 1, 1));
        let sum = window.sum(Duration::from_millis(10_100));
        assert_eq!((sum.requests, sum.errors, sum.orders), (1, 1, 0));
        assert!(sum.times.p99_seconds < 0.01, "{:?}", sum.times);
        assert_eq!(window.sum(Duration::from_secs(60)).requests, 0);
    }

    #[test]
    fn a_young_window_is_as_long_as_it_is_old() {
        let window = Window::new();
        assert_eq!(window.sum(Duration::from_millis(2500)).seconds, 2.5);
        assert_eq!(window.sum(Duration::from_millis(72_500)).seconds, 9.5);
    }
}
