//! How the calls of the last while ended.

use std::time::Duration;

use tokio::time::Instant;

use super::Settings;

/// Into how many slices the time is cut; what is older goes a slice at a time.
const SLICES: usize = 10;

/// A ring of slices of time.
#[derive(Debug)]
pub(super) struct Window {
    began: Instant,
    slice: Duration,
    tallies: Box<[Tally; SLICES]>,
}

/// The calls that ended within one slice.
#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    /// Which slice, counted from the beginning.
    number: u128,
    calls: u32,
    failed: u32,
}

impl Window {
    pub(super) fn new(length: Duration) -> Self {
        let slice = (length / SLICES as u32).max(Duration::from_nanos(1));
        Self { began: Instant::now(), slice, tallies: Default::default() }
    }

    pub(super) fn count(&mut self, failed: bool, now: Instant) {
        let number = self.number(now);
        let tally = &mut self.tallies[(number % SLICES as u128) as usize];
        if tally.number != number {
            *tally = Tally { number, ..Tally::default() };
        }
        tally.calls += 1;
        tally.failed += u32::from(failed);
    }

    /// Whether too many calls have failed, of enough to tell.
    pub(super) fn is_bad(&self, settings: &Settings, now: Instant) -> bool {
        let newest = self.number(now);
        let recent = self.tallies.iter().filter(|tally| newest - tally.number < SLICES as u128);
        let (calls, failed) = recent
            .fold((0, 0), |(calls, failed), tally| (calls + tally.calls, failed + tally.failed));
        calls >= settings.minimum && f64::from(failed) >= settings.threshold * f64::from(calls)
    }

    fn number(&self, now: Instant) -> u128 {
        (now - self.began).as_nanos() / self.slice.as_nanos()
    }
}
