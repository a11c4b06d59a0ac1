//! The HTTP hop: each route reads its request, has it served and answers.

use axum::{
    Json, Router,
    extract::{
        Path, Query, Request, State,
        rejection::{PathRejection, QueryRejection},
    },
    http::{HeaderName, HeaderValue, StatusCode},
    middleware::{Next, from_fn_with_state},
    response::{IntoResponse, Response},
    routing::{MethodRouter, get, post},
};
use serde::{Deserialize, Serialize};

use crate::{
    answer::{Done, Page, Present, Status, Token},
    error::Error,
    keys::Key,
    metrics::{Operation, Outcome},
    observe::observe,
    provider::Provider,
    request::{self, Body, NewAuthorization, NewToken, Which},
};

const IDEMPOTENT_REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");
/// How many entries of the ledger there are on a page at most.
const LONGEST_PAGE: usize = 10_000;
/// How many there are if nothing is said.
const PAGE: usize = 1000;

/// The routes.
pub(crate) fn router(provider: Provider) -> Router {
    let measured = |operation, route: MethodRouter<Provider>| {
        route.route_layer(from_fn_with_state((provider.clone(), operation), observe))
    };
    let protected = |operation, route: MethodRouter<Provider>| {
        measured(operation, route.route_layer(from_fn_with_state(provider.clone(), authenticate)))
    };
    Router::new()
        .route("/tokens", measured(Operation::Token, post(issue_token)))
        .route("/authorizations", protected(Operation::Authorize, post(authorize)))
        .route("/authorizations/{key}", protected(Operation::LookUp, get(look_up)))
        .route("/captures", protected(Operation::Capture, post(capture)))
        .route("/refunds", protected(Operation::Refund, post(refund)))
        .route("/ledger", get(show_ledger))
        .fallback(async || Error::NotFound)
        .method_not_allowed_fallback(async || Error::MethodNotAllowed)
        .with_state(provider)
}

/// Lets those through who have a token.
async fn authenticate(
    State(provider): State<Provider>,
    request: Request,
    next: Next,
) -> Result<Response, Error> {
    let token = request::token(request.headers()).ok_or(Error::InvalidToken)?;
    provider.check_token(token)?;
    Ok(next.run(request).await)
}

async fn issue_token(
    State(provider): State<Provider>,
    Body(NewToken { client_id, client_secret }): Body<NewToken>,
) -> Result<Json<Token>, Error> {
    provider.check_credentials(&client_id, &client_secret)?;
    provider.have_served(|_| ()).await?;
    Ok(Json(provider.issue_token()))
}

async fn authorize(
    State(provider): State<Provider>,
    key: Key,
    Body(request): Body<NewAuthorization>,
) -> Result<Response, Error> {
    let drawing = provider.clone();
    let done = provider.have_served(move |books| {
        let decline_reason = drawing.decline(&key, &request.payment_method);
        books.authorize(key, request, decline_reason)
    });
    let done = done.await??;
    let declined = !done.again && done.content.status == Status::Declined;
    let mut response = done.into_response();
    if declined {
        response.extensions_mut().insert(Outcome::Declined);
    }
    Ok(response)
}

async fn look_up(
    State(provider): State<Provider>,
    key: Result<Path<String>, PathRejection>,
) -> Result<Json<Present>, Error> {
    let Path(key) = key.map_err(|_| Error::AuthorizationNotFound)?;
    let found = provider.have_served(move |books| books.look_up(&key)).await?;
    found.map(Json)
}

async fn capture(
    State(provider): State<Provider>,
    key: Key,
    Body(which): Body<Which>,
) -> Result<Response, Error> {
    let done = provider.have_served(move |books| books.capture(key, which.id()?)).await??;
    Ok(done.into_response())
}

async fn refund(
    State(provider): State<Provider>,
    key: Key,
    Body(which): Body<Which>,
) -> Result<Response, Error> {
    let done = provider.have_served(move |books| books.reverse(key, which.id()?)).await??;
    Ok(done.into_response())
}

/// Which part of the ledger is asked for.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Part {
    /// The number of the last entry that is known.
    #[serde(default)]
    since: u64,
    #[serde(default = "page")]
    limit: usize,
}

fn page() -> usize {
    PAGE
}

/// For tests and for the lab, so it needs neither token nor server.
async fn show_ledger(
    State(provider): State<Provider>,
    part: Result<Query<Part>, QueryRejection>,
) -> Result<Json<Page>, Error> {
    let Query(Part { since, limit }) =
        part.map_err(|rejection| Error::InvalidQuery(rejection.body_text()))?;
    if limit > LONGEST_PAGE {
        return Err(Error::InvalidQuery(format!("limit must not be more than {LONGEST_PAGE}")));
    }
    Ok(Json(provider.look(|books| books.page(since, limit))))
}

impl<T: Serialize> IntoResponse for Done<T> {
    fn into_response(self) -> Response {
        let mut response = (StatusCode::CREATED, Json(self.content)).into_response();
        if self.again {
            response.headers_mut().insert(IDEMPOTENT_REPLAYED, HeaderValue::from_static("true"));
            response.extensions_mut().insert(Outcome::Replayed);
        }
        response
    }
}
