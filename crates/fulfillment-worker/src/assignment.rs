//! A delivery, read: what is to be done, and what happened to it before.

use std::time::Duration;

use chrono::Utc;
use contract::{
    event::OrderPlaced,
    message::{self, TRACEPARENT_HEADER, TRACESTATE_HEADER},
    topology::{ATTEMPTS_HEADER, FULFILLMENT_QUEUE},
};
use instrumentation::{
    correlation::CorrelationId,
    trace::{Carried, KeyValue, Span, SpanKind, attribute},
};
use lapin::{
    message::Delivery,
    types::{AMQPValue, FieldTable, ShortString},
};

use crate::error::Error;

/// What the envelope says, readable even if the letter is not.
#[derive(Debug)]
pub(crate) struct Envelope {
    /// The id of the outbox row that it comes from; empty if someone else wrote it.
    pub(crate) message_id: String,
    /// The business thread that it belongs to.
    pub(crate) correlation_id: CorrelationId,
    /// The trace that it belongs to.
    pub(crate) trace: Carried,
    /// How many tries have failed.
    pub(crate) attempts: usize,
    /// Whether a broker delivered it before, to someone who did not settle it.
    pub(crate) redelivered: bool,
}

impl Envelope {
    pub(crate) fn of(delivery: &Delivery) -> Self {
        let properties = &delivery.properties;
        let text =
            |property: &Option<ShortString>| property.as_ref().map(|text| text.as_str().to_owned());
        let correlation_id = text(properties.correlation_id());
        let headers = properties.headers().as_ref();
        let header = |name| headers.and_then(|headers| message::text(headers, name));
        let trace = Carried {
            traceparent: header(TRACEPARENT_HEADER).map(str::to_owned),
            tracestate: header(TRACESTATE_HEADER).map(str::to_owned),
        };
        Self {
            message_id: text(properties.message_id()).unwrap_or_default(),
            correlation_id: CorrelationId::accept_or_make(correlation_id.as_deref()),
            trace,
            attempts: headers.map_or(0, attempts),
            redelivered: delivery.redelivered,
        }
    }
}

impl Envelope {
    /// The span of working on it: part of its order's trace, each time it comes.
    pub(crate) fn span(&self, body_size: usize) -> Span {
        let mut attributes = vec![
            KeyValue::new(attribute::MESSAGING_SYSTEM, "rabbitmq"),
            KeyValue::new(attribute::MESSAGING_OPERATION_TYPE, "process"),
            KeyValue::new(attribute::MESSAGING_OPERATION_NAME, "process"),
            KeyValue::new(attribute::MESSAGING_DESTINATION_NAME, FULFILLMENT_QUEUE),
            KeyValue::new(attribute::MESSAGING_MESSAGE_ID, self.message_id.clone()),
            KeyValue::new(
                attribute::MESSAGING_MESSAGE_CONVERSATION_ID,
                self.correlation_id.to_string(),
            ),
            KeyValue::new(attribute::MESSAGING_MESSAGE_BODY_SIZE, body_size as i64),
        ];
        if self.redelivered {
            attributes.push(KeyValue::new(attribute::MESSAGING_MESSAGE_REDELIVERED, true));
        }
        if self.attempts > 0 {
            let retries = i64::try_from(self.attempts).unwrap_or(i64::MAX);
            attributes.push(KeyValue::new(attribute::MESSAGING_MESSAGE_RETRIES, retries));
        }
        let name = format!("process {FULFILLMENT_QUEUE}");
        Span::begin(SpanKind::Consumer, name, &self.trace.context(), attributes)
    }
}

/// The letter.
pub(crate) fn read(delivery: &Delivery) -> Result<OrderPlaced, Error> {
    Ok(serde_json::from_slice(&delivery.data)?)
}

/// The time since the order was placed; zero if clocks disagree.
pub(crate) fn age(order: &OrderPlaced) -> Duration {
    (Utc::now() - order.placed_at).to_std().unwrap_or_default()
}

/// Whoever sends a message back in by hand may write the number in another width.
fn attempts(headers: &FieldTable) -> usize {
    let number = match headers.inner().get(ATTEMPTS_HEADER) {
        Some(AMQPValue::LongInt(number)) => i64::from(*number),
        Some(AMQPValue::LongLongInt(number)) => *number,
        Some(AMQPValue::ShortInt(number)) => i64::from(*number),
        Some(AMQPValue::ShortShortInt(number)) => i64::from(*number),
        Some(AMQPValue::LongUInt(number)) => i64::from(*number),
        _ => 0,
    };
    usize::try_from(number).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use lapin::BasicProperties;

    use super::*;

    fn delivery(properties: BasicProperties) -> Delivery {
        let mut delivery = Delivery::mock(1, "".into(), "".into(), false, Vec::new());
        delivery.properties = properties;
        delivery
    }

    fn with_attempts(value: AMQPValue) -> BasicProperties {
        let mut headers = FieldTable::default();
        headers.insert(ATTEMPTS_HEADER.into(), value);
        BasicProperties::default().with_headers(headers)
    }

    #[test]
    fn a_first_delivery_says_who_and_in_which_thread() {
        let properties = BasicProperties::default()
            .with_message_id("m-1".into())
            .with_correlation_id("checkout-7".into());
        let envelope = Envelope::of(&delivery(properties));
        assert_eq!(envelope.message_id, "m-1");
        assert_eq!(envelope.correlation_id.as_str(), "checkout-7");
    }

    /// What was agreed upon with order-api, which is held against it by `tests/contracts/run`.
    const PACT: &str = include_str!(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../tests/contracts/pacts/fulfillment-worker-order-api.json"
    ));

    fn message_of_the_pact() -> serde_json::Value {
        let pact: serde_json::Value = serde_json::from_str(PACT).unwrap();
        pact["interactions"][0].clone()
    }

    fn letter(content: &serde_json::Value) -> Delivery {
        let mut delivery = delivery(BasicProperties::default());
        delivery.data = serde_json::to_vec(content).unwrap();
        delivery
    }

    #[test]
    fn the_message_of_the_pact_is_an_order_and_nothing_in_it_is_more_than_needed() {
        let content = &message_of_the_pact()["contents"]["content"];
        let order = read(&letter(content)).unwrap();
        let order = serde_json::to_value(order).unwrap();
        let fields = content.as_object().unwrap();
        assert!(fields.len() >= 6, "{fields:?}");
        for (name, value) in fields {
            assert_eq!(order[name], *value);
            let mut less = fields.clone();
            less.remove(name);
            assert!(read(&letter(&less.into())).is_err(), "{name} is not needed");
        }
    }

    #[test]
    fn the_message_of_the_pact_goes_to_where_the_worker_takes_it() {
        let metadata = &message_of_the_pact()["metadata"];
        assert_eq!(metadata["exchange"], contract::topology::ORDERS_EXCHANGE);
        assert_eq!(metadata["routing_key"], contract::topology::ORDER_PLACED_KEY);
        assert_eq!(metadata["type"], contract::event::ORDER_PLACED);
    }

    #[test]
    fn tries_are_counted_in_any_width() {
        for value in [AMQPValue::LongInt(3), AMQPValue::LongLongInt(3), AMQPValue::ShortInt(3)] {
            let envelope = Envelope::of(&delivery(with_attempts(value)));
            assert_eq!(envelope.attempts, 3);
        }
        let nonsense = with_attempts(AMQPValue::LongInt(-1));
        assert_eq!(Envelope::of(&delivery(nonsense)).attempts, 0);
    }
}
