//! The loop that takes messages, works on them, and settles each exactly once.

use std::{
    pin::pin,
    sync::Arc,
    time::{Duration, Instant},
};

use backon::{BackoffBuilder as _, ExponentialBuilder};
use contract::topology::{DEAD_LETTERS, FULFILLMENT_QUEUE};
use faults::{Seam, Switchboard};
use futures_util::{FutureExt as _, StreamExt as _};
use instrumentation::{
    health::Check,
    metrics::Held,
    trace::{self, Carried, attribute},
};
use lapin::{
    message::Delivery,
    options::{BasicAckOptions, BasicNackOptions},
};
use tokio::{sync::Notify, task::JoinSet};
use tokio_util::sync::CancellationToken;
use tracing::{Instrument as _, Span};

use crate::{
    assignment::{self, Envelope},
    config::{AmqpUrl, Config},
    error::Error,
    forwarded,
    fulfillment::{Done, Fulfillment},
    metrics::{Ending, Metrics, Reason},
    outcome::Outcome,
    queue::{self, Forwarding, Subscription},
};

/// The pauses between attempts to reach the broker.
const PAUSES: ExponentialBuilder = ExponentialBuilder::new()
    .with_min_delay(Duration::from_millis(100))
    .with_max_delay(Duration::from_secs(2))
    .without_max_times()
    .with_jitter();
/// How long what is in hand may take when the worker is asked to stop.
const DRAIN_LIMIT: Duration = Duration::from_secs(10);
/// How long the broker may take to end the connection after that.
const CLOSE_LIMIT: Duration = Duration::from_secs(1);
/// How long a message that cannot be handed on is held before it goes back, so that it does not
/// come again at once, and again.
const RETURN_DELAY: Duration = Duration::from_secs(1);

/// How long a message that cannot be read is held before it goes to the end of the queue, by a worker
/// that does not give it up.
const ANOTHER_LOOK: Duration = Duration::from_millis(400);

/// Whoever takes messages.
pub(crate) struct Consumer {
    url: AmqpUrl,
    prefetch: u16,
    forwarding: Forwarding,
    fulfillment: Fulfillment,
    switchboard: Arc<Switchboard>,
    metrics: Metrics,
    connected: Check,
    /// Told of messages that are done and were not acknowledged.
    unsettled: Notify,
    /// Told when the connection breaks before a message is acknowledged.
    cut: Notify,
}

/// Why no more messages are taken.
enum End {
    Asked,
    Lost(queue::Error),
    /// What was not settled is to come again.
    Renewed,
    /// Nobody took them any more.
    Idle,
}

impl Consumer {
    pub(crate) fn new(
        config: &Config,
        fulfillment: Fulfillment,
        switchboard: Arc<Switchboard>,
        metrics: Metrics,
        connected: Check,
    ) -> Self {
        metrics.fulfillment_prefetch.set(config.prefetch.into());
        let url = config.amqp_url.clone();
        let forwarding = Forwarding::new(url.clone());
        Self {
            url,
            prefetch: config.prefetch,
            forwarding,
            fulfillment,
            switchboard,
            metrics,
            connected,
            unsettled: Notify::new(),
            cut: Notify::new(),
        }
    }

    /// Takes and settles messages until `shutdown`, whatever happens to the broker meanwhile.
    ///
    /// Dropping it stops the work in hand; those messages go back.
    pub(crate) async fn run(self, shutdown: CancellationToken) {
        let consumer = Arc::new(self);
        let mut in_hand = JoinSet::new();
        let mut pauses = PAUSES.build();
        loop {
            let opening = Subscription::open(&consumer.url, consumer.prefetch);
            let error = match shutdown.run_until_cancelled(opening).await {
                None => break,
                Some(Err(error)) => error,
                Some(Ok(subscription)) => {
                    pauses = PAUSES.build();
                    match consumer.take(subscription, &mut in_hand, &shutdown).await {
                        End::Asked => break,
                        End::Renewed | End::Idle => continue,
                        End::Lost(error) => error,
                    }
                }
            };
            let pause = pauses.next().unwrap_or(RETURN_DELAY);
            tracing::warn!(%error, retry_in_seconds = pause.as_secs_f64(), "no messages");
            if shutdown.run_until_cancelled(tokio::time::sleep(pause)).await.is_none() {
                break;
            }
        }
        finish(&mut in_hand).await;
    }

