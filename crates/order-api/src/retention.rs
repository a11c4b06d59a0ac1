//! Forgets idempotency keys whose time is over, so that there are not ever more of them.

use std::{sync::Arc, time::Duration};

use tokio_util::sync::CancellationToken;

use crate::{
    backoff::jittered,
    error::Error,
    store::{Store, now},
};

/// Keys that are forgotten at a time.
const BATCH: u32 = 500;
/// How often it looks for some.
const POLL: Duration = Duration::from_secs(60);
/// The pause after a full batch, in which others get at the database.
const BREATH: Duration = Duration::from_millis(100);
/// The pause while the database is away.
const AGAIN: Duration = Duration::from_secs(1);

/// Forgets keys that are older than `retention`, until `stop`. Any number of replicas may do so.
pub(crate) async fn forget(store: Arc<Store>, retention: Duration, stop: CancellationToken) {
    loop {
        let pause = match store.forget_keys(now() - retention, BATCH).await {
            Ok(forgotten) if forgotten == u64::from(BATCH) => BREATH,
            Ok(_) => POLL,
            // Said once, by whoever watches the database.
            Err(Error::Away) => AGAIN,
            Err(error) => {
                tracing::warn!(error = error.chain(), "cannot forget old idempotency keys");
                POLL
            }
        };
        if stop.run_until_cancelled(tokio::time::sleep(jittered(pause))).await.is_none() {
            return;
        }
    }
}
