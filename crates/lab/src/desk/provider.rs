//! The payment provider: shown, and changed.

use std::{fmt, ops::RangeInclusive, sync::Arc, time::Duration};

use ::provider::{Behaviour, Load, Provider, Totals};
use axum::{Router, extract::State, http::StatusCode, response::Response, routing::get};
use serde::{Deserialize, Serialize};

use super::{
    Parts,
    answer::{Given, Refusal, Wants},
    provider_settings::number,
};

/// What `median_ms` can be.
const MEDIANS_MS: RangeInclusive<f64> = 0.0..=30_000.0;
/// What `token_ttl_s` can be.
const TOKEN_TTLS_S: RangeInclusive<u64> = 1..=86_400;

/// How the payment provider is, and what its books add up to.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProviderStatus {
    /// How well it works, by the names under which it is set.
    pub behaviour: ProviderBehaviour,
    /// How busy it is.
    pub load: Load,
    /// What it was asked for since it began.
    pub totals: Totals,
}

/// How well the payment provider works, by the names under which it is set.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProviderBehaviour {
    /// Whether it answers at all.
    pub available: bool,
    /// Requests served at a time.
    pub capacity: usize,
    /// Half of them are served within so many milliseconds.
    pub median_ms: f64,
    /// How widely that is spread.
    pub sigma: f64,
    /// Requests that may wait.
    pub queue: usize,
    /// Share of cards that are declined.
    pub decline_rate: f64,
    /// The share of requests that are answered with an error, 0 to 1.
    pub error_rate: f64,
    /// How many seconds a token is valid.
    pub token_ttl_s: u64,
}

pub(super) fn router() -> Router<Arc<Parts>> {
    Router::new().route("/provider", get(show).put(change))
}

async fn show(State(parts): State<Arc<Parts>>, wants: Wants) -> Response {
    wants.answer(ProviderStatus::of(&parts.provider))
}

async fn change(State(parts): State<Arc<Parts>>, wants: Wants, given: Given) -> Response {
    match parts.hands.change_provider(&parts.ledger, &parts.provider, given.iter()) {
        Ok(()) => {
            let status = ProviderStatus::of(&parts.provider);
            tracing::info!(behaviour = %status.behaviour, "payment provider changed");
            wants.answer(status)
        }
        Err(problem) => {
            let status = StatusCode::UNPROCESSABLE_ENTITY;
            wants.refuse(Refusal::new(status, problem, possible()))
        }
    }
}

/// Sets one thing of how the provider works.
pub(super) fn set(now: Behaviour, (name, value): (&str, &str)) -> Result<Behaviour, String> {
    let changed = match name {
        "available" => match value.parse() {
            Ok(available) => Ok(Behaviour { available, ..now }),
            Err(_) => Err("must be true or false".to_owned()),
        },
        "capacity" => {
            number(value, Behaviour::CAPACITIES).map(|capacity| Behaviour { capacity, ..now })
        }
        "median_ms" => number(value, MEDIANS_MS)
            .map(|ms| Behaviour { median: Duration::from_secs_f64(ms / 1000.0), ..now }),
        "sigma" => number(value, Behaviour::SIGMAS).map(|sigma| Behaviour { sigma, ..now }),
        "queue" => number(value, Behaviour::QUEUES).map(|queue| Behaviour { queue, ..now }),
        "decline_rate" => number(value, Behaviour::DECLINE_RATES)
            .map(|decline_rate| Behaviour { decline_rate, ..now }),
        "error_rate" => {
            number(value, Behaviour::ERROR_RATES).map(|error_rate| Behaviour { error_rate, ..now })
        }
        "token_ttl_s" => number(value, TOKEN_TTLS_S)
            .map(|seconds| Behaviour { token_ttl: Duration::from_secs(seconds), ..now }),
        _ => return Err(format!("there is no setting {name:?}")),
    };
    changed.map_err(|problem| format!("{name}={value}: {problem}"))
}

