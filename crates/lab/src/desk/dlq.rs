//! The dead letters over HTTP.

use std::sync::Arc;

use axum::{
    Router,
    extract::State,
    http::StatusCode,
    response::Response,
    routing::{get, post},
};

use super::{
    Parts,
    answer::{Given, Refusal, Wants},
};

pub(super) fn router() -> Router<Arc<Parts>> {
    Router::new().route("/dlq", get(list)).route("/dlq/replay", post(replay))
}

async fn list(State(parts): State<Arc<Parts>>, wants: Wants) -> Response {
    match parts.morgue.look(&parts.queues).await {
        Ok(letters) => wants.answer(letters),
        Err(error) => wants.refuse(unavailable(&error)),
    }
}

async fn replay(State(parts): State<Arc<Parts>>, wants: Wants, given: Given) -> Response {
    let limit = match given.iter().try_fold(u32::MAX, limit) {
        Ok(limit) => limit,
        Err(refusal) => return wants.refuse(refusal),
    };
    match parts.morgue.replay(&parts.queues, limit).await {
        Ok(replayed) => {
            if replayed.replayed > 0 {
                parts.ledger.replayed();
            }
            tracing::info!(replayed = replayed.replayed, left = replayed.left, "replayed");
            wants.answer(replayed)
        }
        Err(error) => wants.refuse(unavailable(&error)),
    }
}

fn limit(_: u32, (name, value): (&str, &str)) -> Result<u32, Refusal> {
    let problem = match (name, value.parse()) {
        ("limit", Ok(limit @ 1..)) => return Ok(limit),
        ("limit", _) => format!("limit={value} is not a number of messages"),
        _ => format!("there is no setting {name:?}"),
    };
    let possible = vec!["limit=1 or more (all, if it is not given)".to_owned()];
    Err(Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, problem, possible))
}

fn unavailable(error: &anyhow::Error) -> Refusal {
    tracing::warn!(error = format!("{error:#}"), "dead letters not reached");
    Refusal::new(StatusCode::SERVICE_UNAVAILABLE, format!("{error:#}"), Vec::new())
}
