//! A broker to try things on, and a client with short words for what the scenarios do.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, Result};
use broker::{Broker, Config, Handle};
use futures_util::StreamExt as _;
use lapin::message::{BasicGetMessage, Delivery};
use lapin::options::*;
use lapin::types::{AMQPValue, FieldTable};
use lapin::{
    BasicProperties, Channel, Confirmation, Connection, ConnectionProperties, Consumer, ErrorKind,
};
use testbed::{RabbitMq, left_out};
use tokio::sync::OnceCell;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// How long a scenario may take.
const LIMIT: Duration = Duration::from_secs(60);
/// How long what should happen may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);
/// How long to look whether something happens that should not.
pub(crate) const QUIET: Duration = Duration::from_millis(200);

/// The one RabbitMQ of a test run; it ends with the process.
static RABBITMQ: OnceCell<RabbitMq> = OnceCell::const_new();

/// A broker under test.
#[derive(Debug)]
pub(crate) struct World {
    /// Without a vhost.
    pub(crate) url: String,
    pub(crate) handle: Option<Handle>,
}

impl World {
    pub(crate) async fn embedded() -> Result<Self> {
        Self::embedded_with(Config::default()).await
    }

    pub(crate) async fn embedded_with(config: Config) -> Result<Self> {
        let broker = Broker::bind(config).await?;
        let handle = broker.handle();
        let address: SocketAddr = broker.local_addr();
        tokio::spawn(broker.run(CancellationToken::new()));
        Ok(Self { url: format!("amqp://guest:guest@{address}"), handle: Some(handle) })
    }

    /// None where RabbitMQ is not installed.
    pub(crate) async fn rabbitmq() -> Result<Option<Self>> {
        if left_out(RabbitMq::available()) {
            return Ok(None);
        }
        let rabbitmq = RABBITMQ.get_or_try_init(RabbitMq::start).await?;
        let url = rabbitmq.url().trim_end_matches("/%2f").to_owned();
        Ok(Some(Self { url, handle: None }))
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> &str {
        self.url.trim_start_matches("amqp://guest:guest@")
    }

    /// A connection of its own, and a channel with confirms on it.
    pub(crate) async fn client(&self) -> Result<Client> {
        let url = format!("{}/%2f", self.url);
        let connection = Connection::connect(&url, ConnectionProperties::default()).await?;
        let channel = connection.create_channel().await?;
        channel.confirm_select(ConfirmSelectOptions::default()).await?;
        Ok(Client { connection, channel })
    }
}

/// Runs a scenario, which fails when it hangs.
pub(crate) async fn within_time(scenario: impl Future<Output = Result<()>>) -> Result<()> {
    timeout(LIMIT, scenario).await.context("the scenario hangs")?
}

/// A connection and a channel.
#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) connection: Connection,
    pub(crate) channel: Channel,
}

impl Client {
    /// Opens another channel, with confirms.
    pub(crate) async fn open(&mut self) -> Result<()> {
        self.channel = self.connection.create_channel().await?;
        self.channel.confirm_select(ConfirmSelectOptions::default()).await?;
        Ok(())
    }

    pub(crate) async fn queue(&self, name: &str, arguments: FieldTable) -> lapin::Result<()> {
        let options = QueueDeclareOptions::durable();
        self.channel.queue_declare(name.into(), options, arguments).await.map(drop)
    }

    /// Declares a queue with a name nobody else has.
    pub(crate) async fn fresh_queue(&self, arguments: FieldTable) -> Result<String> {
        let name = fresh("queue");
        self.queue(&name, arguments).await?;
        Ok(name)
    }

    pub(crate) async fn exchange(&self, name: &str, kind: &str) -> lapin::Result<()> {
        self.exchange_as(name, kind, ExchangeDeclareOptions { durable: true, ..Default::default() })
            .await
    }

    pub(crate) async fn exchange_as(
        &self,
        name: &str,
        kind: &str,
        options: ExchangeDeclareOptions,
    ) -> lapin::Result<()> {
        let kind = lapin::ExchangeKind::Custom(kind.to_owned());
        self.channel.exchange_declare(name.into(), kind, options, table([])).await
    }

    pub(crate) async fn bind(&self, queue: &str, exchange: &str, key: &str) -> lapin::Result<()> {
        let options = QueueBindOptions::default();
        self.channel.queue_bind(queue.into(), exchange.into(), key.into(), options, table([])).await
    }

    /// Publishes and waits for the confirm.
    pub(crate) async fn publish(
        &self,
        exchange: &str,
        key: &str,
        body: &str,
    ) -> lapin::Result<Confirmation> {
        self.publish_with(exchange, key, body.as_bytes(), BasicProperties::default()).await
    }

    /// Publishes, mandatory, and waits for the confirm.
    pub(crate) async fn publish_with(
        &self,
        exchange: &str,
        key: &str,
        body: &[u8],
        properties: BasicProperties,
    ) -> lapin::Result<Confirmation> {
        let options = BasicPublishOptions { mandatory: true, ..Default::default() };
        let properties = properties.with_delivery_mode(2);
        self.channel
            .basic_publish(exchange.into(), key.into(), options, body, properties)
            .await?
            .await
    }

