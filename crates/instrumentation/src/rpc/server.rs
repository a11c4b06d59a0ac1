//! The server's side of a gRPC hop.

use std::{
    sync::Arc,
    task::{Context, Poll},
    time::Instant,
};

use contract::CORRELATION_ID;
use http::{Request, Response};
use opentelemetry::context::FutureExt as _;
use tower::{Layer, Service};

use super::{Answer, CallStatus, Method, show, span_name, status};
use crate::{
    correlation::CorrelationId,
    metrics::Held,
    trace::{self, KeyValue, Span, SpanKind, attribute},
};

crate::metrics! {
    /// What a gRPC server measures.
    pub struct ServerMetrics {
        /// gRPC calls answered.
        grpc_requests_total: Counter<(Method, CallStatus)>, Count;
        /// Time from a gRPC call's arrival to its answer.
        grpc_request_duration_seconds: Timer<Method>, Seconds;
        /// gRPC calls that are being worked on.
        grpc_requests_active: Gauge<Method>, Count;
    }
}

/// The server's layer: for `tonic::transport::Server::builder().layer(…)`.
#[derive(Clone, Debug)]
pub struct ServerLayer(pub ServerMetrics);

/// A gRPC server that is measured.
#[derive(Clone, Debug)]
pub struct Server<S> {
    inner: S,
    metrics: Arc<ServerMetrics>,
}

impl<S> Layer<S> for ServerLayer {
    type Service = Server<S>;

    fn layer(&self, inner: S) -> Server<S> {
        Server { inner, metrics: Arc::new(self.0.clone()) }
    }
}

impl<S, B, A> Service<Request<B>> for Server<S>
where
    S: Service<Request<B>, Response = Response<A>>,
    S::Future: Send + 'static,
    S::Error: Send + 'static,
    A: Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Answer<S::Response, S::Error>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let method = Method::of(request.uri().path());
        let given = request.headers().get(CORRELATION_ID).and_then(|id| id.to_str().ok());
        let id = CorrelationId::accept_or_make(given);
        let span = span(method, &request, &id);
        let context = span.context();
        let mut call = ServerCall::begin(Arc::clone(&self.metrics), method, span);
        let answer = self.inner.call(request);
        let work = async move {
            let answer = answer.await;
            if let Ok(answer) = &answer {
                call.ended(status(answer.headers()));
            }
            answer
        };
        Box::pin(id.scope(work).with_context(context))
    }
}

/// The span of a call of the contract; health and reflection are nobody's business.
fn span<B>(method: Method, request: &Request<B>, id: &CorrelationId) -> Span {
    if method == Method::Other {
        return Span::none();
    }
    let name = span_name(request.uri().path());
    let attributes = vec![
        KeyValue::new(attribute::RPC_SYSTEM_NAME, "grpc"),
        KeyValue::new(attribute::RPC_METHOD, name.clone()),
        KeyValue::new(attribute::CORRELATION_ID, id.to_string()),
    ];
    Span::begin(SpanKind::Server, name, &trace::extract(request.headers()), attributes)
}

/// A call in hand: counted and timed when it is dropped, so that a call whose client has gone
/// away, and whose work is dropped with it, counts as canceled.
struct ServerCall {
    metrics: Arc<ServerMetrics>,
    method: Method,
    span: Span,
    status: CallStatus,
    started: Instant,
    _active: Held,
}

impl ServerCall {
    fn begin(metrics: Arc<ServerMetrics>, method: Method, span: Span) -> Self {
        let active = metrics.grpc_requests_active.hold(method);
        let (status, started) = (CallStatus::Cancelled, Instant::now());
        Self { metrics, method, span, status, started, _active: active }
    }

    fn ended(&mut self, status: CallStatus) {
        self.status = status;
    }
}

impl Drop for ServerCall {
    fn drop(&mut self) {
        let Self { metrics, method, span, status, started, .. } = self;
        show(span, *status, status.is_servers_fault());
        // Timed inside its trace.
        let _in_hand = span.enter();
        metrics.grpc_requests_total.with((*method, *status)).increment(1);
        metrics.grpc_request_duration_seconds.record(*method, started.elapsed());
    }
}
