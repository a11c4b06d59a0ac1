//! Everything a broker holds, behind one lock that is never kept across a wait.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;

use amq_protocol::protocol::AMQPClass;
use amq_protocol::types::ChannelId;
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::channel::Channel;
use crate::config::Config;
use crate::error::Refusal;
use crate::exchange::{Exchange, Name, PREDECLARED};
use crate::ledger::Ledger;
use crate::outbox::Outbox;
use crate::queue::Queue;
use crate::stats::{QueueStats, Stats};

/// Numbers connections in the order of their arrival.
pub(crate) type ConnectionId = u64;

/// A channel among all connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct ChannelKey {
    pub(crate) connection: ConnectionId,
    pub(crate) channel: ChannelId,
}

/// A client past its handshake.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) outbox: Outbox,
    pub(crate) channels: HashMap<ChannelId, Channel>,
    /// Whether it wants to know that a consumer of it was canceled.
    pub(crate) hears_cancel: bool,
    /// Cuts the connection without a word.
    pub(crate) cut: CancellationToken,
}

/// Exchanges, queues and sessions.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) exchanges: HashMap<Name, Exchange>,
    pub(crate) queues: HashMap<Name, Queue>,
    pub(crate) sessions: HashMap<ConnectionId, Session>,
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) max_body: usize,
    pub(crate) unroutable: u64,
    pub(crate) dropped: u64,
    pub(crate) refused: u64,
    /// When the timer is set for, if it is.
    pub(crate) alarm: Option<Instant>,
    /// Tells the timer that the alarm is earlier now.
    pub(crate) wake: Arc<Notify>,
    names: RandomState,
    last_id: u64,
}

impl State {
    pub(crate) fn new(config: &Config, wake: Arc<Notify>) -> Self {
        let exchanges = PREDECLARED.map(|(name, kind)| (name.into(), Exchange::predeclared(kind)));
        Self {
            exchanges: HashMap::from(exchanges),
            queues: HashMap::new(),
            sessions: HashMap::new(),
            ledger: Ledger::new(config.memory_limit),
            max_body: config.max_body,
            unroutable: 0,
            dropped: 0,
            refused: 0,
            alarm: None,
            wake,
            names: RandomState::new(),
            last_id: 0,
        }
    }

    /// Lets a client in.
    pub(crate) fn begin(&mut self, session: Session) -> ConnectionId {
        let id = self.next_id();
        self.sessions.insert(id, session);
        id
    }

    /// Ends a client's session: what it had not settled goes back, what was only its own goes.
    pub(crate) fn end(&mut self, connection: ConnectionId) {
        let Some(session) = self.sessions.remove(&connection) else { return };
        self.end_channels(connection, session.channels.into_iter().collect());
        let owned = self.queues.values().filter(|queue| queue.owner == Some(connection));
        let owned: Vec<Name> = owned.map(|queue| queue.name.clone()).collect();
        for queue in owned {
            self.delete_queue(&queue);
        }
    }

    /// Does what a method asks for.
    pub(crate) fn method(&mut self, at: ChannelKey, method: AMQPClass) -> Result<(), Refusal> {
        match method {
            AMQPClass::Channel(method) => self.channel_method(at, method),
            AMQPClass::Exchange(method) => self.exchange_method(at, method),
            AMQPClass::Queue(method) => self.queue_method(at, method),
            AMQPClass::Basic(method) => self.basic_method(at, method),
            AMQPClass::Confirm(method) => self.confirm_method(at, method),
            AMQPClass::Access(_) | AMQPClass::Tx(_) | AMQPClass::Connection(_) => {
                Err(Refusal::not_implemented(format_args!(
                    "method {}.{}",
                    method.get_amqp_class_id(),
                    method.get_amqp_method_id()
                )))
            }
        }
    }

    /// The channel, if it is open.
    pub(crate) fn channel(&mut self, at: ChannelKey) -> Option<&mut Channel> {
        self.sessions.get_mut(&at.connection)?.channels.get_mut(&at.channel)
    }

    pub(crate) fn reply(&self, at: ChannelKey, method: AMQPClass) {
        if let Some(session) = self.sessions.get(&at.connection) {
            session.outbox.method(at.channel, method);
        }
    }

    pub(crate) fn next_id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }

    /// A name that nobody else has and nobody can guess.
    pub(crate) fn invent_name(&mut self, prefix: &str) -> String {
        let id = self.next_id();
        format!("{prefix}{:016x}{id:x}", self.names.hash_one(id))
    }

    /// The queue that a method is about, which the connection may use.
    ///
    /// An empty name is the queue last declared on the channel.
    pub(crate) fn queue_for(&mut self, at: ChannelKey, name: &str) -> Result<&mut Queue, Refusal> {
        let name: Name = if name.is_empty() {
            let last = self.channel(at).and_then(|channel| channel.last_declared.clone());
            last.ok_or_else(|| Refusal::not_found("no previously declared queue"))?
        } else {
            name.into()
        };
        let queue = self.queues.get_mut(&name).ok_or_else(|| Refusal::no_queue(&name))?;
        if queue.owner.is_some_and(|owner| owner != at.connection) {
            return Err(Refusal::locked(&name));
        }
        Ok(queue)
    }

    pub(crate) fn queue_stats(&self) -> Vec<QueueStats> {
        let mut queues: Vec<QueueStats> = self.queues.values().map(Queue::stats).collect();
        queues.sort_by(|one, other| one.name.cmp(&other.name));
        queues
    }

    pub(crate) fn stats(&self) -> Stats {
        Stats {
            connections: self.sessions.len(),
            unroutable: self.unroutable,
            dropped: self.dropped,
            refused: self.refused,
            memory: self.ledger.used(),
            full: self.ledger.is_full(),
            queues: self.queue_stats(),
        }
    }
}
