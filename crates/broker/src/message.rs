//! A message, and its place in a queue.

use std::sync::Arc;
use std::time::Duration;

use amq_protocol::protocol::BasicProperties;
use amq_protocol::types::{AMQPValue, FieldTable, ShortString};
use bytes::Bytes;
use tokio::time::Instant;

use crate::ledger::Charge;

/// What was published: shared by all queues it was routed to.
#[derive(Debug)]
pub(crate) struct Content {
    pub(crate) exchange: ShortString,
    pub(crate) routing_key: ShortString,
    pub(crate) properties: BasicProperties,
    pub(crate) body: Bytes,
}

impl Content {
    /// The message's own time to live, which RabbitMQ takes as decimal milliseconds.
    pub(crate) fn expiration(&self) -> Option<Duration> {
        let text = self.properties.expiration().as_ref()?;
        text.as_str().parse().ok().map(Duration::from_millis)
    }

    pub(crate) fn header(&self, name: &str) -> Option<&AMQPValue> {
        self.properties.headers().as_ref()?.inner().get(name)
    }
}

/// A message in a queue: waiting there, or delivered and not yet settled.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) content: Arc<Content>,
    /// Its place in the order of arrival, to which it returns when requeued.
    pub(crate) position: u64,
    pub(crate) expires: Option<Instant>,
    pub(crate) redelivered: bool,
    /// How often it came back to a quorum queue.
    pub(crate) returns: u32,
    /// Held for its effect when dropped.
    pub(crate) _charge: Charge,
}

impl Entry {
    /// What a consumer gets: a quorum queue says how often the message came back.
    pub(crate) fn delivered_content(&self) -> Arc<Content> {
        if self.returns == 0 {
            return Arc::clone(&self.content);
        }
        let mut headers = self.content.properties.headers().clone().unwrap_or_default();
        headers.insert("x-delivery-count".into(), AMQPValue::LongLongInt(self.returns.into()));
        Arc::new(Content {
            exchange: self.content.exchange.clone(),
            routing_key: self.content.routing_key.clone(),
            properties: self.content.properties.clone().with_headers(headers),
            body: self.content.body.clone(),
        })
    }
}

/// The same properties with other headers, and without an expiration.
pub(crate) fn without_expiration(from: &BasicProperties, headers: FieldTable) -> BasicProperties {
    let mut to = BasicProperties::default().with_headers(headers);
    // The codec has no way to take a property away.
    macro_rules! keep {
        ($($get:ident $with:ident),+ $(,)?) => {
            $(if let Some(value) = from.$get() { to = to.$with(value.clone()); })+
        };
    }
    keep!(
        content_type with_content_type,
        content_encoding with_content_encoding,
        delivery_mode with_delivery_mode,
        priority with_priority,
        correlation_id with_correlation_id,
        reply_to with_reply_to,
        message_id with_message_id,
        timestamp with_timestamp,
        kind with_type,
        user_id with_user_id,
        app_id with_app_id,
        cluster_id with_cluster_id,
    );
    to
}
