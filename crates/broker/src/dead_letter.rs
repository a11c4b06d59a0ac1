//! Dead letters: messages that leave their queue unsettled, and the record they carry of it.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use amq_protocol::types::{AMQPValue, FieldArray, FieldTable, ShortString};

use crate::exchange::Name;
use crate::message::{Content, without_expiration};
use crate::routing::route;
use crate::state::State;

const DEATHS: &str = "x-death";

/// Why a message left its queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reason {
    Rejected,
    Expired,
    MaxLength,
    DeliveryLimit,
}

impl Reason {
    fn name(self) -> &'static str {
        match self {
            Self::Rejected => "rejected",
            Self::Expired => "expired",
            Self::MaxLength => "maxlen",
            Self::DeliveryLimit => "delivery_limit",
        }
    }
}

impl State {
    /// Publishes a message that left `queue` to the queue's dead letter exchange, if it has one.
    pub(crate) fn dead_letter(&mut self, queue: &str, content: &Content, reason: Reason) {
        let Some(queue) = self.queues.get_mut(queue) else { return };
        queue.counters.dead_lettered += 1;
        let Some(exchange) = queue.policy.dead_letter_exchange.as_deref() else { return };
        let key = queue.policy.dead_letter_routing_key.as_deref();
        let letter = letter(content, &queue.name, exchange, key, reason);
        let mut queues = route(&self.exchanges, &self.queues, &letter);
        queues.retain(|target| !is_cycle(&letter, target, reason));
        self.put_into(&queues, &Arc::new(letter));
    }
}

/// The message as it arrives at the dead letter exchange.
fn letter(
    content: &Content,
    queue: &Name,
    exchange: &str,
    key: Option<&str>,
    reason: Reason,
) -> Content {
    let mut headers = content.properties.headers().clone().unwrap_or_default();
    let mut deaths = deaths(&headers);
    if headers.inner().get(DEATHS).is_none() {
        headers.insert("x-first-death-reason".into(), text(reason.name()));
        headers.insert("x-first-death-queue".into(), text(queue));
        headers.insert("x-first-death-exchange".into(), text(content.exchange.as_str()));
    }
    let again = deaths.iter().position(|death| is_death(death, queue, reason));
    let latest = match again.map(|index| deaths.remove(index)) {
        Some(earlier) => once_more(earlier),
        None => death(content, queue, reason),
    };
    deaths.insert(0, latest);
    let deaths = deaths.into_iter().map(AMQPValue::FieldTable).collect::<Vec<_>>();
    headers.insert(DEATHS.into(), AMQPValue::FieldArray(FieldArray::from(deaths)));
    Content {
        exchange: exchange.into(),
        routing_key: key.map_or_else(|| content.routing_key.clone(), ShortString::from),
        properties: without_expiration(&content.properties, headers),
        body: content.body.clone(),
    }
}

fn deaths(headers: &FieldTable) -> Vec<FieldTable> {
    let Some(AMQPValue::FieldArray(deaths)) = headers.inner().get(DEATHS) else {
        return Vec::new();
    };
    let tables = deaths.as_slice().iter().filter_map(|death| death.as_field_table().cloned());
    tables.collect()
}

fn death(content: &Content, queue: &str, reason: Reason) -> FieldTable {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let keys = FieldArray::from(vec![text(content.routing_key.as_str())]);
    let mut death = FieldTable::default();
    death.insert("count".into(), AMQPValue::LongLongInt(1));
    death.insert("reason".into(), text(reason.name()));
    death.insert("queue".into(), text(queue));
    death.insert("time".into(), AMQPValue::Timestamp(since_epoch.as_secs()));
    death.insert("exchange".into(), text(content.exchange.as_str()));
    death.insert("routing-keys".into(), AMQPValue::FieldArray(keys));
    if let Some(expiration) = content.properties.expiration() {
        death.insert("original-expiration".into(), text(expiration.as_str()));
    }
    death
}

fn once_more(mut death: FieldTable) -> FieldTable {
    let count = match death.inner().get("count") {
        Some(AMQPValue::LongLongInt(count)) => *count,
        _ => 0,
    };
    death.insert("count".into(), AMQPValue::LongLongInt(count + 1));
    death
}

fn is_death(death: &FieldTable, queue: &str, reason: Reason) -> bool {
    is_of(death, queue) && death.inner().get("reason") == Some(&text(reason.name()))
}

fn is_of(death: &FieldTable, queue: &str) -> bool {
    death.inner().get("queue") == Some(&text(queue))
}

/// Whether `target` would get back a letter that no client has refused since it was last there:
/// such a one would go round for ever.
fn is_cycle(letter: &Content, target: &str, reason: Reason) -> bool {
    if reason == Reason::Rejected {
        return false;
    }
    let Some(AMQPValue::FieldArray(deaths)) = letter.header(DEATHS) else { return false };
    let deaths = deaths.as_slice().iter().filter_map(AMQPValue::as_field_table);
    let rejected = text(Reason::Rejected.name());
    for death in deaths {
        if death.inner().get("reason") == Some(&rejected) {
            return false;
        }
        if is_of(death, target) {
            return true;
        }
    }
    false
}

fn text(text: &str) -> AMQPValue {
    AMQPValue::LongString(text.into())
}
