//! The switchboard over HTTP, on a service's side port.

use std::sync::Arc;

use axum::{Json, Router, extract::State, http::StatusCode, routing::get};
use uuid::Uuid;

use crate::switchboard::{Arming, Switchboard};

/// The path of the switchboard on every side port.
pub const PATH: &str = "/control/seams";

/// `GET` lists the ids of what is on, which say nothing of what that is; `PUT` replaces it, and answers
/// 204.
pub fn router(switchboard: Arc<Switchboard>) -> Router {
    Router::new().route(PATH, get(list).put(replace)).with_state(switchboard)
}

async fn list(State(switchboard): State<Arc<Switchboard>>) -> Json<Vec<Uuid>> {
    Json(switchboard.armings().into_iter().map(|arming| arming.id).collect())
}

async fn replace(
    State(switchboard): State<Arc<Switchboard>>,
    Json(armings): Json<Vec<Arming>>,
) -> StatusCode {
    switchboard.replace(armings);
    StatusCode::NO_CONTENT
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{effect::Effect, seam::Seam};

    #[tokio::test]
    async fn what_is_on_is_listed_without_a_word_of_what_it_is() {
        let (switchboard, id) = (Arc::new(Switchboard::default()), Uuid::new_v4());
        let effect = Effect::Fail { share: 1.0 };
        switchboard.replace(vec![Arming {
            id,
            seam: Seam::StoreOrder,
            effect,
            remaining_ms: 60_000,
        }]);
        let Json(listed) = list(State(switchboard)).await;
        assert_eq!(serde_json::to_value(listed).unwrap(), serde_json::json!([id]));
    }
}
