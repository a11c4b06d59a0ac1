//! A log record, and which ones are asked for.

use std::{fmt, str::FromStr, sync::Arc};

use serde::{Serialize, Serializer, ser::SerializeStruct as _};

use crate::{
    id::{SpanId, TraceId},
    time::point,
    value::{Attributes, Value},
};

/// One line of a log.
#[derive(Clone, Debug, PartialEq)]
pub struct LogRecord {
    /// When, in nanoseconds since the epoch.
    pub time: u64,
    /// How grave it is.
    pub level: Level,
    /// How grave it is, as OTLP numbers it: 1 to 24, 0 if it was not said.
    pub severity_number: u8,
    /// How grave it is, in the sender's words.
    pub severity_text: Arc<str>,
    /// What is said.
    pub body: Value,
    /// Who says it.
    pub service: Arc<str>,
    /// Which process of that service.
    pub instance: Arc<str>,
    /// The trace in which it was said.
    pub trace_id: Option<TraceId>,
    /// The span in which it was said.
    pub span_id: Option<SpanId>,
    /// What is said beside it.
    pub attributes: Attributes,
    /// When it came, in the order of arrivals.
    pub(crate) arrival: u64,
    /// An estimate of the memory that it takes.
    pub(crate) bytes: usize,
}

/// How grave a log record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// Every step.
    Trace,
    /// For those who look for a defect.
    Debug,
    /// As it should be.
    Info,
    /// Not as it should be.
    Warn,
    /// It did not work.
    Error,
    /// Nothing works any more.
    Fatal,
}

/// Which log records are asked for: those that all of these are true of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogFilter {
    /// With this `order_id`.
    pub order: Option<String>,
    /// Of this trace.
    pub trace: Option<TraceId>,
    /// With this `correlation_id`.
    pub correlation: Option<String>,
    /// Of this service.
    pub service: Option<String>,
    /// At least this grave.
    pub level: Option<Level>,
    /// With this in what is said, in capitals or not.
    pub text: Option<String>,
}

impl Level {
    /// All of them, the least grave first.
    pub const ALL: [Self; 6] =
        [Self::Trace, Self::Debug, Self::Info, Self::Warn, Self::Error, Self::Fatal];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Trace => "TRACE",
            Self::Debug => "DEBUG",
            Self::Info => "INFO",
            Self::Warn => "WARN",
            Self::Error => "ERROR",
            Self::Fatal => "FATAL",
        }
    }

    /// What OTLP's number means, or the sender's word where there is no number.
    pub(crate) fn read(number: u8, word: &str) -> Self {
        match number {
            1..=4 => Self::Trace,
            5..=8 => Self::Debug,
            9..=12 => Self::Info,
            13..=16 => Self::Warn,
            17..=20 => Self::Error,
            21.. => Self::Fatal,
            0 => word.parse().unwrap_or(Self::Info),
        }
    }
}

impl FromStr for Level {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = Self::ALL.into_iter().find(|level| level.name().eq_ignore_ascii_case(text));
        known.ok_or_else(|| format!("{text:?} is no level"))
    }
}

impl LogFilter {
    /// Whether all that is asked for is true of this one.
    pub fn takes(&self, record: &LogRecord) -> bool {
        let has = |name, wanted: &Option<String>| {
            wanted.as_ref().is_none_or(|wanted| record.attributes.has(name, wanted))
        };
        let is = |wanted: &Option<String>| wanted.as_ref().is_none_or(|it| **it == *record.service);
        let says = |text: &str| record.body.text().to_lowercase().contains(&text.to_lowercase());
        self.level.is_none_or(|level| record.level >= level)
            && self.trace.is_none_or(|trace| record.trace_id == Some(trace))
            && is(&self.service)
            && has("order_id", &self.order)
            && has("correlation_id", &self.correlation)
            && self.text.as_deref().is_none_or(says)
    }
}

impl fmt::Display for LogRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = point(self.time).format("%T%.3f");
        write!(f, "{time} {:<5} {:<18} {}", self.level.name(), self.service, self.body)?;
        self.attributes.iter().try_for_each(|(name, value)| write!(f, " {name}={value}"))?;
        self.trace_id.iter().try_for_each(|trace| write!(f, " trace={trace}"))
    }
}

impl Serialize for LogRecord {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut record = serializer.serialize_struct("LogRecord", 10)?;
        record.serialize_field("time_unix_nano", &self.time)?;
        record.serialize_field("level", &self.level)?;
        record.serialize_field("severity_number", &self.severity_number)?;
        record.serialize_field("severity_text", &self.severity_text)?;
        record.serialize_field("body", &self.body)?;
        record.serialize_field("service", &self.service)?;
        record.serialize_field("instance", &self.instance)?;
        record.serialize_field("trace_id", &self.trace_id)?;
        record.serialize_field("span_id", &self.span_id)?;
        record.serialize_field("attributes", &self.attributes)?;
        record.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_says_the_level_and_else_the_word() {
        assert_eq!(Level::read(13, "info"), Level::Warn);
        assert_eq!(Level::read(24, ""), Level::Fatal);
        assert_eq!(Level::read(9, ""), Level::Info);
        assert_eq!(Level::read(0, "ERROR"), Level::Error);
        assert_eq!(Level::read(0, "?"), Level::Info);
    }
}
