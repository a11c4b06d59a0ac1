//! What operators can have done, on the side port.

use std::{sync::Arc, time::Duration};

use axum::{
    Json, Router,
    extract::{Query, State},
    http::StatusCode,
    routing::post,
};
use serde::{Deserialize, Serialize};

use crate::store::Store;

/// Where orders are announced again.
pub const ANNOUNCEMENTS: &str = "/control/announcements";

/// Which orders are announced again.
#[derive(Debug, Serialize, Deserialize)]
pub struct Forgotten {
    /// Those that were placed longer ago than so many seconds, and are not fulfilled.
    pub longer_ago_s: u64,
}

/// How many orders were announced again.
#[derive(Debug, Serialize, Deserialize)]
pub struct Announced {
    /// How many.
    pub announced: usize,
}

/// `POST` announces orders again, at most a thousand at a time.
pub(crate) fn router(store: Arc<Store>) -> Router {
    Router::new().route(ANNOUNCEMENTS, post(announce)).with_state(store)
}

async fn announce(
    State(store): State<Arc<Store>>,
    Query(Forgotten { longer_ago_s }): Query<Forgotten>,
) -> Result<Json<Announced>, StatusCode> {
    let announced = store.announce_again(Duration::from_secs(longer_ago_s)).await;
    let announced = announced.map_err(|error| {
        tracing::warn!(error = error.chain(), "orders not announced again");
        StatusCode::SERVICE_UNAVAILABLE
    })?;
    if announced > 0 {
        tracing::info!(orders = announced, "orders announced again");
    }
    Ok(Json(Announced { announced }))
}
