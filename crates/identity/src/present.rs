//! A layer that presents a token with every call.

use std::{
    sync::Arc,
    task::{Context, Poll},
};

use http::{HeaderValue, Request, header::AUTHORIZATION};
use tower::{Layer, Service};

use crate::standing::Standing;

/// Where the token of a call comes from.
pub trait Source {
    /// The header `authorization` for the call that is just made; none presents nothing.
    fn authorization(&self) -> Option<HeaderValue>;
}

impl Source for Arc<Standing> {
    fn authorization(&self) -> Option<HeaderValue> {
        Some(self.header())
    }
}

/// The layer: for `ServiceBuilder::new().layer(…).service(channel)`.
#[derive(Clone, Debug)]
pub struct Present<T>(pub T);

/// A service whose every call presents a token.
#[derive(Clone, Debug)]
pub struct Presenting<S, T> {
    inner: S,
    source: T,
}

impl<S, T: Clone> Layer<S> for Present<T> {
    type Service = Presenting<S, T>;

    fn layer(&self, inner: S) -> Presenting<S, T> {
        Presenting { inner, source: self.0.clone() }
    }
}

impl<S, T, B> Service<Request<B>> for Presenting<S, T>
where
    S: Service<Request<B>>,
    T: Source,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<B>) -> S::Future {
        if let Some(token) = self.source.authorization() {
            request.headers_mut().insert(AUTHORIZATION, token);
        }
        self.inner.call(request)
    }
}
