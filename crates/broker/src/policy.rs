//! How a queue treats its messages, as its arguments say.

use std::time::Duration;

use crate::arguments::Arguments;
use crate::error::Refusal;

/// RabbitMQ 4's default; before, there was no limit.
const DEFAULT_DELIVERY_LIMIT: u32 = 20;

/// Arguments that have to be the same when a queue is declared again.
pub(crate) const ARGUMENTS: [&str; 9] = [
    "x-expires",
    "x-message-ttl",
    "x-dead-letter-exchange",
    "x-dead-letter-routing-key",
    "x-dead-letter-strategy",
    "x-max-length",
    "x-overflow",
    "x-delivery-limit",
    "x-single-active-consumer",
];

/// A queue's rules.
#[derive(Debug, Clone, Default)]
pub(crate) struct Policy {
    pub(crate) kind: Kind,
    pub(crate) message_ttl: Option<Duration>,
    /// How long the queue lives without consumers and without being asked for.
    pub(crate) expires: Option<Duration>,
    pub(crate) dead_letter_exchange: Option<String>,
    pub(crate) dead_letter_routing_key: Option<String>,
    pub(crate) max_length: Option<usize>,
    pub(crate) overflow: Overflow,
    /// How often a message may come back; only quorum queues count.
    pub(crate) delivery_limit: Option<u32>,
}

/// The queue types that RabbitMQ has and this broker imitates.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Kind {
    #[default]
    Classic,
    Quorum,
}

/// What happens to a message for a full queue.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Overflow {
    /// It is taken, and the oldest is dropped.
    #[default]
    DropHead,
    /// It is refused.
    RejectPublish,
    /// It is refused, and becomes a dead letter.
    RejectPublishDeadLetter,
}

impl Policy {
    pub(crate) fn parse(arguments: &Arguments<'_>) -> Result<Self, Refusal> {
        let kind = kind(arguments)?;
        let policy = Self {
            kind,
            message_ttl: arguments.number("x-message-ttl")?.map(Duration::from_millis),
            expires: arguments.number("x-expires")?.map(Duration::from_millis),
            dead_letter_exchange: arguments.text("x-dead-letter-exchange")?,
            dead_letter_routing_key: arguments.text("x-dead-letter-routing-key")?,
            max_length: arguments
                .number("x-max-length")?
                .map(|length| usize::try_from(length).unwrap_or(usize::MAX)),
            overflow: overflow(arguments, kind)?,
            delivery_limit: delivery_limit(arguments, kind)?,
        };
        policy.check(arguments)?;
        Ok(policy)
    }

    fn check(&self, arguments: &Arguments<'_>) -> Result<(), Refusal> {
        if self.expires.is_some_and(|expires| expires.is_zero()) {
            return Err(arguments.invalid("x-expires", "zero"));
        }
        if self.dead_letter_routing_key.is_some() && self.dead_letter_exchange.is_none() {
            let why = "routing_key_but_no_dlx_defined";
            return Err(arguments.invalid("x-dead-letter-routing-key", why));
        }
        Ok(())
    }
}

fn kind(arguments: &Arguments<'_>) -> Result<Kind, Refusal> {
    match arguments.text("x-queue-type")?.as_deref() {
        None | Some("classic") => Ok(Kind::Classic),
        Some("quorum") => Ok(Kind::Quorum),
        Some(_) => Err(arguments.invalid("x-queue-type", "unknown queue type")),
    }
}

fn overflow(arguments: &Arguments<'_>, kind: Kind) -> Result<Overflow, Refusal> {
    match (arguments.text("x-overflow")?.as_deref(), kind) {
        (None | Some("drop-head"), _) => Ok(Overflow::DropHead),
        (Some("reject-publish"), _) => Ok(Overflow::RejectPublish),
        (Some("reject-publish-dlx"), Kind::Classic) => Ok(Overflow::RejectPublishDeadLetter),
        (Some(_), _) => Err(arguments.invalid("x-overflow", "unknown overflow behavior")),
    }
}

fn delivery_limit(arguments: &Arguments<'_>, kind: Kind) -> Result<Option<u32>, Refusal> {
    let given = arguments.number("x-delivery-limit")?;
    Ok(match kind {
        Kind::Classic => None,
        Kind::Quorum => Some(
            given.map_or(DEFAULT_DELIVERY_LIMIT, |limit| u32::try_from(limit).unwrap_or(u32::MAX)),
        ),
    })
}

impl Kind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Classic => "classic",
            Self::Quorum => "quorum",
        }
    }
}
