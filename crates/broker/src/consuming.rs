//! Taking messages from queues: consumers, and asking for one.

use std::sync::Arc;

use amq_protocol::protocol::basic::{
    AMQPMethod, Cancel, CancelOk, Consume, ConsumeOk, Get, GetEmpty, GetOk,
};
use amq_protocol::protocol::{AMQPClass, AMQPHardError};
use amq_protocol::types::ShortString;
use tokio::time::Instant;

use crate::channel::Unacked;
use crate::error::Refusal;
use crate::exchange::Name;
use crate::queue::Consumer;
use crate::queue_methods::count;
use crate::state::{ChannelKey, State};

impl State {
    pub(crate) fn consume(&mut self, at: ChannelKey, consume: &Consume) -> Result<(), Refusal> {
        let tag = self.consumer_tag(at, &consume.consumer_tag)?;
        let id = self.next_id();
        let prefetch = self.channel(at).map_or(0, |channel| channel.consumer_prefetch);
        let queue = self.queue_for(at, consume.queue.as_str())?;
        let others = !queue.consumers.is_empty();
        if queue.is_consumed_exclusively() || (consume.exclusive && others) {
            let detail = format!("queue '{}' in vhost '/' in exclusive use", queue.name);
            return Err(Refusal::access(detail));
        }
        queue.consumers.push_back(Consumer {
            id,
            channel: at,
            tag: Arc::clone(&tag),
            no_ack: consume.no_ack,
            exclusive: consume.exclusive,
            prefetch: if consume.no_ack { 0 } else { prefetch },
            in_flight: 0,
        });
        let name = queue.name.clone();
        if let Some(channel) = self.channel(at) {
            channel.consumers.insert(Arc::clone(&tag), name.clone());
        }
        if !consume.nowait {
            let answer = ConsumeOk { consumer_tag: ShortString::from(&*tag) };
            self.reply(at, AMQPClass::Basic(AMQPMethod::ConsumeOk(answer)));
        }
        self.advance(&name);
        Ok(())
    }

    fn consumer_tag(&mut self, at: ChannelKey, wanted: &ShortString) -> Result<Name, Refusal> {
        if wanted.as_str().is_empty() {
            return Ok(self.invent_name("amq.ctag-").into());
        }
        let channel = self.channel(at);
        if channel.is_some_and(|channel| channel.consumers.contains_key(wanted.as_str())) {
            let detail = format!("attempt to reuse consumer tag '{wanted}'");
            return Err(Refusal::hard(&AMQPHardError::NOTALLOWED, detail));
        }
        Ok(wanted.as_str().into())
    }

    /// Ends a consumer; what it has not settled it may still settle.
    pub(crate) fn cancel(&mut self, at: ChannelKey, cancel: Cancel) {
        let tag = cancel.consumer_tag.as_str();
        let removed = self.channel(at).and_then(|channel| channel.consumers.remove_entry(tag));
        let unused = removed.and_then(|(tag, queue)| self.withdraw(at, &tag, &queue));
        if !cancel.nowait {
            let answer = CancelOk { consumer_tag: cancel.consumer_tag };
            self.reply(at, AMQPClass::Basic(AMQPMethod::CancelOk(answer)));
        }
        if let Some(queue) = unused {
            self.delete_queue(&queue);
        }
    }

    /// Takes a consumer off its queue; the queue's name when that was its last and it has to go.
    pub(crate) fn withdraw(&mut self, at: ChannelKey, tag: &str, queue: &str) -> Option<Name> {
        let queue = self.queues.get_mut(queue)?;
        let before = queue.consumers.len();
        queue.consumers.retain(|consumer| !consumer.is(at, tag));
        queue.last_used = Instant::now();
        let last = before > 0 && queue.consumers.is_empty();
        let (name, deadline) = (queue.name.clone(), queue.deadline());
        let unused = (last && queue.auto_delete).then_some(name);
        self.note(deadline);
        unused
    }

    pub(crate) fn get(&mut self, at: ChannelKey, get: &Get) -> Result<(), Refusal> {
        let name = self.queue_for(at, get.queue.as_str())?.name.clone();
        self.drop_expired(&name, Instant::now());
        let queue = self.queue_for(at, get.queue.as_str())?;
        queue.last_used = Instant::now();
        let Some(entry) = queue.pop() else {
            self.reply(at, AMQPClass::Basic(AMQPMethod::GetEmpty(GetEmpty {})));
            return Ok(());
        };
        queue.count_delivery(&entry);
        let (queue_id, left) = (queue.id, count(queue.ready()));
        queue.unacked += usize::from(!get.no_ack);
        let deadline = queue.deadline();
        self.note(deadline);
        let Some(session) = self.sessions.get_mut(&at.connection) else { return Ok(()) };
        let Some(channel) = session.channels.get_mut(&at.channel) else { return Ok(()) };
        let delivery_tag = channel.next_tag();
        let answer = GetOk {
            delivery_tag,
            redelivered: entry.redelivered,
            exchange: entry.content.exchange.clone(),
            routing_key: entry.content.routing_key.clone(),
            message_count: left,
        };
        let answer = AMQPClass::Basic(AMQPMethod::GetOk(answer));
        session.outbox.content(at.channel, answer, entry.delivered_content());
        if !get.no_ack {
            channel.hold(delivery_tag, Unacked { queue: name, queue_id, consumer: None, entry });
        }
        Ok(())
    }
}
