//! Messages into queues, and from queues to consumers.

use std::collections::HashMap;
use std::sync::Arc;

use amq_protocol::protocol::AMQPClass;
use amq_protocol::protocol::basic::{AMQPMethod, Deliver};
use amq_protocol::types::ShortString;
use tokio::time::Instant;

use crate::channel::Unacked;
use crate::dead_letter::Reason;
use crate::exchange::Name;
use crate::message::{Content, Entry};
use crate::policy::Overflow;
use crate::queue::{Consumer, Queue};
use crate::state::{ConnectionId, Session, State};

type Sessions = HashMap<ConnectionId, Session>;

impl State {
    /// Puts a message into each of `queues`; whether all of them took it.
    pub(crate) fn put_into(&mut self, queues: &[Name], content: &Arc<Content>) -> bool {
        // Counted, because all of them get it even after one has refused.
        queues.iter().filter(|queue| !self.enqueue(queue, content)).count() == 0
    }

    fn enqueue(&mut self, name: &str, content: &Arc<Content>) -> bool {
        let Some(queue) = self.queues.get_mut(name) else { return true };
        let overflow = queue.policy.overflow;
        if queue.is_full() && overflow != Overflow::DropHead {
            if overflow == Overflow::RejectPublishDeadLetter {
                self.dead_letter(name, content, Reason::MaxLength);
            }
            return false;
        }
        let now = Instant::now();
        queue.push(Arc::clone(content), now, self.ledger.charge(content.body.len()));
        // A waiting consumer gets even what expires at once, and what is too much for the queue.
        self.hand_out(name);
        self.drop_overflow(name);
        self.drop_expired(name, now);
        true
    }

    /// Does what a change at a queue makes possible.
    pub(crate) fn advance(&mut self, name: &str) {
        self.drop_expired(name, Instant::now());
        self.hand_out(name);
        self.drop_overflow(name);
    }

    /// Gives a connection that reads again what waited for it.
    pub(crate) fn resume(&mut self, connection: ConnectionId) {
        let Some(session) = self.sessions.get(&connection) else { return };
        let consumers = session.channels.values().flat_map(|channel| channel.consumers.values());
        let queues: Vec<Name> = consumers.cloned().collect();
        for queue in queues {
            self.advance(&queue);
        }
    }

    /// Hands waiting messages to the consumers in turn, as far as their limits allow.
    fn hand_out(&mut self, name: &str) {
        let Some(queue) = self.queues.get_mut(name) else { return };
        while queue.ready() > 0 {
            let turn =
                queue.consumers.iter().position(|consumer| can_take(&self.sessions, consumer));
            let Some(turn) = turn else { break };
            queue.consumers.rotate_left(turn + 1);
            queue.deliver_to_last(&mut self.sessions);
        }
        let deadline = queue.deadline();
        self.note(deadline);
    }

    fn drop_overflow(&mut self, name: &str) {
        while let Some(queue) = self.queues.get_mut(name)
            && queue.is_over_full()
            && let Some(entry) = queue.pop()
        {
            self.dead_letter(name, &entry.content, Reason::MaxLength);
        }
    }
}

fn can_take(sessions: &Sessions, consumer: &Consumer) -> bool {
    let Some(session) = sessions.get(&consumer.channel.connection) else { return false };
    let channel = session.channels.get(&consumer.channel.channel);
    let channel_has_room = channel.is_some_and(|channel| consumer.no_ack || channel.has_room());
    consumer.has_room() && channel_has_room && session.outbox.has_room()
}

impl Queue {
    /// Delivers the first message to the last consumer, whose turn it was.
    fn deliver_to_last(&mut self, sessions: &mut Sessions) {
        let Some(entry) = self.pop() else { return };
        self.count_delivery(&entry);
        let Some(consumer) = self.consumers.back_mut() else { return };
        let Some(session) = sessions.get_mut(&consumer.channel.connection) else { return };
        let Some(channel) = session.channels.get_mut(&consumer.channel.channel) else { return };
        let delivery_tag = channel.next_tag();
        let deliver = Deliver {
            consumer_tag: ShortString::from(&*consumer.tag),
            delivery_tag,
            redelivered: entry.redelivered,
            exchange: entry.content.exchange.clone(),
            routing_key: entry.content.routing_key.clone(),
        };
        let deliver = AMQPClass::Basic(AMQPMethod::Deliver(deliver));
        session.outbox.content(consumer.channel.channel, deliver, entry.delivered_content());
        if consumer.no_ack {
            return;
        }
        consumer.in_flight += 1;
        self.unacked += 1;
        let (queue, queue_id) = (self.name.clone(), self.id);
        let consumer = Some(consumer.id);
        channel.hold(delivery_tag, Unacked { queue, queue_id, consumer, entry });
    }

    pub(crate) fn count_delivery(&mut self, entry: &Entry) {
        self.counters.delivered += 1;
        self.counters.redelivered += u64::from(entry.redelivered);
    }
}
