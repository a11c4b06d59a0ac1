//! One hop over gRPC, as a server and as a client: the business thread goes on, the call is
//! counted and timed.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
    time::Instant,
};

use contract::CORRELATION_ID;
use http::{HeaderMap, HeaderValue, Request, Response};
use tonic::{Code, Status};
use tower::{Layer, Service};
use tracing::Instrument as _;

use crate::{correlation::CorrelationId, metrics::Held};

crate::label! {
    /// A method of the contract.
    pub enum Method as "method" {
        /// Reserve, store, announce.
        PlaceOrder = "PlaceOrder",
        /// Read one.
        GetOrder = "GetOrder",
        /// Read a page.
        ListOrders = "ListOrders",
        /// Read what is sold.
        ListProducts = "ListProducts",
        /// Picked and packed.
        CompleteFulfillment = "CompleteFulfillment",
        /// Cannot be picked.
        FailFulfillment = "FailFulfillment",
        /// gRPC health, reflection, and what does not exist.
        Other = "other",
    }
}

crate::label! {
    /// How a call ended, as gRPC names it.
    pub enum CallStatus as "status" {
        /// Well.
        Ok = "OK",
        /// The caller gave up.
        Cancelled = "CANCELLED",
        /// Nobody knows.
        Unknown = "UNKNOWN",
        /// The request makes no sense.
        InvalidArgument = "INVALID_ARGUMENT",
        /// Too late.
        DeadlineExceeded = "DEADLINE_EXCEEDED",
        /// There is no such thing.
        NotFound = "NOT_FOUND",
        /// It exists already.
        AlreadyExists = "ALREADY_EXISTS",
        /// Not allowed.
        PermissionDenied = "PERMISSION_DENIED",
        /// Too much was asked for.
        ResourceExhausted = "RESOURCE_EXHAUSTED",
        /// The state of things forbids it.
        FailedPrecondition = "FAILED_PRECONDITION",
        /// Someone else was faster.
        Aborted = "ABORTED",
        /// Past the end.
        OutOfRange = "OUT_OF_RANGE",
        /// There is no such method.
        Unimplemented = "UNIMPLEMENTED",
        /// A defect.
        Internal = "INTERNAL",
        /// Not now.
        Unavailable = "UNAVAILABLE",
        /// Gone for good.
        DataLoss = "DATA_LOSS",
        /// Who are you?
        Unauthenticated = "UNAUTHENTICATED",
    }
}

impl Method {
    /// The method that a request's path names.
    pub fn of(path: &str) -> Self {
        let name = path.strip_prefix("/shop.v1.Orders/");
        let known = |method: &&Self| name == Some(method.as_str());
        Self::ALL.iter().find(known).copied().unwrap_or(Self::Other)
    }
}

impl From<Code> for CallStatus {
    fn from(code: Code) -> Self {
        match code {
            Code::Ok => Self::Ok,
            Code::Cancelled => Self::Cancelled,
            Code::Unknown => Self::Unknown,
            Code::InvalidArgument => Self::InvalidArgument,
            Code::DeadlineExceeded => Self::DeadlineExceeded,
            Code::NotFound => Self::NotFound,
            Code::AlreadyExists => Self::AlreadyExists,
            Code::PermissionDenied => Self::PermissionDenied,
            Code::ResourceExhausted => Self::ResourceExhausted,
            Code::FailedPrecondition => Self::FailedPrecondition,
            Code::Aborted => Self::Aborted,
            Code::OutOfRange => Self::OutOfRange,
            Code::Unimplemented => Self::Unimplemented,
            Code::Internal => Self::Internal,
            Code::Unavailable => Self::Unavailable,
            Code::DataLoss => Self::DataLoss,
            Code::Unauthenticated => Self::Unauthenticated,
        }
    }
}

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
        request.status = answer.as_ref().map_or_else(|status| status.code().into(), |_| CallStatus::Ok);
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

/// The server's layer: for `tonic::transport::Server::builder().layer(…)`.
#[derive(Clone, Debug)]
pub struct ServerLayer(pub ServerMetrics);

/// The client's layer: for `ServiceBuilder::new().layer(…).service(channel)`.
#[derive(Clone, Debug)]
pub struct ClientLayer(pub ClientMetrics);

/// A gRPC server that is measured.
#[derive(Clone, Debug)]
pub struct Server<S> {
    inner: S,
    metrics: ServerMetrics,
}

/// A gRPC channel that is measured.
#[derive(Clone, Debug)]
pub struct Client<S> {
    inner: S,
    metrics: ClientMetrics,
}

impl<S> Layer<S> for ServerLayer {
    type Service = Server<S>;

    fn layer(&self, inner: S) -> Server<S> {
        Server { inner, metrics: self.0.clone() }
    }
}

impl<S> Layer<S> for ClientLayer {
    type Service = Client<S>;

    fn layer(&self, inner: S) -> Client<S> {
        Client { inner, metrics: self.0.clone() }
    }
}

type Answer<S, E> = Pin<Box<dyn Future<Output = Result<S, E>> + Send>>;

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
        let id = CorrelationId::accept_or_make(text(request.headers(), CORRELATION_ID));
        let span =
            tracing::info_span!("rpc", rpc.method = method.as_str(), correlation_id = id.as_str(),);
        let mut call = ServerCall::begin(self.metrics.clone(), method);
        let answer = id.scope(self.inner.call(request));
        Box::pin(
            async move {
                let answer = answer.await;
                call.ended(status(&answer));
                answer
            }
            .instrument(span),
        )
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

impl<S, B, A> Service<Request<B>> for Client<S>
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

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let (metrics, started) = (self.metrics.clone(), Instant::now());
        let method = Method::of(request.uri().path());
        if let Some(id) = CorrelationId::current()
            && let Ok(value) = HeaderValue::from_str(id.as_str())
        {
            request.headers_mut().insert(CORRELATION_ID, value);
        }
        let answer = self.inner.call(request);
        Box::pin(async move {
            let answer = answer.await;
            metrics.grpc_client_attempts_total.with((method, status(&answer))).increment(1);
            metrics.grpc_client_attempt_duration_seconds.record(method, started.elapsed());
            answer
        })
    }
}

/// A unary call that fails says so in its headers; one that succeeds only in its trailers.
fn status<A, E>(answer: &Result<Response<A>, E>) -> CallStatus {
    match answer {
        Ok(answer) => Status::from_header_map(answer.headers())
            .map_or(CallStatus::Ok, |status| status.code().into()),
        Err(_) => CallStatus::Unavailable,
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_names_its_method_and_nothing_else_does() {
        assert_eq!(Method::of("/shop.v1.Orders/PlaceOrder"), Method::PlaceOrder);
        assert_eq!(Method::of("/shop.v1.Orders/other"), Method::Other);
        assert_eq!(Method::of("/grpc.health.v1.Health/Check"), Method::Other);
    }
}
