//! What a dead letter says, to people and to machines.

use std::{collections::BTreeMap, fmt};

use chrono::{DateTime, Utc};
use contract::{
    event::OrderPlaced,
    topology::{ATTEMPTS_HEADER, REASON_HEADER},
};
use lapin::{
    message::Delivery,
    types::{AMQPValue, FieldTable},
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// One order that was given up.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DeadLetter {
    /// The message.
    pub message_id: Option<String>,
    /// The order, if the message can be read.
    pub order_id: Option<Uuid>,
    /// Why it was given up.
    pub reason: String,
    /// How many tries had failed.
    pub attempts: u32,
    /// When it was given up if the broker did that, else when it was announced.
    pub since: Option<DateTime<Utc>>,
}

/// The dead letters.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct DeadLetters {
    /// How many there are.
    pub total: u32,
    /// How many were given up for which reason, of those that could be looked at.
    pub by_reason: BTreeMap<String, u32>,
    /// Some of them: those with orders first, then those that nobody can read; of each the oldest,
    /// oldest first.
    pub letters: Vec<DeadLetter>,
}

/// What was put back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replayed {
    /// How many went back to the queue.
    pub replayed: u32,
    /// How many are left.
    pub left: u32,
}

impl DeadLetter {
    pub(super) fn read(letter: &Delivery) -> Self {
        let header = |name: &str| letter.properties.headers().as_ref()?.inner().get(name);
        let death = header("x-death").and_then(last_death);
        let in_death = |name: &str| death.as_ref()?.inner().get(name);
        let event = serde_json::from_slice::<OrderPlaced>(&letter.data).ok();
        let reason = header(REASON_HEADER).or_else(|| in_death("reason")).and_then(text);
        let since = match in_death("time") {
            Some(AMQPValue::Timestamp(seconds)) => Some(*seconds),
            Some(_) | None => *letter.properties.timestamp(),
        };
        Self {
            message_id: letter.properties.message_id().as_ref().map(ToString::to_string),
            order_id: event.map(|event| event.order_id),
            reason: reason.unwrap_or_else(|| "unknown".to_owned()),
            attempts: header(ATTEMPTS_HEADER).and_then(number).unwrap_or(0),
            since: since.and_then(|seconds| DateTime::from_timestamp(seconds.cast_signed(), 0)),
        }
    }
}

/// The newest entry of an `x-death` header.
fn last_death(deaths: &AMQPValue) -> Option<FieldTable> {
    match deaths.as_array()?.as_slice().first()? {
        AMQPValue::FieldTable(death) => Some(death.clone()),
        _ => None,
    }
}

fn text(value: &AMQPValue) -> Option<String> {
    match value {
        AMQPValue::LongString(text) => Some(text.to_string()),
        AMQPValue::ShortString(text) => Some(text.to_string()),
        _ => None,
    }
}

fn number(value: &AMQPValue) -> Option<u32> {
    match *value {
        AMQPValue::LongInt(number) => u32::try_from(number).ok(),
        AMQPValue::LongLongInt(number) => u32::try_from(number).ok(),
        AMQPValue::LongUInt(number) => Some(number),
        _ => None,
    }
}

impl fmt::Display for DeadLetters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.total {
            0 => return f.write_str("no dead letters"),
            1 => f.write_str("1 dead letter")?,
            total => write!(f, "{total} dead letters")?,
        }
        if self.by_reason.len() > 1 {
            let reasons = self.by_reason.iter().map(|(reason, count)| format!("{count} {reason}"));
            write!(f, ": {}", reasons.collect::<Vec<_>>().join(", "))?;
        }
        self.letters.iter().try_for_each(|letter| write!(f, "\n  {letter}"))?;
        match (self.total as usize).saturating_sub(self.letters.len()) {
            0 => {}
            more => write!(f, "\n  and {more} more")?,
        }
        f.write_str("\nput them back: lab dlq replay, or curl -X POST :4000/dlq/replay")
    }
}

impl fmt::Display for DeadLetter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { message_id, order_id, reason, attempts, since } = self;
        let message = message_id.as_deref().unwrap_or("without an id");
        write!(f, "message {message}  ")?;
        match order_id {
            Some(order) => write!(f, "order {order}  ")?,
            None => f.write_str("no readable order  ")?,
        }
        write!(f, "{reason} after {attempts} failed tries")?;
        since.iter().try_for_each(|since| write!(f, ", since {}", since.format("%F %T UTC")))
    }
}

impl fmt::Display for Replayed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} put back, {} dead letters left", self.replayed, self.left)
    }
}
