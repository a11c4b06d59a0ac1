//! What happened, with everything that is known about it.

use std::io::Write as _;

use chrono::{DateTime, SecondsFormat, Utc};
use opentelemetry::logs::{AnyValue, LogRecord as _, Severity};
use serde::{Serializer as _, ser::SerializeMap as _};
use serde_json::Value;
use tracing::Level;

use super::fields::Fields;
use crate::{export::Records, trace};

/// Who says it.
#[derive(Debug)]
pub(super) struct Origin {
    pub(super) service: &'static str,
    pub(super) version: String,
    pub(super) environment: String,
}

/// How a line looks.
#[derive(Clone, Copy, Debug)]
pub(super) enum Shape {
    Json,
    Text { colored: bool },
}

/// One thing that happened.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) at: DateTime<Utc>,
    pub(super) level: Level,
    pub(super) target: &'static str,
    pub(super) message: String,
    /// Where it belongs, what it is about, and what it says itself.
    pub(super) fields: Fields,
}

impl Line {
    /// The line, with its end.
    pub(super) fn shaped(&self, origin: &Origin, shape: Shape) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(512);
        match shape {
            Shape::Json => self.json(origin, &mut bytes),
            Shape::Text { colored } => self.text(colored, &mut bytes),
        }
        .expect("a vector takes everything");
        bytes.push(b'\n');
        bytes
    }

    fn json(&self, origin: &Origin, bytes: &mut Vec<u8>) -> std::io::Result<()> {
        let mut json = serde_json::Serializer::new(bytes);
        let mut map = json.serialize_map(None)?;
        let timestamp = self.at.to_rfc3339_opts(SecondsFormat::Micros, true);
        map.serialize_entry("timestamp", &timestamp)?;
        map.serialize_entry("level", word(self.level))?;
        map.serialize_entry("message", &self.message)?;
        map.serialize_entry("service", origin.service)?;
        map.serialize_entry("version", &origin.version)?;
        map.serialize_entry("environment", &origin.environment)?;
        map.serialize_entry("target", self.target)?;
        for (name, value) in self.fields.iter() {
            map.serialize_entry(name, value)?;
        }
        map.end()?;
        Ok(())
    }

    fn text(&self, colored: bool, bytes: &mut Vec<u8>) -> std::io::Result<()> {
        let (color, plain) = match self.level {
            _ if !colored => ("", ""),
            Level::ERROR => ("\x1b[31m", "\x1b[0m"),
            Level::WARN => ("\x1b[33m", "\x1b[0m"),
            Level::INFO => ("\x1b[32m", "\x1b[0m"),
            Level::DEBUG | Level::TRACE => ("\x1b[2m", "\x1b[0m"),
        };
        let (time, level) = (self.at.format("%H:%M:%S%.3f"), self.level);
        write!(bytes, "{time} {color}{level:>5}{plain} {}", self.message)?;
        for (name, value) in self.fields.iter() {
            match value {
                Value::String(text) if plain_word(text) => write!(bytes, " {name}={text}")?,
                value => write!(bytes, " {name}={value}")?,
            }
        }
        Ok(())
    }

    /// Hands it to whoever sends log records; the trace in hand becomes its trace.
    pub(super) fn send(self, records: &Records) {
        let mut record = records.blank();
        if let Some(span) = trace::current() {
            let flags = Some(span.trace_flags());
            record.set_trace_context(span.trace_id(), span.span_id(), flags);
        }
        record.set_timestamp(self.at.into());
        record.set_observed_timestamp(self.at.into());
        record.set_severity_text(word(self.level));
        record.set_severity_number(severity(self.level));
        record.set_target(self.target);
        record.set_body(self.message.into());
        for (name, value) in self.fields {
            // The record has these two in places of their own.
            if name != "trace_id" && name != "span_id" {
                record.add_attribute(name, any(value));
            }
        }
        records.take(record);
    }
}

fn word(level: Level) -> &'static str {
    match level {
        Level::ERROR => "error",
        Level::WARN => "warn",
        Level::INFO => "info",
        Level::DEBUG => "debug",
        Level::TRACE => "trace",
    }
}

fn severity(level: Level) -> Severity {
    match level {
        Level::ERROR => Severity::Error,
        Level::WARN => Severity::Warn,
        Level::INFO => Severity::Info,
        Level::DEBUG => Severity::Debug,
        Level::TRACE => Severity::Trace,
    }
}

fn any(value: Value) -> AnyValue {
    match value {
        Value::Bool(value) => AnyValue::Boolean(value),
        Value::Number(number) => match number.as_i64() {
            Some(number) => AnyValue::Int(number),
            None => AnyValue::Double(number.as_f64().unwrap_or_default()),
        },
        Value::String(text) => AnyValue::String(text.into()),
        Value::Null | Value::Array(_) | Value::Object(_) => {
            AnyValue::String(value.to_string().into())
        }
    }
}

/// Whether a text can stand without quotation marks.
fn plain_word(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| !c.is_whitespace() && !c.is_control() && c != '"')
}
