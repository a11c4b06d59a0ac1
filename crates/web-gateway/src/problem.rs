//! Answers that say what is wrong: RFC 9457 problem details with a stable code.

use std::time::Duration;

use axum::{
    Json,
    response::{IntoResponse, Response},
};
use http::{HeaderValue, StatusCode, header};
use instrumentation::{correlation::CorrelationId, trace};
use serde::Serialize;
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{ObjectBuilder, RefOr, Schema, schema::Type},
};

/// The content type of a problem.
pub const CONTENT_TYPE: &str = "application/problem+json";

macro_rules! codes {
    ($($(#[doc = $doc:literal])* $name:ident = $text:literal, $status:ident, $title:literal;)*) => {
        /// What is wrong, for programs; a code never changes its meaning.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Code {
            $($(#[doc = $doc])* $name,)*
        }

        impl Code {
            /// Every code.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// Its name, its HTTP status, and what is wrong in a few words.
            fn facts(self) -> (&'static str, StatusCode, &'static str) {
                match self {
                    $(Self::$name => ($text, StatusCode::$status, $title),)*
                }
            }
        }
    };
}

codes! {
    /// The body is not JSON, or ended early.
    MalformedJson = "malformed_json", BAD_REQUEST, "The body is not JSON";
    /// A query parameter is unknown, given twice or not what it must be.
    InvalidQuery = "invalid_query", BAD_REQUEST, "The query is not valid";
    /// The cursor is not one that a page ended with.
    InvalidCursor = "invalid_cursor", BAD_REQUEST, "The cursor is not valid";
    /// The header `Idempotency-Key` is there but is not a key.
    InvalidIdempotencyKey = "invalid_idempotency_key", BAD_REQUEST,
        "The idempotency key is not valid";
    /// The payment provider will not pay; the stock is back.
    PaymentDeclined = "payment_declined", PAYMENT_REQUIRED, "The payment was declined";
    /// There is no token, and nobody is served without one.
    TokenRequired = "token_required", UNAUTHORIZED, "A token is required";
    /// The token is not one of ours, or not for this.
    InvalidToken = "invalid_token", UNAUTHORIZED, "The token is not valid";
    /// The token was good, and its time is over.
    TokenExpired = "token_expired", UNAUTHORIZED, "The token has expired";
    /// Nobody has this name and this password.
    InvalidCredentials = "invalid_credentials", UNAUTHORIZED,
        "The name or the password is wrong";
    /// It is somebody else's.
    Forbidden = "forbidden", FORBIDDEN, "This is not yours";
    /// Nothing is served at this path.
    NotFound = "not_found", NOT_FOUND, "There is nothing here";
    /// There is no order with this id, or it is not an id at all.
    OrderNotFound = "order_not_found", NOT_FOUND, "There is no such order";
    /// The path is served, but not with this method; `Allow` lists those that are.
    MethodNotAllowed = "method_not_allowed", METHOD_NOT_ALLOWED, "The method is not allowed here";
    /// The body did not come in time.
    BodyTimeout = "body_timeout", REQUEST_TIMEOUT, "The body did not come in time";
    /// There is less in stock than was ordered.
    InsufficientStock = "insufficient_stock", CONFLICT, "There is not enough in stock";
    /// The body is larger than the limit.
    BodyTooLarge = "body_too_large", PAYLOAD_TOO_LARGE, "The body is too large";
    /// The body is not `application/json`, or is compressed.
    UnsupportedMediaType = "unsupported_media_type", UNSUPPORTED_MEDIA_TYPE,
        "The body must be application/json";
    /// The body is JSON, but not what is asked for.
    InvalidForm = "invalid_form", UNPROCESSABLE_ENTITY, "The form is not valid";
    /// The body is JSON, but not an order.
    InvalidOrder = "invalid_order", UNPROCESSABLE_ENTITY, "The order is not valid";
    /// The shop does not sell this SKU.
    UnknownSku = "unknown_sku", UNPROCESSABLE_ENTITY, "The shop does not sell this";
    /// The idempotency key belongs to an earlier, different order.
    IdempotencyKeyReused = "idempotency_key_reused", UNPROCESSABLE_ENTITY,
        "The idempotency key was used for another order";
    /// This client asks for too much; it may ask again after `Retry-After`.
    RateLimited = "rate_limited", TOO_MANY_REQUESTS, "That were too many requests";
    /// The password was wrong too often; try again after `Retry-After`.
    TooManyAttempts = "too_many_attempts", TOO_MANY_REQUESTS, "Too many wrong passwords";
    /// A defect on our side.
    Internal = "internal", INTERNAL_SERVER_ERROR, "Something went wrong on our side";
    /// The shop cannot do this just now; try again after `Retry-After`.
    Unavailable = "unavailable", SERVICE_UNAVAILABLE, "The shop is not available just now";
    /// Nobody can be paid just now, and nothing was placed; try again after `Retry-After`.
    PaymentUnavailable = "payment_unavailable", SERVICE_UNAVAILABLE,
        "Payments are not available just now";
    /// The shop has too much to do just now, and has done nothing; try again after `Retry-After`.
    Overloaded = "overloaded", SERVICE_UNAVAILABLE, "The shop has too much to do";
    /// The shop did not answer in time; an order may or may not have been placed.
    DeadlineExceeded = "deadline_exceeded", GATEWAY_TIMEOUT, "The shop did not answer in time";
}

impl Code {
    /// Its name.
    pub fn as_str(self) -> &'static str {
        self.facts().0
    }

    /// The HTTP status that it comes with.
    pub fn status(self) -> StatusCode {
        self.facts().1
    }

    /// What is wrong, in a few words that never change.
    pub fn title(self) -> &'static str {
        self.facts().2
    }
}

impl PartialSchema for Code {
    fn schema() -> RefOr<Schema> {
        let codes = Self::ALL.iter().map(|code| code.as_str());
        ObjectBuilder::new().schema_type(Type::String).enum_values(Some(codes)).into()
    }
}

impl ToSchema for Code {}

/// What is wrong (RFC 9457).
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Problem {
    /// Names the kind of problem; a reference relative to the API.
    #[serde(rename = "type")]
    #[schema(example = "/problems/insufficient_stock")]
    pub kind: String,
    /// What is wrong, in a few words that never change.
    #[schema(value_type = String, example = "There is not enough in stock")]
    pub title: &'static str,
    /// The HTTP status.
    #[schema(minimum = 400, maximum = 599, example = 409)]
    pub status: u16,
    /// What is wrong this time, for people.
    #[schema(example = "TEA-001: 3 in stock, 5 ordered")]
    pub detail: String,
    /// What is wrong, for programs; never changes its meaning.
    #[schema(value_type = Code)]
    pub code: &'static str,
    /// What to name when asking about it; in every log line it caused.
    #[schema(example = "01980000-0000-7000-8000-000000000000")]
    pub correlation_id: String,
    /// The trace in which it happened, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "0af7651916cd43dd8448eb211c80319c")]
    pub trace_id: Option<String>,
    /// The field that is wrong, as a JSON path, or the query parameter or header.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "items[0].quantity")]
    pub field: Option<String>,
    /// In how long to try again, which is said in a header.
    #[serde(skip)]
    pub retry_after: Option<Duration>,
}

impl Problem {
    /// The problem of this kind, in the request in hand; `detail` must be fit for the client.
    pub fn new(code: Code, detail: impl Into<String>, field: Option<String>) -> Self {
        let id = CorrelationId::current();
        Self {
            kind: format!("/problems/{}", code.as_str()),
            title: code.title(),
            status: code.status().as_u16(),
            detail: detail.into(),
            code: code.as_str(),
            correlation_id: id.map(|id| id.to_string()).unwrap_or_default(),
            trace_id: trace::current().map(|span| span.trace_id().to_string()),
            field,
            retry_after: None,
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let retry_after = self.retry_after.map(whole_seconds);
        let status = StatusCode::from_u16(self.status).expect("a code has a valid status");
        let mut response = (status, Json(self)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(CONTENT_TYPE));
        if let Some(seconds) = retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

/// What the header can say: at least a second, and not less than it takes.
fn whole_seconds(time: Duration) -> u64 {
    (time.as_secs() + u64::from(time.subsec_nanos() > 0)).max(1)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn a_time_is_said_in_whole_seconds_and_never_less_than_it_is() {
        let seconds = |millis| whole_seconds(Duration::from_millis(millis));
        assert_eq!([0, 1, 1000, 1001, 2600].map(seconds), [1, 1, 1, 2, 3]);
    }

    #[test]
    fn a_code_is_snake_case_unique_and_an_error() {
        let mut names = HashSet::new();
        for code in Code::ALL {
            let plain = |byte: u8| byte.is_ascii_lowercase() || byte == b'_';
            assert!(code.as_str().bytes().all(plain), "{code:?}");
            assert!(names.insert(code.as_str()), "{code:?} is listed twice");
            assert!(code.status().as_u16() >= 400, "{code:?} is not an error");
        }
    }
}
