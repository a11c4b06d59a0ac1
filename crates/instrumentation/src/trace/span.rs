//! One piece of work, from its beginning until it is dropped.

use std::{borrow::Cow, future::Future};

use opentelemetry::{
    Context, ContextGuard, KeyValue, Value,
    context::FutureExt as _,
    trace::{SpanBuilder, SpanKind, Status, TraceContextExt as _, Tracer as _},
};

use super::{TRACER, attribute};

/// A piece of work; it ends when this is dropped, so that work that is given up ends too.
#[must_use = "a span that is dropped at once has no duration"]
#[derive(Debug)]
pub struct Span(Context);

impl Span {
    /// Work that somebody far away, or nobody, has asked for: `parent` is what they sent.
    pub fn begin(
        kind: SpanKind,
        name: impl Into<Cow<'static, str>>,
        parent: &Context,
        attributes: Vec<KeyValue>,
    ) -> Self {
        Self(match TRACER.get() {
            None => parent.clone(),
            Some(tracer) => {
                let builder =
                    SpanBuilder::from_name(name).with_kind(kind).with_attributes(attributes);
                parent.with_span(tracer.build_with_context(builder, parent))
            }
        })
    }

    /// Work that is part of the work in hand. What is part of nothing that is recorded is not
    /// recorded either: a statement by itself makes no trace.
    pub fn part(
        kind: SpanKind,
        name: impl Into<Cow<'static, str>>,
        attributes: impl FnOnce() -> Vec<KeyValue>,
    ) -> Self {
        Context::map_current(|current| match current.span().is_recording() {
            true => Self::begin(kind, name, current, attributes()),
            false => Self::none(),
        })
    }

    /// Work that is not worth a span.
    pub fn none() -> Self {
        Self(Context::new())
    }

    /// Adds to what is known of it.
    pub fn set(&self, name: &'static str, value: impl Into<Value>) {
        self.0.span().set_attribute(KeyValue::new(name, value));
    }

    /// Says that it failed: `kind` is one of few words, as a status is; `description` is for people.
    pub fn fail(&self, kind: impl Into<Value>, description: impl Into<Cow<'static, str>>) {
        self.set(attribute::ERROR_TYPE, kind);
        self.0.span().set_status(Status::error(description));
    }

    /// Records an error where it is handled; once, however many spans it made fail.
    pub fn record_error(&self, error: impl Into<Value>) {
        let message = KeyValue::new(attribute::EXCEPTION_MESSAGE, error);
        self.0.span().add_event("exception", vec![message]);
    }

    /// The context for whoever continues it: its own, or of what it would have been part of.
    pub fn context(&self) -> Context {
        match self.0.has_active_span() {
            true => self.0.clone(),
            false => Context::current(),
        }
    }

    /// Does `work` as its work.
    pub fn scope<F: Future>(&self, work: F) -> impl Future<Output = F::Output> + use<F> {
        work.with_context(self.context())
    }

    /// Makes it the work in hand until the guard is dropped; never across an await.
    pub fn enter(&self) -> ContextGuard {
        self.context().attach()
    }
}

impl Drop for Span {
    fn drop(&mut self) {
        self.0.span().end();
    }
}