fn possible() -> Vec<String> {
    fn row<T: fmt::Display>(name: &str, possible: RangeInclusive<T>, meaning: &str) -> String {
        format!("{name}={} to {} ({meaning})", possible.start(), possible.end())
    }
    vec![
        "available=true or false (whether it answers at all)".to_owned(),
        row("capacity", Behaviour::CAPACITIES, "requests served at a time"),
        row("median_ms", MEDIANS_MS, "half of them are served within so long"),
        row("sigma", Behaviour::SIGMAS, "how widely that is spread"),
        row("queue", Behaviour::QUEUES, "requests that may wait"),
        row("decline_rate", Behaviour::DECLINE_RATES, "share of cards that are declined"),
        row("error_rate", Behaviour::ERROR_RATES, "share of requests answered with an error"),
        row("token_ttl_s", TOKEN_TTLS_S, "how long a token is valid"),
    ]
}

impl ProviderStatus {
    pub(super) fn of(provider: &Provider) -> Self {
        let Behaviour {
            capacity,
            median,
            sigma,
            decline_rate,
            error_rate,
            queue,
            available,
            token_ttl,
        } = provider.behaviour();
        Self {
            behaviour: ProviderBehaviour {
                available,
                capacity,
                median_ms: median.as_secs_f64() * 1000.0,
                sigma,
                queue,
                decline_rate,
                error_rate,
                token_ttl_s: token_ttl.as_secs(),
            },
            load: provider.load(),
            totals: provider.totals(),
        }
    }
}

impl ProviderStatus {
    /// The status in a line.
    pub(super) fn in_short(&self) -> String {
        let Self { behaviour, load, totals } = self;
        let available = if behaviour.available { "available" } else { "not available" };
        format!(
            "provider {available}, {} of {} servers busy, {} waiting; since the start: {} \
             authorized, {} declined",
            load.busy, behaviour.capacity, load.waiting, totals.authorizations, totals.declined,
        )
    }
}

impl fmt::Display for ProviderBehaviour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            available,
            capacity,
            median_ms,
            sigma,
            queue,
            decline_rate,
            error_rate,
            token_ttl_s,
        } = self;
        write!(
            f,
            "available={available} capacity={capacity} median_ms={median_ms} sigma={sigma} \
             queue={queue} decline_rate={decline_rate} error_rate={error_rate} token_ttl_s={token_ttl_s}"
        )
    }
}

impl fmt::Display for ProviderStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { behaviour, load, totals } = self;
        writeln!(f, "{behaviour}\nnow\n  {} served, {} waiting", load.busy, load.waiting)?;
        f.write_str("since the start")?;
        for (name, count, minor) in [
            ("authorized", totals.authorizations, totals.authorized_minor),
            ("captured", totals.captures, totals.captured_minor),
            ("refunded", totals.refunds, totals.refunded_minor),
            ("voided", totals.voids, totals.voided_minor),
        ] {
            write!(f, "\n  {name:<12}{count:>8}{minor:>16} minor units")?;
        }
        write!(f, "\n  {:<12}{:>8}", "declined", totals.declined)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_set_stays_and_what_is_not_possible_is_refused() {
        let now = Behaviour::default();
        let given = [("capacity", "4"), ("median_ms", "2.5"), ("available", "false")];
        let changed = given.into_iter().try_fold(now, set).unwrap();
        let median = Duration::from_micros(2500);
        assert_eq!(changed, Behaviour { capacity: 4, median, available: false, ..now });
        let given = [("sigma", "1"), ("queue", "0"), ("decline_rate", "1"), ("token_ttl_s", "9")];
        let changed = given.into_iter().try_fold(now, set).unwrap();
        let token_ttl = Duration::from_secs(9);
        let expected = Behaviour { sigma: 1.0, queue: 0, decline_rate: 1.0, token_ttl, ..now };
        assert_eq!(changed, expected);
        for bad in [
            ("capacity", "-1"),
            ("capacity", "1001"),
            ("median_ms", "NaN"),
            ("median_ms", "30001"),
            ("sigma", "2.1"),
            ("decline_rate", "1.1"),
            ("queue", ""),
            ("available", "1"),
            ("token_ttl_s", "0"),
            ("speed", "1"),
        ] {
            assert!(set(now, bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn what_can_be_set_is_what_can_be() {
        assert_eq!(Duration::from_secs_f64(*MEDIANS_MS.end() / 1000.0), *Behaviour::MEDIANS.end());
        let seconds = [*TOKEN_TTLS_S.start(), *TOKEN_TTLS_S.end()].map(Duration::from_secs);
        assert_eq!(seconds, [*Behaviour::TOKEN_TTLS.start(), *Behaviour::TOKEN_TTLS.end()]);
    }
}
