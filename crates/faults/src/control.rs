//! The switchboard over HTTP, on a service's side port.

use std::sync::Arc;

use axum::{Json, Router, extract::State, http::StatusCode, routing::get};

use crate::switchboard::{Arming, Switchboard};

/// The path of the switchboard on every side port.
pub const PATH: &str = "/control/seams";

/// `GET` lists what is on; `PUT` replaces it, and answers 204.
pub fn router(switchboard: Arc<Switchboard>) -> Router {
    Router::new().route(PATH, get(list).put(replace)).with_state(switchboard)
}

async fn list(State(switchboard): State<Arc<Switchboard>>) -> Json<Vec<Arming>> {
    Json(switchboard.armings())
}

async fn replace(
    State(switchboard): State<Arc<Switchboard>>,
    Json(armings): Json<Vec<Arming>>,
) -> StatusCode {
    switchboard.replace(armings);
    StatusCode::NO_CONTENT
}
