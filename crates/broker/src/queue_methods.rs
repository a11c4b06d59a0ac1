//! Declaring, binding, purging and deleting queues.

use amq_protocol::protocol::queue::{
    AMQPMethod, Bind, BindOk, Declare, DeclareOk, Delete, DeleteOk, Purge, PurgeOk, Unbind,
    UnbindOk,
};
use amq_protocol::protocol::{AMQPClass, AMQPHardError, basic};
use amq_protocol::types::ShortString;

use crate::arguments::Arguments;
use crate::error::Refusal;
use crate::exchange::{Name, Target};
use crate::exchange_methods::binding;
use crate::policy::{ARGUMENTS, Kind, Policy};
use crate::queue::{Consumer, Queue};
use crate::state::{ChannelKey, State};

impl State {
    pub(crate) fn queue_method(
        &mut self,
        at: ChannelKey,
        method: AMQPMethod,
    ) -> Result<(), Refusal> {
        let (nowait, answer) = match method {
            AMQPMethod::Declare(declare) => {
                let answer = self.declare_queue(at, &declare)?;
                (declare.nowait, AMQPMethod::DeclareOk(answer))
            }
            AMQPMethod::Bind(bind) => {
                self.bind_queue(at, &bind)?;
                (bind.nowait, AMQPMethod::BindOk(BindOk {}))
            }
            AMQPMethod::Unbind(unbind) => {
                self.unbind_queue(at, &unbind)?;
                (false, AMQPMethod::UnbindOk(UnbindOk {}))
            }
            AMQPMethod::Purge(purge) => {
                let message_count = self.purge_queue(at, &purge)?;
                (purge.nowait, AMQPMethod::PurgeOk(PurgeOk { message_count }))
            }
            AMQPMethod::Delete(delete) => {
                let message_count = self.delete_queue_for(at, &delete)?;
                (delete.nowait, AMQPMethod::DeleteOk(DeleteOk { message_count }))
            }
            AMQPMethod::DeclareOk(_)
            | AMQPMethod::BindOk(_)
            | AMQPMethod::UnbindOk(_)
            | AMQPMethod::PurgeOk(_)
            | AMQPMethod::DeleteOk(_) => {
                return Err(Refusal::hard(&AMQPHardError::COMMANDINVALID, "unimplemented method"));
            }
        };
        if !nowait {
            self.reply(at, AMQPClass::Queue(answer));
        }
        Ok(())
    }

    fn declare_queue(&mut self, at: ChannelKey, declare: &Declare) -> Result<DeclareOk, Refusal> {
        let name = if declare.queue.as_str().is_empty() && !declare.passive {
            ShortString::from(self.invent_name("amq.gen-"))
        } else {
            declare.queue.clone()
        };
        let exists = self.queues.contains_key(name.as_str());
        if !exists && !declare.passive {
            self.create_queue(at, name.as_str(), declare)?;
        }
        let queue = self.queue_for(at, name.as_str())?;
        if exists && !declare.passive {
            queue.check_same(declare)?;
        }
        queue.last_used = tokio::time::Instant::now();
        let (name, deadline) = (queue.name.clone(), queue.deadline());
        let answer = DeclareOk {
            queue: ShortString::from(&*name),
            message_count: count(queue.ready()),
            consumer_count: count(queue.consumers.len()),
        };
        self.note(deadline);
        if let Some(channel) = self.channel(at) {
            channel.last_declared = Some(name);
        }
        Ok(answer)
    }

    fn create_queue(
        &mut self,
        at: ChannelKey,
        name: &str,
        declare: &Declare,
    ) -> Result<(), Refusal> {
        let invented = declare.queue.as_str().is_empty();
        if !invented && name.starts_with("amq.") {
            let detail = format!("queue name '{name}' contains reserved prefix 'amq.*'");
            return Err(Refusal::access(detail));
        }
        let policy = Policy::parse(&arguments(declare, name))?;
        check_properties(declare, policy.kind, name)?;
        let owner = declare.exclusive.then_some(at.connection);
        let name: Name = name.into();
        let queue = Queue::new(self.next_id(), name.clone(), declare, owner, policy);
        self.queues.insert(name, queue);
        Ok(())
    }

    fn bind_queue(&mut self, at: ChannelKey, bind: &Bind) -> Result<(), Refusal> {
        let queue = self.queue_for(at, bind.queue.as_str())?.name.clone();
        let key = bind.routing_key.as_str();
        // The two shortcuts of the protocol belong together: the queue last declared, by its name.
        let key = if bind.queue.as_str().is_empty() && key.is_empty() { &*queue } else { key };
        let binding = binding(Target::Queue(queue.clone()), key, &bind.arguments);
        self.add_binding(bind.exchange.as_str(), binding)
    }