    /// Puts `bodies` into a queue, in order.
    pub(crate) async fn fill(&self, queue: &str, bodies: &[&str]) -> Result<()> {
        for body in bodies {
            let confirmation = self.publish("", queue, body).await?;
            anyhow::ensure!(matches!(confirmation, Confirmation::Ack(None)), "{confirmation:?}");
        }
        Ok(())
    }

    pub(crate) async fn prefetch(&self, count: u16) -> lapin::Result<()> {
        self.channel.basic_qos(count, BasicQosOptions::default()).await
    }

    pub(crate) async fn consume(&self, queue: &str) -> lapin::Result<Consumer> {
        self.consume_as(queue, "", BasicConsumeOptions::default()).await
    }

    pub(crate) async fn consume_as(
        &self,
        queue: &str,
        tag: &str,
        options: BasicConsumeOptions,
    ) -> lapin::Result<Consumer> {
        self.channel.basic_consume(queue.into(), tag.into(), options, table([])).await
    }

    pub(crate) async fn get(&self, queue: &str) -> lapin::Result<Option<BasicGetMessage>> {
        self.channel.basic_get(queue.into(), BasicGetOptions::default()).await
    }

    /// Waits for a message in a queue and takes it, acknowledged.
    pub(crate) async fn take(&self, queue: &str) -> Result<Delivery> {
        let got = testbed::eventually(PATIENCE, "a message", async || {
            self.get(queue).await.expect("the queue can be asked")
        })
        .await;
        got.delivery.acker.ack(BasicAckOptions::default()).await?;
        Ok(got.delivery)
    }

    /// Messages waiting in a queue, as a passive declaration tells.
    pub(crate) async fn ready(&self, queue: &str) -> lapin::Result<u32> {
        let options = QueueDeclareOptions::durable().passive();
        let declared = self.channel.queue_declare(queue.into(), options, table([])).await?;
        Ok(declared.message_count())
    }

    /// Waits until so many messages wait in a queue; quorum queues tell with a delay.
    pub(crate) async fn wait_for_ready(&self, queue: &str, count: u32) {
        testbed::eventually(PATIENCE, &format!("{count} messages in {queue}"), async || {
            (self.ready(queue).await.expect("the queue can be asked") == count).then_some(())
        })
        .await;
    }
}

/// A name nobody else has.
pub(crate) fn fresh(what: &str) -> String {
    use std::sync::atomic::{AtomicUsize, Ordering};
    static LAST: AtomicUsize = AtomicUsize::new(0);
    format!("{what}-{}", LAST.fetch_add(1, Ordering::Relaxed))
}

pub(crate) fn table<const N: usize>(entries: [(&str, AMQPValue); N]) -> FieldTable {
    let mut table = FieldTable::default();
    for (name, value) in entries {
        table.insert(name.into(), value);
    }
    table
}

pub(crate) fn text(text: &str) -> AMQPValue {
    AMQPValue::LongString(text.into())
}

pub(crate) fn number(number: i64) -> AMQPValue {
    AMQPValue::LongLongInt(number)
}

pub(crate) fn quorum<const N: usize>(entries: [(&str, AMQPValue); N]) -> FieldTable {
    let mut arguments = table(entries);
    arguments.insert("x-queue-type".into(), text("quorum"));
    arguments
}

/// The next delivery of a consumer.
pub(crate) async fn next(consumer: &mut Consumer) -> Result<Delivery> {
    let next = timeout(PATIENCE, consumer.next()).await.context("no delivery comes")?;
    Ok(next.context("the consumer has ended")??)
}

/// The body of the next delivery, which is acknowledged.
pub(crate) async fn next_body(consumer: &mut Consumer) -> Result<String> {
    let delivery = next(consumer).await?;
    delivery.acker.ack(BasicAckOptions::default()).await?;
    Ok(body(&delivery))
}

/// Fails if a consumer gets something.
pub(crate) async fn is_quiet(consumer: &mut Consumer) {
    let next = timeout(QUIET, consumer.next()).await;
    assert!(next.is_err(), "nothing should come, not {next:?}");
}

pub(crate) fn body(delivery: &Delivery) -> String {
    String::from_utf8_lossy(&delivery.data).into_owned()
}

pub(crate) fn header<'a>(delivery: &'a Delivery, name: &str) -> Option<&'a AMQPValue> {
    delivery.properties.headers().as_ref()?.inner().get(name)
}

/// The code and text with which a broker refused.
pub(crate) fn refusal<T: std::fmt::Debug>(result: lapin::Result<T>) -> (u16, String) {
    let error = result.expect_err("the broker should refuse");
    match error.kind() {
        ErrorKind::ProtocolError(error) => (error.get_id(), error.get_message().to_string()),
        _ => panic!("not a refusal: {error:?}"),
    }
}

/// Fails unless a broker refused with `code` and a text that has `part`.
pub(crate) fn assert_refused<T: std::fmt::Debug>(result: lapin::Result<T>, code: u16, part: &str) {
    let (actual, text) = refusal(result);
    assert_eq!(actual, code, "{text}");
    assert!(text.contains(part), "'{part}' is not in '{text}'");
}
