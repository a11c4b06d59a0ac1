//! The context in headers, and in a row or a message.

use http::{HeaderMap, HeaderName, HeaderValue};
use opentelemetry::{
    Context,
    propagation::{Extractor, Injector, TextMapPropagator as _},
    trace::TraceContextExt as _,
};
use opentelemetry_sdk::propagation::TraceContextPropagator;

/// The header that every caller of a hop sends, with its trace and its span.
const TRACEPARENT: &str = "traceparent";
/// The header in which tracing systems keep what is theirs.
const TRACESTATE: &str = "tracestate";
/// What of that is passed on, in bytes, as W3C asks for at the least: what is longer is left out, for
/// the next hop may refuse a call whose headers are long.
const LONGEST_STATE: usize = 512;

/// The caller's context, if the headers of its call have one.
pub fn extract(headers: &HeaderMap) -> Context {
    let nothing = Context::new();
    match headers.contains_key(TRACEPARENT) {
        true => propagator().extract_with_context(&nothing, &Headers(headers)),
        false => nothing,
    }
}

/// Puts a context into the headers of a call.
pub fn inject(context: &Context, headers: &mut HeaderMap) {
    propagator().inject_context(context, &mut HeadersMut(headers));
}

/// A context as text, for a row or a message to carry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Carried {
    /// The W3C `traceparent`: trace, span and whether they are recorded.
    pub traceparent: Option<String>,
    /// The W3C `tracestate`: what tracing systems keep.
    pub tracestate: Option<String>,
}

impl Carried {
    /// The context of the work in hand.
    pub fn current() -> Self {
        Context::map_current(Self::of)
    }

    /// This context.
    pub fn of(context: &Context) -> Self {
        let mut carried = Self::default();
        if context.span().span_context().is_valid() {
            propagator().inject_context(context, &mut carried);
        }
        carried
    }

    /// The context for whoever goes on with it.
    pub fn context(&self) -> Context {
        let nothing = Context::new();
        match self.traceparent {
            Some(_) => propagator().extract_with_context(&nothing, self),
            None => nothing,
        }
    }
}

impl Injector for Carried {
    fn set(&mut self, key: &str, value: String) {
        match key {
            TRACEPARENT => self.traceparent = Some(value),
            TRACESTATE if !value.is_empty() => self.tracestate = Some(value),
            _ => {}
        }
    }
}

impl Extractor for Carried {
    fn get(&self, key: &str) -> Option<&str> {
        match key {
            TRACEPARENT => self.traceparent.as_deref(),
            TRACESTATE => self.tracestate.as_deref(),
            _ => None,
        }
    }

    fn keys(&self) -> Vec<&str> {
        vec![TRACEPARENT, TRACESTATE]
    }
}

fn propagator() -> TraceContextPropagator {
    TraceContextPropagator::new()
}

struct Headers<'a>(&'a HeaderMap);

impl Extractor for Headers<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        let value = self.0.get(key)?.to_str().ok()?;
        (key != TRACESTATE || value.len() <= LONGEST_STATE).then_some(value)
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(HeaderName::as_str).collect()
    }
}

struct HeadersMut<'a>(&'a mut HeaderMap);

impl Injector for HeadersMut<'_> {
    fn set(&mut self, key: &str, value: String) {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(key), HeaderValue::try_from(value))
            && !value.is_empty()
        {
            self.0.insert(name, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    fn headers(parent: &str) -> HeaderMap {
        HeaderMap::from_iter([
            (HeaderName::from_static(TRACEPARENT), HeaderValue::try_from(parent).unwrap()),
            (HeaderName::from_static(TRACESTATE), HeaderValue::from_static("vendor=1")),
        ])
    }

    #[test]
    fn a_context_survives_headers_rows_and_messages() {
        let context = extract(&headers(PARENT));
        let carried = Carried::of(&context);
        assert_eq!(carried.traceparent.as_deref(), Some(PARENT));
        assert_eq!(carried.tracestate.as_deref(), Some("vendor=1"));

        let mut onward = HeaderMap::new();
        inject(&carried.context(), &mut onward);
        assert_eq!(onward, headers(PARENT));
    }

    #[test]
    fn a_state_that_is_too_long_is_left_out_and_the_trace_goes_on() {
        let mut long = headers(PARENT);
        let state = format!("a={0},b={0},c=vend", "x".repeat(250));
        assert_eq!(state.len(), LONGEST_STATE);
        for (state, passed_on) in [(state.clone(), Some(state.clone())), (state + "y", None)] {
            long.insert(TRACESTATE, HeaderValue::try_from(state).unwrap());
            let carried = Carried::of(&extract(&long));
            assert_eq!(carried.traceparent.as_deref(), Some(PARENT));
            assert_eq!(carried.tracestate, passed_on);
        }
    }

    #[test]
    fn what_is_not_a_context_is_none() {
        for bad in [
            "",
            "00",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        ] {
            let context = extract(&headers(bad));
            assert!(!context.span().span_context().is_valid(), "{bad:?}");
            assert_eq!(Carried::of(&context), Carried::default());
        }
    }
}
