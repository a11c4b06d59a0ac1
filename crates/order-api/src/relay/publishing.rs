//! One event, published and confirmed.

use std::time::Duration;

use contract::topology::{ORDER_PLACED_KEY, ORDERS_EXCHANGE};
use faults::Seam;
use lapin::{BasicProperties, Confirmation, options::BasicPublishOptions};
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

impl Relay {
    /// Publishes an event and waits for the broker's word.
    pub(super) async fn publish_one(&self, link: &Link, event: &Event) -> Published {
        let span = tracing::info_span!(
            "publish",
            order_id = %event.order_id,
            message_id = %event.id,
            correlation_id = event.correlation_id,
        );
        self.publish_in(link, event).instrument(span).await
    }

    async fn publish_in(&self, link: &Link, event: &Event) -> Published {
        if let Err(error) = self.faults.strike(Seam::PublishEvent).await {
            tracing::warn!(%error, "event not published");
            return Published::Failed;
        }
        match timeout(PATIENCE, confirmed(link, event)).await {
            Ok(Ok(Confirmation::Ack(None))) => {
                let delay = (now() - event.created_at).to_std().unwrap_or_default();
                self.metrics.outbox_delay_seconds.record((), delay);
                tracing::info!("event published");
                Published::Confirmed
            }
            Ok(Ok(Confirmation::Ack(Some(returned)) | Confirmation::Nack(Some(returned)))) => {
                tracing::warn!(reason = %returned.reply_text, "event returned");
                Published::Returned
            }
            Ok(Ok(Confirmation::Nack(None) | Confirmation::NotRequested)) => {
                tracing::warn!("event refused");
                Published::Nacked
            }
            Ok(Err(error)) => {
                tracing::warn!(%error, "event not published");
                Published::Failed
            }
            Err(_) => {
                tracing::warn!("event not confirmed in time");
                Published::TimedOut
            }
        }
    }
}

async fn confirmed(link: &Link, event: &Event) -> lapin::Result<Confirmation> {
    // Mandatory: an event that no queue takes comes back instead of being dropped.
    let options = BasicPublishOptions { mandatory: true, ..Default::default() };
    let (exchange, key) = (ORDERS_EXCHANGE.into(), ORDER_PLACED_KEY.into());
    let payload = event.payload.as_bytes();
    link.channel.basic_publish(exchange, key, options, payload, properties(event)).await?.await
}

fn properties(event: &Event) -> BasicProperties {
    let properties = BasicProperties::default()
        .with_message_id(event.id.to_string().into())
        .with_type(event.kind.as_str().into())
        .with_content_type("application/json".into())
        .with_delivery_mode(PERSISTENT)
        .with_timestamp(u64::try_from(event.created_at.timestamp()).unwrap_or_default());
    match &event.correlation_id {
        Some(id) => properties.with_correlation_id(id.as_str().into()),
        None => properties,
    }
}