    async fn take(
        self: &Arc<Self>,
        mut subscription: Subscription,
        in_hand: &mut JoinSet<()>,
        shutdown: &CancellationToken,
    ) -> End {
        self.show_connected(true);
        let end = self.take_until_end(&mut subscription, in_hand, shutdown).await;
        if matches!(end, End::Idle) {
            self.idle(&subscription, in_hand, shutdown).await;
        }
        self.show_connected(false);
        if !matches!(end, End::Lost(_)) {
            drain(subscription, in_hand).await;
        }
        end
    }

    /// Ends the subscription and nothing else: nobody is told, and nobody begins another until the
    /// way is clear.
    async fn idle(
        &self,
        subscription: &Subscription,
        in_hand: &mut JoinSet<()>,
        shutdown: &CancellationToken,
    ) {
        leave(subscription, in_hand).await;
        if let Err(error) = subscription.give_back().await {
            tracing::debug!(%error, "messages not given back");
        }
        shutdown.run_until_cancelled(self.switchboard.is_clear(Seam::TakeMessage)).await;
    }

    /// Returns when messages that are done, and were not acknowledged, can be.
    async fn must_settle(&self) {
        self.unsettled.notified().await;
        self.switchboard.is_clear(Seam::AcknowledgeMessage).await;
    }

    async fn take_until_end(
        self: &Arc<Self>,
        subscription: &mut Subscription,
        in_hand: &mut JoinSet<()>,
        shutdown: &CancellationToken,
    ) -> End {
        // What was said of messages of an earlier subscription went with it, and ends no other.
        for past in [&self.unsettled, &self.cut] {
            let _ = past.notified().now_or_never();
        }
        let mut must_settle = pin!(self.must_settle());
        loop {
            tokio::select! {
                biased;
                () = shutdown.cancelled() => return End::Asked,
                () = &mut must_settle => return End::Renewed,
                () = self.cut.notified() => return End::Renewed,
                // Messages of a subscription that was lost may be among them: their settling
                // comes to nothing, and what comes again is found to be done.
                Some(ended) = in_hand.join_next() => if ended.is_err() {
                    return End::Lost(queue::Error::Panicked);
                },
                delivery = subscription.deliveries.next() => match delivery {
                    // The other way: it is not taken, and none after it.
                    Some(Ok(_)) if self.switchboard.detours(Seam::TakeMessage) => return End::Idle,
                    Some(Ok(delivery)) => drop(in_hand.spawn(Arc::clone(self).handle(delivery))),
                    Some(Err(error)) => return End::Lost(error.into()),
                    None => return End::Lost(queue::Error::Canceled),
                },
            }
        }
    }

    /// Receives: everything that happens to the message is told with its ids.
    async fn handle(self: Arc<Self>, delivery: Delivery) {
        let mut envelope = Envelope::of(&delivery);
        // The other way: nobody asks in which trace it was sent.
        if self.switchboard.detours(Seam::ContinueTrace) {
            envelope.trace = Carried::default();
        }
        let correlation_id = envelope.correlation_id.clone();
        let fields = tracing::info_span!(
            "fulfill_order",
            message_id = envelope.message_id,
            order_id = tracing::field::Empty,
            customer_id = tracing::field::Empty,
        );
        let span = envelope.span(delivery.data.len());
        let work = self.process(&delivery, &envelope, &span).instrument(fields);
        correlation_id.scope(span.scope(work)).await;
    }

    async fn process(&self, delivery: &Delivery, envelope: &Envelope, span: &trace::Span) {
        let started = Instant::now();
        let in_flight = self.metrics.fulfillment_messages_in_flight.hold(());
        if envelope.redelivered {
            self.metrics.fulfillment_redeliveries_total.increment(1);
        }
        let result = self.work(delivery, envelope, span).await;
        let outcome = match Outcome::of(result, envelope.attempts) {
            // The other way: it might be read another time.
            Outcome::Parked(Reason::Malformed, error)
                if self.switchboard.detours(Seam::ParkMessage) =>
            {
                Outcome::Returned(error)
            }
            outcome => outcome,
        };
        outcome.show(span);
        let ending = self.settle(delivery, envelope, outcome, in_flight).await;
        span.set(attribute::OUTCOME, ending.as_str());
        self.metrics.fulfillment_messages_total.with(ending).increment(1);
        self.metrics.fulfillment_processing_duration_seconds.record(ending, started.elapsed());
    }

