//! The conditions over HTTP, and who asks for them.

use std::{ops::RangeInclusive, time::Duration};

use anyhow::Context as _;
use axum::{
    Json, Router,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::get,
};
use reqwest::Client;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::conditions::{Conditions, Way};

const PATH: &str = "/conditions";
/// How long a proxy may take to answer.
const PATIENCE: Duration = Duration::from_secs(1);
/// How long `latency_ms` and `jitter_ms` can be.
const LENGTHS_MS: RangeInclusive<f64> = 0.0..=10_000.0;
/// How long `for_ms` can be.
const LEASES_MS: RangeInclusive<u64> = 0..=600_000;

/// How long the way is to be.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    /// What everything takes in each direction, in milliseconds.
    pub latency_ms: f64,
    /// What it takes beyond that, at most, in milliseconds.
    pub jitter_ms: f64,
    /// How many milliseconds from now; then it is as short as ever.
    pub for_ms: u64,
}

/// Who tells a proxy how long the way is.
#[derive(Clone, Debug)]
pub struct Control {
    /// None if there is no proxy.
    url: Option<String>,
    client: Client,
}

impl Wanted {
    /// As short as can be.
    pub const NOTHING: Self = Self { latency_ms: 0.0, jitter_ms: 0.0, for_ms: 0 };

    fn way(self) -> Result<Option<Way>, String> {
        for (name, value) in [("latency_ms", self.latency_ms), ("jitter_ms", self.jitter_ms)] {
            if !LENGTHS_MS.contains(&value) {
                let [least, most] = [LENGTHS_MS.start(), LENGTHS_MS.end()];
                return Err(format!("{name} must be a number from {least} to {most}"));
            }
        }
        if !LEASES_MS.contains(&self.for_ms) {
            return Err(format!("for_ms must be a number from 0 to {}", LEASES_MS.end()));
        }
        let length = |ms: f64| Duration::from_secs_f64(ms / 1000.0);
        let until = Instant::now() + Duration::from_millis(self.for_ms);
        let way = Way { latency: length(self.latency_ms), jitter: length(self.jitter_ms), until };
        Ok((self.for_ms > 0).then_some(way))
    }
}

impl From<Option<Way>> for Wanted {
    fn from(way: Option<Way>) -> Self {
        way.map_or(Self::NOTHING, |Way { latency, jitter, until }| Self {
            latency_ms: latency.as_secs_f64() * 1000.0,
            jitter_ms: jitter.as_secs_f64() * 1000.0,
            for_ms: u64::try_from((until - Instant::now()).as_millis()).unwrap_or(u64::MAX),
        })
    }
}

impl Control {
    /// Of the proxy whose control is at this address, or of none.
    pub fn new(url: Option<String>) -> anyhow::Result<Self> {
        let client = Client::builder().no_proxy().timeout(PATIENCE).build();
        let url = url.map(|url| url.trim_end_matches('/').to_owned());
        Ok(Self { url, client: client.context("cannot make an HTTP client")? })
    }

    /// Whether there is one.
    pub fn is_there(&self) -> bool {
        self.url.is_some()
    }

    /// Makes the way as long as this.
    pub async fn set(&self, wanted: Wanted) -> anyhow::Result<()> {
        let url = self.url.as_ref().context("there is no proxy before the database")?;
        let request = self.client.put(format!("{url}{PATH}")).json(&wanted);
        let answer = request.send().await.context("the database proxy does not answer")?;
        answer.error_for_status().context("the database proxy refuses")?;
        Ok(())
    }

    /// How long it is.
    pub async fn now(&self) -> anyhow::Result<Wanted> {
        let url = self.url.as_ref().context("there is no proxy before the database")?;
        let answer = self.client.get(format!("{url}{PATH}")).send().await?;
        Ok(answer.error_for_status()?.json().await?)
    }
}

pub(super) fn router(conditions: Conditions) -> Router {
    Router::new()
        .route("/health", get("alive\n"))
        .route(PATH, get(show).put(change))
        .with_state(conditions)
}

async fn show(State(conditions): State<Conditions>) -> Json<Wanted> {
    Json(conditions.now().into())
}

async fn change(State(conditions): State<Conditions>, Json(wanted): Json<Wanted>) -> Response {
    match wanted.way() {
        Ok(way) => {
            conditions.set(way);
            show(State(conditions)).await.into_response()
        }
        Err(problem) => (StatusCode::UNPROCESSABLE_ENTITY, format!("{problem}\n")).into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_long_is_refused_and_says_what_can_be() {
        let wanted = Wanted { latency_ms: 30.0, jitter_ms: 5.0, for_ms: 15_000 };
        assert!(wanted.way().unwrap().is_some());
        assert!(Wanted::NOTHING.way().unwrap().is_none());
        for (bad, name) in [
            (Wanted { latency_ms: -1.0, ..wanted }, "latency_ms"),
            (Wanted { latency_ms: f64::NAN, ..wanted }, "latency_ms"),
            (Wanted { jitter_ms: 10_001.0, ..wanted }, "jitter_ms"),
            (Wanted { for_ms: 600_001, ..wanted }, "for_ms"),
        ] {
            let refused = bad.way().map(drop).unwrap_err();
            assert!(refused.starts_with(name) && refused.contains("to "), "{refused}");
        }
    }
}
