//! Gathers lines: what an event says, what the spans around it say, and where it belongs.

use chrono::Utc;
use serde_json::Value;
use tracing::{Event, Level, Subscriber, span};
use tracing_subscriber::{Layer, layer::Context, registry::LookupSpan};

use super::{
    fields::Fields,
    line::{Line, Origin, Shape},
};
use crate::{correlation::CorrelationId, export::Records, trace};

/// The layer.
#[derive(Debug)]
pub(super) struct Lines<W> {
    pub(super) origin: Origin,
    pub(super) shape: Shape,
    /// None if log records are sent nowhere.
    pub(super) records: Option<Records>,
    pub(super) write: W,
}

impl<S, W> Layer<S> for Lines<W>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: Fn(Level, &[u8]) + 'static,
{
    fn on_new_span(
        &self,
        attributes: &span::Attributes<'_>,
        id: &span::Id,
        context: Context<'_, S>,
    ) {
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        if let Some(span) = context.span(id) {
            span.extensions_mut().insert(fields);
        }
    }

    fn on_record(&self, id: &span::Id, values: &span::Record<'_>, context: Context<'_, S>) {
        if let Some(span) = context.span(id)
            && let Some(fields) = span.extensions_mut().get_mut::<Fields>()
        {
            values.record(fields);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut fields = belonging();
        for span in context.event_scope(event).into_iter().flat_map(|scope| scope.from_root()) {
            if let Some(of_span) = span.extensions().get() {
                fields.extend(of_span);
            }
        }
        event.record(&mut fields);
        let message = match fields.take("message") {
            Some(Value::String(message)) => message,
            other => other.map(|value| value.to_string()).unwrap_or_default(),
        };
        let (level, target) = (*event.metadata().level(), event.metadata().target());
        let line = Line { at: Utc::now(), level, target, message, fields };
        (self.write)(level, &line.shaped(&self.origin, self.shape));
        if let Some(records) = &self.records {
            line.send(records);
        }
    }
}

/// The trace, the span and the business thread of the work in hand.
fn belonging() -> Fields {
    let mut fields = Fields::default();
    if let Some(span) = trace::current() {
        fields.put("trace_id", span.trace_id().to_string());
        fields.put("span_id", span.span_id().to_string());
    }
    if let Some(id) = CorrelationId::current() {
        fields.put("correlation_id", id.as_str());
    }
    fields
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use tracing_subscriber::layer::SubscriberExt as _;

    use super::*;

    fn written_by(shape: Shape, work: impl FnOnce()) -> String {
        let written = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&written);
        let write = move |_, line: &[u8]| sink.lock().unwrap().extend_from_slice(line);
        let (version, environment) = ("1.2.3".to_owned(), "test".to_owned());
        let origin = Origin { service: "order-api", version, environment };
        let layer = Lines { origin, shape, records: None, write };
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), work);
        let bytes = written.lock().unwrap();
        String::from_utf8(bytes.clone()).unwrap()
    }

    fn lines_of(work: impl FnOnce()) -> Vec<Value> {
        let text = written_by(Shape::Json, work);
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    #[test]
    fn a_line_has_its_own_fields_and_those_of_its_spans() {
        let lines = lines_of(|| {
            let span = tracing::info_span!("rpc", key = "c-1", order_id = tracing::field::Empty);
            let _entered = span.enter();
            span.record("order_id", "o-1");
            tracing::warn!(stock = 3, key = "c-2", "stock is low");
        });
        let [line] = lines.as_slice() else { panic!("{lines:?}") };
        assert_eq!(line["level"], "warn");
        assert_eq!(line["message"], "stock is low");
        assert_eq!(line["service"], "order-api");
        assert_eq!(line["version"], "1.2.3");
        assert_eq!(line["environment"], "test");
        assert_eq!(line["key"], "c-2");
        assert_eq!(line["order_id"], "o-1");
        assert_eq!(line["stock"], 3);
    }

    #[tokio::test]
    async fn a_line_says_to_which_thread_and_trace_it_belongs() {
        let span = trace::recorded_elsewhere("0af7651916cd43dd8448eb211c80319c");
        let id = CorrelationId::parse("checkout-7").unwrap();
        let said = async { lines_of(|| tracing::info!("order placed")) };
        let lines = id.scope(span.scope(said)).await;
        assert_eq!(lines[0]["trace_id"], "0af7651916cd43dd8448eb211c80319c");
        assert_eq!(lines[0]["correlation_id"], "checkout-7");
    }

    #[test]
    fn a_message_with_line_breaks_stays_one_line() {
        let lines = lines_of(|| tracing::error!(error = "first\nsecond", "a \"quoted\"\nmessage"));
        assert_eq!(lines.len(), 1);
        assert_eq!(lines[0]["error"], "first\nsecond");
    }

    #[test]
    fn text_is_for_people() {
        let shape = Shape::Text { colored: false };
        let text = written_by(shape, || tracing::warn!(sku = "TEA-001", left = 3, "stock is low"));
        assert!(text.ends_with("  WARN stock is low sku=TEA-001 left=3\n"), "{text:?}");
    }
}
