//! A queue: its messages in order, and the consumers that take turns.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use amq_protocol::types::FieldTable;
use tokio::time::Instant;

use crate::exchange::Name;
use crate::ledger::Charge;
use crate::message::{Content, Entry};
use crate::policy::{Kind, Policy};
use crate::state::{ChannelKey, ConnectionId};
use crate::stats::Counters;

/// Tells a queue from an earlier one of the same name.
pub(crate) type QueueId = u64;

/// Tells a consumer from an earlier one of the same tag.
pub(crate) type ConsumerId = u64;

/// A queue.
#[derive(Debug)]
pub(crate) struct Queue {
    pub(crate) id: QueueId,
    pub(crate) name: Name,
    pub(crate) durable: bool,
    pub(crate) auto_delete: bool,
    /// The only connection that may use it, and with which it goes.
    pub(crate) owner: Option<ConnectionId>,
    pub(crate) arguments: FieldTable,
    pub(crate) policy: Policy,
    ready: VecDeque<Entry>,
    next_position: u64,
    /// Messages delivered and not yet settled.
    pub(crate) unacked: usize,
    /// In the order of their turns.
    pub(crate) consumers: VecDeque<Consumer>,
    pub(crate) last_used: Instant,
    pub(crate) counters: Counters,
}

/// One who takes messages from a queue.
#[derive(Debug)]
pub(crate) struct Consumer {
    pub(crate) id: ConsumerId,
    pub(crate) channel: ChannelKey,
    pub(crate) tag: Name,
    pub(crate) no_ack: bool,
    pub(crate) exclusive: bool,
    /// How many unsettled messages it may have; 0 is any number.
    pub(crate) prefetch: u16,
    pub(crate) in_flight: usize,
}

impl Consumer {
    pub(crate) fn is(&self, channel: ChannelKey, tag: &str) -> bool {
        self.channel == channel && *self.tag == *tag
    }

    pub(crate) fn has_room(&self) -> bool {
        self.prefetch == 0 || self.in_flight < self.prefetch.into()
    }
}

impl Queue {
    pub(crate) fn new(
        id: QueueId,
        name: Name,
        declaration: &amq_protocol::protocol::queue::Declare,
        owner: Option<ConnectionId>,
        policy: Policy,
    ) -> Self {
        Self {
            id,
            name,
            durable: declaration.durable,
            auto_delete: declaration.auto_delete,
            owner,
            arguments: declaration.arguments.clone(),
            policy,
            ready: VecDeque::new(),
            next_position: 0,
            unacked: 0,
            consumers: VecDeque::new(),
            last_used: Instant::now(),
            counters: Counters::default(),
        }
    }

    pub(crate) fn ready(&self) -> usize {
        self.ready.len()
    }

    pub(crate) fn is_full(&self) -> bool {
        self.policy.max_length.is_some_and(|most| self.ready.len() >= most)
    }

    pub(crate) fn is_over_full(&self) -> bool {
        self.policy.max_length.is_some_and(|most| self.ready.len() > most)
    }

    /// Puts a message at the end.
    pub(crate) fn push(&mut self, content: Arc<Content>, now: Instant, charge: Charge) {
        let ttl = [self.policy.message_ttl, content.expiration()].into_iter().flatten().min();
        let position = self.next_position;
        self.next_position += 1;
        self.counters.published += 1;
        self.ready.push_back(Entry {
            content,
            position,
            expires: ttl.and_then(|ttl| now.checked_add(ttl)),
            redelivered: false,
            returns: 0,
            _charge: charge,
        });
    }

    /// Takes the message whose turn it is.
    pub(crate) fn pop(&mut self) -> Option<Entry> {
        self.ready.pop_front()
    }

    /// Takes the message whose turn it is, if it has expired.
    pub(crate) fn pop_expired(&mut self, now: Instant) -> Option<Entry> {
        self.ready.pop_front_if(|entry| entry.expires.is_some_and(|expires| expires <= now))
    }

    /// Takes back a message that was delivered and not settled.
    ///
    /// A classic queue has it where it was; a quorum queue has what came back before the rest,
    /// in the order in which it came back. Gives it back when it came back too often.
    pub(crate) fn put_back(&mut self, mut entry: Entry) -> Option<Entry> {
        entry.redelivered = true;
        let index = match self.policy.kind {
            Kind::Classic => self.ready.partition_point(|other| other.position < entry.position),
            Kind::Quorum => {
                entry.returns += 1;
                if self.policy.delivery_limit.is_some_and(|limit| entry.returns > limit) {
                    return Some(entry);
                }
                self.ready.partition_point(|other| other.redelivered)
            }
        };
        self.ready.insert(index, entry);
        None
    }

    pub(crate) fn purge(&mut self) -> usize {
        self.ready.drain(..).count()
    }

    /// When something happens here by itself: the first message expires, or the queue does.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let message = self.ready.front().and_then(|entry| entry.expires);
        [message, self.end()].into_iter().flatten().min()
    }

    /// When the queue goes because nobody uses it.
    pub(crate) fn end(&self) -> Option<Instant> {
        let after: Duration = self.policy.expires.filter(|_| self.consumers.is_empty())?;
        self.last_used.checked_add(after)
    }

    pub(crate) fn consumer(&mut self, id: ConsumerId) -> Option<&mut Consumer> {
        self.consumers.iter_mut().find(|consumer| consumer.id == id)
    }

    pub(crate) fn is_consumed_exclusively(&self) -> bool {
        self.consumers.iter().any(|consumer| consumer.exclusive)
    }
}
