//! What is done at the broker: messages that nobody can read, and a queue that nothing reaches.

use anyhow::Context as _;
use contract::topology::{FULFILLMENT_QUEUE, ORDER_PLACED_KEY, ORDERS_EXCHANGE};
use lapin::{
    BasicProperties, Channel,
    options::{BasicAckOptions, BasicPublishOptions, QueueBindOptions},
    types::FieldTable,
};
use uuid::Uuid;

use super::{dead_letters, queues::Queues};

/// What no reader of orders can read: cut off in the middle.
const TORN: &[u8] = br#"{"order_id":"01980000-0000-7000-8000-0000000000"#;

/// How many are taken out of the dead letters in one go: workers may put more there meanwhile.
const AT_ONCE: u32 = 500;

/// Takes some of the messages that nobody can read out of the dead letters, and leaves all others there;
/// counts those that it has found.
pub(super) async fn bury(queues: &Queues, found: &mut u32) -> anyhow::Result<()> {
    let channel = queues.channel().await?;
    let mut taken = 0;
    while taken < AT_ONCE
        && let Some(letter) = dead_letters::take(&channel).await?
    {
        if letter.delivery.data == TORN {
            letter.ack(BasicAckOptions::default()).await.context("cannot remove a dead letter")?;
            *found += 1;
            taken += 1;
        }
    }
    // What was taken and not acknowledged goes back to its place.
    channel.close(200, "done".into()).await.context("cannot put back what was looked at")
}

/// Sends so many of them.
pub(super) async fn publish(count: u32, channel: &Channel) -> anyhow::Result<()> {
    for _ in 0..count {
        let properties = BasicProperties::default()
            .with_content_type("application/json".into())
            .with_delivery_mode(2)
            .with_message_id(Uuid::new_v4().to_string().into());
        let (queue, options) = (FULFILLMENT_QUEUE.into(), BasicPublishOptions::default());
        let published = channel.basic_publish("".into(), queue, options, TORN, properties).await;
        published.context("cannot publish a message")?;
    }
    channel.close(200, "published".into()).await.context("cannot publish a message")
}

/// Takes the queue of the workers from the exchange of the orders.
pub(super) async fn unbind(queues: &Queues) -> anyhow::Result<()> {
    let channel = queues.channel().await?;
    let [queue, exchange, key] = binding();
    channel
        .queue_unbind(queue.into(), exchange.into(), key.into(), FieldTable::default())
        .await
        .context("cannot unbind the queue")?;
    channel.close(200, "done".into()).await.context("cannot unbind the queue")
}

/// Gives it back.
pub(super) async fn bind(queues: &Queues) -> anyhow::Result<()> {
    let channel = queues.channel().await?;
    let [queue, exchange, key] = binding();
    let options = QueueBindOptions::default();
    channel
        .queue_bind(queue.into(), exchange.into(), key.into(), options, FieldTable::default())
        .await
        .context("cannot bind the queue")?;
    channel.close(200, "done".into()).await.context("cannot bind the queue")
}

fn binding() -> [&'static str; 3] {
    [FULFILLMENT_QUEUE, ORDERS_EXCHANGE, ORDER_PLACED_KEY]
}
