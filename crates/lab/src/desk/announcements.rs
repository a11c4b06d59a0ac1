//! Orders that were announced in vain, announced again.

use std::{fmt, sync::Arc};

use axum::{Router, extract::State, http::StatusCode, response::Response, routing::post};
use faults::Service;
use serde::Serialize;

use super::{
    Parts,
    answer::{Given, Refusal, Wants},
};

/// Orders that are younger may be on their way.
const LONGER_AGO_S: u64 = 30;
/// Ten years: no order is older.
const LONGEST_AGO_S: u64 = 10 * 366 * 86_400;

pub(super) fn router() -> Router<Arc<Parts>> {
    Router::new().route("/announcements", post(announce))
}

/// What was announced.
#[derive(Serialize)]
struct Again {
    announced: usize,
}

async fn announce(State(parts): State<Arc<Parts>>, wants: Wants, given: Given) -> Response {
    let longer_ago_s = match given.iter().try_fold(LONGER_AGO_S, longer_ago) {
        Ok(longer_ago_s) => longer_ago_s,
        Err(refusal) => return wants.refuse(refusal),
    };
    let order_api = parts.remotes.iter().find(|remote| remote.service == Service::OrderApi);
    let order_api = order_api.expect("there is a remote for each service");
    match order_api.announce_again(longer_ago_s).await {
        Ok(again) => {
            parts.ledger.announced();
            wants.answer(Again { announced: again.announced })
        }
        Err(error) => {
            tracing::warn!(%error, "orders not announced again");
            let error = format!("order-api could not: {error}");
            wants.refuse(Refusal::new(StatusCode::SERVICE_UNAVAILABLE, error, Vec::new()))
        }
    }
}

fn longer_ago(_: u64, (name, value): (&str, &str)) -> Result<u64, Refusal> {
    let problem = match (name, value.parse()) {
        ("longer_ago_s", Ok(seconds)) if seconds <= LONGEST_AGO_S => return Ok(seconds),
        ("longer_ago_s", Ok(_)) => format!("longer_ago_s={value} is more than ten years"),
        ("longer_ago_s", Err(_)) => format!("longer_ago_s={value} is not a number of seconds"),
        _ => format!("there is no setting {name:?}"),
    };
    let range = format!("longer_ago_s=0 to {LONGEST_AGO_S} ({LONGER_AGO_S}, if it is not given)");
    let possible = vec![range];
    Err(Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, problem, possible))
}

impl fmt::Display for Again {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.announced {
            0 => f.write_str("every order that was announced has been heard of"),
            1 => f.write_str("1 order announced again"),
            many => write!(f, "{many} orders announced again; if that is 1000, ask once more"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_age_of_an_order_is_refused() {
        for given in ["-1", "abc", "316224001", "99999999999999999", "18446744073709551616"] {
            let refusal = longer_ago(0, ("longer_ago_s", given)).expect_err(given);
            assert!(format!("{refusal:?}").contains("422"), "{given}: {refusal:?}");
        }
        assert_eq!(longer_ago(0, ("longer_ago_s", "316224000")).ok(), Some(LONGEST_AGO_S));
    }
}
