//! What can go wrong with a request, and what its client is told.

use std::{error::Error as _, fmt::Write as _, sync::Arc, time::Duration};

use axum::response::{IntoResponse, Response};
use contract::{order::Invalid, refusal::Reason};
use tonic::Status;

use crate::problem::{Code, Problem};

/// What makes it safe to send an order again.
const REPEAT: &str = "an order with an Idempotency-Key is placed once however often it is sent";

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
    /// Nothing is served at this path.
    #[error("nothing is served at this path; /openapi.json lists what is")]
    NotFound,
    /// The path is not served with this method.
    #[error("this path is not served with this method; see the header Allow")]
    MethodNotAllowed,
    /// The id in the path is not an id.
    #[error("no order has an id that is not a UUID")]
    NotAnOrderId,
    /// order-api refused, for a reason that the client can know.
    #[error("{text}")]
    Refused {
        /// The reason.
        reason: Reason,
        /// The reason in words.
        text: String,
    },
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
            Self::NotFound => Code::NotFound,
            Self::MethodNotAllowed => Code::MethodNotAllowed,
            Self::NotAnOrderId => Code::OrderNotFound,
            Self::Refused { reason, .. } => match reason {
                Reason::InvalidOrder => Code::InvalidOrder,
                Reason::UnknownSku => Code::UnknownSku,
                Reason::InsufficientStock => Code::InsufficientStock,
                Reason::OrderNotFound => Code::OrderNotFound,
                Reason::IdempotencyKeyReused => Code::IdempotencyKeyReused,
                Reason::InvalidCursor => Code::InvalidCursor,
                Reason::Unavailable => Code::Unavailable,
                Reason::OrderNotOpen | Reason::Internal => Code::Internal,
            },
            Self::Unavailable(_) => Code::Unavailable,
            Self::DeadlineExceeded(_) => Code::DeadlineExceeded,
            Self::OrderApi(_) | Self::Answer(_) | Self::Panic(_) => Code::Internal,
        }
    }

    fn problem(&self) -> Problem {
        let code = self.code();
        let detail = match code {
            Code::Internal => "this is our mistake, not yours".to_owned(),
            Code::Unavailable => format!("try again in a moment; {REPEAT}"),
            Code::DeadlineExceeded => format!("it may have been done all the same; {REPEAT}"),
            _ => self.to_string(),
        };
        let field = match self {
            Self::InvalidOrder(invalid)
            | Self::InvalidQuery(invalid)
            | Self::InvalidIdempotencyKey(invalid) => Some(invalid.field.clone()),
            Self::Refused { reason: Reason::InvalidCursor, .. } => Some("cursor".to_owned()),
            _ => None,
        };
        Problem::new(code, detail, field)
    }
}

impl From<Status> for Error {
    fn from(status: Status) -> Self {
        use tonic::Code as Grpc;
        if let Some(reason) = Reason::of(&status) {
            return match reason {
                Reason::Unavailable => Self::Unavailable(status.into()),
                Reason::OrderNotOpen | Reason::Internal => Self::OrderApi(status.into()),
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
        let ours = self.code().status().is_server_error();
        let mut response = problem.into_response();
        if ours {
            response.extensions_mut().insert(Cause(self.to_string().into()));
        }
        response
    }
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
        assert_eq!(code(Reason::OrderNotFound), Code::OrderNotFound);
        assert_eq!(code(Reason::IdempotencyKeyReused), Code::IdempotencyKeyReused);
        assert_eq!(code(Reason::InvalidCursor), Code::InvalidCursor);
        assert_eq!(code(Reason::OrderNotOpen), Code::Internal);
        assert_eq!(code(Reason::Unavailable), Code::Unavailable);
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
