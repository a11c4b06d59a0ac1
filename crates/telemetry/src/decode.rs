//! From OTLP's messages to what is kept.

use std::{mem::size_of, sync::Arc};

use opentelemetry_proto::tonic::{
    common::v1::{AnyValue, KeyValue, any_value},
    logs::v1::{LogRecord as SentLogRecord, ResourceLogs},
    resource::v1::Resource,
    trace::v1::{ResourceSpans, Span as SentSpan, span, status::StatusCode},
};
use serde_json::json;

use crate::{
    id::{SpanId, TraceId},
    log::{Level, LogRecord},
    span::{Event, Kind, Link, Span, Status},
    strings::Strings,
    value::{Attributes, Value},
};

/// What a place on the heap takes beside its contents.
const ALLOCATION: usize = 16;
/// The service of those who do not say who they are.
const NOBODY: &str = "unknown";

/// The spans of one request.
#[derive(Debug, Default)]
pub(crate) struct Read {
    /// Each with its trace, and an estimate of the memory that it takes beside itself.
    pub(crate) spans: Vec<(TraceId, Span, usize)>,
    /// How many have no identifier, or one that is not valid.
    pub(crate) rejected: usize,
}

/// Reads the spans of a request.
pub(crate) fn spans(sent: Vec<ResourceSpans>, strings: &mut Strings) -> Read {
    let mut read = Read::default();
    for group in sent {
        let sender = Sender::of(group.resource.as_ref(), strings);
        for sent in group.scope_spans.into_iter().flat_map(|scope| scope.spans) {
            match sender.span(sent, strings) {
                Some((trace_id, span)) => {
                    read.spans.push((trace_id, span, strings.take_made()));
                }
                None => read.rejected += 1,
            }
        }
    }
    read
}

/// Reads the log records of a request.
pub(crate) fn log_records(sent: Vec<ResourceLogs>, strings: &mut Strings) -> Vec<LogRecord> {
    let mut records = Vec::new();
    for group in sent {
        let sender = Sender::of(group.resource.as_ref(), strings);
        for sent in group.scope_logs.into_iter().flat_map(|scope| scope.log_records) {
            let record = sender.log_record(sent, strings);
            let bytes = size_of::<LogRecord>() + strings.take_made();
            records.push(LogRecord { bytes, ..record });
        }
    }
    records
}

/// Who sends.
struct Sender {
    service: Arc<str>,
    version: Arc<str>,
    instance: Arc<str>,
}

impl Sender {
    fn of(resource: Option<&Resource>, strings: &mut Strings) -> Self {
        let attributes = resource.map_or(&[][..], |resource| &resource.attributes);
        let find = |name| attributes.iter().find(|attribute| attribute.key == name);
        let text = |name| match find(name)?.value.as_ref()?.value.as_ref()? {
            any_value::Value::StringValue(text) => Some(text.as_str()),
            _ => None,
        };
        Self {
            service: strings.share(text("service.name").unwrap_or(NOBODY)),
            version: strings.share(text("service.version").unwrap_or_default()),
            instance: strings.share(text("service.instance.id").unwrap_or_default()),
        }
    }

    fn span(&self, sent: SentSpan, strings: &mut Strings) -> Option<(TraceId, Span)> {
        let trace_id = TraceId::from_bytes(&sent.trace_id)?;
        let status = sent.status.clone().unwrap_or_default();
        let span = Span {
            id: SpanId::from_bytes(&sent.span_id)?,
            parent: SpanId::from_bytes(&sent.parent_span_id),
            name: strings.share(&sent.name),
            kind: kind(sent.kind()),
            start: sent.start_time_unix_nano,
            end: sent.end_time_unix_nano,
            service: Arc::clone(&self.service),
            version: Arc::clone(&self.version),
            instance: Arc::clone(&self.instance),
            status: match status.code() {
                StatusCode::Unset => Status::Unset,
                StatusCode::Ok => Status::Ok,
                StatusCode::Error => Status::Error,
            },
            message: (!status.message.is_empty()).then(|| strings.share(&status.message)),
            attributes: attributes(sent.attributes, strings),
            events: sent.events.into_iter().map(|sent| event(sent, strings)).collect(),
            links: sent.links.into_iter().filter_map(|sent| link(sent, strings)).collect(),
        };
        strings.count(span.events.len() * size_of::<Event>());
        strings.count(span.links.len() * size_of::<Link>());
        Some((trace_id, span))
    }

    fn log_record(&self, sent: SentLogRecord, strings: &mut Strings) -> LogRecord {
        let severity_number = u8::try_from(sent.severity_number).unwrap_or_default();
        let body = sent.body.and_then(|body| body.value);
        LogRecord {
            time: match sent.time_unix_nano {
                0 => sent.observed_time_unix_nano,
                time => time,
            },
            level: Level::read(severity_number, &sent.severity_text),
            severity_number,
            severity_text: strings.share(&sent.severity_text),
            body: match body {
                Some(body) => value(body, strings),
                // What has no body has a name, if it is an event.
                None => Value::Text(strings.share(&sent.event_name)),
            },
            service: Arc::clone(&self.service),
            instance: Arc::clone(&self.instance),
            trace_id: TraceId::from_bytes(&sent.trace_id),
            span_id: SpanId::from_bytes(&sent.span_id),
            attributes: attributes(sent.attributes, strings),
            arrival: 0,
            bytes: 0,
        }
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
