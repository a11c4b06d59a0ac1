//! Reading a request's body: JSON only, not too much of it, and in time.

use std::time::Duration;

use axum::{body::Body, extract::Request};
use bytes::Bytes;
use http::{HeaderMap, header};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use tokio::time::{timeout, timeout_at};

use crate::{deadline::Deadline, error::Error};

/// How much of a body that is too large is read all the same, so that a client that sends all of
/// it before it reads the answer gets the answer and not a reset connection.
const POLITENESS: usize = 1 << 20;
/// For how long that is done.
const PATIENCE: Duration = Duration::from_secs(1);

/// Reads a JSON body of at most `limit` bytes before the request's deadline.
pub(crate) async fn read(
    request: Request,
    limit: usize,
    deadline: Deadline,
) -> Result<Bytes, Error> {
    let (head, mut body) = request.into_parts();
    is_json(&head.headers)?;
    let announced = content_length(&head.headers);
    if announced.is_some_and(|length| length > limit as u64) {
        discard(&mut body).await;
        return Err(Error::BodyTooLarge(limit));
    }
    let reading = Limited::new(&mut body, limit).collect();
    match timeout_at(deadline.at(), reading).await {
        Err(_) => Err(Error::BodyTimeout(deadline.budget())),
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => {
            discard(&mut body).await;
            Err(Error::BodyTooLarge(limit))
        }
        Ok(Err(_)) => Err(Error::IncompleteBody),
    }
}

fn is_json(headers: &HeaderMap) -> Result<(), Error> {
    let encoding = headers.get(header::CONTENT_ENCODING);
    if encoding.is_some_and(|encoding| !encoding.as_bytes().eq_ignore_ascii_case(b"identity")) {
        return Err(Error::UnsupportedMediaType("send the body without Content-Encoding"));
    }
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let essence = kind.and_then(|kind| kind.split(';').next()).map(str::trim);
    if essence.is_some_and(|essence| essence.eq_ignore_ascii_case("application/json")) {
        Ok(())
    } else {
        Err(Error::UnsupportedMediaType("send the body with Content-Type: application/json"))
    }
}

fn content_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

async fn discard(body: &mut Body) {
    let mut left = POLITENESS;
    let reading = async {
        while left > 0
            && let Some(Ok(frame)) = body.frame().await
        {
            left = left.saturating_sub(frame.data_ref().map_or(0, Bytes::len));
        }
    };
    // Whoever is slower than this loses the answer.
    let _ = timeout(PATIENCE, reading).await;
}
