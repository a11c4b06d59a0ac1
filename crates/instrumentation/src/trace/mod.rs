//! Spans, and the W3C trace context through every hop.
//!
//! - [`Span`]: one piece of work, from its beginning until it is dropped.
//! - `carrier`: the context in headers, and in a row or a message.
//! - [`attribute`]: the names of attributes, as OpenTelemetry publishes them, and our own.
//!
//! Names and attributes follow the semantic conventions of OpenTelemetry 1.42. Without a tracer,
//! as in tests, spans are nothing and the caller's context is carried on as it came.

pub mod attribute;
mod carrier;
mod span;

use std::sync::OnceLock;

use opentelemetry::trace::TraceContextExt as _;
use opentelemetry_sdk::trace::SdkTracer;

pub use carrier::{Carried, extract, inject};
pub use opentelemetry::{
    Context, KeyValue, Value,
    context::FutureExt,
    trace::{SpanContext, SpanKind},
};
pub use span::Span;

static TRACER: OnceLock<SdkTracer> = OnceLock::new();

/// The span of the work in hand, if there is one.
pub fn current() -> Option<SpanContext> {
    Context::map_current(|context| {
        context.has_active_span().then(|| context.span().span_context().clone())
    })
    .filter(SpanContext::is_valid)
}

/// Adds to what is known of the span of the work in hand.
pub fn set(name: &'static str, value: impl Into<Value>) {
    Context::map_current(|context| context.span().set_attribute(KeyValue::new(name, value)));
}

/// Records an error on the span of the work in hand, where it is handled.
pub fn record_error(error: impl Into<Value>) {
    Context::map_current(|context| {
        let message = KeyValue::new(attribute::EXCEPTION_MESSAGE, error);
        context.span().add_event("exception", vec![message]);
    });
}

/// The work of a caller whose trace is recorded, for tests.
#[cfg(test)]
pub(crate) fn recorded_elsewhere(trace_id: &str) -> Span {
    let traceparent = Some(format!("00-{trace_id}-b7ad6b7169203331-01"));
    let parent = Carried { traceparent, tracestate: None }.context();
    Span::begin(SpanKind::Server, "work", &parent, Vec::new())
}

/// From now on, spans are made by `tracer`; a second one changes nothing.
pub(crate) fn use_tracer(tracer: SdkTracer) {
    // An error means that a test has started one already.
    let _ = TRACER.set(tracer);
}
