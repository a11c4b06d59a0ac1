//! One event, published and confirmed.

use std::time::Duration;

use contract::{
    message,
    topology::{ORDER_PLACED_KEY, ORDERS_EXCHANGE},
};
use faults::Seam;
use instrumentation::trace::{Carried, KeyValue, Span, SpanKind, attribute};
use lapin::{
    BasicProperties, Confirmation, message::BasicReturnMessage, options::BasicPublishOptions,
};
use tokio::time::timeout;
use tracing::Instrument as _;

use super::{Relay, link::Link};
use crate::{
    metrics::Published,
    store::{Event, now},
};

/// How long the broker may take to confirm; less than a lease.
const PATIENCE: Duration = Duration::from_secs(5);
/// Kept on disk where the queue is.
const PERSISTENT: u8 = 2;

/// What the broker said.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Sent {
    /// Of this event, as far as it was said to whoever published it.
    pub(super) outcome: Published,
    /// The id of a message that came back, of this event or of another.
    pub(super) returned: Option<String>,
}

impl From<Published> for Sent {
    fn from(outcome: Published) -> Self {
        Self { outcome, returned: None }
    }
}

impl Relay {
    /// Publishes an event and waits for the broker's word.
    pub(super) async fn publish_one(&self, link: &Link, event: &Event) -> Sent {
        let fields = tracing::info_span!(
            "publish",
            order_id = %event.order_id,
            message_id = %event.id,
            correlation_id = event.correlation_id,
        );
        let span = span(event);
        let publishing = self.publish_in(link, event, &span).instrument(fields);
        let sent = span.scope(publishing).await;
        if sent.outcome != Published::Confirmed {
            span.fail(sent.outcome.as_str(), "");
        }
        sent
    }

    async fn publish_in(&self, link: &Link, event: &Event, span: &Span) -> Sent {
        if let Err(error) = self.faults.strike(Seam::PublishEvent).await {
            tracing::warn!(%error, "event not published");
            return Published::Failed.into();
        }
        // The other way: nobody hears of an event that no queue takes.
        let mandatory = !self.faults.detours(Seam::PublishEvent);
        let (acked, returned) =
            match timeout(PATIENCE, confirmed(link, event, span, mandatory)).await {
                Ok(Ok(Confirmation::Ack(returned))) => (true, returned),
                Ok(Ok(Confirmation::Nack(returned))) => (false, returned),
                Ok(Ok(Confirmation::NotRequested)) => (false, None),
                Ok(Err(error)) => {
                    tracing::warn!(%error, "event not published");
                    return Published::Failed.into();
                }
                Err(_) => {
                    tracing::warn!("event not confirmed in time");
                    return Published::TimedOut.into();
                }
            };
        let id = |message: &BasicReturnMessage| {
            Some(message.delivery.properties.message_id().as_ref()?.to_string())
        };
        let own = event.id.to_string();
        let outcome = match (&returned, acked) {
            (Some(message), _) if id(message).as_ref() == Some(&own) => {
                tracing::warn!(reason = %message.reply_text, "event returned");
                Published::Returned
            }
            (_, true) => {
                let delay = (now() - event.created_at).to_std().unwrap_or_default();
                self.metrics.outbox_delay_seconds.record((), delay);
                tracing::info!("event published");
                Published::Confirmed
            }
            (_, false) => {
                tracing::warn!("event refused");
                Published::Nacked
            }
        };
        Sent { outcome, returned: returned.as_ref().and_then(id) }
    }
}

/// Part of the trace of the call that wrote the event, however long ago that was.
fn span(event: &Event) -> Span {
    let mut attributes = vec![
        KeyValue::new(attribute::MESSAGING_SYSTEM, "rabbitmq"),
        KeyValue::new(attribute::MESSAGING_OPERATION_TYPE, "send"),
        KeyValue::new(attribute::MESSAGING_OPERATION_NAME, "publish"),
        KeyValue::new(attribute::MESSAGING_DESTINATION_NAME, ORDERS_EXCHANGE),
        KeyValue::new(attribute::MESSAGING_MESSAGE_ID, event.id.to_string()),
        KeyValue::new(attribute::MESSAGING_MESSAGE_BODY_SIZE, event.payload.len() as i64),
        KeyValue::new(attribute::ORDER_ID, event.order_id.to_string()),
    ];
    if let Some(id) = &event.correlation_id {
        attributes.push(KeyValue::new(attribute::MESSAGING_MESSAGE_CONVERSATION_ID, id.clone()));
    }
    if event.attempts > 0 {
        attributes.push(KeyValue::new(attribute::MESSAGING_MESSAGE_RETRIES, event.attempts));
    }
    let name = format!("publish {ORDERS_EXCHANGE}");
    Span::begin(SpanKind::Producer, name, &event.trace().context(), attributes)
}

/// Publishes and waits. Mandatory: an event that no queue takes comes back instead of being dropped.
async fn confirmed(
    link: &Link,
    event: &Event,
    span: &Span,
    mandatory: bool,
) -> lapin::Result<Confirmation> {
    let options = BasicPublishOptions { mandatory, ..Default::default() };
    let (exchange, key) = (ORDERS_EXCHANGE.into(), ORDER_PLACED_KEY.into());
    let payload = event.payload.as_bytes();
    link.channel
        .basic_publish(exchange, key, options, payload, properties(event, span))
        .await?
        .await
}

fn properties(event: &Event, span: &Span) -> BasicProperties {
    let trace = Carried::of(&span.context());
    let properties = BasicProperties::default()
        .with_message_id(event.id.to_string().into())
        .with_type(event.kind.as_str().into())
        .with_content_type("application/json".into())
        .with_delivery_mode(PERSISTENT)
        .with_headers(message::headers(trace.traceparent.as_deref(), trace.tracestate.as_deref()))
        .with_timestamp(u64::try_from(event.created_at.timestamp()).unwrap_or_default());
    match &event.correlation_id {
        Some(id) => properties.with_correlation_id(id.as_str().into()),
        None => properties,
    }
}
