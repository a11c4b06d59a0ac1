//! An AMQP 0-9-1 broker inside a process, for a lab that needs nothing installed.
//!
//! It speaks the protocol as RabbitMQ does, close codes and `x-death` headers included; one suite
//! of scenarios (`tests/it`) runs against both, and where they disagree RabbitMQ is right.
//!
//! Everything is **in memory**: `durable` and persistent are accepted and compared, and mean
//! nothing more. When the process ends, so do exchanges, bindings, queues and messages; clients
//! that reconnect declare their topology anew. There is one vhost, `/`, and one user.
//!
//! # Limits
//! - Memory is bounded by [`Config::memory_limit`]. A publish beyond it is refused as a full
//!   `reject-publish` queue refuses: a negative confirm, or dropped on a channel without confirms.
//! - Dead letters are moved at once and in memory, so `at-least-once` and `at-most-once` are the
//!   same here: a dead letter that no queue takes is gone.
//! - Left out: transactions, `CC` and `BCC`, alternate exchanges, priorities, streams,
//!   `x-max-length-bytes`, direct reply-to.
//!
//! # Map
//! A connection is a task: `connection` reads frames (`wire`) after the `handshake`, and an
//! `outbox` writes them. Each frame is one short turn at the `state`, which holds exchanges
//! (`exchange`, `routing`), queues (`queue`, `message`) and channels (`channel`). What a
//! method does is told per class: `channel_methods`, `exchange_methods`, `queue_methods`,
//! `consuming`, `publishing` and `settling`; messages move by `delivery` and `dead_letter`.

mod arguments;
mod basic_methods;
mod channel;
mod channel_methods;
mod config;
mod connection;
mod consuming;
mod dead_letter;
mod delivery;
mod error;
mod exchange;
mod exchange_methods;
mod expiry;
mod handshake;
mod ledger;
mod message;
mod outbox;
mod policy;
mod publishing;
mod queue;
mod queue_methods;
mod routing;
mod server;
mod settling;
mod state;
mod stats;
mod wire;

pub use config::Config;
pub use error::Error;
pub use server::{Broker, Handle};
pub use stats::{QueueStats, Stats};
