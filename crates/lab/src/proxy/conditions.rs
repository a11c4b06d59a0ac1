//! How long the way is now, and until when.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use rand::RngExt as _;
use tokio::time::Instant;

/// How long the way is, for all who go it.
#[derive(Clone, Debug, Default)]
pub(super) struct Conditions(Arc<Mutex<Option<Way>>>);

/// A way that is longer than none.
#[derive(Clone, Copy, Debug)]
pub(super) struct Way {
    /// What everything takes, in each direction.
    pub(super) latency: Duration,
    /// What it takes beyond that, at most.
    pub(super) jitter: Duration,
    /// Then it is as short as ever: who wants it longer for longer says so again.
    pub(super) until: Instant,
}

impl Conditions {
    /// Makes it so; none is as short as can be.
    pub(super) fn set(&self, way: Option<Way>) {
        *self.lock() = way;
    }

    /// How long it is now, if it is longer than none.
    pub(super) fn now(&self) -> Option<Way> {
        self.lock().filter(|way| Instant::now() < way.until)
    }

    /// How long something takes that sets out now.
    pub(super) fn delay(&self) -> Duration {
        match self.now() {
            Some(way) => way.latency + way.jitter.mul_f64(rand::rng().random::<f64>()),
            None => Duration::ZERO,
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Way>> {
        self.0.lock().expect("no holder of the lock panics")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_sets_out_takes_as_long_as_the_way_is_and_no_longer_than_it_is_said() {
        let conditions = Conditions::default();
        assert_eq!(conditions.delay(), Duration::ZERO);
        let [latency, jitter] = [30, 5].map(Duration::from_millis);
        let until = Instant::now() + Duration::from_secs(15);
        conditions.set(Some(Way { latency, jitter, until }));
        for _ in 0..100 {
            assert!((latency..=latency + jitter).contains(&conditions.delay()));
        }
        tokio::time::advance(Duration::from_secs(14)).await;
        assert!(conditions.delay() >= latency);
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(conditions.delay(), Duration::ZERO);
        conditions.set(Some(Way { latency, jitter, until: until + Duration::from_secs(15) }));
        conditions.set(None);
        assert_eq!(conditions.delay(), Duration::ZERO);
    }
}
