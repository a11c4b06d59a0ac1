//! The relay's connection to the broker.

use std::time::Duration;

use backon::{ExponentialBuilder, Retryable as _};
use lapin::{Channel, Connection, ConnectionProperties, options::ConfirmSelectOptions};
use tokio::time::timeout;

use crate::config::AmqpUrl;

/// How long the broker may take to let us in.
const PATIENCE: Duration = Duration::from_secs(5);
/// Seconds between heartbeats; a broker that is silent for two of them is gone.
const HEARTBEAT: u16 = 10;

/// A connection with one channel, on which every message is confirmed.
pub(super) struct Link {
    connection: Connection,
    pub(super) channel: Channel,
}

impl Link {
    /// # Errors
    /// If the connection or the channel is gone.
    pub(super) fn check(&self) -> lapin::Result<()> {
        if self.connection.status().connected() && self.channel.status().connected() {
            Ok(())
        } else {
            Err(std::io::Error::from(std::io::ErrorKind::ConnectionReset).into())
        }
    }

    /// Whether the broker, short of memory or disk, takes no messages for now. It reads nothing
    /// from this connection then, not even that it is closed.
    pub(super) fn is_blocked(&self) -> bool {
        self.connection.status().blocked()
    }

    pub(super) async fn close(self) {
        // It may be gone already, which is as well.
        let _ = timeout(PATIENCE, self.connection.close(200, "stopping".into())).await;
    }
}

/// Connects and declares exchanges and queues, however often that has to be tried. Only the first
/// failure of a row of them is logged.
pub(super) async fn connect(broker: &AmqpUrl) -> Link {
    let waits = ExponentialBuilder::default()
        .with_min_delay(Duration::from_millis(100))
        .with_max_delay(Duration::from_secs(3))
        .without_max_times()
        .with_jitter();
    let mut failures = 0;
    let link = (|| try_connect(broker))
        .retry(waits)
        .notify(|error, _| {
            failures += 1;
            if failures == 1 {
                tracing::warn!(%error, ?broker, "cannot reach the broker yet");
            }
        })
        .await
        .expect("there is no last try");
    tracing::info!(?broker, "connected to the broker");
    link
}

async fn try_connect(broker: &AmqpUrl) -> lapin::Result<Link> {
    let connecting = async {
        let mut uri = broker.0.clone();
        uri.query.heartbeat = uri.query.heartbeat.or(Some(HEARTBEAT));
        let properties = ConnectionProperties::default().with_connection_name("order-api".into());
        let connection = contract::broker::connect(uri, properties).await?;
        let channel = connection.create_channel().await?;
        contract::topology::declare(&channel).await?;
        channel.confirm_select(ConfirmSelectOptions::default()).await?;
        Ok(Link { connection, channel })
    };
    let late = |_| Err(std::io::Error::from(std::io::ErrorKind::TimedOut).into());
    timeout(PATIENCE, connecting).await.unwrap_or_else(late)
}
