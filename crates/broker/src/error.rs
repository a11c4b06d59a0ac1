//! What can go wrong: for whoever runs the broker, and for a client, in RabbitMQ's codes.

use std::fmt::Display;
use std::io;
use std::net::SocketAddr;

use amq_protocol::protocol::{AMQPHardError, AMQPSoftError};
use amq_protocol::types::{MAX_SHORT_STRING_LENGTH, ShortString};

/// Why a broker cannot run.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The address cannot be listened on.
    #[error("listen for AMQP on {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
}

/// A client's request that the broker does not grant, with what has to be closed because of it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Refusal {
    pub(crate) scope: Scope,
    pub(crate) code: u16,
    pub(crate) text: ShortString,
}

/// What a refusal closes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    Channel,
    Connection,
}

impl Refusal {
    pub(crate) fn soft(error: &AMQPSoftError, detail: impl Display) -> Self {
        Self { scope: Scope::Channel, code: error.get_id(), text: reply_text(error, detail) }
    }

    pub(crate) fn hard(error: &AMQPHardError, detail: impl Display) -> Self {
        Self { scope: Scope::Connection, code: error.get_id(), text: reply_text(error, detail) }
    }

    pub(crate) fn not_found(detail: impl Display) -> Self {
        Self::soft(&AMQPSoftError::NOTFOUND, detail)
    }

    pub(crate) fn no_queue(name: &str) -> Self {
        Self::not_found(format_args!("no queue '{name}' in vhost '/'"))
    }

    pub(crate) fn no_exchange(name: &str) -> Self {
        Self::not_found(format_args!("no exchange '{name}' in vhost '/'"))
    }

    pub(crate) fn precondition(detail: impl Display) -> Self {
        Self::soft(&AMQPSoftError::PRECONDITIONFAILED, detail)
    }

    pub(crate) fn access(detail: impl Display) -> Self {
        Self::soft(&AMQPSoftError::ACCESSREFUSED, detail)
    }

    pub(crate) fn locked(queue: &str) -> Self {
        let detail = format!(
            "cannot obtain exclusive access to locked queue '{queue}' in vhost '/'. It could be \
             originally declared on another connection or the exclusive property value does not \
             match that of the original declaration."
        );
        Self::soft(&AMQPSoftError::RESOURCELOCKED, detail)
    }

    pub(crate) fn not_implemented(detail: impl Display) -> Self {
        Self::hard(&AMQPHardError::NOTIMPLEMENTED, detail)
    }
}

/// The name of the code as RabbitMQ spells it, then the detail, cut to what a short string holds.
fn reply_text(error: impl Display, detail: impl Display) -> ShortString {
    let mut text = format!("{} - {detail}", error.to_string().replace('-', "_"));
    text.truncate(text.floor_char_boundary(MAX_SHORT_STRING_LENGTH));
    text.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_reads_as_rabbitmq_writes_it() {
        let refusal = Refusal::no_queue("orders");
        assert_eq!(refusal.code, 404);
        assert_eq!(refusal.text.as_str(), "NOT_FOUND - no queue 'orders' in vhost '/'");
    }

    #[test]
    fn a_long_text_is_cut_between_characters() {
        let refusal = Refusal::no_queue(&"ü".repeat(300));
        assert!(refusal.text.as_str().len() <= MAX_SHORT_STRING_LENGTH);
    }
}
