//! How calls come in: the head of one first, and its message when the way from its caller lets it
//! through. A call for health has hardly a message to wait for.

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use faults::{Seam, Switchboard};
use http::{Request, Response};
use instrumentation::rpc::Method;
use tower::{Layer, Service, ServiceExt as _};

use crate::error::Error;

/// The layer: for `tonic::transport::Server::builder().layer(…)`.
#[derive(Clone, Debug)]
pub(crate) struct Arrival(pub(crate) Arc<Switchboard>);

/// A server to which calls come over a way of their own.
#[derive(Clone, Debug)]
pub(crate) struct Arriving<S> {
    inner: S,
    faults: Arc<Switchboard>,
}

impl<S> Layer<S> for Arrival {
    type Service = Arriving<S>;

    fn layer(&self, inner: S) -> Arriving<S> {
        Arriving { inner, faults: self.0.clone() }
    }
}

impl<S, B, A> Service<Request<B>> for Arriving<S>
where
    S: Service<Request<B>, Response = Response<A>, Future: Send> + Clone + Send + 'static,
    B: Send + 'static,
    A: Default,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let (inner, faults) = (self.inner.clone(), self.faults.clone());
        Box::pin(async move {
            if Method::of(request.uri().path()) != Method::Other
                && let Err(failure) = faults.strike(Seam::ReceiveCall).await
            {
                return Ok(Error::from(failure).answer().into_http());
            }
            inner.oneshot(request).await
        })
    }
}
