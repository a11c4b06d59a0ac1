//! Exchanges and queues, declared the same way by everyone who uses them.
//!
//! ```text
//! order-api ─▶ shop.orders ─ order.placed ─▶ fulfillment.orders ─▶ fulfillment-worker
//!                                              ▲      │ delivered too often      │ cannot be
//!                    TTL over, dead-lettered   │      ▼                          │ fulfilled now
//!                                              │   fulfillment.dead ◀────────────┤ after the last try
//!                                           fulfillment.retry.1s … .40s ◀────────┘
//! ```
//!
//! The queues that carry orders are quorum queues: a confirmed message survives a killed broker,
//! dead-lettering is at least once, and a message that kills its consumer before it can be counted
//! is parked by the delivery limit. The parked ones lie in a classic queue, because looking at them
//! means taking and returning them, which must not count against a limit.

use std::time::Duration;

use lapin::{
    Channel, ExchangeKind,
    options::{ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions},
    types::{AMQPValue, FieldTable},
};

/// The exchange on which order-api announces what happens to orders.
pub const ORDERS_EXCHANGE: &str = "shop.orders";
/// The routing key of an order that was placed.
pub const ORDER_PLACED_KEY: &str = "order.placed";
/// The queue that fulfillment-worker takes orders from.
pub const FULFILLMENT_QUEUE: &str = "fulfillment.orders";
/// The exchange and the queue of messages that were given up.
pub const DEAD_LETTERS: &str = "fulfillment.dead";
/// How often a message may come back from a consumer that died with it: RabbitMQ's own limit.
pub const DELIVERY_LIMIT: i64 = 20;
/// The header in which fulfillment-worker counts the tries that failed.
pub const ATTEMPTS_HEADER: &str = "x-attempts";
/// The header that says why a message was given up.
pub const REASON_HEADER: &str = "x-reason";

/// A queue in which a message waits before it is tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryQueue {
    /// The queue's name; published to through the default exchange.
    pub name: &'static str,
    /// How long a message waits in it.
    pub delay: Duration,
}

/// The waits between tries, growing; the last one comes again and again. It is short: what failed because
/// somebody was away is done within a minute of their return.
pub const RETRIES: &[RetryQueue] = &[
    RetryQueue { name: "fulfillment.retry.1s", delay: Duration::from_secs(1) },
    RetryQueue { name: "fulfillment.retry.5s", delay: Duration::from_secs(5) },
    RetryQueue { name: "fulfillment.retry.15s", delay: Duration::from_secs(15) },
    RetryQueue { name: "fulfillment.retry.40s", delay: Duration::from_secs(40) },
];
/// How often a message is tried before it is given up: over 6 min 21 s, longer than a restart of any part,
/// shorter than a customer's patience.
pub const TRIES: usize = 13;

/// Where a message waits that has failed so often before it failed once more; none if it is given up.
pub fn retry(failed_before: usize) -> Option<&'static RetryQueue> {
    (failed_before + 1 < TRIES).then(|| &RETRIES[failed_before.min(RETRIES.len() - 1)])
}

/// Declares all of it; declaring it again changes nothing.
pub async fn declare(channel: &Channel) -> lapin::Result<()> {
    exchange(channel, ORDERS_EXCHANGE, ExchangeKind::Topic).await?;
    exchange(channel, DEAD_LETTERS, ExchangeKind::Fanout).await?;

    let parked = arguments([("x-queue-type", text("classic"))]);
    queue(channel, DEAD_LETTERS, parked).await?;
    bind(channel, DEAD_LETTERS, DEAD_LETTERS, "").await?;

    let work = quorum([
        ("x-delivery-limit", AMQPValue::LongLongInt(DELIVERY_LIMIT)),
        ("x-dead-letter-exchange", text(DEAD_LETTERS)),
    ]);
    queue(channel, FULFILLMENT_QUEUE, work).await?;
    bind(channel, FULFILLMENT_QUEUE, ORDERS_EXCHANGE, ORDER_PLACED_KEY).await?;

    for retry in RETRIES {
        let millis = i64::try_from(retry.delay.as_millis()).expect("delays are minutes");
        let wait = quorum([
            ("x-message-ttl", AMQPValue::LongLongInt(millis)),
            ("x-dead-letter-exchange", text("")),
            ("x-dead-letter-routing-key", text(FULFILLMENT_QUEUE)),
        ]);
        queue(channel, retry.name, wait).await?;
    }
    Ok(())
}

async fn exchange(channel: &Channel, name: &str, kind: ExchangeKind) -> lapin::Result<()> {
    let options = ExchangeDeclareOptions { durable: true, ..Default::default() };
    channel.exchange_declare(name.into(), kind, options, FieldTable::default()).await
}

async fn queue(channel: &Channel, name: &str, arguments: FieldTable) -> lapin::Result<()> {
    let options = QueueDeclareOptions { durable: true, ..Default::default() };
    channel.queue_declare(name.into(), options, arguments).await.map(drop)
}

async fn bind(channel: &Channel, queue: &str, exchange: &str, key: &str) -> lapin::Result<()> {
    let options = QueueBindOptions::default();
    channel
        .queue_bind(queue.into(), exchange.into(), key.into(), options, FieldTable::default())
        .await
}

/// At-least-once dead-lettering needs a queue that refuses rather than drops when it is full.
fn quorum<const N: usize>(own: [(&str, AMQPValue); N]) -> FieldTable {
    let mut table = arguments([
        ("x-queue-type", text("quorum")),
        ("x-dead-letter-strategy", text("at-least-once")),
        ("x-overflow", text("reject-publish")),
    ]);
    for (name, value) in own {
        table.insert(name.into(), value);
    }
    table
}

fn arguments<const N: usize>(pairs: [(&str, AMQPValue); N]) -> FieldTable {
    let mut table = FieldTable::default();
    for (name, value) in pairs {
        table.insert(name.into(), value);
    }
    table
}

fn text(value: &str) -> AMQPValue {
    AMQPValue::LongString(value.into())
}
