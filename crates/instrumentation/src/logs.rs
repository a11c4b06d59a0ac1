//! One JSON line per thing that happened; readable text on a terminal.

use std::{
    fmt,
    io::{self, IsTerminal as _, Write as _},
};

use chrono::{SecondsFormat, Utc};
use serde_json::{Map, Value};
use tracing::{
    Event, Subscriber,
    field::{Field, Visit},
    span,
};
use tracing_subscriber::{
    EnvFilter, Layer,
    layer::{Context, SubscriberExt as _},
    registry::LookupSpan,
    util::SubscriberInitExt as _,
};

use crate::config::{Config, LogFormat};

/// What the libraries underneath say matters only when something is wrong with them.
const LIBRARIES: [&str; 6] =
    ["h2=warn", "hyper=warn", "tower=warn", "tonic=warn", "lapin=error", "sqlx=warn"];

/// Starts logging for this process; a second call changes nothing.
///
/// # Panics
///
/// If `log_level` is not a filter: a setting that cannot be honored is not ignored.
pub fn start(service: &'static str, config: &Config) {
    let filter = filter(&config.log_level).unwrap_or_else(|error| {
        panic!("LOG_LEVEL={:?} is not a level or filter: {error}", config.log_level)
    });
    let registry = tracing_subscriber::registry().with(filter);
    let text = match config.log_format {
        LogFormat::Auto => io::stdout().is_terminal(),
        LogFormat::Json => false,
        LogFormat::Text => true,
    };
    // An error means that a test has started logging already.
    let _ = if text {
        registry.with(tracing_subscriber::fmt::layer().compact().with_target(false)).try_init()
    } else {
        let environment = config.environment.clone();
        registry.with(JsonLines { service, environment, write: write_line }).try_init()
    };
}

fn filter(level: &str) -> Result<EnvFilter, tracing_subscriber::filter::ParseError> {
    EnvFilter::try_new(format!("{},{level}", LIBRARIES.join(",")))
}

fn write_line(line: &[u8]) {
    // Nobody can be told that stdout is gone.
    let _ = io::stdout().lock().write_all(line);
}

/// A layer that writes events as JSON objects: what every line has, the fields of the spans it
/// happened in, its own fields.
struct JsonLines<W> {
    service: &'static str,
    environment: String,
    write: W,
}

/// The fields of a span, kept for the events in it.
struct SpanFields(Map<String, Value>);

impl<S, W> Layer<S> for JsonLines<W>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: Fn(&[u8]) + 'static,
{
    fn on_new_span(
        &self,
        attributes: &span::Attributes<'_>,
        id: &span::Id,
        context: Context<'_, S>,
    ) {
        let mut fields = Map::new();
        attributes.record(&mut Collect(&mut fields));
        if let Some(span) = context.span(id) {
            span.extensions_mut().insert(SpanFields(fields));
        }
    }

    fn on_record(&self, id: &span::Id, values: &span::Record<'_>, context: Context<'_, S>) {
        if let Some(span) = context.span(id)
            && let Some(SpanFields(fields)) = span.extensions_mut().get_mut()
        {
            values.record(&mut Collect(fields));
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut line = self.beginning(event);
        for span in context.event_scope(event).into_iter().flat_map(|scope| scope.from_root()) {
            if let Some(SpanFields(fields)) = span.extensions().get() {
                line.extend(fields.clone());
            }
        }
        event.record(&mut Collect(&mut line));
        let mut bytes = serde_json::to_vec(&line).expect("a map of values is JSON");
        bytes.push(b'\n');
        (self.write)(&bytes);
    }
}

impl<W> JsonLines<W> {
    fn beginning(&self, event: &Event<'_>) -> Map<String, Value> {
        let timestamp = Utc::now().to_rfc3339_opts(SecondsFormat::Micros, true);
        let level = event.metadata().level().as_str().to_lowercase();
        [
            ("timestamp", timestamp.into()),
            ("level", level.into()),
            // The event's own message takes this place.
            ("message", Value::Null),
            ("service", self.service.into()),
            ("version", crate::VERSION.into()),
            ("environment", self.environment.as_str().into()),
            ("target", event.metadata().target().into()),
        ]
        .into_iter()
        .map(|(name, value): (_, Value)| (name.to_owned(), value))
        .collect()
    }
}

struct Collect<'a>(&'a mut Map<String, Value>);

impl Collect<'_> {
    fn put(&mut self, field: &Field, value: impl Into<Value>) {
        self.0.insert(field.name().to_owned(), value.into());
    }
}

impl Visit for Collect<'_> {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field, format!("{value:?}"));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    fn lines_of(work: impl FnOnce()) -> Vec<Value> {
        let written = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&written);
        let write = move |line: &[u8]| sink.lock().unwrap().extend_from_slice(line);
        let layer = JsonLines { service: "order-api", environment: "test".to_owned(), write };
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), work);
        let bytes = written.lock().unwrap();
        let text = String::from_utf8(bytes.clone()).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    #[test]
    fn a_line_has_its_own_fields_and_those_of_its_spans() {
        let lines = lines_of(|| {
            let span = tracing::info_span!(
                "rpc",
                correlation_id = "c-1",
                order_id = tracing::field::Empty
            );
            let _entered = span.enter();
            span.record("order_id", "o-1");
            tracing::warn!(stock = 3, "stock is low");
        });
        let [line] = lines.as_slice() else { panic!("{lines:?}") };
        assert_eq!(line["level"], "warn");
        assert_eq!(line["message"], "stock is low");
        assert_eq!(line["service"], "order-api");
        assert_eq!(line["correlation_id"], "c-1");
        assert_eq!(line["order_id"], "o-1");
        assert_eq!(line["stock"], 3);
    }

    #[test]
    fn a_message_with_line_breaks_stays_one_line() {
        let lines = lines_of(|| tracing::error!(error = "first\nsecond", "a \"quoted\"\nmessage"));
        assert_eq!(lines.len(), 1);
        assert_eq!(lines[0]["error"], "first\nsecond");
    }

    #[test]
    fn a_filter_that_cannot_be_parsed_is_an_error() {
        assert!(filter("info,order_api=debug").is_ok());
        assert!(filter("order_api=loud").is_err());
    }
}
