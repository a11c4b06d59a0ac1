//! What can go wrong with a request, and what its client is told: RFC 9457 problem details with a
//! stable code.

use axum::{
    Json,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;

use crate::metrics::Outcome;

/// Why a request was not done; its text is fit for the client.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Error {
    #[error("{0}")]
    MalformedJson(String),
    #[error("{0}")]
    InvalidRequest(String),
    #[error("{0}")]
    InvalidQuery(String),
    #[error("Idempotency-Key must be there once, with 1 to 255 visible ASCII characters")]
    InvalidIdempotencyKey,
    #[error("send the body with Content-Type: application/json")]
    UnsupportedMediaType,
    #[error("the body must not be larger than {0} bytes")]
    BodyTooLarge(usize),
    #[error("the body did not come in time")]
    BodyTimeout,
    #[error("no client has this id and this secret")]
    InvalidClient,
    #[error("send a token from POST /tokens as Authorization: Bearer")]
    InvalidToken,
    #[error("the token has expired; POST /tokens gives another")]
    TokenExpired,
    #[error("nothing is served at this path")]
    NotFound,
    #[error("this path is not served with this method; see the header Allow")]
    MethodNotAllowed,
    #[error("nothing was asked for with this key or has this id, as far as is remembered")]
    AuthorizationNotFound,
    #[error("the card was declined, so there is nothing to capture or to give back")]
    AuthorizationDeclined,
    #[error("it was voided or refunded")]
    AuthorizationClosed,
    #[error("the key was used with another body")]
    KeyReused,
    #[error("too many requests wait already")]
    Overloaded,
    #[error("something went wrong here; ask with the same key what became of it")]
    Internal,
}

/// What is wrong (RFC 9457).
#[derive(Debug, Serialize)]
struct Problem {
    #[serde(rename = "type")]
    kind: String,
    title: &'static str,
    status: u16,
    detail: String,
    code: &'static str,
}

impl Error {
    /// The status, the code for programs, and what is wrong in a few words that never change.
    fn facts(&self) -> (StatusCode, &'static str, &'static str) {
        use StatusCode as S;
        match self {
            Self::MalformedJson(_) => (S::BAD_REQUEST, "malformed_json", "The body is not JSON"),
            Self::InvalidRequest(_) => {
                (S::UNPROCESSABLE_ENTITY, "invalid_request", "The request is not valid")
            }
            Self::InvalidQuery(_) => (S::BAD_REQUEST, "invalid_query", "The query is not valid"),
            Self::InvalidIdempotencyKey => {
                (S::BAD_REQUEST, "invalid_idempotency_key", "The idempotency key is not valid")
            }
            Self::UnsupportedMediaType => (
                S::UNSUPPORTED_MEDIA_TYPE,
                "unsupported_media_type",
                "The body must be application/json",
            ),
            Self::BodyTooLarge(_) => {
                (S::PAYLOAD_TOO_LARGE, "body_too_large", "The body is too large")
            }
            Self::BodyTimeout => {
                (S::REQUEST_TIMEOUT, "body_timeout", "The body did not come in time")
            }
            Self::InvalidClient => {
                (S::UNAUTHORIZED, "invalid_client", "The credentials are not valid")
            }
            Self::InvalidToken => (S::UNAUTHORIZED, "invalid_token", "The token is not valid"),
            Self::TokenExpired => (S::UNAUTHORIZED, "token_expired", "The token has expired"),
            Self::NotFound => (S::NOT_FOUND, "not_found", "There is nothing here"),
            Self::MethodNotAllowed => {
                (S::METHOD_NOT_ALLOWED, "method_not_allowed", "The method is not allowed here")
            }
            Self::AuthorizationNotFound => {
                (S::NOT_FOUND, "authorization_not_found", "There is no such authorization")
            }
            Self::AuthorizationDeclined => {
                (S::CONFLICT, "authorization_declined", "The card was declined")
            }
            Self::AuthorizationClosed => {
                (S::CONFLICT, "authorization_closed", "The authorization is closed")
            }
            Self::KeyReused => (
                S::UNPROCESSABLE_ENTITY,
                "idempotency_key_reused",
                "The idempotency key was used for another request",
            ),
            Self::Overloaded => {
                (S::SERVICE_UNAVAILABLE, "overloaded", "Too many requests wait already")
            }
            Self::Internal => (S::INTERNAL_SERVER_ERROR, "internal", "Something went wrong here"),
        }
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let (status, code, title) = self.facts();
        let kind = format!("/problems/{code}");
        let problem =
            Problem { kind, title, status: status.as_u16(), detail: self.to_string(), code };
        let mut response = (status, Json(problem)).into_response();
        let headers = response.headers_mut();
        let mut add = |name, value| headers.insert(name, HeaderValue::from_static(value));
        add(header::CONTENT_TYPE, "application/problem+json");
        let outcome = match status {
            StatusCode::UNAUTHORIZED => {
                add(header::WWW_AUTHENTICATE, "Bearer");
                Outcome::Unauthorized
            }
            StatusCode::SERVICE_UNAVAILABLE => {
                add(header::RETRY_AFTER, "1");
                Outcome::Overloaded
            }
            StatusCode::INTERNAL_SERVER_ERROR => Outcome::Failed,
            _ => Outcome::Refused,
        };
        response.extensions_mut().insert(outcome);
        response
    }
}
