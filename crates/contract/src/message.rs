//! What a message carries beside its body: the trace that it belongs to (W3C Trace Context).

use lapin::types::{AMQPValue, FieldTable};

/// The header with the trace and the span that published the message.
pub const TRACEPARENT_HEADER: &str = "traceparent";
/// The header in which tracing systems keep what is theirs.
pub const TRACESTATE_HEADER: &str = "tracestate";

/// The headers of a message that belongs to this trace.
pub fn headers(traceparent: Option<&str>, tracestate: Option<&str>) -> FieldTable {
    let mut headers = FieldTable::default();
    for (name, value) in [(TRACEPARENT_HEADER, traceparent), (TRACESTATE_HEADER, tracestate)] {
        if let Some(value) = value {
            headers.insert(name.into(), AMQPValue::LongString(value.into()));
        }
    }
    headers
}

/// The text of a header; clients of other languages write it as either kind of string.
pub fn text<'a>(headers: &'a FieldTable, name: &str) -> Option<&'a str> {
    match headers.inner().get(name)? {
        AMQPValue::LongString(text) => std::str::from_utf8(text.as_bytes()).ok(),
        AMQPValue::ShortString(text) => Some(text.as_str()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_carries_its_trace() {
        let headers = headers(Some("00-aa-bb-01"), None);
        assert_eq!(text(&headers, TRACEPARENT_HEADER), Some("00-aa-bb-01"));
        assert_eq!(text(&headers, TRACESTATE_HEADER), None);
    }
}