    async fn work(
        &self,
        delivery: &Delivery,
        envelope: &Envelope,
        span: &trace::Span,
    ) -> Result<Done, Error> {
        let order = assignment::read(delivery)?;
        span.set(attribute::ORDER_ID, order.order_id.to_string());
        span.set(attribute::CUSTOMER_ID, order.customer_id.clone());
        Span::current()
            .record("order_id", tracing::field::display(order.order_id))
            .record("customer_id", &order.customer_id);
        self.metrics.fulfillment_message_age_seconds.record((), assignment::age(&order));
        self.fulfillment.fulfill(envelope, &order).await
    }

    /// Hands the message on if that is its outcome, and only then acknowledges it.
    async fn settle(
        &self,
        delivery: &Delivery,
        envelope: &Envelope,
        outcome: Outcome,
        in_flight: Held,
    ) -> Ending {
        if matches!(outcome, Outcome::Returned(_)) {
            tokio::time::sleep(ANOTHER_LOOK).await;
        }
        if !delivery.usable() && !outcome.is_done() {
            // The broker has it back already: handing it on too would make two of it.
            return Ending::Returned;
        }
        let handed_on = match &outcome {
            Outcome::Fulfilled | Outcome::Failed | Outcome::Duplicate => Ok(()),
            Outcome::Retried(queue, _) => {
                let properties = forwarded::again(&delivery.properties, envelope.attempts + 1);
                self.forwarding.publish("", queue.name, &delivery.data, properties).await
            }
            Outcome::Returned(_) => {
                let properties = delivery.properties.clone();
                self.forwarding.publish("", FULFILLMENT_QUEUE, &delivery.data, properties).await
            }
            Outcome::Parked(reason, _) => {
                let properties = forwarded::given_up(&delivery.properties, *reason);
                self.forwarding.publish(DEAD_LETTERS, "", &delivery.data, properties).await
            }
        };
        if let Err(error) = handed_on {
            tracing::error!(%error, "message not handed on");
            give_back(delivery).await;
            return Ending::Returned;
        }
        if let Outcome::Parked(reason, _) = &outcome {
            self.metrics.fulfillment_dead_lettered_total.with(*reason).increment(1);
        }
        outcome.tell(envelope.attempts);
        // The other way: the connection is lost just then.
        if self.switchboard.detours(Seam::SettleMessage) {
            self.cut.notify_one();
            return outcome.ending();
        }
        // The other way: what is done is done, and the broker is not told.
        if self.switchboard.detours(Seam::AcknowledgeMessage) {
            self.unsettled.notify_one();
            return outcome.ending();
        }
        // Out of hand before the broker can send another for it.
        drop(in_flight);
        // If it does not get through, the message comes again and is found to be done.
        if !matches!(delivery.ack(BasicAckOptions::default()).await, Ok(true)) {
            tracing::warn!("message settled too late to tell the broker");
        }
        outcome.ending()
    }

    fn show_connected(&self, connected: bool) {
        self.metrics.fulfillment_connected.set(f64::from(u8::from(connected)));
        self.connected.set(connected);
    }
}

async fn give_back(delivery: &Delivery) {
    tokio::time::sleep(RETURN_DELAY).await;
    let options = BasicNackOptions { requeue: true, ..Default::default() };
    if let Err(error) = delivery.nack(options).await {
        // The channel is gone, and with it the message went back.
        tracing::debug!(%error, "message not given back");
    }
}

/// Takes no more messages, and finishes those in hand.
async fn leave(subscription: &Subscription, in_hand: &mut JoinSet<()>) {
    let cancel = async {
        if let Err(error) = subscription.cancel().await {
            tracing::warn!(%error, "subscription not canceled");
        }
    };
    // A broker that says nothing must not keep what is in hand from being finished in time.
    tokio::join!(cancel, finish(in_hand));
}

async fn drain(subscription: Subscription, in_hand: &mut JoinSet<()>) {
    leave(&subscription, in_hand).await;
    match tokio::time::timeout(CLOSE_LIMIT, subscription.close()).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::warn!(%error, "connection not closed"),
        Err(_) => tracing::warn!("connection not closed in time"),
    }
}

/// Waits for what is in hand, within a limit; the rest is dropped, and goes back.
async fn finish(in_hand: &mut JoinSet<()>) {
    let finished = async { while in_hand.join_next().await.is_some() {} };
    if tokio::time::timeout(DRAIN_LIMIT, finished).await.is_err() {
        tracing::warn!(messages = in_hand.len(), "work unfinished");
        in_hand.shutdown().await;
    }
}
