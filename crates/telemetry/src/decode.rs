//! From OTLP's messages to what people ask for.

use std::{mem::size_of, sync::Arc};

use opentelemetry_proto::tonic::{
    common::v1::{AnyValue, KeyValue, any_value},
    logs::v1::LogRecord as LogMessage,
    trace::v1::{Span as SpanMessage, span, status::StatusCode},
};
use prost::{DecodeError, Message as _};
use serde_json::json;

use crate::{
    id::{SpanId, TraceId},
    log::{Level, LogRecord},
    sent::{SentLogRecord, SentSpan},
    span::{Event, Kind, Link, Span, Status},
    strings::Strings,
    value::{Attributes, Value},
};

/// What a place on the heap takes beside its contents.
const ALLOCATION: usize = 16;

/// The span, and an estimate of the memory that it takes beside itself. Of one that cannot be read it
/// is said why.
pub(crate) fn span(sent: &SentSpan, strings: &mut Strings) -> (Span, usize) {
    let span = match SpanMessage::decode(&*sent.message) {
        Ok(message) => read_span(sent, message, strings),
        Err(error) => unreadable_span(sent, &error, strings),
    };
    strings.count(span.events.len() * size_of::<Event>());
    strings.count(span.links.len() * size_of::<Link>());
    (span, strings.take_made())
}

/// The log record. Of one that cannot be read it is said why.
pub(crate) fn log_record(sent: &SentLogRecord, strings: &mut Strings) -> LogRecord {
    let record = match LogMessage::decode(&*sent.message) {
        Ok(message) => read_log_record(sent, message, strings),
        Err(error) => unreadable_log_record(sent, &error, strings),
    };
    LogRecord { bytes: size_of::<LogRecord>() + strings.take_made(), ..record }
}

fn read_span(sent: &SentSpan, message: SpanMessage, strings: &mut Strings) -> Span {
    let kind = kind(message.kind());
    let status = message.status.unwrap_or_default();
    Span {
        name: strings.share(&message.name),
        kind,
        status: match status.code() {
            StatusCode::Unset => Status::Unset,
            StatusCode::Ok => Status::Ok,
            StatusCode::Error => Status::Error,
        },
        message: (!status.message.is_empty()).then(|| strings.share(&status.message)),
        attributes: attributes(message.attributes, strings),
        events: message.events.into_iter().map(|event| self::event(event, strings)).collect(),
        links: message.links.into_iter().filter_map(|link| self::link(link, strings)).collect(),
        ..blank_span(sent, strings)
    }
}

fn unreadable_span(sent: &SentSpan, error: &DecodeError, strings: &mut Strings) -> Span {
    Span {
        name: strings.share("unreadable"),
        status: Status::Error,
        message: Some(
            strings.share(&format!("what was sent of this span cannot be read: {error}")),
        ),
        ..blank_span(sent, strings)
    }
}

/// What is known of a span before it is read.
fn blank_span(sent: &SentSpan, strings: &mut Strings) -> Span {
    Span {
        id: sent.id,
        parent: sent.parent,
        name: strings.share(""),
        kind: Kind::Unspecified,
        start: sent.start,
        end: sent.end,
        service: Arc::clone(&sent.sender.service),
        version: Arc::clone(&sent.sender.version),
        instance: Arc::clone(&sent.sender.instance),
        status: Status::Unset,
        message: None,
        attributes: Attributes::default(),
        events: Box::default(),
        links: Box::default(),
    }
}

fn read_log_record(sent: &SentLogRecord, message: LogMessage, strings: &mut Strings) -> LogRecord {
    let severity_number = u8::try_from(message.severity_number).unwrap_or_default();
    LogRecord {
        level: Level::read(severity_number, &message.severity_text),
        severity_number,
        severity_text: strings.share(&message.severity_text),
        body: match message.body.and_then(|body| body.value) {
            Some(body) => value(body, strings),
            // What has no body has a name, if it is an event.
            None => Value::Text(strings.share(&message.event_name)),
        },
        span_id: SpanId::from_bytes(&message.span_id),
        attributes: attributes(message.attributes, strings),
        ..blank_log_record(sent, strings)
    }
}

