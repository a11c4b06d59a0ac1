//! What the customers saw, in the last ten seconds and in all.

use std::{
    sync::{
        Mutex, MutexGuard,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::window::{Ended, Percentiles, Window};
use crate::metrics::{Journey, Metrics, Outcome};

/// What the customers saw: rates, ratios and times of the last ten seconds, and totals.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    /// Requests that ended, per second.
    pub requests_per_second: f64,
    /// Orders that the shop accepted, per second.
    pub orders_per_second: f64,
    /// The share of requests that failed, timed out or found nobody, 0 to 1.
    pub error_ratio: f64,
    /// How long requests took.
    pub requests: Percentiles,
    /// How long attempts to place an order took.
    pub orders: Percentiles,
    /// Requests that ended, in all.
    pub requests_total: u64,
    /// Requests that failed, timed out or found nobody, in all.
    pub errors_total: u64,
    /// Requests that the shop refused, in all.
    pub refused_total: u64,
    /// Requests that were not sent because too many were open, in all.
    pub dropped_total: u64,
    /// Orders that the shop accepted, in all.
    pub orders_placed: u64,
    /// Orders whose customer saw them fulfilled, in all.
    pub orders_fulfilled_seen: u64,
}

/// Counts what ends.
#[derive(Debug)]
pub(crate) struct Tally {
    metrics: Metrics,
    begin: Instant,
    window: Mutex<Window>,
    /// Whether the shop has served anyone yet.
    open: AtomicBool,
    requests: AtomicU64,
    errors: AtomicU64,
    refused: AtomicU64,
    dropped: AtomicU64,
    placed: AtomicU64,
    fulfilled: AtomicU64,
}

impl Tally {
    pub(crate) fn new(metrics: Metrics) -> Self {
        Self {
            metrics,
            begin: Instant::now(),
            window: Mutex::new(Window::new()),
            open: AtomicBool::new(false),
            requests: AtomicU64::new(0),
            errors: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
            placed: AtomicU64::new(0),
            fulfilled: AtomicU64::new(0),
        }
    }

    /// Counts a request that has ended.
    pub(crate) fn ended(&self, journey: Journey, ended: Ended) {
        if ended.outcome == Outcome::Served {
            self.open.store(true, Ordering::Relaxed);
        } else if !self.open.load(Ordering::Relaxed) {
            return;
        }
        let outcome = ended.outcome;
        self.metrics.lab_customer_requests_total.with((journey, outcome)).increment(1);
        if outcome == Outcome::Dropped {
            count(&self.dropped);
            return;
        }
        self.metrics.lab_customer_request_duration_seconds.record(journey, ended.took);
        self.window().add(self.age(), ended);
        count(&self.requests);
        if outcome.is_error() {
            count(&self.errors);
        }
        if outcome == Outcome::Refused {
            count(&self.refused);
        }
        if ended.ordering && outcome == Outcome::Served {
            count(&self.placed);
        }
    }

    /// Counts an order that its customer has seen fulfilled.
    pub(crate) fn fulfilled(&self) {
        count(&self.fulfilled);
    }

    pub(crate) fn snapshot(&self) -> Snapshot {
        let sum = self.window().sum(self.age());
        let per_second = |count: u64| if count == 0 { 0.0 } else { count as f64 / sum.seconds };
        Snapshot {
            requests_per_second: per_second(sum.requests),
            orders_per_second: per_second(sum.orders),
            error_ratio: sum.errors as f64 / sum.requests.max(1) as f64,
            requests: sum.times,
            orders: sum.ordering_times,
            requests_total: self.requests.load(Ordering::Relaxed),
            errors_total: self.errors.load(Ordering::Relaxed),
            refused_total: self.refused.load(Ordering::Relaxed),
            dropped_total: self.dropped.load(Ordering::Relaxed),
            orders_placed: self.placed.load(Ordering::Relaxed),
            orders_fulfilled_seen: self.fulfilled.load(Ordering::Relaxed),
        }
    }

    fn age(&self) -> Duration {
        self.begin.elapsed()
    }

    fn window(&self) -> MutexGuard<'_, Window> {
        self.window.lock().expect("no holder of the lock panics")
    }
}

impl Outcome {
    /// Whether the shop has let the customer down.
    pub(crate) fn is_error(self) -> bool {
        match self {
            Self::Failed | Self::TimedOut | Self::Unreachable => true,
            Self::Served | Self::Declined | Self::Refused | Self::Dropped => false,
        }
    }
}

fn count(total: &AtomicU64) {
    total.fetch_add(1, Ordering::Relaxed);
}

#[cfg(test)]
mod tests {
    use instrumentation::metrics::Registry;

    use super::*;

    fn ended(outcome: Outcome) -> Ended {
        Ended { outcome, took: Duration::from_millis(3), ordering: true }
    }

    #[tokio::test]
    async fn nothing_counts_before_the_shop_has_opened() {
        let registry = Registry::new("lab", &[Metrics::CATALOGUE]);
        let tally = Tally::new(Metrics::register(&registry));
        tally.ended(Journey::Order, ended(Outcome::Unreachable));
        tally.ended(Journey::Order, ended(Outcome::Failed));
        assert_eq!(tally.snapshot(), Snapshot::default());

        tally.ended(Journey::Order, ended(Outcome::Served));
        tally.ended(Journey::Order, ended(Outcome::Failed));
        tally.ended(Journey::Order, ended(Outcome::Dropped));
        let snapshot = tally.snapshot();
        assert_eq!((snapshot.requests_total, snapshot.orders_placed), (2, 1));
        assert_eq!((snapshot.error_ratio, snapshot.dropped_total), (0.5, 1));
        let series = r#"lab_customer_requests_total{journey="order",outcome="failed"} 1"#;
        assert!(registry.render().contains(series));
    }
}
