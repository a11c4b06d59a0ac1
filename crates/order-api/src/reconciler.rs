//! Goes on with orders that nobody has in hand any more.

use std::time::Duration;

use futures_util::future::join_all;
use instrumentation::trace::{KeyValue, Span, SpanKind, attribute};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use crate::{
    backoff::{delay, jittered},
    error::Error,
    metrics::Resumed,
    saga::Saga,
    store::{Due, HANGS_AFTER},
};

/// Orders that are gone on with at a time.
const BATCH: u32 = 16;
/// How often it looks for some.
const POLL: Duration = Duration::from_millis(500);
/// The first wait of an order that could not be gone on with; it doubles with each attempt.
const FIRST_DELAY: Duration = Duration::from_millis(500);

/// Runs until `stop`. Any number of replicas may do so: an order is claimed before it is gone on
/// with.
pub(crate) async fn reconcile(saga: Saga, stop: CancellationToken) {
    loop {
        let full = match saga.store.claim_due(BATCH).await {
            Ok(due) => {
                join_all(due.iter().map(|due| resume(&saga, due))).await;
                due.len() == BATCH as usize
            }
            // Said once, by whoever watches the database.
            Err(Error::Away) => false,
            Err(error) => {
                tracing::warn!(error = error.chain(), "cannot claim overdue orders");
                false
            }
        };
        let pause = if full { Duration::ZERO } else { jittered(POLL) };
        if stop.run_until_cancelled(tokio::time::sleep(pause)).await.is_none() {
            return;
        }
    }
}

/// One step of one order, as part of the trace that it began in.
async fn resume(saga: &Saga, due: &Due) {
    let attributes = vec![
        KeyValue::new(attribute::ORDER_ID, due.id.to_string()),
        KeyValue::new(attribute::ATTEMPTS, due.attempts),
    ];
    let parent = due.thread.trace.context();
    let span = Span::begin(SpanKind::Internal, "resume order", &parent, attributes);
    let fields = tracing::info_span!(
        "resume_order",
        order_id = %due.id,
        correlation_id = due.thread.correlation_id,
    );
    let work = async {
        // A step that hangs must not keep all others from being taken.
        let resuming = timeout(HANGS_AFTER, saga.resume(due)).await;
        let (owed, done) = resuming.unwrap_or((None, Err(Error::Late)));
        let outcome = match done {
            Ok(()) => Resumed::Done,
            Err(error) => {
                span.fail(error.reason().as_str(), "");
                tracing::warn!(error = error.chain(), attempts = due.attempts, "order postponed");
                postpone(saga, due).await;
                Resumed::Postponed
            }
        };
        if let Some(owed) = owed {
            saga.metrics.orders_resumed_total.with((owed, outcome)).increment(1);
            tracing::info!(step = owed.as_str(), outcome = outcome.as_str(), "order resumed");
        }
    };
    span.scope(work.instrument(fields)).await;
}

/// If this fails too, the claim ends by itself.
async fn postpone(saga: &Saga, due: &Due) {
    if let Err(error) =
        saga.store.postpone(due.id, jittered(delay(FIRST_DELAY, due.attempts))).await
    {
        tracing::debug!(error = error.chain(), "cannot postpone an order");
    }
}
