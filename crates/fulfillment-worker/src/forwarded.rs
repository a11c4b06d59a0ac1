//! What a message that is handed on has on its envelope: all it had, and what has happened to it.

use contract::topology::{ATTEMPTS_HEADER, REASON_HEADER};
use lapin::{
    BasicProperties,
    types::{AMQPValue, FieldTable},
};

use crate::metrics::Reason;

/// What brokers keep on the envelope for themselves. A broker that finds the queue a message
/// expires into in its `x-death` takes the message for one that circles by itself, and drops it;
/// ours circles because we hand it on.
const BROKERS_OWN: [&str; 4] = ["x-death", "x-first-death-", "x-last-death-", "x-delivery-count"];

/// For another try, after `attempts` that failed.
pub(crate) fn again(properties: &BasicProperties, attempts: usize) -> BasicProperties {
    let attempts = i32::try_from(attempts).unwrap_or(i32::MAX);
    with_header(properties, ATTEMPTS_HEADER, AMQPValue::LongInt(attempts))
}

/// For whoever looks at what was given up.
pub(crate) fn given_up(properties: &BasicProperties, reason: Reason) -> BasicProperties {
    with_header(properties, REASON_HEADER, AMQPValue::LongString(reason.as_str().into()))
}

fn with_header(properties: &BasicProperties, name: &str, value: AMQPValue) -> BasicProperties {
    let mut headers = FieldTable::default();
    let kept = properties.headers().iter().flat_map(|headers| headers.inner());
    for (name, value) in kept {
        if !BROKERS_OWN.iter().any(|own| name.as_str().starts_with(own)) {
            headers.insert(name.clone(), value.clone());
        }
    }
    headers.insert(name.into(), value);
    properties.clone().with_headers(headers)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(value: &str) -> AMQPValue {
        AMQPValue::LongString(value.into())
    }

    fn envelope() -> BasicProperties {
        let mut headers = FieldTable::default();
        headers.insert("traceparent".into(), text("00-aa-bb-01"));
        headers.insert("x-death".into(), AMQPValue::Void);
        headers.insert("x-first-death-queue".into(), text("fulfillment.retry.1s"));
        BasicProperties::default()
            .with_message_id("m-1".into())
            .with_correlation_id("checkout-7".into())
            .with_delivery_mode(2)
            .with_headers(headers)
    }

    #[test]
    fn a_message_that_is_handed_on_keeps_all_but_the_brokers_own_notes() {
        let again = again(&envelope(), 3);
        assert_eq!(again.message_id(), envelope().message_id());
        assert_eq!(again.correlation_id(), envelope().correlation_id());
        assert_eq!(again.delivery_mode(), &Some(2));
        let headers = again.headers().as_ref().unwrap().inner();
        let names: Vec<_> = headers.keys().map(|name| name.as_str()).collect();
        assert_eq!(names, ["traceparent", ATTEMPTS_HEADER]);
        assert_eq!(headers[ATTEMPTS_HEADER], AMQPValue::LongInt(3));
    }

    #[test]
    fn a_message_that_is_given_up_says_why_and_how_often_it_was_tried() {
        let tried = again(&envelope(), 5);
        let parked = given_up(&tried, Reason::TriesExhausted);
        let headers = parked.headers().as_ref().unwrap().inner();
        assert_eq!(headers[REASON_HEADER], text("tries_exhausted"));
        assert_eq!(headers[ATTEMPTS_HEADER], AMQPValue::LongInt(5));
    }
}
