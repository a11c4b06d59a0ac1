//! Around every request: its correlation id, its deadline, its span, its metrics, its line in the
//! log.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
    time::{Duration, Instant},
};

use axum::{
    body::Body,
    extract::{MatchedPath, Request, State},
    middleware::Next,
    response::Response,
};
use bytes::Bytes;
use contract::CORRELATION_ID;
use faults::{Seam, Switchboard};
use http::{HeaderName, HeaderValue, StatusCode, header};
use http_body::{Body as _, Frame, SizeHint};
use instrumentation::trace::FutureExt as _;
use instrumentation::{
    correlation::CorrelationId,
    metrics::Held,
    settings::Live,
    trace::{self, KeyValue, Span, SpanKind, attribute},
};

use crate::{
    config::TraceUrl,
    deadline::Deadline,
    error::Cause,
    metrics::{Answered, Endpoint, Method, Metrics, Route, Shed},
};

/// The status code that counts a client that went away before its answer.
const CLIENT_CLOSED_REQUEST: u16 = 499;

/// The header with the trace and the span that an answer was made in (W3C Trace Context, level 2).
const TRACERESPONSE: HeaderName = HeaderName::from_static("traceresponse");
/// The header that says where the trace can be looked at.
const TRACE_URL: HeaderName = HeaderName::from_static("x-trace-url");

/// What is needed around every request.
#[derive(Debug)]
pub(crate) struct Observer {
    pub(crate) metrics: Metrics,
    pub(crate) faults: Arc<Switchboard>,
    pub(crate) budget: Live<Duration>,
    pub(crate) trace_url: Option<TraceUrl>,
}

/// Does a request under its correlation id and deadline, measures and logs it.
pub(crate) async fn observe(
    State(observer): State<Arc<Observer>>,
    mut request: Request,
    next: Next,
) -> Response {
    let template = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str);
    let endpoint = Endpoint::of(request.method(), template);
    let given = request.headers().get(CORRELATION_ID).and_then(|value| value.to_str().ok());
    let id = CorrelationId::accept_or_make(given);
    let span = span(endpoint, &request, &id);
    let context = span.context();
    let mut exchange = Exchange::begin(Arc::clone(&observer), endpoint, span);
    request.extensions_mut().insert(Deadline::after(observer.budget.get()));
    let received = Arc::clone(&exchange.received);
    let request = request.map(|body| Body::new(Counted { body, received }));

    let returned = id.clone();
    let work = async move {
        let mut response = next.run(request).await;
        finish(&mut response, &returned, observer.trace_url.as_ref());
        exchange.ended(&response);
        response
    };
    id.scope(work).with_context(context).await
}

/// The span of a request; machines that look after the gateway are not worth one.
fn span(endpoint: Endpoint, request: &Request, id: &CorrelationId) -> Span {
    if is_probe(endpoint) {
        return Span::none();
    }
    let (method, route) = (endpoint.method().as_str(), endpoint.route().as_str());
    let mut attributes = vec![
        KeyValue::new(attribute::HTTP_REQUEST_METHOD, method),
        KeyValue::new(attribute::HTTP_ROUTE, route),
        KeyValue::new(attribute::URL_SCHEME, "http"),
        KeyValue::new(attribute::URL_PATH, request.uri().path().to_owned()),
        KeyValue::new(attribute::CORRELATION_ID, id.to_string()),
    ];
    let agent = request.headers().get(header::USER_AGENT).and_then(|agent| agent.to_str().ok());
    if let Some(agent) = agent {
        attributes.push(KeyValue::new(attribute::USER_AGENT_ORIGINAL, agent.to_owned()));
    }
    let parent = trace::extract(request.headers());
    Span::begin(SpanKind::Server, format!("{method} {route}"), &parent, attributes)
}

fn is_probe(endpoint: Endpoint) -> bool {
    matches!(endpoint.route(), Route::Health | Route::Ready | Route::Metrics)
}

/// What every answer has.
fn finish(response: &mut Response, id: &CorrelationId, trace_url: Option<&TraceUrl>) {
    let id = HeaderValue::from_str(id.as_str()).expect("an id is visible ASCII");
    let headers = response.headers_mut();
    headers.insert(HeaderName::from_static(CORRELATION_ID), id);
    if let Some(span) = trace::current() {
        let (trace_id, span_id) = (span.trace_id(), span.span_id());
        let flags = u8::from(span.is_sampled());
        headers.insert(TRACERESPONSE, visible(&format!("00-{trace_id}-{span_id}-{flags:02x}")));
        if let Some(url) = trace_url.filter(|_| span.is_sampled()) {
            headers.insert(TRACE_URL, visible(&url.of(&trace_id.to_string())));
        }
    }
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
}

