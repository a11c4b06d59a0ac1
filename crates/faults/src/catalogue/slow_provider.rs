//! The payment provider has too few servers for what comes.
//!
//! It is a queue: with half of its servers gone and each request taking longer, it is busy all the time,
//! and requests wait for a server. The wait grows until order-api gives up after a second, and then asks
//! what has become of the payment. Its circuit breaker opens when half of the calls fail. Orders stay
//! `pending` (202) and are decided later; nothing is charged twice.

use std::time::Duration;

use super::{Family, Fault, Incident, Layer};
use crate::{
    action::Action,
    contract::{Contract, Slo, logs, metrics, told},
    parameters::Parameter,
    repair::Repair,
};

pub(super) const FAULT: Fault = Fault {
    name: "slow-provider",
    source: include_str!("slow_provider.rs"),
    layer: Layer::Dependency,
    family: Family::Payments,
    parameters: &[
        Parameter {
            name: "capacity",
            meaning: "servers that are left",
            default: 1.0,
            min: 0.0,
            max: 16.0,
        },
        Parameter {
            name: "ms",
            meaning: "median time of service in milliseconds",
            default: 500.0,
            min: 1.0,
            max: 10_000.0,
        },
    ],
    mechanism: |settings| {
        vec![Action::Provider(vec![
            ("capacity", settings.get("capacity").round().to_string()),
            ("median_ms", settings.get("ms").to_string()),
        ])]
    },
    contract: Contract {
        witness: metrics(
            "all servers of the provider are busy, by its own count",
            r#"max_over_time(provider_servers_busy[30s]) / provider_servers > 0.9"#,
        ),
        signature: &[
            metrics(
                "authorizing takes long or is given up",
                r#"histogram_quantile(0.9, sum by (le) (rate(payment_provider_request_duration_seconds_bucket{operation="authorize"}[30s]))) > 0.5"#,
            ),
            metrics(
                "orders are answered before they are paid",
                r#"sum(rate(payments_undecided_total[30s])) > 0"#,
            ),
            logs(
                "order-api says which payments it could not decide",
                3,
                &[("service", "order-api"), ("text", "payment not decided")],
            ),
        ],
        fires: &["PaymentSuccessBurn"],
        silent: &["DbPoolSaturated", "RuntimeLagHigh", "DbSlowQueries"],
        tells: &[
            told(
                "token-expiry",
                "the provider lets the shop in",
                r#"sum(rate(provider_requests_total{outcome="unauthorized"}[1m])) == 0"#,
            ),
            told(
                "lock-convoy",
                "the provider is busy",
                r#"max_over_time(provider_servers_busy[30s]) / provider_servers > 0.9"#,
            ),
            told(
                "flapping-breaker",
                "the provider is busy",
                r#"max_over_time(provider_servers_busy[30s]) / provider_servers > 0.9"#,
            ),
        ],
        outlives: Duration::ZERO,
        gone: None,
        impact: Some(Slo::Payment),
        recovers_within: Duration::from_secs(300),
    },
    hints: [
        "Orders are taken, and are not paid: what do they wait for?",
        "Compare how long the call to the provider takes with all that happens around it.",
        "The provider answers late or not at all, with no error of its own: it has too little \
         room.",
    ],
    red_herring: "order-api: the time is spent outside, and its circuit breaker is what keeps it \
                  alive.",
    fix: "Wait less, ask less (the breaker does), take orders as pending, and talk to the \
          provider.",
    repairs: &[Repair::Provider(&[("capacity", "16"), ("median_ms", "8")])],
    incident: Incident {
        what: "Spotify, 2013: a service that was slow was asked again and again without a pause, \
               and others went down with it.",
        url: "https://engineering.atspotify.com/2013/06/incident-management-at-spotify/",
    },
};
