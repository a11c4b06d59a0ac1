//! The last log records over HTTP: listed, and followed as they come.

use std::{convert::Infallible, fmt, sync::Arc};

use axum::{
    Extension, Router,
    body::Body,
    extract::State,
    http::header,
    response::{IntoResponse as _, Response},
    routing::get,
};
use futures_util::{StreamExt as _, stream};
use serde::Serialize;
use serde_json::json;
use telemetry::{Found, log::LogRecord};
use tokio_util::sync::CancellationToken;

use super::{
    Parts,
    answer::{Given, Wants},
    search::LogSearch,
    traces::Elsewhere,
};

/// The routes; what is followed ends at `stop`.
pub(super) fn router(stop: CancellationToken) -> Router<Arc<Parts>> {
    Router::new().route("/logs", get(list)).layer(Extension(stop))
}

/// Log records in a list.
#[derive(Serialize)]
struct Logs {
    logs: Vec<Arc<LogRecord>>,
    /// How many are here, asked for or not.
    kept: usize,
    /// Where they go, if not here.
    elsewhere: Option<String>,
}

async fn list(
    State(parts): State<Arc<Parts>>,
    Extension(stop): Extension<CancellationToken>,
    wants: Wants,
    given: Given,
) -> Response {
    match LogSearch::read(&given) {
        Ok(search) if search.follow => follow(&parts, search, wants, stop),
        Ok(search) => wants.answer(Logs {
            logs: parts.store.log_records(&search.filter, search.limit),
            kept: parts.store.stats().log_records,
            elsewhere: parts.otlp_elsewhere.clone(),
        }),
        Err(refusal) => wants.refuse(refusal),
    }
}

/// A line for each log record, without end.
fn follow(parts: &Parts, search: LogSearch, wants: Wants, stop: CancellationToken) -> Response {
    let follower = parts.store.follow(search.filter, search.limit);
    let lines = stream::unfold(follower, move |mut follower| async move {
        let found = follower.next().await;
        Some((Ok::<_, Infallible>(lines(&found, wants)), follower))
    });
    let content_type = match wants {
        Wants::Text => "text/plain; charset=utf-8",
        Wants::Json => "application/x-ndjson",
    };
    let body = Body::from_stream(lines.take_until(stop.cancelled_owned()).boxed());
    ([(header::CONTENT_TYPE, content_type)], body).into_response()
}

fn lines(found: &Found, wants: Wants) -> String {
    let lost = found.lost;
    let told = match wants {
        _ if lost == 0 => None,
        Wants::Text => Some(format!("{lost} lines went before they could be shown\n")),
        Wants::Json => Some(format!("{}\n", json!({"lost": lost}))),
    };
    let lines = found.log_records.iter().map(|record| match wants {
        Wants::Text => format!("{record}\n"),
        Wants::Json => format!("{}\n", json!(record)),
    });
    told.into_iter().chain(lines).collect()
}

impl fmt::Display for Logs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.logs.is_empty() {
            return match (&self.elsewhere, self.kept) {
                (Some(url), _) => Elsewhere(url).fmt(f),
                (None, 0) => f.write_str("no log line has come yet"),
                (None, kept) => write!(f, "none of the {kept} log lines is like that"),
            };
        }
        let lines: Vec<_> = self.logs.iter().map(ToString::to_string).collect();
        f.write_str(&lines.join("\n"))
    }
}
