//! A channel of a connection: what was delivered on it, and what is being published.

use std::collections::{BTreeMap, HashMap};

use amq_protocol::frame::AMQPContentHeader;
use amq_protocol::protocol::basic::Publish;
use bytes::BytesMut;

use crate::error::Refusal;
use crate::exchange::Name;
use crate::message::Entry;
use crate::queue::{ConsumerId, QueueId};

/// An open channel.
#[derive(Debug, Default)]
pub(crate) struct Channel {
    /// Closed by the broker, and deaf until the client agrees.
    pub(crate) closing: bool,
    /// The number of the last confirmed publish, on a channel with confirms.
    pub(crate) confirms: Option<u64>,
    /// The queues consumed from, by consumer tag.
    pub(crate) consumers: HashMap<Name, Name>,
    /// The prefetch that the next consumers get.
    pub(crate) consumer_prefetch: u16,
    /// The prefetch of all consumers together; 0 is none.
    pub(crate) channel_prefetch: u16,
    /// The queue that an empty name stands for.
    pub(crate) last_declared: Option<Name>,
    /// A publish whose header or body is still to come.
    pub(crate) incoming: Option<Incoming>,
    last_tag: u64,
    unacked: BTreeMap<u64, Unacked>,
    consumed: usize,
}

/// A publish in parts.
#[derive(Debug)]
pub(crate) struct Incoming {
    pub(crate) publish: Publish,
    pub(crate) header: Option<Box<AMQPContentHeader>>,
    pub(crate) body: BytesMut,
}

/// A delivered message that is not settled.
#[derive(Debug)]
pub(crate) struct Unacked {
    pub(crate) queue: Name,
    pub(crate) queue_id: QueueId,
    /// None for a message that was asked for with `basic.get`.
    pub(crate) consumer: Option<ConsumerId>,
    pub(crate) entry: Entry,
}

impl Channel {
    /// A channel that the broker has closed and the client does not know of yet.
    pub(crate) fn closing() -> Self {
        Self { closing: true, ..Self::default() }
    }

    /// Whether the limit of all consumers together lets one more message through.
    pub(crate) fn has_room(&self) -> bool {
        self.channel_prefetch == 0 || self.consumed < self.channel_prefetch.into()
    }

    /// The tag of the next delivery.
    pub(crate) fn next_tag(&mut self) -> u64 {
        self.last_tag += 1;
        self.last_tag
    }

    pub(crate) fn hold(&mut self, tag: u64, unacked: Unacked) {
        self.consumed += usize::from(unacked.consumer.is_some());
        self.unacked.insert(tag, unacked);
    }

    /// Takes what a client settles: one message, or all up to it; tag 0 is all there are.
    pub(crate) fn take(&mut self, tag: u64, multiple: bool) -> Result<Vec<Unacked>, Refusal> {
        let taken: Vec<Unacked> = if multiple && tag == 0 {
            std::mem::take(&mut self.unacked).into_values().collect()
        } else if !self.unacked.contains_key(&tag) {
            return Err(Refusal::precondition(format_args!("unknown delivery tag {tag}")));
        } else if multiple {
            let rest = self.unacked.split_off(&(tag + 1));
            std::mem::replace(&mut self.unacked, rest).into_values().collect()
        } else {
            self.unacked.remove(&tag).into_iter().collect()
        };
        self.consumed -= taken.iter().filter(|unacked| unacked.consumer.is_some()).count();
        Ok(taken)
    }

    pub(crate) fn take_all(&mut self) -> Vec<Unacked> {
        self.take(0, true).unwrap_or_default()
    }
}
