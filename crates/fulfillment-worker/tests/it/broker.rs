//! The queue: the embedded broker's or RabbitMQ's, and an observer's view of it.

use std::fs;

use anyhow::{Context as _, Result};
use contract::topology::{self, DEAD_LETTERS, FULFILLMENT_QUEUE, RETRIES};
use lapin::{
    BasicProperties, Channel, Connection, ConnectionProperties, Queue,
    message::Delivery,
    options::{BasicGetOptions, BasicPublishOptions, QueueDeclareOptions, QueuePurgeOptions},
    types::FieldTable,
};
use testbed::{RabbitMq, eventually, left_out};
use tokio::sync::{Mutex, MutexGuard};
use tokio_util::sync::CancellationToken;

use crate::shop::PATIENCE;

/// The one RabbitMQ of a test run, for one test at a time; it ends with the process.
static RABBITMQ: Mutex<Option<RabbitMq>> = Mutex::const_new(None);

/// The broker under the worker.
pub(crate) enum Broker {
    Embedded { url: String, handle: broker::Handle },
    RabbitMq(MutexGuard<'static, Option<RabbitMq>>),
}

impl Broker {
    pub(crate) async fn embedded() -> Result<Self> {
        let broker = broker::Broker::bind(broker::Config::default()).await?;
        let url = format!("amqp://guest:guest@{}/%2f", broker.local_addr());
        let handle = broker.handle();
        tokio::spawn(broker.run(CancellationToken::new()));
        Ok(Self::Embedded { url, handle })
    }

    /// None where RabbitMQ is not installed.
    pub(crate) async fn rabbitmq() -> Result<Option<Self>> {
        if left_out(RabbitMq::available()) {
            return Ok(None);
        }
        let mut rabbitmq = RABBITMQ.lock().await;
        if rabbitmq.is_none() {
            *rabbitmq = Some(start_rabbitmq().await?);
        }
        let broker = Self::RabbitMq(rabbitmq);
        broker.forget_the_test_before().await?;
        Ok(Some(broker))
    }

    pub(crate) fn url(&self) -> String {
        match self {
            Self::Embedded { url, .. } => url.clone(),
            Self::RabbitMq(node) => node.as_ref().expect("it was started").url(),
        }
    }

    /// Cuts every connection; a real broker is killed and comes back.
    pub(crate) async fn crash(&mut self) -> Result<()> {
        match self {
            Self::Embedded { handle, .. } => {
                handle.close_connections();
                Ok(())
            }
            Self::RabbitMq(node) => node.as_mut().expect("it was started").restart().await,
        }
    }

    /// A channel, with everything declared.
    pub(crate) async fn observe(&self) -> Result<Observer> {
        let connection = Connection::connect(&self.url(), ConnectionProperties::default()).await?;
        let channel = connection.create_channel().await?;
        topology::declare(&channel).await?;
        Ok(Observer { _connection: connection, channel })
    }

    /// Purges rather than deletes: a quorum queue that is declared anew under its old name and
    /// killed within half a second comes back under its old identity, and cannot start.
    async fn forget_the_test_before(&self) -> Result<()> {
        let observer = self.observe().await?;
        let retries = RETRIES.iter().map(|retry| retry.name);
        for queue in retries.chain([FULFILLMENT_QUEUE, DEAD_LETTERS]) {
            eventually(PATIENCE, &format!("{queue} alone and empty"), async || {
                let options = QueuePurgeOptions::default();
                observer.channel.queue_purge(queue.into(), options).await.ok()?;
                let queue = observer.queue(queue).await.ok()?;
                (queue.consumer_count() == 0 && queue.message_count() == 0).then_some(())
            })
            .await;
        }
        Ok(())
    }
}

/// Starts a node and waits until it has written down which queues there are: one that is killed
/// before has forgotten them, and what was in them.
async fn start_rabbitmq() -> Result<RabbitMq> {
    let node = RabbitMq::start().await?;
    let connection = Connection::connect(&node.url(), ConnectionProperties::default()).await?;
    topology::declare(&connection.create_channel().await?).await?;
    let quorum = node.directory().join("mnesia/node/quorum");
    eventually(PATIENCE, "queues written down", async || {
        let names = fs::read_dir(&quorum).ok()?.next()?.ok()?.path().join("names.dets");
        let names = fs::read(names).ok()?;
        let last = RETRIES.last().expect("there are retries").name.as_bytes();
        names.windows(last.len()).any(|name| name == last).then_some(())
    })
    .await;
    Ok(node)
}

/// Someone who looks at the queues and puts messages into them.
pub(crate) struct Observer {
    _connection: Connection,
    pub(crate) channel: Channel,
}

impl Observer {
    pub(crate) async fn ready(&self, queue: &str) -> Result<u32> {
        Ok(self.queue(queue).await?.message_count())
    }

    async fn queue(&self, queue: &str) -> lapin::Result<Queue> {
        let options = QueueDeclareOptions { passive: true, ..Default::default() };
        self.channel.queue_declare(queue.into(), options, FieldTable::default()).await
    }

    pub(crate) async fn wait_for_ready(&self, queue: &str, count: u32) {
        eventually(PATIENCE, &format!("{count} messages in {queue}"), async || {
            (self.ready(queue).await.expect("the queue can be asked") == count).then_some(())
        })
        .await;
    }

    pub(crate) async fn wait_for_consumers(&self, queue: &str, count: u32) {
        eventually(PATIENCE, &format!("{count} consumers of {queue}"), async || {
            let queue = self.queue(queue).await.expect("the queue can be asked");
            (queue.consumer_count() == count).then_some(())
        })
        .await;
    }

    /// Waits for a message in a queue and takes it; it is not settled.
    pub(crate) async fn take(&self, queue: &str) -> Delivery {
        eventually(PATIENCE, &format!("a message in {queue}"), async || {
            let got = self.channel.basic_get(queue.into(), BasicGetOptions::default()).await;
            got.expect("the queue can be asked").map(|message| message.delivery)
        })
        .await
    }

    pub(crate) async fn put(
        &self,
        queue: &str,
        body: &[u8],
        properties: BasicProperties,
    ) -> Result<()> {
        let options = BasicPublishOptions { mandatory: true, ..Default::default() };
        let properties = properties.with_delivery_mode(2);
        let published =
            self.channel.basic_publish("".into(), queue.into(), options, body, properties);
        published.await.context("cannot publish")?;
        Ok(())
    }
}
