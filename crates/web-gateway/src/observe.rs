//! Around every request: its correlation id, its deadline, its metrics, its line in the log.

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
use http::{HeaderName, HeaderValue, header};
use http_body::{Body as _, Frame, SizeHint};
use instrumentation::{correlation::CorrelationId, metrics::Held, trace::TraceContext};
use tracing::{Instrument as _, Span};

use crate::{
    deadline::Deadline,
    error::Cause,
    metrics::{Answered, Endpoint, Metrics, Route},
};

/// The status code that counts a client that went away before its answer.
const CLIENT_CLOSED_REQUEST: u16 = 499;

/// What is needed around every request.
#[derive(Clone, Debug)]
pub(crate) struct Observer {
    pub(crate) metrics: Metrics,
    pub(crate) budget: Duration,
}

/// Does a request under its correlation id and deadline, measures and logs it.
pub(crate) async fn observe(
    State(observer): State<Observer>,
    mut request: Request,
    next: Next,
) -> Response {
    let template = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str);
    let endpoint = Endpoint::of(request.method(), template);
    let given = request.headers().get(CORRELATION_ID).and_then(|value| value.to_str().ok());
    let id = CorrelationId::accept_or_make(given);
    let trace = TraceContext::continue_or_begin(request.headers());
    let span = tracing::info_span!(
        "http",
        correlation_id = id.as_str(),
        trace_id = trace.trace_id(),
        span_id = trace.span_id(),
    );
    let mut exchange = Exchange::begin(observer.metrics, endpoint, span.clone());
    request.extensions_mut().insert(Deadline::after(observer.budget));
    let received = Arc::clone(&exchange.received);
    let request = request.map(|body| Body::new(Counted { body, received }));

    let returned = id.clone();
    // The exchange moves in, so that it is timed inside its trace.
    let work = async move {
        let mut response = next.run(request).await;
        finish(&mut response, &returned);
        exchange.ended(&response);
        response
    };
    trace.scope(id.scope(work.instrument(span))).await
}

/// What every answer has.
fn finish(response: &mut Response, id: &CorrelationId) {
    let id = HeaderValue::from_str(id.as_str()).expect("an id is visible ASCII");
    let headers = response.headers_mut();
    headers.insert(HeaderName::from_static(CORRELATION_ID), id);
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
}

/// A request in hand: counted and timed when it is dropped, so that one whose client went away,
/// and whose work was dropped with it, is counted too.
struct Exchange {
    metrics: Metrics,
    endpoint: Endpoint,
    span: Span,
    started: Instant,
    received: Arc<AtomicU64>,
    status_code: u16,
    sent: u64,
    cause: Option<Cause>,
    _active: Held,
}

impl Exchange {
    fn begin(metrics: Metrics, endpoint: Endpoint, span: Span) -> Self {
        let active = metrics.http_requests_active.hold(endpoint);
        Self {
            metrics,
            endpoint,
            span,
            started: Instant::now(),
            received: Arc::default(),
            status_code: CLIENT_CLOSED_REQUEST,
            sent: 0,
            cause: None,
            _active: active,
        }
    }

    fn ended(&mut self, response: &Response) {
        self.status_code = response.status().as_u16();
        self.sent = response.body().size_hint().lower();
        self.cause = response.extensions().get::<Cause>().cloned();
    }

    fn log(&self, elapsed: Duration) {
        let (method, route) = (self.endpoint.method().as_str(), self.endpoint.route().as_str());
        let (status_code, duration_ms) = (self.status_code, elapsed.as_secs_f64() * 1000.0);
        let probe = matches!(self.endpoint.route(), Route::Health | Route::Ready | Route::Metrics);
        match &self.cause {
            Some(Cause(error)) => {
                tracing::error!(method, route, status_code, duration_ms, %error, "request answered");
            }
            None if self.status_code == CLIENT_CLOSED_REQUEST => {
                tracing::info!(method, route, status_code, duration_ms, "client went away");
            }
            None if probe => {
                tracing::debug!(method, route, status_code, duration_ms, "request answered");
            }
            None => tracing::info!(method, route, status_code, duration_ms, "request answered"),
        }
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        let elapsed = self.started.elapsed();
        let (metrics, endpoint) = (&self.metrics, self.endpoint);
        let answered = Answered::of(endpoint, self.status_code);
        metrics.http_requests_total.with(answered).increment(1);
        metrics.http_request_duration_seconds.record(answered, elapsed);
        let received = self.received.load(Ordering::Relaxed);
        metrics.http_request_size_bytes.record(endpoint, received as f64);
        metrics.http_response_size_bytes.record(endpoint, self.sent as f64);
        self.span.in_scope(|| self.log(elapsed));
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
