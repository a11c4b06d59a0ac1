//! The client's side of a gRPC hop.

use std::{
    error::Error,
    future::Future,
    sync::Arc,
    task::{Context, Poll},
    time::Instant,
};

use contract::CORRELATION_ID;
use http::{HeaderValue, Request, Response};
use tonic::Status;
use tower::{Layer, Service};

use super::{Answer, CallStatus, Method, show, span_name, status};
use crate::{
    correlation::CorrelationId,
    trace::{self, KeyValue, Span, SpanKind, attribute},
};

crate::metrics! {
    /// What a gRPC client measures.
    pub struct ClientMetrics {
        /// gRPC calls made, retries included.
        grpc_client_attempts_total: Counter<(Method, CallStatus)>, Count;
        /// Time from making a gRPC call to its answer or failure, each attempt by itself.
        grpc_client_attempt_duration_seconds: Timer<Method>, Seconds;
    }
}

crate::metrics! {
    /// What a gRPC client measures of its requests: what it wanted, however many attempts it took.
    pub struct RequestMetrics {
        /// gRPC requests made, each counted once whatever was retried for it.
        grpc_client_requests_total: Counter<(Method, CallStatus)>, Count;
        /// Time from wanting a gRPC answer to having it or giving up, retries and waits included.
        grpc_client_request_duration_seconds: Timer<Method>, Seconds;
    }
}

impl RequestMetrics {
    /// Does the work of one request, counts and times it; work that is dropped was canceled.
    pub async fn measure<T>(
        &self,
        method: Method,
        work: impl Future<Output = Result<T, Status>>,
    ) -> Result<T, Status> {
        let (status, started) = (CallStatus::Cancelled, Instant::now());
        let mut request = ClientRequest { metrics: self, method, status, started };
        let answer = work.await;
        request.status =
            answer.as_ref().map_or_else(|status| status.code().into(), |_| CallStatus::Ok);
        answer
    }
}

/// A request in hand, counted and timed when it is dropped.
struct ClientRequest<'a> {
    metrics: &'a RequestMetrics,
    method: Method,
    status: CallStatus,
    started: Instant,
}

impl Drop for ClientRequest<'_> {
    fn drop(&mut self) {
        let Self { metrics, method, status, started } = self;
        metrics.grpc_client_requests_total.with((*method, *status)).increment(1);
        metrics.grpc_client_request_duration_seconds.record(*method, started.elapsed());
    }
}

/// The client's layer: for `ServiceBuilder::new().layer(…).service(channel)`.
#[derive(Clone, Debug)]
pub struct ClientLayer(pub ClientMetrics);

/// A gRPC channel that is measured.
#[derive(Clone, Debug)]
pub struct Client<S> {
    inner: S,
    metrics: Arc<ClientMetrics>,
}

impl<S> Layer<S> for ClientLayer {
    type Service = Client<S>;

    fn layer(&self, inner: S) -> Client<S> {
        Client { inner, metrics: Arc::new(self.0.clone()) }
    }
}

impl<S, B, A> Service<Request<B>> for Client<S>
where
    S: Service<Request<B>, Response = Response<A>>,
    S::Future: Send + 'static,
    S::Error: Failed + Send + 'static,
    A: Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Answer<S::Response, S::Error>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let method = Method::of(request.uri().path());
        if let Some(id) = CorrelationId::current()
            && let Ok(value) = HeaderValue::from_str(id.as_str())
        {
            request.headers_mut().insert(CORRELATION_ID, value);
        }
        let span = Span::part(SpanKind::Client, span_name(request.uri().path()), || {
            vec![
                KeyValue::new(attribute::RPC_SYSTEM_NAME, "grpc"),
                KeyValue::new(attribute::RPC_METHOD, span_name(request.uri().path())),
            ]
        });
        trace::inject(&span.context(), request.headers_mut());
        let mut attempt = Attempt::begin(Arc::clone(&self.metrics), method, span);
        let answer = self.inner.call(request);
        Box::pin(async move {
            let answer = answer.await;
            attempt.ended(match &answer {
                Ok(answer) => status(answer.headers()),
                Err(error) if is_too_late(error.cause()) => CallStatus::DeadlineExceeded,
                Err(_) => CallStatus::Unavailable,
            });
            answer
        })
    }
}

/// An attempt in hand, counted and timed when it is dropped: one that nobody waits for any more
/// was canceled.
struct Attempt {
    metrics: Arc<ClientMetrics>,
    method: Method,
    span: Span,
    status: CallStatus,
    started: Instant,
}

impl Attempt {
    fn begin(metrics: Arc<ClientMetrics>, method: Method, span: Span) -> Self {
        Self { metrics, method, span, status: CallStatus::Cancelled, started: Instant::now() }
    }

    fn ended(&mut self, status: CallStatus) {
        self.status = status;
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        let Self { metrics, method, span, status, started } = self;
        show(span, *status, *status != CallStatus::Ok);
        let _in_hand = span.enter();
        metrics.grpc_client_attempts_total.with((*method, *status)).increment(1);
        metrics.grpc_client_attempt_duration_seconds.record(*method, started.elapsed());
    }
}

/// Why a call had no answer, whatever layers it went through.
pub trait Failed {
    /// The error; its sources tell more.
    fn cause(&self) -> &(dyn Error + 'static);
}

impl Failed for tonic::transport::Error {
    fn cause(&self) -> &(dyn Error + 'static) {
        self
    }
}

impl Failed for Status {
    fn cause(&self) -> &(dyn Error + 'static) {
        self
    }
}

impl Failed for Box<dyn Error + Send + Sync> {
    fn cause(&self) -> &(dyn Error + 'static) {
        &**self
    }
}

/// Whether the channel gave up because the call's deadline was over.
pub fn is_too_late(error: &(dyn Error + 'static)) -> bool {
    error.is::<tonic::TimeoutExpired>() || error.source().is_some_and(is_too_late)
}
