//! A span, as small as it can be kept.

use std::sync::Arc;

use serde::{Serialize, Serializer, ser::SerializeStruct as _};

use crate::{
    id::{SpanId, TraceId},
    time::Lasting,
    value::{Attributes, Value},
};

/// The attribute of a message that had been delivered before.
const REDELIVERED: &str = "messaging.message.redelivered";
/// The attribute of the template that a request's path matched.
const ROUTE: &str = "http.route";

/// One step of a trace.
#[derive(Clone, Debug, PartialEq)]
pub struct Span {
    /// Which one.
    pub id: SpanId,
    /// The step that it is part of.
    pub parent: Option<SpanId>,
    /// What was done.
    pub name: Arc<str>,
    /// Its part in a conversation.
    pub kind: Kind,
    /// When it began, in nanoseconds since the epoch.
    pub start: u64,
    /// When it ended, in nanoseconds since the epoch.
    pub end: u64,
    /// Who did it.
    pub service: Arc<str>,
    /// Which version of that service.
    pub version: Arc<str>,
    /// Which process of that service.
    pub instance: Arc<str>,
    /// How it ended.
    pub status: Status,
    /// What is said of how it ended.
    pub message: Option<Arc<str>>,
    /// What is said of it.
    pub attributes: Attributes,
    /// What happened while it went on.
    pub events: Box<[Event]>,
    /// Spans that it has to do with, beside its parent.
    pub links: Box<[Link]>,
}

/// The part of a span in a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Not said.
    Unspecified,
    /// Work within a process.
    Internal,
    /// A call that was answered.
    Server,
    /// A call that was made.
    Client,
    /// A message that was sent.
    Producer,
    /// A message that was received.
    Consumer,
}

/// How a span ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Nobody said that it went wrong.
    Unset,
    /// Well.
    Ok,
    /// Not well.
    Error,
}

/// Something that happened during a span.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Event {
    /// When, in nanoseconds since the epoch.
    pub time_unix_nano: u64,
    /// What.
    pub name: Arc<str>,
    /// What is said of it.
    pub attributes: Attributes,
}

/// Another span that a span has to do with.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Link {
    /// The trace of the other.
    pub trace_id: TraceId,
    /// The other.
    pub span_id: SpanId,
    /// What is said of it.
    pub attributes: Attributes,
}

impl Span {
    /// How long it took; a clock that was set back makes it 0.
    pub fn duration(&self) -> Lasting {
        Lasting(self.end.saturating_sub(self.start))
    }

    /// Whether it did not end well.
    pub fn is_error(&self) -> bool {
        self.status == Status::Error
    }

    /// Whether its message had been delivered before.
    pub fn is_redelivery(&self) -> bool {
        self.attributes.get(REDELIVERED) == Some(&Value::Truth(true))
    }

    /// Whether it is about this route: by its attribute, or because its name has it in it.
    pub fn is_about(&self, route: &str) -> bool {
        self.attributes.has(ROUTE, route) || self.name.contains(route)
    }
}

impl Serialize for Span {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut span = serializer.serialize_struct("Span", 14)?;
        span.serialize_field("span_id", &self.id)?;
        span.serialize_field("parent_span_id", &self.parent)?;
        span.serialize_field("name", &self.name)?;
        span.serialize_field("kind", &self.kind)?;
        span.serialize_field("service", &self.service)?;
        span.serialize_field("instance", &self.instance)?;
        span.serialize_field("start_unix_nano", &self.start)?;
        span.serialize_field("duration_ms", &self.duration().milliseconds())?;
        span.serialize_field("version", &self.version)?;
        span.serialize_field("status", &self.status)?;
        span.serialize_field("status_message", &self.message)?;
        span.serialize_field("attributes", &self.attributes)?;
        span.serialize_field("events", &self.events)?;
        span.serialize_field("links", &self.links)?;
        span.end()
    }
}
