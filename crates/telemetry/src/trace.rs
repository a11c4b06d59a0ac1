//! A trace, whole or in a row of a list, and which ones are asked for.

use std::{collections::HashSet, fmt, sync::Arc, time::Duration};

use serde::{Serialize, Serializer, ser::SerializeStruct as _};

use crate::{
    id::{SpanId, TraceId},
    kept::Steps,
    log::LogRecord,
    span::Span,
    time::{Lasting, point},
};

/// A trace as far as it has come, and what was logged in it.
#[derive(Clone, Debug, PartialEq)]
pub struct Trace {
    /// Which one.
    pub id: TraceId,
    /// Its spans in the order in which they began; one that came twice is one.
    pub spans: Vec<Span>,
    /// What was logged in it, in the order in which it was said.
    pub log_records: Vec<Arc<LogRecord>>,
}

/// A trace in a list.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TraceRow {
    /// Which one.
    pub trace_id: TraceId,
    /// Name of the span that it began with: the earliest without a parent, or the earliest.
    pub name: Arc<str>,
    /// The service of that span.
    pub service: Arc<str>,
    /// When its first span began.
    pub start_unix_nano: u64,
    /// From then to when its last span ended.
    pub duration_ms: f64,
    /// How many spans have come.
    pub spans: usize,
    /// The services that it went through.
    pub services: Vec<Arc<str>>,
    /// Whether a span did not end well.
    pub error: bool,
}

/// Which traces are asked for: those that all of these are true of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TraceFilter {
    /// That took at least so long.
    pub slow: Option<Duration>,
    /// With a span that did not end well.
    pub error: bool,
    /// With a span about this route.
    pub route: Option<String>,
    /// With a span of this service.
    pub service: Option<String>,
    /// With no span of this service.
    pub without: Option<String>,
    /// That begin with a span of this name.
    pub root: Option<String>,
    /// With a span of this name.
    pub step: Option<String>,
    /// With such a span of a process that reports this version.
    pub version: Option<String>,
    /// With such a span of this process.
    pub instance: Option<String>,
    /// With such a span that took at least so long.
    pub lasting: Option<Duration>,
    /// With so many such spans.
    pub repeated: Option<usize>,
}

impl Trace {
    pub(crate) fn new(id: TraceId, spans: &[Span], mut log_records: Vec<Arc<LogRecord>>) -> Self {
        let mut known = HashSet::<SpanId>::new();
        let mut spans: Vec<_> =
            spans.iter().filter(|span| known.insert(span.id)).cloned().collect();
        spans.sort_by_key(|span| (span.start, span.parent.is_some()));
        log_records.sort_by_key(|record| record.time);
        Self { id, spans, log_records }
    }

    /// When its first span began, in nanoseconds since the epoch.
    pub fn start(&self) -> u64 {
        self.spans.iter().map(|span| span.start).min().unwrap_or_default()
    }

    /// From when its first span began to when its last one ended.
    pub fn duration(&self) -> Lasting {
        let end = self.spans.iter().map(|span| span.end).max().unwrap_or_default();
        Lasting(end.saturating_sub(self.start()))
    }
}

impl TraceFilter {
    /// Whether all that is asked for is true of this one.
    pub(crate) fn takes(&self, trace: &Steps) -> bool {
        let about = |route: &String| trace.spans.iter().any(|span| span.is_about(route));
        let slow = |least: Duration| u128::from(trace.duration().0) >= least.as_nanos();
        self.slow.is_none_or(slow)
            && (!self.error || trace.is_error())
            && self.service.as_ref().is_none_or(|service| trace.is_of(service))
            && self.without.as_ref().is_none_or(|service| !trace.is_of(service))
            && self.route.as_ref().is_none_or(about)
            && self.root.as_ref().is_none_or(|root| *trace.root().name == **root)
            && self.takes_steps(&trace.spans)
    }

    /// Whether there are such steps as are asked for.
    fn takes_steps(&self, spans: &[Span]) -> bool {
        let named = [&self.step, &self.version, &self.instance];
        if named.iter().all(|it| it.is_none()) && self.lasting.is_none() && self.repeated.is_none()
        {
            return true;
        }
        spans.iter().filter(|span| self.takes_step(span)).count() >= self.repeated.unwrap_or(1)
    }

    /// Whether this is such a step as is asked for.
    fn takes_step(&self, span: &Span) -> bool {
        let is = |wanted: &Option<String>, it: &str| wanted.as_ref().is_none_or(|name| name == it);
        let lasts = |least: Duration| u128::from(span.duration().0) >= least.as_nanos();
        is(&self.step, &span.name)
            && is(&self.version, &span.version)
            && is(&self.instance, &span.instance)
            && self.lasting.is_none_or(lasts)
    }
}

impl fmt::Display for TraceRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = point(self.start_unix_nano).format("%T%.3f");
        let lasting = Lasting((self.duration_ms * 1e6) as u64);
        let mark = if self.error { "✗" } else { " " };
        let Self { trace_id, spans, name, services, .. } = self;
        let services = services.join(", ");
        write!(f, "{time} {lasting:>9} {spans:>5} {mark} {trace_id} {name} ({services})")
    }
}

impl Serialize for Trace {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut trace = serializer.serialize_struct("Trace", 5)?;
        trace.serialize_field("trace_id", &self.id)?;
        trace.serialize_field("start_unix_nano", &self.start())?;
        trace.serialize_field("duration_ms", &self.duration().milliseconds())?;
        trace.serialize_field("spans", &self.spans)?;
        trace.serialize_field("logs", &self.log_records)?;
        trace.end()
    }
}
