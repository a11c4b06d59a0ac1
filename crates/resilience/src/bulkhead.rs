//! Bounded concurrency: so many at once, a short wait for the rest, and then a quick refusal.
//!
//! Without a bound every request that comes is begun, each takes longer the more there are, and
//! past the point where they take longer than anybody waits, all work is for nobody. With one, what
//! is begun is finished in time, and what cannot be begun soon is refused while it has cost nothing.
//!
//! How long "soon" is depends on the queue, as in CoDel: a burst may wait out the whole patience,
//! since it passes; a queue that has stood for longer than that does not pass, and waiting in it
//! only makes every answer later, so from then on nobody waits for more than a moment.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use instrumentation::metrics::Held;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, TryAcquireError},
    time::{Instant, timeout},
};

/// The part of the patience that is left when the queue stands.
const HURRY: u32 = 20;
/// How often it is said that requests are refused; each is counted.
const REMINDER: Duration = Duration::from_secs(10);

instrumentation::metrics! {
    /// What a bulkhead measures.
    pub struct Metrics {
        /// Most requests that are worked on at once.
        concurrency_limit: Gauge<()>, Count;
        /// Requests that are being worked on, of those that are limited.
        concurrency_in_use: Gauge<()>, Count;
        /// Requests that wait to be begun.
        concurrency_waiters: Gauge<()>, Count;
        /// Time a request waited to be begun, in vain or not; those that need not wait are left out.
        concurrency_wait_duration_seconds: Timer<()>, Seconds;
    }
}

/// A limit on how much is done at once; its clones are the same one.
#[derive(Clone, Debug)]
pub struct Bulkhead {
    slots: Arc<Semaphore>,
    patience: Duration,
    /// When a slot was last free for whoever came.
    free: Arc<Mutex<Instant>>,
    /// When it was last said that requests are refused.
    told: Arc<Mutex<Option<Instant>>>,
    metrics: Metrics,
}

/// There was no slot soon enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too much is being done already")]
pub struct Full;

/// The right to work, until it is dropped.
#[must_use = "dropping it gives the slot to someone else"]
#[derive(Debug)]
pub struct Slot {
    _permit: OwnedSemaphorePermit,
    _in_use: Held,
}

impl Bulkhead {
    /// A limit of this many at once; a request waits no longer than `patience` for its turn.
    pub fn new(limit: usize, patience: Duration, metrics: Metrics) -> Self {
        metrics.concurrency_limit.set(limit as f64);
        let (slots, free) = (Semaphore::new(limit), Mutex::new(Instant::now()));
        let told = Arc::default();
        Self { slots: Arc::new(slots), patience, free: Arc::new(free), told, metrics }
    }

    /// Waits for a slot, in the order of arrival, but not for long.
    ///
    /// # Errors
    /// If there was none soon enough.
    pub async fn enter(&self) -> Result<Slot, Full> {
        let permit = match Arc::clone(&self.slots).try_acquire_owned() {
            Ok(permit) => {
                *self.free.lock().expect("no holder of the lock panics") = Instant::now();
                permit
            }
            Err(TryAcquireError::NoPermits) => self.wait().await?,
            Err(TryAcquireError::Closed) => unreachable!("nobody closes the semaphore"),
        };
        Ok(Slot { _permit: permit, _in_use: self.metrics.concurrency_in_use.hold(()) })
    }

    async fn wait(&self) -> Result<OwnedSemaphorePermit, Full> {
        let _waiting = self.metrics.concurrency_waiters.hold(());
        let started = Instant::now();
        let turn = Arc::clone(&self.slots).acquire_owned();
        let waited = timeout(self.patience_now(), turn).await;
        self.metrics.concurrency_wait_duration_seconds.record((), started.elapsed());
        let permit = waited.map_err(|_| self.tell())?;
        Ok(permit.expect("nobody closes the semaphore"))
    }

