//! How many calls are worked on at once: what cannot be begun soon is refused, before it waits for a
//! connection to the database and while it has cost nothing.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use contract::refusal::Reason;
use http::{Request, Response};
use identity::{Caller, Role};
use instrumentation::{metrics::Counter, rpc::Method};
use resilience::Bulkhead;
use tower::{Layer, Service, ServiceExt as _};

/// The layer: for `tonic::transport::Server::builder().layer(…)`.
#[derive(Clone, Debug)]
pub(crate) struct Shedding {
    pub(crate) bulkhead: Bulkhead,
    pub(crate) shed: Counter<()>,
}

/// A server with a limit.
#[derive(Clone, Debug)]
pub(crate) struct Limited<S> {
    inner: S,
    shedding: Shedding,
}

impl<S> Layer<S> for Shedding {
    type Service = Limited<S>;

    fn layer(&self, inner: S) -> Limited<S> {
        Limited { inner, shedding: self.clone() }
    }
}

impl<S, B, A> Service<Request<B>> for Limited<S>
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
        let (inner, shedding) = (self.inner.clone(), self.shedding.clone());
        Box::pin(async move {
            let caller = request.extensions().get::<Caller>();
            if !is_limited(Method::of(request.uri().path()), caller) {
                return inner.oneshot(request).await;
            }
            match shedding.bulkhead.enter().await {
                Ok(_slot) => inner.oneshot(request).await,
                Err(full) => {
                    shedding.shed.increment(1);
                    Ok(Reason::Overloaded.status(full.to_string()).into_http())
                }
            }
        })
    }
}

/// Customers' calls are. The workers' have a limit of their own, their prefetch, and finish what was
/// promised, for which they look at an order, too; those that sign in have one too (`accounts::passwords`), so that a flood of guesses takes
/// no place from an order; a call for health must be answered when there is much to do, too.
fn is_limited(method: Method, caller: Option<&Caller>) -> bool {
    match method {
        Method::GetOrder => caller.is_none_or(|caller| caller.role != Role::Service),
        Method::PlaceOrder | Method::ListOrders | Method::ListProducts | Method::GetAccount => true,
        Method::CompleteFulfillment
        | Method::FailFulfillment
        | Method::Authorize
        | Method::Capture
        | Method::Refund
        | Method::GetPayment
        | Method::Authenticate
        | Method::Other => false,
    }
}
