//! The broker as the desk sees it: how much waits where.

use std::{fmt, io::ErrorKind, time::Duration};

use anyhow::Context as _;
use contract::topology::{self, DEAD_LETTERS, FULFILLMENT_QUEUE, RETRIES};
use lapin::{
    Channel, Connection, ConnectionProperties, options::QueueDeclareOptions, types::FieldTable,
};
use serde::{Deserialize, Serialize};
use tokio::{sync::Mutex, time::timeout};

/// How long the broker may take to answer.
const PATIENCE: Duration = Duration::from_secs(3);

/// How many messages wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiting {
    /// Orders that nobody has begun to fulfill.
    pub waiting: u32,
    /// Orders that wait for another try.
    pub retrying: u32,
    /// Orders that were given up: the dead letters.
    pub dead: u32,
}

/// The broker; connected when it is first asked, and again after it was away.
pub(crate) struct Queues {
    url: String,
    connection: Mutex<Option<Connection>>,
}

impl Queues {
    pub(crate) fn new(url: String) -> Self {
        Self { url, connection: Mutex::new(None) }
    }

    /// How many messages wait now.
    pub(crate) async fn waiting(&self) -> anyhow::Result<Waiting> {
        timeout(PATIENCE, self.count()).await.context("the broker does not answer")?
    }

    /// A channel of its own for the caller, to a broker that has all the queues.
    pub(crate) async fn channel(&self) -> anyhow::Result<Channel> {
        let opened = timeout(PATIENCE, self.open()).await;
        opened.context("the broker does not answer")?.context("cannot reach the broker")
    }

    async fn count(&self) -> anyhow::Result<Waiting> {
        let channel = self.open().await.context("cannot reach the broker")?;
        let waiting = length(&channel, FULFILLMENT_QUEUE).await?;
        let mut retrying = 0;
        for queue in RETRIES {
            retrying += length(&channel, queue.name).await?;
        }
        let dead = length(&channel, DEAD_LETTERS).await?;
        channel.close(200, "seen".into()).await?;
        Ok(Waiting { waiting, retrying, dead })
    }

    async fn open(&self) -> lapin::Result<Channel> {
        let mut connection = self.connection.lock().await;
        if !connection.as_ref().is_some_and(|connection| connection.status().connected()) {
            *connection = Some(connect(&self.url).await?);
        }
        let open = connection.as_ref().expect("it was just made sure of");
        open.create_channel().await
    }
}

impl fmt::Debug for Queues {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The URL has a password in it.
        f.debug_struct("Queues").finish_non_exhaustive()
    }
}

async fn connect(url: &str) -> lapin::Result<Connection> {
    let uri = url.parse().map_err(|error| std::io::Error::new(ErrorKind::InvalidInput, error))?;
    let connection = contract::broker::connect(uri, ConnectionProperties::default()).await?;
    // The desk may be here before anyone else.
    let channel = connection.create_channel().await?;
    topology::declare(&channel).await?;
    channel.close(200, "declared".into()).await?;
    Ok(connection)
}

async fn length(channel: &Channel, queue: &str) -> lapin::Result<u32> {
    let options = QueueDeclareOptions { passive: true, ..Default::default() };
    let queue = channel.queue_declare(queue.into(), options, FieldTable::default()).await?;
    Ok(queue.message_count())
}
