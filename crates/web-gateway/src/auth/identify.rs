//! Before every route of the shop: whose request it is, by its token.

use std::sync::Arc;

use axum::{
    extract::{MatchedPath, Request, State},
    http::{HeaderValue, StatusCode},
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use identity::present::Source;

use super::Auth;
use crate::{
    error::Error,
    metrics::{Endpoint, Method, Rejection, Route},
};

tokio::task_local! {
    /// What the request in hand presents to order-api.
    static AUTHORIZATION: HeaderValue;
}

/// The token of whoever asks, presented to order-api with every call that is made for them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CallersToken;

impl Source for CallersToken {
    fn authorization(&self) -> Option<HeaderValue> {
        AUTHORIZATION.try_with(HeaderValue::clone).ok()
    }
}

/// Lets a request through to its route under the name of whoever asks, or refuses it.
pub(crate) async fn identify(
    State(auth): State<Arc<Auth>>,
    mut request: Request,
    next: Next,
) -> Response {
    let template = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str);
    if is_open(Endpoint::of(request.method(), template)) {
        return next.run(request).await;
    }
    let (caller, authorization) = match auth.whose(request.headers()) {
        Ok(known) => known,
        Err(rejection) => {
            auth.count(rejection);
            return Error::Rejected(rejection).into_response();
        }
    };
    request.extensions_mut().insert(caller);
    let response = AUTHORIZATION.scope(authorization, next.run(request)).await;
    if response.status() == StatusCode::FORBIDDEN {
        auth.count(Rejection::Forbidden);
    }
    response
}

/// Whether it is answered without asking whose request it is. What a route does not serve is
/// refused by the router, whoever asks.
pub(crate) fn is_open(endpoint: Endpoint) -> bool {
    let shop = match endpoint.route() {
        Route::Orders | Route::Order | Route::Products => true,
        Route::Login
        | Route::Refresh
        | Route::Health
        | Route::Ready
        | Route::Metrics
        | Route::OpenApi
        | Route::Page
        | Route::Unmatched => false,
    };
    !shop || endpoint.method() == Method::Other
}
