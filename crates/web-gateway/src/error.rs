//! What can go wrong with a request, and what its client is told.

use std::{error::Error as _, fmt::Write as _, sync::Arc, time::Duration};

use axum::{
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use contract::{order::Invalid, refusal::Reason};
use http::StatusCode;
use identity::Denied;
use resilience::breaker::Open;
use tonic::Status;

use crate::{
    metrics::{Rejection, Shed},
    problem::{Code, Problem},
};

/// What makes it safe to send an order again.
const REPEAT: &str = "an order with an Idempotency-Key is placed once however often it is sent";

/// In how long what is not available now may be.
const MOMENT: Duration = Duration::from_secs(1);

/// Why a request was not done.
///
/// The text of a client's mistake is fit for the client; that of ours is for the log only.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The body is not JSON.
    #[error("{0}")]
    MalformedJson(serde_json::Error),
    /// The body ended before it was complete.
    #[error("the body ended early")]
    IncompleteBody,
    /// The body did not come in time.
    #[error("the body did not come within {}", humantime::format_duration(*.0))]
    BodyTimeout(Duration),
    /// The body is larger than this many bytes.
    #[error("the body must not be larger than {0} bytes")]
    BodyTooLarge(usize),
    /// The body is not what can be read.
    #[error("{0}")]
    UnsupportedMediaType(&'static str),
    /// The body is JSON, but not an order.
    #[error("{0}")]
    InvalidOrder(Invalid),
    /// A query parameter is wrong.
    #[error("{0}")]
    InvalidQuery(Invalid),
    /// The idempotency key is wrong.
    #[error("{0}")]
    InvalidIdempotencyKey(Invalid),
    /// The body is JSON, but not what is asked for to sign in.
    #[error("{0}")]
    InvalidForm(Invalid),
    /// Whoever asks is not known, or may not.
    #[error("{}", .0.explained())]
    Rejected(Rejection),
    /// The password was wrong so often that the next guess has to wait.
    #[error("wait before the next try")]
    TooManyAttempts(Duration),
    /// Nothing is served at this path.
    #[error("nothing is served at this path; /openapi.json lists what is")]
    NotFound,
    /// The path is not served with this method.
    #[error("this path is not served with this method; see the header Allow")]
    MethodNotAllowed,
    /// The id in the path is not an id.
    #[error("no order has an id that is not a UUID")]
    NotAnOrderId,
    /// The order is somebody else's, which is the same to whoever asks as that there is none.
    #[error("there is no such order")]
    NotYourOrder,
    /// order-api refused, for a reason that the client can know.
    #[error("{text}")]
    Refused {
        /// The reason.
        reason: Reason,
        /// The reason in words.
        text: String,
    },
    /// This client has asked for more than it may; in this time it may again.
    #[error("that was more than one client may ask for")]
    RateLimited(Duration),
    /// Too much is being done already.
    #[error("too much is being done already")]
    Overloaded,
    /// order-api is not asked, since it has failed too often; in this time it is again.
    #[error("order-api is not asked: {0}")]
    CircuitOpen(Open),
    /// Something that several requests had waited for has failed.
    #[error("{0}")]
    Shared(Arc<Error>),
    /// order-api cannot be reached, is saturated or went away.
    #[error("order-api is unavailable: {}", chain(.0))]
    Unavailable(Box<Status>),
    /// order-api did not answer before the request's deadline.
    #[error("order-api did not answer in time: {}", chain(.0))]
    DeadlineExceeded(Box<Status>),
    /// order-api failed, or answered what it should not.
    #[error("order-api failed: {}", chain(.0))]
    OrderApi(Box<Status>),
    /// order-api's answer lacks something that the contract promises.
    #[error("order-api's answer has no valid {0}")]
    Answer(&'static str),
    /// A defect.
    #[error("panicked: {0}")]
    Panic(String),
}

/// Why a request failed on our side, for the log.
#[derive(Clone, Debug)]
pub struct Cause(pub Arc<str>);

impl Error {
    /// What the client is told it is.
    pub fn code(&self) -> Code {
        match self {
            Self::MalformedJson(_) | Self::IncompleteBody => Code::MalformedJson,
            Self::BodyTimeout(_) => Code::BodyTimeout,
            Self::BodyTooLarge(_) => Code::BodyTooLarge,
            Self::UnsupportedMediaType(_) => Code::UnsupportedMediaType,
            Self::InvalidOrder(_) => Code::InvalidOrder,
            Self::InvalidQuery(_) => Code::InvalidQuery,
            Self::InvalidIdempotencyKey(_) => Code::InvalidIdempotencyKey,
            Self::InvalidForm(_) => Code::InvalidForm,
            Self::Rejected(rejection) => match rejection {
                Rejection::TokenMissing => Code::TokenRequired,
                Rejection::TokenMalformed | Rejection::TokenInvalid => Code::InvalidToken,
                Rejection::TokenExpired => Code::TokenExpired,
                Rejection::Forbidden => Code::Forbidden,
            },
            Self::TooManyAttempts(_) => Code::TooManyAttempts,
            Self::NotFound => Code::NotFound,
            Self::MethodNotAllowed => Code::MethodNotAllowed,
            Self::NotAnOrderId | Self::NotYourOrder => Code::OrderNotFound,
            Self::Refused { reason, .. } => match reason {
                Reason::InvalidOrder => Code::InvalidOrder,
                Reason::UnknownSku => Code::UnknownSku,
                Reason::InsufficientStock => Code::InsufficientStock,
                Reason::PaymentDeclined => Code::PaymentDeclined,
                Reason::PaymentUnavailable => Code::PaymentUnavailable,
                Reason::OrderNotFound => Code::OrderNotFound,
                Reason::IdempotencyKeyReused => Code::IdempotencyKeyReused,
                Reason::InvalidCursor => Code::InvalidCursor,
                Reason::PermissionDenied => Code::Forbidden,
                Reason::InvalidCredentials => Code::InvalidCredentials,
                // Asked for only with a token in hand, of somebody who is gone since.
                Reason::AccountNotFound => Code::InvalidToken,
                Reason::Unavailable => Code::Unavailable,
                Reason::Overloaded => Code::Overloaded,
                Reason::OrderNotOpen
                | Reason::PaymentNotFound
                | Reason::Unauthenticated
                | Reason::Internal => Code::Internal,
            },
            Self::RateLimited(_) => Code::RateLimited,
            Self::Overloaded => Code::Overloaded,
            Self::CircuitOpen(_) | Self::Unavailable(_) => Code::Unavailable,
            Self::Shared(error) => error.code(),
            Self::DeadlineExceeded(_) => Code::DeadlineExceeded,
            Self::OrderApi(_) | Self::Answer(_) | Self::Panic(_) => Code::Internal,
        }
    }

    /// Whether somebody did not know the password of the name that they gave.
    pub(crate) fn is_wrong_password(&self) -> bool {
        self.code() == Code::InvalidCredentials
    }

    fn problem(&self) -> Problem {
        let code = self.code();
        let detail = match code {
            Code::Internal => "this is our mistake, not yours".to_owned(),
            Code::Unavailable | Code::Overloaded => format!("try again in a moment; {REPEAT}"),
            Code::PaymentUnavailable => {
                format!("nothing was placed; try again in a moment; {REPEAT}")
            }
            Code::DeadlineExceeded => format!("it may have been done all the same; {REPEAT}"),
            _ => self.to_string(),
        };
        let field = match self {
            Self::InvalidOrder(invalid)
            | Self::InvalidForm(invalid)
            | Self::InvalidQuery(invalid)
            | Self::InvalidIdempotencyKey(invalid) => Some(invalid.field.clone()),
            Self::Refused { reason: Reason::InvalidCursor, .. } => Some("cursor".to_owned()),
            _ => None,
        };
        Problem { retry_after: self.retry_after(), ..Problem::new(code, detail, field) }
    }

    /// In how long the client should try again, if that can help.
    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::RateLimited(time) | Self::TooManyAttempts(time) => Some(*time),
            Self::CircuitOpen(open) => Some(open.retry_after),
            Self::Shared(error) => error.retry_after(),
            _ if self.code().status() == StatusCode::SERVICE_UNAVAILABLE => Some(MOMENT),
            _ => None,
        }
    }

    /// Why it was refused without any work, if it was.
    fn shed(&self) -> Option<Shed> {
        match self {
            Self::RateLimited(_) => Some(Shed::RateLimited),
            Self::Overloaded | Self::Refused { reason: Reason::Overloaded, .. } => {
                Some(Shed::Overloaded)
            }
            Self::CircuitOpen(_) => Some(Shed::CircuitOpen),
            Self::Shared(error) => error.shed(),
            _ => None,
        }
    }
}

