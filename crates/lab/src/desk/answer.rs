//! Answers: text for people, JSON for those who ask for it.

use std::{convert::Infallible, fmt};

use axum::{
    Json,
    body::to_bytes,
    extract::{FromRequest, FromRequestParts, Request},
    http::{StatusCode, header::ACCEPT, request::Parts},
    response::{IntoResponse, Response},
};
use serde::Serialize;

/// The most bytes of settings that are read.
const LONGEST_FORM: usize = 64 * 1024;

/// What the client wants to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wants {
    Text,
    Json,
}

impl<S: Sync> FromRequestParts<S> for Wants {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let accept = parts.headers.get(ACCEPT).and_then(|value| value.to_str().ok());
        Ok(match accept.is_some_and(|accept| accept.contains("application/json")) {
            true => Self::Json,
            false => Self::Text,
        })
    }
}

impl Wants {
    /// The answer, as it is wanted.
    pub(crate) fn answer(self, content: impl Serialize + fmt::Display) -> Response {
        match self {
            Self::Json => Json(content).into_response(),
            Self::Text => format!("{content}\n").into_response(),
        }
    }

    /// What went wrong, as it is wanted.
    pub(crate) fn refuse(self, refusal: Refusal) -> Response {
        let status = refusal.status;
        (status, self.answer(refusal)).into_response()
    }
}

/// What cannot be, and what can.
#[derive(Debug, Serialize)]
pub(crate) struct Refusal {
    #[serde(skip)]
    status: StatusCode,
    error: String,
    possible: Vec<String>,
}

impl Refusal {
    pub(crate) fn new(status: StatusCode, error: impl Into<String>, possible: Vec<String>) -> Self {
        Self { status, error: error.into(), possible }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.error)?;
        if !self.possible.is_empty() {
            write!(f, "\npossible:")?;
        }
        self.possible.iter().try_for_each(|line| write!(f, "\n  {line}"))
    }
}

/// What was set, `name=value` by `name=value`: the query's, then the form's.
#[derive(Debug)]
pub(crate) struct Given(Vec<(String, String)>);

impl<S: Send + Sync> FromRequest<S> for Given {
    type Rejection = (StatusCode, &'static str);

    async fn from_request(request: Request, _: &S) -> Result<Self, Self::Rejection> {
        let query = request.uri().query().unwrap_or_default();
        let mut given = pairs(query.as_bytes());
        let unreadable = (StatusCode::PAYLOAD_TOO_LARGE, "settings are a few name=value pairs\n");
        let form = to_bytes(request.into_body(), LONGEST_FORM).await.map_err(|_| unreadable)?;
        given.extend(pairs(&form));
        Ok(Self(given))
    }
}

impl Given {
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &str)> + Clone {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

fn pairs(form: &[u8]) -> Vec<(String, String)> {
    form_urlencoded::parse(form).into_owned().collect()
}