fn unreadable_log_record(
    sent: &SentLogRecord,
    error: &DecodeError,
    strings: &mut Strings,
) -> LogRecord {
    let said = format!("what was sent of this line cannot be read: {error}");
    let body = Value::Text(strings.share(&said));
    LogRecord { level: Level::Error, body, ..blank_log_record(sent, strings) }
}

/// What is known of a log record before it is read.
fn blank_log_record(sent: &SentLogRecord, strings: &mut Strings) -> LogRecord {
    LogRecord {
        time: sent.time,
        level: Level::Info,
        severity_number: 0,
        severity_text: strings.share(""),
        body: Value::Text(strings.share("")),
        service: Arc::clone(&sent.sender.service),
        instance: Arc::clone(&sent.sender.instance),
        trace_id: sent.trace_id,
        span_id: None,
        attributes: Attributes::default(),
        arrival: sent.arrival,
        bytes: 0,
    }
}

fn kind(sent: span::SpanKind) -> Kind {
    match sent {
        span::SpanKind::Unspecified => Kind::Unspecified,
        span::SpanKind::Internal => Kind::Internal,
        span::SpanKind::Server => Kind::Server,
        span::SpanKind::Client => Kind::Client,
        span::SpanKind::Producer => Kind::Producer,
        span::SpanKind::Consumer => Kind::Consumer,
    }
}

fn event(sent: span::Event, strings: &mut Strings) -> Event {
    Event {
        time_unix_nano: sent.time_unix_nano,
        name: strings.share(&sent.name),
        attributes: attributes(sent.attributes, strings),
    }
}

fn link(sent: span::Link, strings: &mut Strings) -> Option<Link> {
    Some(Link {
        trace_id: TraceId::from_bytes(&sent.trace_id)?,
        span_id: SpanId::from_bytes(&sent.span_id)?,
        attributes: attributes(sent.attributes, strings),
    })
}

fn attributes(sent: Vec<KeyValue>, strings: &mut Strings) -> Attributes {
    strings.count(sent.len() * size_of::<(Arc<str>, Value)>() + ALLOCATION);
    let named = sent.into_iter().map(|sent| {
        let name = strings.share(&sent.key);
        let nothing = || Value::Other(Box::default());
        (name, sent.value.and_then(|sent| sent.value).map_or_else(nothing, |it| value(it, strings)))
    });
    Attributes(named.collect())
}

fn value(sent: any_value::Value, strings: &mut Strings) -> Value {
    match sent {
        any_value::Value::StringValue(text) => Value::Text(strings.share(&text)),
        any_value::Value::IntValue(number) => Value::Whole(number),
        any_value::Value::DoubleValue(number) => Value::Number(number),
        any_value::Value::BoolValue(truth) => Value::Truth(truth),
        other => {
            let value = json(other);
            strings.count(value.to_string().len() * 4);
            Value::Other(Box::new(value))
        }
    }
}

fn json(sent: any_value::Value) -> serde_json::Value {
    let inner = |sent: Option<AnyValue>| sent.and_then(|sent| sent.value).map(json);
    match sent {
        any_value::Value::StringValue(text) => json!(text),
        any_value::Value::IntValue(number) => json!(number),
        any_value::Value::DoubleValue(number) => json!(number),
        any_value::Value::BoolValue(truth) => json!(truth),
        any_value::Value::ArrayValue(list) => {
            list.values.into_iter().map(|sent| json!(inner(Some(sent)))).collect()
        }
        any_value::Value::KvlistValue(map) => {
            map.values.into_iter().map(|sent| (sent.key, json!(inner(sent.value)))).collect()
        }
        any_value::Value::BytesValue(bytes) => {
            bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>().into()
        }
        // An index into a table that only profiles have.
        any_value::Value::StringValueStrindex(_) => serde_json::Value::Null,
    }
}
