//! What was sent, kept as it was sent: a request is read as far as it must be to be kept, and the rest
//! of it when somebody asks, which for most of it is never.

use std::{
    mem::size_of,
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use opentelemetry_proto::tonic::{common::v1::any_value, resource::v1::Resource};
use prost::{DecodeError, Message as _};

use crate::{
    id::{SpanId, TraceId},
    strings::Strings,
    wire,
};

/// The service of those who do not say who they are.
const NOBODY: &str = "unknown";

/// Who sends.
#[derive(Debug)]
pub(crate) struct Sender {
    pub(crate) service: Arc<str>,
    pub(crate) version: Arc<str>,
    pub(crate) instance: Arc<str>,
}

/// A span as it was sent.
#[derive(Clone, Debug)]
pub(crate) struct SentSpan {
    pub(crate) id: SpanId,
    pub(crate) parent: Option<SpanId>,
    pub(crate) start: u64,
    pub(crate) end: u64,
    pub(crate) sender: Arc<Sender>,
    /// An OTLP `Span`, in memory of its own: it keeps nothing alive but itself.
    pub(crate) message: Box<[u8]>,
}

/// The spans of one request.
#[derive(Debug, Default)]
pub(crate) struct SentSpans {
    /// Each with its trace.
    pub(crate) spans: Vec<(TraceId, SentSpan)>,
    /// How many have no identifier, or one that is not valid.
    pub(crate) rejected: usize,
}

/// A log record as it was sent.
#[derive(Debug)]
pub(crate) struct SentLogRecord {
    pub(crate) time: u64,
    pub(crate) trace_id: Option<TraceId>,
    pub(crate) sender: Arc<Sender>,
    /// An OTLP `LogRecord`, in memory of its own.
    pub(crate) message: Box<[u8]>,
    /// When it came, in the order of arrivals.
    pub(crate) arrival: u64,
}

/// Reads a request, each part a `ResourceSpans`.
pub(crate) fn spans(
    request: Vec<Bytes>,
    strings: &Mutex<Strings>,
) -> Result<SentSpans, DecodeError> {
    let mut sent = SentSpans::default();
    for part in request {
        let group = wire::traces::ResourceSpans::decode(part)?;
        let sender = Arc::new(Sender::read(group.resource, strings)?);
        for scope in group.scope_spans {
            let messages = wire::traces::ScopeSpans::decode(scope)?.spans;
            sent.spans.reserve(messages.len());
            for message in messages {
                match SentSpan::read(&sender, message)? {
                    Some(span) => sent.spans.push(span),
                    None => sent.rejected += 1,
                }
            }
        }
    }
    Ok(sent)
}

/// Reads a request, each part a `ResourceLogs`.
pub(crate) fn log_records(
    request: Vec<Bytes>,
    strings: &Mutex<Strings>,
) -> Result<Vec<SentLogRecord>, DecodeError> {
    let mut sent = Vec::new();
    for part in request {
        let group = wire::logs::ResourceLogs::decode(part)?;
        let sender = Arc::new(Sender::read(group.resource, strings)?);
        for scope in group.scope_logs {
            for message in wire::logs::ScopeLogs::decode(scope)?.log_records {
                sent.push(SentLogRecord::read(&sender, message)?);
            }
        }
    }
    Ok(sent)
}

impl Sender {
    fn read(resource: Bytes, strings: &Mutex<Strings>) -> Result<Self, DecodeError> {
        let resource = Resource::decode(resource)?;
        let find = |name| resource.attributes.iter().find(|attribute| attribute.key == name);
        let text = |name| match find(name)?.value.as_ref()?.value.as_ref()? {
            any_value::Value::StringValue(text) => Some(text.as_str()),
            _ => None,
        };
        let mut strings = strings.lock().expect("no holder of the lock panics");
        let sender = Self {
            service: strings.share(text("service.name").unwrap_or(NOBODY)),
            version: strings.share(text("service.version").unwrap_or_default()),
            instance: strings.share(text("service.instance.id").unwrap_or_default()),
        };
        // Next to nothing, and of no message by itself.
        strings.take_made();
        Ok(sender)
    }
}

impl SentSpan {
    fn read(sender: &Arc<Sender>, message: Bytes) -> Result<Option<(TraceId, Self)>, DecodeError> {
        let head = wire::traces::Span::decode(message.clone())?;
        let ids = (TraceId::from_bytes(&head.trace_id), SpanId::from_bytes(&head.span_id));
        let (Some(trace_id), Some(id)) = ids else { return Ok(None) };
        let span = Self {
            id,
            parent: SpanId::from_bytes(&head.parent_span_id),
            start: head.start_time_unix_nano,
            end: head.end_time_unix_nano,
            sender: Arc::clone(sender),
            message: message[..].into(),
        };
        Ok(Some((trace_id, span)))
    }
}

impl SentLogRecord {
    fn read(sender: &Arc<Sender>, message: Bytes) -> Result<Self, DecodeError> {
        let head = wire::logs::LogRecord::decode(message.clone())?;
        let time = match head.time_unix_nano {
            0 => head.observed_time_unix_nano,
            time => time,
        };
        Ok(Self {
            time,
            trace_id: TraceId::from_bytes(&head.trace_id),
            sender: Arc::clone(sender),
            message: message[..].into(),
            arrival: 0,
        })
    }

    /// What it takes, itself included.
    pub(crate) fn bytes(&self) -> usize {
        size_of::<Self>() + self.message.len()
    }
}
