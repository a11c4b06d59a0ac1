//! Signing in, and staying so.

use std::sync::Arc;

use axum::{
    Extension, Json,
    extract::{Request, State},
};
use serde::Serialize;
use utoipa::ToSchema;

use super::form::{self, Credentials, Refresh};
use crate::{body, deadline::Deadline, error::Error, routes::Gateway};

/// How a token is presented (RFC 6750).
const BEARER: &str = "Bearer";

/// Who signed in may call for a while, and stay signed in for longer.
#[derive(Serialize, ToSchema)]
pub(crate) struct Tokens {
    #[serde(flatten)]
    access: AccessToken,
    /// For `POST /auth/refresh`, and nothing else; when its time is over, sign in again.
    refresh_token: String,
}

/// A token to call with.
#[derive(Serialize, ToSchema)]
pub(crate) struct AccessToken {
    /// For the header: `Authorization: Bearer ACCESS_TOKEN`.
    access_token: String,
    /// `Bearer`.
    #[schema(value_type = String, example = "Bearer")]
    token_type: &'static str,
    /// For how many seconds it is good.
    #[schema(minimum = 1, example = 900)]
    expires_in: u64,
}

/// Sign in
///
/// The answer has a token for the header `Authorization`. An unknown name and a wrong password are
/// answered alike; after a few wrong ones, the next must wait for `Retry-After`.
#[utoipa::path(post, path = "/auth/login", tag = "identity", request_body = Credentials,
    responses((status = 200, body = Tokens, description = "Signed in.")))]
pub(crate) async fn login(
    State(gateway): State<Arc<Gateway>>,
    Extension(deadline): Extension<Deadline>,
    request: Request,
) -> Result<Json<Tokens>, Error> {
    let client = gateway.auth.client(&request);
    let body = body::read(request, gateway.body_limit, deadline).await?;
    let (username, password) = form::credentials(&body)?;
    let caller = gateway.auth.log_in(client, username, password, deadline).await?;
    let access = gateway.auth.access(&caller);
    Ok(Json(Tokens { access, refresh_token: gateway.auth.refresh_token(&caller) }))
}

/// Stay signed in
///
/// The answer has a new access token, for whatever the account is by now. There is no new refresh
/// token: once its time is over, sign in again.
#[utoipa::path(post, path = "/auth/refresh", tag = "identity", request_body = Refresh,
    responses((status = 200, body = AccessToken, description = "Still signed in.")))]
pub(crate) async fn refresh(
    State(gateway): State<Arc<Gateway>>,
    Extension(deadline): Extension<Deadline>,
    request: Request,
) -> Result<Json<AccessToken>, Error> {
    let body = body::read(request, gateway.body_limit, deadline).await?;
    let caller = gateway.auth.renew(&form::refresh_token(&body)?, deadline).await?;
    Ok(Json(gateway.auth.access(&caller)))
}

impl AccessToken {
    pub(super) fn new(access_token: String, expires_in: u64) -> Self {
        Self { access_token, token_type: BEARER, expires_in }
    }
}
