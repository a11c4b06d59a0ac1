//! What a broker can tell about itself.

use crate::queue::Queue;

/// A queue at a moment. The counters count since it was declared.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct QueueStats {
    /// The queue's name.
    pub name: String,
    /// Messages waiting.
    pub ready: usize,
    /// Messages delivered and not yet settled.
    pub unacked: usize,
    /// Consumers.
    pub consumers: usize,
    /// Messages taken in.
    pub published: u64,
    /// Messages handed out, redeliveries among them.
    pub delivered: u64,
    /// Messages handed out that had been handed out before.
    pub redelivered: u64,
    /// Messages acknowledged.
    pub acked: u64,
    /// Messages that became dead letters, whether or not a dead letter exchange is named.
    pub dead_lettered: u64,
}

/// A broker at a moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stats {
    /// Clients past their handshake.
    pub connections: usize,
    /// Published messages that no queue took and that were sent back.
    pub unroutable: u64,
    /// Published messages that no queue took and that nobody wanted back.
    pub dropped: u64,
    /// Published messages refused because the memory limit was reached.
    pub refused: u64,
    /// Bytes of messages held, with the flat charge for each.
    pub memory: usize,
    /// Whether that is as much as it may be: messages are refused then.
    pub full: bool,
    /// The queues, by name.
    pub queues: Vec<QueueStats>,
}

/// What a queue counts.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) published: u64,
    pub(crate) delivered: u64,
    pub(crate) redelivered: u64,
    pub(crate) acked: u64,
    pub(crate) dead_lettered: u64,
}

impl Queue {
    pub(crate) fn stats(&self) -> QueueStats {
        QueueStats {
            name: self.name.to_string(),
            ready: self.ready(),
            unacked: self.unacked,
            consumers: self.consumers.len(),
            published: self.counters.published,
            delivered: self.counters.delivered,
            redelivered: self.counters.redelivered,
            acked: self.counters.acked,
            dead_lettered: self.counters.dead_lettered,
        }
    }
}
