//! How many customers come: shown, and changed.

use std::sync::Arc;

use axum::{Router, extract::State, http::StatusCode, response::Response, routing::get};

use super::{
    Parts,
    answer::{Given, Refusal, Wants},
};
use crate::customers::{HIGHEST_RATE, Load};

pub(super) fn router() -> Router<Arc<Parts>> {
    Router::new().route("/load", get(show).put(change))
}

async fn show(State(parts): State<Arc<Parts>>, wants: Wants) -> Response {
    wants.answer(parts.customers.load())
}

async fn change(State(parts): State<Arc<Parts>>, wants: Wants, given: Given) -> Response {
    match parts.hands.change_load(&parts.ledger, &parts.customers, given.iter()) {
        Ok(load) => {
            tracing::info!(enabled = load.enabled, rate = load.rate, "load changed");
            wants.answer(load)
        }
        Err(problem) => {
            let possible = [
                format!("rate=0 to {HIGHEST_RATE} (journeys per second)"),
                "enabled=true or false".to_owned(),
                "seed=0 or more (decides who comes, when, and for what)".to_owned(),
            ];
            let status = StatusCode::UNPROCESSABLE_ENTITY;
            wants.refuse(Refusal::new(status, problem, possible.into()))
        }
    }
}

/// Sets one thing of how many customers come.
pub(super) fn set(load: Load, (name, value): (&str, &str)) -> Result<Load, String> {
    match name {
        "rate" => match value.parse::<f64>() {
            Ok(rate) if (0.0..=HIGHEST_RATE).contains(&rate) => Ok(Load { rate, ..load }),
            _ => Err(format!("rate={value} is not a number from 0 to {HIGHEST_RATE}")),
        },
        "enabled" => match value.parse() {
            Ok(enabled) => Ok(Load { enabled, ..load }),
            Err(_) => Err(format!("enabled={value} is neither true nor false")),
        },
        "seed" => match value.parse() {
            Ok(seed) => Ok(Load { seed, ..load }),
            Err(_) => Err(format!("seed={value} is not a whole number from 0")),
        },
        _ => Err(format!("there is no setting {name:?}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_set_stays_and_what_is_not_possible_is_refused() {
        let load = Load { enabled: true, rate: 3.0, seed: 1 };
        assert_eq!(set(load, ("rate", "50")), Ok(Load { rate: 50.0, ..load }));
        assert_eq!(set(load, ("enabled", "false")), Ok(Load { enabled: false, ..load }));
        assert_eq!(set(load, ("seed", "7")), Ok(Load { seed: 7, ..load }));
        let rates = ["-1", "1001", "NaN"].map(|rate| ("rate", rate));
        for bad in rates.into_iter().chain([("enabled", "1"), ("seed", "-1"), ("r", "1")]) {
            assert!(set(load, bad).is_err(), "{bad:?}");
        }
    }
}