    fn unbind_queue(&mut self, at: ChannelKey, unbind: &Unbind) -> Result<(), Refusal> {
        let queue = match self.queue_for(at, unbind.queue.as_str()) {
            Ok(queue) => queue.name.clone(),
            Err(_) if !unbind.queue.as_str().is_empty() => unbind.queue.as_str().into(),
            Err(refusal) => return Err(refusal),
        };
        let key = unbind.routing_key.as_str();
        let binding = binding(Target::Queue(queue), key, &unbind.arguments);
        self.remove_binding(unbind.exchange.as_str(), &binding)
    }

    fn purge_queue(&mut self, at: ChannelKey, purge: &Purge) -> Result<u32, Refusal> {
        Ok(count(self.queue_for(at, purge.queue.as_str())?.purge()))
    }

    fn delete_queue_for(&mut self, at: ChannelKey, delete: &Delete) -> Result<u32, Refusal> {
        if !delete.queue.as_str().is_empty() && !self.queues.contains_key(delete.queue.as_str()) {
            return Ok(0);
        }
        let queue = self.queue_for(at, delete.queue.as_str())?;
        let subject = subject(&queue.name);
        if delete.if_unused && !queue.consumers.is_empty() {
            return Err(Refusal::precondition(format_args!("{subject} in use")));
        }
        if delete.if_empty && queue.ready() > 0 {
            return Err(Refusal::precondition(format_args!("{subject} not empty")));
        }
        let (name, ready) = (queue.name.clone(), queue.ready());
        self.delete_queue(&name);
        Ok(count(ready))
    }

    /// Removes a queue with its messages and bindings, and tells its consumers.
    pub(crate) fn delete_queue(&mut self, name: &str) {
        let Some(queue) = self.queues.remove(name) else { return };
        for consumer in &queue.consumers {
            self.tell_canceled(consumer);
        }
        self.unbind_everywhere(&Target::Queue(queue.name));
    }

    fn tell_canceled(&mut self, consumer: &Consumer) {
        if let Some(channel) = self.channel(consumer.channel) {
            channel.consumers.remove(&consumer.tag);
        }
        let session = self.sessions.get(&consumer.channel.connection);
        if session.is_some_and(|session| session.hears_cancel) {
            let cancel = basic::Cancel { consumer_tag: (&*consumer.tag).into(), nowait: true };
            let cancel = AMQPClass::Basic(basic::AMQPMethod::Cancel(cancel));
            self.reply(consumer.channel, cancel);
        }
    }
}

impl Queue {
    fn check_same(&self, declare: &Declare) -> Result<(), Refusal> {
        let arguments = arguments(declare, &self.name);
        arguments.check_flag("durable", declare.durable, self.durable)?;
        if declare.exclusive != self.owner.is_some() {
            return Err(Refusal::locked(&self.name));
        }
        arguments.check_flag("auto_delete", declare.auto_delete, self.auto_delete)?;
        let kind = Policy::parse(&arguments)?.kind;
        if kind != self.policy.kind {
            let (received, current) = (kind.name(), self.policy.kind.name());
            let (received, current) = (format!("'{received}'"), format!("'{current}'"));
            return Err(arguments.inequivalent("x-queue-type", &received, &current));
        }
        arguments.check_equal(&self.arguments, &ARGUMENTS)
    }
}

/// Refuses what a quorum queue cannot be: it is there to stay.
fn check_properties(declare: &Declare, kind: Kind, name: &str) -> Result<(), Refusal> {
    let passing = [
        (!declare.durable, "non-durable"),
        (declare.exclusive, "exclusive"),
        (declare.auto_delete, "auto-delete"),
    ];
    match passing.iter().find(|(is, _)| *is && kind == Kind::Quorum) {
        Some((_, property)) => {
            let subject = subject(name);
            Err(Refusal::precondition(format_args!("invalid property '{property}' for {subject}")))
        }
        None => Ok(()),
    }
}

fn arguments<'a>(declare: &'a Declare, name: &str) -> Arguments<'a> {
    Arguments { table: &declare.arguments, subject: subject(name) }
}

fn subject(name: &str) -> String {
    format!("queue '{name}' in vhost '/'")
}

pub(crate) fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