impl From<Status> for Error {
    fn from(status: Status) -> Self {
        use tonic::Code as Grpc;
        if let Some(open) = Open::of(&status) {
            return Self::CircuitOpen(open);
        }
        if let Some(reason) = Reason::of(&status) {
            return match reason {
                Reason::Unavailable => Self::Unavailable(status.into()),
                // A token that was good here a moment ago is not good there: not what was asked is
                // wrong, but how we are set up.
                Reason::OrderNotOpen
                | Reason::PaymentNotFound
                | Reason::Unauthenticated
                | Reason::Internal => Self::OrderApi(status.into()),
                _ => Self::Refused { reason, text: status.message().to_owned() },
            };
        }
        match status.code() {
            // An expired grpc-timeout is Cancelled to tonic, on both sides.
            Grpc::DeadlineExceeded | Grpc::Cancelled => Self::DeadlineExceeded(status.into()),
            Grpc::Unavailable | Grpc::ResourceExhausted => Self::Unavailable(status.into()),
            // A status that came over the wire has no source: this one was made here, of a
            // connection that broke.
            _ if status.source().is_some() => Self::Unavailable(status.into()),
            _ => Self::OrderApi(status.into()),
        }
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let problem = self.problem();
        let mut response = problem.into_response();
        if let Some(shed) = self.shed() {
            response.extensions_mut().insert(shed);
        }
        if let Some(challenge) = challenge(self.code()) {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
        }
        // With too much to do, a line for each refusal would cost more than the refusal.
        if self.code().status().is_server_error() && self.code() != Code::Overloaded {
            response.extensions_mut().insert(Cause(self.to_string().into()));
        }
        response
    }
}

