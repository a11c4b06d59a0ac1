//! The frames on their way to a client, and the task that writes them.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use amq_protocol::protocol::AMQPClass;
use amq_protocol::types::ChannelId;
use tokio::io::{AsyncWrite, AsyncWriteExt as _};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::timeout;

use crate::message::Content;
use crate::wire::Encoder;

/// Bytes of bodies on their way to one client beyond which it gets no more deliveries.
const BACKLOG_LIMIT: usize = 1 << 20;
/// Bytes to gather before writing, when there is more to write.
const BATCH: usize = 64 * 1024;

/// Something to be written.
#[derive(Debug)]
enum Outgoing {
    Method(ChannelId, AMQPClass),
    Content(ChannelId, AMQPClass, Arc<Content>),
}

/// Where the state puts what a client is to get, without ever waiting for it.
#[derive(Debug, Clone)]
pub(crate) struct Outbox {
    queue: UnboundedSender<Outgoing>,
    backlog: Arc<AtomicUsize>,
}

/// The other end of an [`Outbox`].
#[derive(Debug)]
pub(crate) struct Outgoings {
    queue: UnboundedReceiver<Outgoing>,
    backlog: Arc<AtomicUsize>,
}

pub(crate) fn outbox() -> (Outbox, Outgoings) {
    let (sender, receiver) = unbounded_channel();
    let backlog = Arc::new(AtomicUsize::new(0));
    (
        Outbox { queue: sender, backlog: Arc::clone(&backlog) },
        Outgoings { queue: receiver, backlog },
    )
}

impl Outbox {
    pub(crate) fn method(&self, channel: ChannelId, method: AMQPClass) {
        // A writer that has gone is noticed by the connection's reader.
        let _ = self.queue.send(Outgoing::Method(channel, method));
    }

    pub(crate) fn content(&self, channel: ChannelId, method: AMQPClass, content: Arc<Content>) {
        self.backlog.fetch_add(cost(&content), Ordering::Relaxed);
        let _ = self.queue.send(Outgoing::Content(channel, method, content));
    }

    /// Whether the client reads what it gets; if not, its messages stay in their queues.
    pub(crate) fn has_room(&self) -> bool {
        self.backlog.load(Ordering::Relaxed) < BACKLOG_LIMIT
    }
}

fn cost(content: &Content) -> usize {
    content.body.len() + 256
}

/// How to write to one client.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    pub(crate) frame_max: u32,
    /// Zero is no heartbeats.
    pub(crate) heartbeat: Duration,
}

impl Outgoings {
    /// Writes until every [`Outbox`] is gone, and calls `relieved` when a backlog is written.
    pub(crate) async fn write_to(
        mut self,
        mut output: impl AsyncWrite + Unpin,
        pace: Pace,
        relieved: impl Fn(),
    ) -> io::Result<()> {
        let mut encoder = Encoder::new(pace.frame_max);
        while let Some(first) = self.next(pace.heartbeat, &mut encoder).await {
            let written = self.encode(first, &mut encoder);
            output.write_all(&encoder.buffer).await?;
            encoder.buffer.clear();
            let backlog = self.backlog.fetch_sub(written, Ordering::Relaxed);
            if backlog >= BACKLOG_LIMIT && backlog - written < BACKLOG_LIMIT {
                relieved();
            }
        }
        output.shutdown().await
    }

    /// Waits for something to write; a heartbeat when that takes half an interval.
    async fn next(
        &mut self,
        heartbeat: Duration,
        encoder: &mut Encoder,
    ) -> Option<Option<Outgoing>> {
        if heartbeat.is_zero() {
            return self.queue.recv().await.map(Some);
        }
        match timeout(heartbeat / 2, self.queue.recv()).await {
            Ok(outgoing) => outgoing.map(Some),
            Err(_) => {
                encoder.heartbeat();
                Some(None)
            }
        }
    }

    /// Encodes `first` and what else is there, up to a batch; the backlog that this was.
    fn encode(&mut self, first: Option<Outgoing>, encoder: &mut Encoder) -> usize {
        let mut encoded = 0;
        let mut next = first;
        while let Some(outgoing) = next {
            match outgoing {
                Outgoing::Method(channel, method) => encoder.method(channel, method),
                Outgoing::Content(channel, method, content) => {
                    encoded += cost(&content);
                    encoder.content(channel, method, &content);
                }
            }
            next = if encoder.buffer.len() < BATCH { self.queue.try_recv().ok() } else { None };
        }
        encoded
    }
}
