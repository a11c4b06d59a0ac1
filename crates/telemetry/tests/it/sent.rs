//! What a service sends, in a few words.

use bytes::Bytes;
use opentelemetry_proto::tonic::{
    common::v1::{AnyValue, KeyValue, any_value::Value},
    logs::v1::{LogRecord, ResourceLogs, ScopeLogs},
    resource::v1::Resource,
    trace::v1::{
        ResourceSpans, ScopeSpans, Span, Status,
        span::{Link, SpanKind},
        status::StatusCode,
    },
};
use prost::Message as _;

/// A quiet second of January.
pub(crate) const START: u64 = 1_767_323_045_000_000_000;
/// Nanoseconds in a millisecond.
pub(crate) const MS: u64 = 1_000_000;

/// A span of a trace with this number, from and to so many milliseconds after [`START`].
pub(crate) fn span(trace: u128, id: u64, parent: u64, name: &str, from: u64, to: u64) -> Span {
    Span {
        trace_id: trace.to_be_bytes().into(),
        span_id: id.to_be_bytes().into(),
        parent_span_id: if parent == 0 { Vec::new() } else { parent.to_be_bytes().into() },
        name: name.to_owned(),
        kind: SpanKind::Internal.into(),
        start_time_unix_nano: START + from * MS,
        end_time_unix_nano: START + to * MS,
        ..Span::default()
    }
}

/// A span that did not end well.
pub(crate) fn failed(span: Span, message: &str) -> Span {
    let status = Status { message: message.to_owned(), code: StatusCode::Error.into() };
    Span { status: Some(status), ..span }
}

/// A span with an attribute more.
pub(crate) fn with(mut span: Span, name: &str, value: Value) -> Span {
    span.attributes.push(attribute(name, value));
    span
}

/// A span with a link to another trace.
pub(crate) fn linked(mut span: Span, trace: u128) -> Span {
    let (trace_id, span_id) = (trace.to_be_bytes().into(), 1_u64.to_be_bytes().into());
    span.links.push(Link { trace_id, span_id, ..Link::default() });
    span
}

/// A log record, so many milliseconds after [`START`].
pub(crate) fn log_record(trace: u128, body: &str, at: u64, order: &str) -> LogRecord {
    LogRecord {
        time_unix_nano: START + at * MS,
        severity_number: 9,
        severity_text: "INFO".to_owned(),
        body: Some(AnyValue { value: Some(text(body)) }),
        attributes: vec![attribute("order_id", text(order))],
        trace_id: trace.to_be_bytes().into(),
        ..LogRecord::default()
    }
}

/// Spans of one service.
pub(crate) fn spans(service: &str, spans: Vec<Span>) -> Vec<Bytes> {
    vec![resource_spans(service, spans).encode_to_vec().into()]
}

/// Log records of one service.
pub(crate) fn logs(service: &str, log_records: Vec<LogRecord>) -> Vec<Bytes> {
    vec![resource_logs(service, log_records).encode_to_vec().into()]
}

pub(crate) fn resource_spans(service: &str, spans: Vec<Span>) -> ResourceSpans {
    let scope_spans = vec![ScopeSpans { spans, ..ScopeSpans::default() }];
    ResourceSpans { resource: Some(resource(service)), scope_spans, ..Default::default() }
}

pub(crate) fn resource_logs(service: &str, log_records: Vec<LogRecord>) -> ResourceLogs {
    let scope_logs = vec![ScopeLogs { log_records, ..ScopeLogs::default() }];
    ResourceLogs { resource: Some(resource(service)), scope_logs, ..Default::default() }
}

pub(crate) fn text(text: &str) -> Value {
    Value::StringValue(text.to_owned())
}

fn resource(service: &str) -> Resource {
    let instance = format!("{service}-1");
    let attributes = vec![
        attribute("service.name", text(service)),
        attribute("service.instance.id", text(&instance)),
    ];
    Resource { attributes, ..Resource::default() }
}

fn attribute(key: &str, value: Value) -> KeyValue {
    let value = Some(AnyValue { value: Some(value) });
    KeyValue { key: key.to_owned(), value, ..KeyValue::default() }
}
