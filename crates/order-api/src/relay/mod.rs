//! The relay: takes events out of the outbox and to the broker, at least once each.
//!
//! - [`link`]: the connection to the broker.
//! - [`publishing`]: one event, published and confirmed.
//!
//! An event is deleted only when the broker has confirmed it. Whatever dies before that, the relay,
//! the broker or the database, leaves the event in the outbox, to be claimed again when its lease
//! is over. So an event can go out twice, and its readers know it by the message's id.

mod link;
mod publishing;

use std::{sync::Arc, time::Duration};

use faults::Switchboard;
use futures_util::future::join_all;
use tokio_util::sync::CancellationToken;

use self::{link::Link, publishing::Sent};
use crate::{
    backoff::{delay, jittered},
    config::AmqpUrl,
    error::Error,
    metrics::{Metrics, Published},
    store::{Claimed, Event, Store},
};

/// Events that are claimed and published together.
const BATCH: u32 = 100;
/// For how long a relay that dies holds the events it had claimed; longer than a batch may take.
const LEASE: Duration = Duration::from_secs(10);
/// How often the outbox is looked at when nothing in this process says that there is something:
/// for the events of other replicas that died, and those whose delay is over.
const POLL: Duration = Duration::from_millis(500);
/// The first wait of an event that could not be published; it doubles with each attempt.
const FIRST_DELAY: Duration = Duration::from_millis(250);

/// Publishes the events of a store.
#[derive(Debug)]
pub(crate) struct Relay {
    pub(crate) store: Arc<Store>,
    pub(crate) faults: Arc<Switchboard>,
    pub(crate) broker: AmqpUrl,
    pub(crate) metrics: Metrics,
}

impl Relay {
    /// Runs until `stop`, then publishes what is there and returns; connects again for ever.
    pub(crate) async fn run(self, stop: CancellationToken) {
        loop {
            let connected = stop.run_until_cancelled(link::connect(&self.broker)).await;
            let Some(link) = connected else { return };
            let held = self.metrics.outbox_broker_connected.hold(());
            let outcome = self.relay(&link, &stop).await;
            drop(held);
            match outcome {
                Ok(()) => return link.close().await,
                Err(error) => tracing::warn!(%error, "lost the broker"),
            }
        }
    }

    async fn relay(&self, link: &Link, stop: &CancellationToken) -> lapin::Result<()> {
        loop {
            // Asked before claiming, so that what was written before the stop is claimed.
            let last = stop.is_cancelled();
            // What a blocked broker was sent would wait there, and be sent again.
            if !link.is_blocked() && self.relay_batch(link).await? {
                continue;
            }
            if last {
                return Ok(());
            }
            tokio::select! {
                () = self.store.event_written() => {}
                () = tokio::time::sleep(jittered(POLL)) => {}
                () = stop.cancelled() => {}
            }
            link.check()?;
        }
    }

    /// Publishes what waits; whether there may be more.
    async fn relay_batch(&self, link: &Link) -> lapin::Result<bool> {
        match self.store.claim_events(BATCH, LEASE).await {
            Ok(Claimed { events, full }) => {
                self.publish(link, events).await?;
                Ok(full)
            }
            Err(error) => {
                log(&error, "cannot claim events");
                Ok(false)
            }
        }
    }

    /// Publishes events all at once, and settles each by how that ended.
    async fn publish(&self, link: &Link, events: Vec<Event>) -> lapin::Result<()> {
        let publishing = events.iter().map(|event| self.publish_one(link, event));
        let outcomes = outcomes(&events, &join_all(publishing).await);
        for outcome in &outcomes {
            self.metrics.outbox_publishes_total.with(*outcome).increment(1);
        }
        let (confirmed, others): (Vec<_>, Vec<_>) = events
            .iter()
            .zip(&outcomes)
            .partition(|(_, outcome)| **outcome == Published::Confirmed);
        // First what must not be published once more when its lease ends.
        let confirmed: Vec<_> = confirmed.iter().map(|(event, _)| event.id).collect();
        if let Err(error) = self.store.delete_events(&confirmed).await {
            log(&error, "cannot delete published events");
        }
        join_all(others.iter().map(|(event, _)| self.release(event))).await;
        if outcomes.contains(&Published::TimedOut) && !link.is_blocked() {
            return Err(std::io::Error::from(std::io::ErrorKind::TimedOut).into());
        }
        link.check()
    }

    async fn release(&self, event: &Event) {
        let delay = jittered(delay(FIRST_DELAY, event.attempts));
        if let Err(error) = self.store.release_event(event.id, delay).await {
            log(&error, "cannot release an event");
        }
    }
}

/// How each event of a batch ended. What came back is known by its message: lapin says so to whoever
/// is confirmed next.
fn outcomes(events: &[Event], sent: &[Sent]) -> Vec<Published> {
    let returned: Vec<_> = sent.iter().filter_map(|sent| sent.returned.as_deref()).collect();
    let outcome = |(event, sent): (&Event, &Sent)| {
        let came_back = returned.contains(&event.id.to_string().as_str());
        if came_back && sent.outcome != Published::Returned {
            tracing::warn!(order_id = %event.order_id, message_id = %event.id, "event returned");
        }
        if came_back { Published::Returned } else { sent.outcome }
    };
    events.iter().zip(sent).map(outcome).collect()
}

/// A database that is away has been logged by whoever watches it.
fn log(error: &Error, what: &'static str) {
    if !matches!(error, Error::Away) {
        tracing::warn!(error = error.chain(), "{what}");
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::store::now;

    #[test]
    fn what_came_back_is_known_by_its_message_whoever_was_told() {
        let event = || Event {
            id: Uuid::now_v7(),
            order_id: Uuid::now_v7(),
            kind: "order.placed".to_owned(),
            payload: "{}".to_owned(),
            correlation_id: None,
            traceparent: None,
            tracestate: None,
            created_at: now(),
            attempts: 0,
        };
        let events = [event(), event(), event(), event()];
        let told = |outcome, of: &Event| Sent { outcome, returned: Some(of.id.to_string()) };
        let sent = [
            Published::Confirmed.into(),
            told(Published::Confirmed, &events[0]),
            told(Published::Nacked, &events[3]),
            Published::TimedOut.into(),
        ];
        let expected =
            [Published::Returned, Published::Confirmed, Published::Nacked, Published::Returned];
        assert_eq!(outcomes(&events, &sent), expected);
    }
}