    /// Says now and then that requests are refused.
    fn tell(&self) -> Full {
        let mut told = self.told.lock().expect("no holder of the lock panics");
        if told.is_none_or(|told| told.elapsed() > REMINDER) {
            *told = Some(Instant::now());
            tracing::warn!("requests are refused: {Full}");
        }
        Full
    }

    fn patience_now(&self) -> Duration {
        let free = *self.free.lock().expect("no holder of the lock panics");
        if free.elapsed() > self.patience { self.patience / HURRY } else { self.patience }
    }
}

#[cfg(test)]
mod tests {
    use instrumentation::metrics::Registry;
    use tokio::{task::JoinSet, time::sleep};

    use super::*;

    const PATIENCE: Duration = Duration::from_millis(100);

    fn bulkhead(limit: usize) -> (Bulkhead, Registry) {
        let registry = Registry::new("test", &[Metrics::CATALOGUE]);
        (Bulkhead::new(limit, PATIENCE, Metrics::register(&registry)), registry)
    }

    #[tokio::test(start_paused = true)]
    async fn a_burst_waits_for_its_turn() {
        let (bulkhead, _) = bulkhead(1);
        let slot = bulkhead.enter().await.unwrap();
        let started = Instant::now();
        let (entered, ()) = tokio::join!(bulkhead.enter(), async {
            sleep(PATIENCE / 2).await;
            drop(slot);
        });
        assert!(entered.is_ok());
        assert_eq!(started.elapsed(), PATIENCE / 2);
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_beyond_the_patience_and_only_a_moment_once_the_queue_stands() {
        let (bulkhead, _) = bulkhead(1);
        let slot = bulkhead.enter().await.unwrap();
        let waited = async || {
            let started = Instant::now();
            bulkhead.enter().await.unwrap_err();
            started.elapsed().as_millis()
        };
        assert_eq!(waited().await, 100);
        sleep(Duration::from_millis(1)).await;
        assert_eq!(waited().await, 5, "the queue stands");
        drop(slot);
        let _slot = bulkhead.enter().await.unwrap();
        assert_eq!(waited().await, 100, "the queue was empty a moment ago");
    }

    #[tokio::test(start_paused = true)]
    async fn who_gives_up_waiting_leaves_no_trace() {
        let (bulkhead, registry) = bulkhead(2);
        let slots = [bulkhead.enter().await.unwrap(), bulkhead.enter().await.unwrap()];
        let waiting = bulkhead.clone();
        let waiting = tokio::spawn(async move { waiting.enter().await });
        sleep(PATIENCE / 2).await;
        let shows = |line: &str| registry.render().lines().any(|known| known == line);
        assert!(shows("concurrency_waiters 1") && shows("concurrency_in_use 2"));
        assert!(shows("concurrency_limit 2"));
        waiting.abort();
        assert!(waiting.await.unwrap_err().is_cancelled());
        drop(slots);
        assert!(shows("concurrency_waiters 0") && shows("concurrency_in_use 0"));
        let _slots = [bulkhead.enter().await.unwrap(), bulkhead.enter().await.unwrap()];
    }

    /// At three times what can be done, for a minute: work of 10 ms, four at a time.
    #[tokio::test(start_paused = true)]
    async fn what_is_done_stays_the_same_when_three_times_as_much_is_wanted() {
        let (bulkhead, _) = bulkhead(4);
        let mut requests = JoinSet::new();
        let started = Instant::now();
        for request in 0..72_000_u32 {
            tokio::time::sleep_until(started + request * Duration::from_micros(833)).await;
            let bulkhead = bulkhead.clone();
            requests.spawn(async move {
                let arrived = Instant::now();
                let _slot = bulkhead.enter().await.ok()?;
                sleep(Duration::from_millis(10)).await;
                Some(arrived.elapsed())
            });
        }
        let answers = requests.join_all().await;
        let done: Vec<_> = answers.into_iter().flatten().collect();
        assert!(done.len() > 22_000, "{} of 24000 that could be done", done.len());
        let late = done.iter().filter(|took| **took > Duration::from_millis(25)).count();
        assert!(late < done.len() / 50, "{late} waited for long");
    }
}
