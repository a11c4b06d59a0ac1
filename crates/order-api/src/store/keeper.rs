//! Migrates the database as soon as it is there, then watches and samples it.

use std::{sync::Arc, time::Duration};

use backon::{BackoffBuilder as _, ExponentialBuilder};
use instrumentation::health::Check;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::{Store, sample::Counted};
use crate::error::Error;

/// How long the database may take to answer whoever watches it.
pub(super) const PATIENCE: Duration = Duration::from_secs(2);

/// How often the database is asked whether it is there.
const PING_EVERY: Duration = Duration::from_millis(500);
/// How long its contents may take to be sampled, as long as nobody looks whether it is there: longer
/// than it may take for one statement, so that one that is given up is counted.
const SAMPLE_PATIENCE: Duration = Duration::from_secs(4);
/// How often its contents are sampled.
const SAMPLE_EVERY: Duration = Duration::from_secs(2);

/// Keeps a store until `stop`: `need` says whether the database is there.
pub(crate) async fn keep(store: Arc<Store>, need: Check, stop: CancellationToken) {
    let keeping = async {
        open(&store).await;
        watch(&store, &need).await;
    };
    stop.run_until_cancelled(keeping).await;
}

/// Tries until the tables are up to date. What is wrong is logged when it changes, not each time.
async fn open(store: &Store) {
    let waits = ExponentialBuilder::default()
        .with_min_delay(Duration::from_millis(100))
        .with_max_delay(Duration::from_secs(3))
        .without_max_times()
        .with_jitter();
    let mut waits = waits.build();
    let mut known = String::new();
    while let Err(error) = store.open().await {
        let problem = error.chain();
        if problem != known {
            tracing::warn!(error = problem, "cannot open the database yet");
            known = problem;
        }
        sleep(waits.next().unwrap_or(PATIENCE)).await;
    }
}

async fn watch(store: &Store, need: &Check) {
    need.set(true);
    let mut ticks = interval(PING_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut counted, mut sampled) = (Counted::default(), None);
    loop {
        ticks.tick().await;
        store.sample_pool();
        // One that hangs is as good as away. What its contents say, or do not, is none of this.
        let answers = matches!(timeout(PATIENCE, store.ping()).await, Ok(Ok(())));
        if !answers {
            store.outage.noticed();
        }
        // Whoever sees that it is there may call; whoever may not call any more is told in time.
        if !answers {
            need.set(false);
        }
        store
            .available
            .send_if_modified(|available| std::mem::replace(available, answers) != answers);
        need.set(answers);
        if answers && sampled.is_none_or(|at: Instant| at.elapsed() >= SAMPLE_EVERY) {
            sampled = Some(Instant::now());
            let sampling = timeout(SAMPLE_PATIENCE, store.sample(&mut counted)).await;
            if let Err(error) = sampling.unwrap_or(Err(Error::Late)) {
                tracing::debug!(error = error.chain(), "cannot sample the database");
            }
        }
    }
}
