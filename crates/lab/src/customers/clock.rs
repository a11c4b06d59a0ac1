//! When the next customer is due, also while the rate changes.

use std::time::Duration;

use tokio::time::Instant;

/// Turns gaps that are counted in mean gaps into times, at a rate that may change meanwhile.
#[derive(Debug)]
pub(crate) struct Clock {
    /// The moment at which `left` was true.
    since: Instant,
    /// What is left of the gap, in mean gaps.
    left: f64,
    /// Mean gaps per second.
    rate: f64,
}

impl Clock {
    pub(crate) fn new(gap: f64, rate: f64, now: Instant) -> Self {
        Self { since: now, left: gap, rate }
    }

    /// When the gap is over; never, at rate 0.
    pub(crate) fn due(&self) -> Option<Instant> {
        let wait = Duration::try_from_secs_f64(self.left / self.rate).ok()?;
        self.since.checked_add(wait)
    }

    /// Begins the next gap where this one ends, so that a late call does not shift what follows.
    pub(crate) fn next(&mut self, gap: f64) {
        self.since = self.due().unwrap_or(self.since);
        self.left = gap;
    }

    /// Goes on with the rest of the gap at another rate.
    pub(crate) fn set_rate(&mut self, rate: f64, now: Instant) {
        let passed = now.saturating_duration_since(self.since).as_secs_f64();
        self.left = (self.left - passed * self.rate).max(0.0);
        self.since = now;
        self.rate = rate;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(start: Instant, seconds: f64) -> Instant {
        start + Duration::from_secs_f64(seconds)
    }

    #[test]
    fn a_late_call_does_not_shift_what_follows() {
        let start = Instant::now();
        let mut clock = Clock::new(1.0, 2.0, start);
        assert_eq!(clock.due(), Some(at(start, 0.5)));
        clock.next(3.0);
        assert_eq!(clock.due(), Some(at(start, 2.0)));
    }

    #[test]
    fn the_rest_of_a_gap_passes_at_the_new_rate() {
        let start = Instant::now();
        let mut clock = Clock::new(1.0, 0.5, start);
        clock.set_rate(5.0, at(start, 1.0));
        assert_eq!(clock.due(), Some(at(start, 1.1)));
    }

    #[test]
    fn at_rate_0_nobody_is_due() {
        let start = Instant::now();
        let mut clock = Clock::new(1.0, 0.0, start);
        assert_eq!(clock.due(), None);
        clock.set_rate(1.0, at(start, 100.0));
        assert_eq!(clock.due(), Some(at(start, 101.0)));
    }
}
