//! The server's side of a gRPC hop.

use std::{
    task::{Context, Poll},
    time::Instant,
};

use contract::CORRELATION_ID;
use http::{Request, Response};
use tower::{Layer, Service};
use tracing::Instrument as _;

use super::{Answer, CallStatus, Method, status};
use crate::{correlation::CorrelationId, metrics::Held, trace::TraceContext};

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
    metrics: ServerMetrics,
}

impl<S> Layer<S> for ServerLayer {
    type Service = Server<S>;

    fn layer(&self, inner: S) -> Server<S> {
        Server { inner, metrics: self.0.clone() }
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
        let trace = TraceContext::continue_or_begin(request.headers());
        let span = tracing::info_span!(
            "rpc",
            rpc.method = method.as_str(),
            correlation_id = id.as_str(),
            trace_id = trace.trace_id(),
            span_id = trace.span_id(),
        );
        let mut call = ServerCall::begin(self.metrics.clone(), method);
        let answer = self.inner.call(request);
        // The call moves in, so that it is timed inside its trace.
        let work = async move {
            let answer = answer.await;
            if let Ok(answer) = &answer {
                call.ended(status(answer.headers()));
            }
            answer
        };
        Box::pin(trace.scope(id.scope(work.instrument(span))))
    }
}

/// A call in hand: counted and timed when it is dropped, so that a call whose client has gone
/// away, and whose work is dropped with it, counts as canceled.
struct ServerCall {
    metrics: ServerMetrics,
    method: Method,
    status: CallStatus,
    started: Instant,
    _active: Held,
}

impl ServerCall {
    fn begin(metrics: ServerMetrics, method: Method) -> Self {
        let active = metrics.grpc_requests_active.hold(method);
        let (status, started) = (CallStatus::Cancelled, Instant::now());
        Self { metrics, method, status, started, _active: active }
    }

    fn ended(&mut self, status: CallStatus) {
        self.status = status;
    }
}

impl Drop for ServerCall {
    fn drop(&mut self) {
        let Self { metrics, method, status, started, .. } = self;
        metrics.grpc_requests_total.with((*method, *status)).increment(1);
        metrics.grpc_request_duration_seconds.record(*method, started.elapsed());
    }
}
