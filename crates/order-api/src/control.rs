//! What operators can have done, on the side port.

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::{Query, State},
    http::StatusCode,
    routing::post,
};
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use tokio::runtime::Handle;

use crate::{
    error::Error,
    store::{Store, now},
};

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

/// What answers on the side port, whose runtime is one of its own: a connection that is made there is
/// woken there for ever, and the pool would hand it to calls.
#[derive(Clone)]
struct Shop {
    store: Arc<Store>,
    runtime: Handle,
}

/// `POST` announces orders again, at most a thousand at a time; to be called in the runtime of the calls.
pub(crate) fn router(store: Arc<Store>) -> Router {
    let shop = Shop { store, runtime: Handle::current() };
    Router::new().route(ANNOUNCEMENTS, post(announce)).with_state(shop)
}

async fn announce(
    State(Shop { store, runtime }): State<Shop>,
    Query(Forgotten { longer_ago_s }): Query<Forgotten>,
) -> Result<Json<Announced>, (StatusCode, String)> {
    let placed_before = before(longer_ago_s).ok_or_else(|| {
        let text = format!("longer_ago_s={longer_ago_s} is before 1970: no order is that old");
        (StatusCode::UNPROCESSABLE_ENTITY, text)
    })?;
    let announcing = runtime.spawn(async move { store.announce_again(placed_before).await });
    let announced = announcing.await.unwrap_or(Err(Error::Late)).map_err(|error| {
        tracing::warn!(error = error.chain(), "orders not announced again");
        (StatusCode::SERVICE_UNAVAILABLE, "orders cannot be announced again now".to_owned())
    })?;
    if announced > 0 {
        tracing::info!(orders = announced, "orders announced again");
    }
    Ok(Json(Announced { announced }))
}

/// So many seconds ago, as far as there can have been orders.
fn before(longer_ago_s: u64) -> Option<DateTime<Utc>> {
    let longer_ago = TimeDelta::try_seconds(i64::try_from(longer_ago_s).ok()?)?;
    let time = now().checked_sub_signed(longer_ago)?;
    (time >= DateTime::UNIX_EPOCH).then_some(time)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_number_of_seconds_is_too_large_to_be_refused() {
        let hour = now() - before(3600).unwrap();
        assert!(hour <= TimeDelta::seconds(3600) && hour > TimeDelta::seconds(3590), "{hour}");
        for seconds in [100 * 366 * 86_400, u64::from(u32::MAX) * 1000, i64::MAX as u64, u64::MAX] {
            assert_eq!(before(seconds), None, "{seconds}");
        }
    }
}
