//! From a request to what it asks for: nothing that is unknown, missing or out of bounds gets
//! further than here.

use std::{sync::Arc, time::Duration};

use axum::{
    extract::{FromRequest, FromRequestParts, Request},
    http::{HeaderMap, header, request::Parts},
};
use bytes::Bytes;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{DeserializeOwned, Error as _, IgnoredAny},
};
use tokio::time::timeout;
use uuid::Uuid;

use crate::{error::Error, keys::Key};

/// The most bytes of a body.
const LARGEST: usize = 16 * 1024;
/// How long a body may take to come.
const PATIENCE: Duration = Duration::from_secs(5);
/// The largest amount, in minor units; sums of them fit into 64 bits.
const MOST_MINOR: u64 = 100_000_000_000;
/// The most characters of a payment method or a reference.
const LONGEST: usize = 64;

/// What a token is asked for with.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewToken {
    pub(crate) client_id: String,
    pub(crate) client_secret: String,
}

/// A charge that is to be promised.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewAuthorization {
    #[serde(deserialize_with = "amount")]
    pub(crate) amount_minor: u64,
    #[serde(deserialize_with = "currency")]
    pub(crate) currency: Currency,
    #[serde(deserialize_with = "payment_method")]
    pub(crate) payment_method: Box<str>,
    #[serde(deserialize_with = "reference")]
    pub(crate) reference: Arc<str>,
}

/// The code of a currency: three capital letters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(into = "String")]
pub(crate) struct Currency([u8; 3]);

/// What is to be captured or given back.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Which {
    authorization_id: String,
}

impl Which {
    /// The id; what is no id is the id of nothing.
    pub(crate) fn id(&self) -> Result<Uuid, Error> {
        self.authorization_id.parse().map_err(|_| Error::AuthorizationNotFound)
    }
}

impl From<Currency> for String {
    fn from(Currency(letters): Currency) -> Self {
        letters.map(char::from).iter().collect()
    }
}

fn amount<'de, D: Deserializer<'de>>(field: D) -> Result<u64, D::Error> {
    let amount = u64::deserialize(field)?;
    if amount > MOST_MINOR {
        return Err(D::Error::custom(format!("amount_minor must not be more than {MOST_MINOR}")));
    }
    Ok(amount)
}

fn currency<'de, D: Deserializer<'de>>(field: D) -> Result<Currency, D::Error> {
    let text = String::deserialize(field)?;
    let letters = text.as_bytes().try_into().ok();
    let code = letters.filter(|letters: &[u8; 3]| letters.iter().all(u8::is_ascii_uppercase));
    code.map(Currency).ok_or_else(|| D::Error::custom("currency must be three capital letters"))
}

fn payment_method<'de, D: Deserializer<'de>>(field: D) -> Result<Box<str>, D::Error> {
    let text = String::deserialize(field)?;
    let known = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    match (1..=LONGEST).contains(&text.len()) && text.bytes().all(known) {
        true => Ok(text.into()),
        false => Err(D::Error::custom("payment_method must be 1 to 64 of A-Z, a-z, 0-9, . _ -")),
    }
}

fn reference<'de, D: Deserializer<'de>>(field: D) -> Result<Arc<str>, D::Error> {
    let text = String::deserialize(field)?;
    match (1..=LONGEST).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic()) {
        true => Ok(text.into()),
        false => Err(D::Error::custom("reference must be 1 to 64 visible ASCII characters")),
    }
}

/// A body of JSON.
pub(crate) struct Body<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Sync> FromRequest<S> for Body<T> {
    type Rejection = Error;

    async fn from_request(request: Request, _: &S) -> Result<Self, Error> {
        is_json(request.headers())?;
        let body = timeout(PATIENCE, read(request)).await.map_err(|_| Error::BodyTimeout)??;
        let malformed = |error: serde_json::Error| Error::MalformedJson(error.to_string());
        serde_json::from_slice::<IgnoredAny>(&body).map_err(malformed)?;
        let content = serde_json::from_slice(&body);
        let content = content.map_err(|error| Error::InvalidRequest(error.to_string()))?;
        Ok(Self(content))
    }
}

async fn read(request: Request) -> Result<Bytes, Error> {
    match Limited::new(request.into_body(), LARGEST).collect().await {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(Error::BodyTooLarge(LARGEST)),
        Err(_) => Err(Error::MalformedJson("the body ended early".to_owned())),
    }
}

fn is_json(headers: &HeaderMap) -> Result<(), Error> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let essence = kind.and_then(|kind| kind.split(';').next()).map(str::trim);
    match essence.is_some_and(|essence| essence.eq_ignore_ascii_case("application/json")) {
        true => Ok(()),
        false => Err(Error::UnsupportedMediaType),
    }
}

impl<S: Sync> FromRequestParts<S> for Key {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Error> {
        let mut values = parts.headers.get_all("idempotency-key").iter();
        let key = match (values.next(), values.next()) {
            (Some(value), None) => value.to_str().ok().and_then(Self::parse),
            _ => None,
        };
        key.ok_or(Error::InvalidIdempotencyKey)
    }
}

/// The token of a request.
pub(crate) fn token(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}
