//! Connections to the broker: one that takes messages, one that hands them on without losing any.

use std::{future::Future, time::Duration};

use contract::topology;
use lapin::{
    BasicProperties, Channel, Confirmation, Connection, ConnectionProperties, Consumer,
    options::{
        BasicCancelOptions, BasicConsumeOptions, BasicPublishOptions, BasicQosOptions,
        BasicRecoverOptions, ConfirmSelectOptions,
    },
    types::{FieldTable, LongString},
};
use tokio::{sync::Mutex, time::timeout};

use crate::config::AmqpUrl;

/// How long the broker may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// A broker that is silent for two of these is gone, in seconds.
const HEARTBEAT: u16 = 10;

/// Why there is no answer, or not the wanted one, from the broker.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The connection or channel is gone, or never came to be.
    #[error("{0}")]
    Amqp(#[from] lapin::Error),
    /// It does not answer.
    #[error("no answer within {PATIENCE:?}")]
    Silent,
    /// It has ended the subscription, because the queue was deleted, say.
    #[error("the broker ended the subscription")]
    Canceled,
    /// It has not taken the message.
    #[error("the broker refused the message")]
    Refused,
    /// It has no queue for the message.
    #[error("no queue takes the message")]
    Unroutable,
    /// Work on a message panicked, and nobody has settled that message.
    #[error("work on a message panicked")]
    Panicked,
}

/// A subscription to the queue of orders.
pub(crate) struct Subscription {
    connection: Connection,
    channel: Channel,
    pub(crate) deliveries: Consumer,
}

impl Subscription {
    /// Declares what is needed and starts to take up to `prefetch` messages.
    pub(crate) async fn open(url: &AmqpUrl, prefetch: u16) -> Result<Self, Error> {
        let (connection, channel) = open(url, "fulfillment-worker takes").await?;
        patiently(topology::declare(&channel)).await?;
        patiently(channel.basic_qos(prefetch, BasicQosOptions::default())).await?;
        let queue = topology::FULFILLMENT_QUEUE.into();
        let options = BasicConsumeOptions::default();
        let arguments = FieldTable::default();
        let consuming = channel.basic_consume(queue, "".into(), options, arguments);
        let deliveries = patiently(consuming).await?;
        Ok(Self { connection, channel, deliveries })
    }

    /// Takes no more messages; those in hand can still be settled.
    pub(crate) async fn cancel(&self) -> Result<(), Error> {
        let tag = self.deliveries.tag();
        patiently(self.channel.basic_cancel(tag, BasicCancelOptions::default())).await
    }

    /// Gives back what is not settled, and stays connected.
    pub(crate) async fn give_back(&self) -> Result<(), Error> {
        patiently(self.channel.basic_recover(BasicRecoverOptions { requeue: true })).await
    }

    /// Gives back what is not settled.
    pub(crate) async fn close(self) -> Result<(), Error> {
        patiently(self.connection.close(200, "OK".into())).await
    }
}

/// Hands messages on, on a connection of its own, which it opens when it needs one: a broker that
/// is short of memory stops reading from who publishes, and acknowledgments must get through.
pub(crate) struct Forwarding {
    url: AmqpUrl,
    open: Mutex<Option<(Connection, Channel)>>,
}

impl Forwarding {
    pub(crate) fn new(url: AmqpUrl) -> Self {
        Self { url, open: Mutex::new(None) }
    }

    /// Returns when the broker has the message in a queue. One at a time: lapin numbers a message and
    /// sends it in two steps, confirms go by number, and one that comes back is told to whoever is
    /// confirmed next.
    pub(crate) async fn publish(
        &self,
        exchange: &str,
        key: &str,
        body: &[u8],
        properties: BasicProperties,
    ) -> Result<(), Error> {
        let publishing = self.publish_in_turn(exchange, key, body, properties);
        // Its turn included: what is in hand has to be finished in time when the worker stops.
        timeout(PATIENCE, publishing).await.unwrap_or(Err(Error::Silent))
    }

    async fn publish_in_turn(
        &self,
        exchange: &str,
        key: &str,
        body: &[u8],
        properties: BasicProperties,
    ) -> Result<(), Error> {
        let mut open = self.open.lock().await;
        let usable = open.take_if(|(_, channel)| channel.status().connected());
        let (connection, channel) = match usable {
            Some(usable) => usable,
            None => self.connect().await?,
        };
        let options = BasicPublishOptions { mandatory: true, ..Default::default() };
        let sending = channel.basic_publish(exchange.into(), key.into(), options, body, properties);
        let confirmation = sending.await?.await?;
        *open = Some((connection, channel));
        match confirmation {
            Confirmation::Ack(None) => Ok(()),
            Confirmation::Ack(Some(_)) | Confirmation::Nack(Some(_)) => Err(Error::Unroutable),
            Confirmation::Nack(None) | Confirmation::NotRequested => Err(Error::Refused),
        }
    }

    async fn connect(&self) -> Result<(Connection, Channel), Error> {
        let (connection, channel) = open(&self.url, "fulfillment-worker hands on").await?;
        patiently(channel.confirm_select(ConfirmSelectOptions::default())).await?;
        Ok((connection, channel))
    }
}

async fn open(url: &AmqpUrl, name: &str) -> Result<(Connection, Channel), Error> {
    let mut uri = url.expose();
    uri.query.heartbeat.get_or_insert(HEARTBEAT);
    let properties = ConnectionProperties::default().with_connection_name(LongString::from(name));
    let connection = patiently(contract::broker::connect(uri, properties)).await?;
    let channel = patiently(connection.create_channel()).await?;
    Ok((connection, channel))
}

async fn patiently<T>(asking: impl Future<Output = lapin::Result<T>>) -> Result<T, Error> {
    Ok(timeout(PATIENCE, asking).await.map_err(|_| Error::Silent)??)
}