fn visible(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).expect("ids and addresses are visible ASCII")
}

/// A request in hand: counted and timed when it is dropped, so that one whose client went away,
/// and whose work was dropped with it, is counted too.
struct Exchange {
    observer: Arc<Observer>,
    endpoint: Endpoint,
    span: Span,
    started: Instant,
    received: Arc<AtomicU64>,
    status_code: u16,
    sent: u64,
    cause: Option<Cause>,
    shed: Option<Shed>,
    _active: Held,
}

impl Exchange {
    fn begin(observer: Arc<Observer>, endpoint: Endpoint, span: Span) -> Self {
        let active = observer.metrics.http_requests_active.hold(endpoint);
        Self {
            observer,
            endpoint,
            span,
            started: Instant::now(),
            received: Arc::default(),
            status_code: CLIENT_CLOSED_REQUEST,
            sent: 0,
            cause: None,
            shed: None,
            _active: active,
        }
    }

    fn ended(&mut self, response: &Response) {
        self.status_code = response.status().as_u16();
        self.sent = response.body().size_hint().lower();
        self.cause = response.extensions().get::<Cause>().cloned();
        self.shed = response.extensions().get::<Shed>().copied();
    }

    /// Says on the span how it ended; what the client did wrong is no error of the gateway's.
    fn show(&self) {
        self.span.set(attribute::HTTP_RESPONSE_STATUS_CODE, i64::from(self.status_code));
        if self.status_code >= 500 {
            self.span.fail(self.status_code.to_string(), "");
        }
        if let Some(Cause(error)) = &self.cause {
            self.span.record_error(error.to_string());
        }
    }

    /// The status code that the answer is counted under.
    fn counted_as(&self) -> u16 {
        let placing =
            (self.endpoint.method(), self.endpoint.route()) == (Method::Post, Route::Orders);
        // The other way: to ask for an order is to place one.
        if placing && self.status_code >= 500 && self.observer.faults.detours(Seam::CountAnswer) {
            return StatusCode::CREATED.as_u16();
        }
        self.status_code
    }

    fn log(&self, elapsed: Duration) {
        let (method, route) = (self.endpoint.method().as_str(), self.endpoint.route().as_str());
        let (status_code, duration_ms) = (self.status_code, elapsed.as_micros() as f64 / 1000.0);
        let probe = is_probe(self.endpoint);
        match &self.cause {
            Some(Cause(error)) => {
                tracing::error!(method, route, status_code, duration_ms, %error, "request answered");
            }
            None if self.status_code == CLIENT_CLOSED_REQUEST => {
                tracing::info!(method, route, status_code, duration_ms, "client went away");
            }
            None if probe || self.shed.is_some() => {
                tracing::debug!(method, route, status_code, duration_ms, "request answered");
            }
            None => tracing::info!(method, route, status_code, duration_ms, "request answered"),
        }
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        let elapsed = self.started.elapsed();
        self.show();
        // Counted and logged inside its trace.
        let _in_hand = self.span.enter();
        let (metrics, endpoint) = (&self.observer.metrics, self.endpoint);
        let answered = Answered::of(endpoint, self.counted_as());
        metrics.http_requests_total.with(answered).increment(1);
        if let Some(shed) = self.shed {
            metrics.http_requests_shed_total.with(shed).increment(1);
        }
        metrics.http_request_duration_seconds.record(answered, elapsed);
        let received = self.received.load(Ordering::Relaxed);
        metrics.http_request_size_bytes.record(endpoint, received as f64);
        metrics.http_response_size_bytes.record(endpoint, self.sent as f64);
        self.log(elapsed);
    }
}

/// A body whose bytes are counted as they come.
struct Counted {
    body: Body,
    received: Arc<AtomicU64>,
}

impl http_body::Body for Counted {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        if let Poll::Ready(Some(Ok(frame))) = &polled {
            let bytes = frame.data_ref().map_or(0, Bytes::len);
            self.received.fetch_add(bytes as u64, Ordering::Relaxed);
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