impl From<Rejection> for Error {
    fn from(rejection: Rejection) -> Self {
        Self::Rejected(rejection)
    }
}

impl From<Denied> for Error {
    fn from(_: Denied) -> Self {
        Self::Rejected(Rejection::Forbidden)
    }
}

impl Rejection {
    /// What it means, for whoever is rejected.
    fn explained(self) -> &'static str {
        match self {
            Self::TokenMissing => "sign in with POST /auth/login, and send its token",
            Self::TokenMalformed => "send it as Authorization: Bearer ACCESS_TOKEN, once",
            Self::TokenInvalid => "it is not an access token of this shop",
            Self::TokenExpired => "get another one with POST /auth/refresh, or sign in again",
            Self::Forbidden => "orders of other customers are not yours to see or place",
        }
    }
}

/// What a client that is not known has to present (RFC 6750, 3).
fn challenge(code: Code) -> Option<HeaderValue> {
    let challenge = match code {
        Code::TokenRequired | Code::InvalidCredentials => r#"Bearer realm="shop""#,
        Code::InvalidToken => r#"Bearer realm="shop", error="invalid_token""#,
        Code::TokenExpired => {
            r#"Bearer realm="shop", error="invalid_token", error_description="it has expired""#
        }
        _ => return None,
    };
    Some(HeaderValue::from_static(challenge))
}

/// A status and its sources, which say why a connection could not be made.
fn chain(status: &Status) -> String {
    let mut text = format!("{}: {}", status.code(), status.message());
    let mut source = status.source();
    while let Some(error) = source {
        let _ = write!(text, ": {error}");
        source = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_of_order_api_has_a_code() {
        let code = |reason: Reason| Error::from(reason.status("because")).code();
        assert_eq!(code(Reason::InvalidOrder), Code::InvalidOrder);
        assert_eq!(code(Reason::UnknownSku), Code::UnknownSku);
        assert_eq!(code(Reason::InsufficientStock), Code::InsufficientStock);
        assert_eq!(code(Reason::PaymentDeclined), Code::PaymentDeclined);
        assert_eq!(code(Reason::PaymentUnavailable), Code::PaymentUnavailable);
        assert_eq!(code(Reason::PaymentNotFound), Code::Internal);
        assert_eq!(code(Reason::OrderNotFound), Code::OrderNotFound);
        assert_eq!(code(Reason::IdempotencyKeyReused), Code::IdempotencyKeyReused);
        assert_eq!(code(Reason::InvalidCursor), Code::InvalidCursor);
        assert_eq!(code(Reason::OrderNotOpen), Code::Internal);
        assert_eq!(code(Reason::PermissionDenied), Code::Forbidden);
        assert_eq!(code(Reason::Unauthenticated), Code::Internal);
        assert_eq!(code(Reason::InvalidCredentials), Code::InvalidCredentials);
        assert_eq!(code(Reason::AccountNotFound), Code::InvalidToken);
        assert_eq!(code(Reason::Unavailable), Code::Unavailable);
        assert_eq!(code(Reason::Overloaded), Code::Overloaded);
        assert_eq!(code(Reason::Internal), Code::Internal);
    }

    #[test]
    fn a_broken_connection_is_not_a_defect() {
        let broken = std::io::Error::from(std::io::ErrorKind::ConnectionReset);
        assert_eq!(Error::from(Status::from_error(broken.into())).code(), Code::Unavailable);
        assert_eq!(Error::from(Status::unknown("who knows")).code(), Code::Internal);
        assert_eq!(
            Error::from(Status::cancelled("Timeout expired")).code(),
            Code::DeadlineExceeded
        );
    }

    #[test]
    fn nothing_internal_leaks() {
        let error = Error::from(Status::internal("column \"sku\" of relation \"products\""));
        assert!(!error.problem().detail.contains("column"));
        assert!(error.to_string().contains("column"));
    }
}
