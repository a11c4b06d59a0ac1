//! The key to the payment provider has expired, and nobody renews it.
//!
//! order-api gets a key with its credentials and should renew it before it ends. What renews it is dead
//! since a release; all is well until the key ends, and from that moment on every payment is a 401. The
//! provider is up and fast, the network is whole. Orders stay `pending` and are paid as soon as there
//! is a key again.

use std::time::Duration;

use super::{Family, Fault, Incident, Layer, detour, share};
use crate::{
    action::Action,
    contract::{ANY, Contract, Slo, Traces, logs, metrics, told, traces},
    parameters::Parameter,
    repair::Repair,
    seam::{Seam, Service},
};

pub(super) const FAULT: Fault = Fault {
    name: "token-expiry",
    source: include_str!("token_expiry.rs"),
    layer: Layer::Dependency,
    family: Family::Payments,
    parameters: &[
        share("share of renewals that do not happen", 1.0),
        Parameter {
            name: "life",
            meaning: "how long a key lives, in seconds",
            default: 5.0,
            min: 1.0,
            max: 3600.0,
        },
    ],
    mechanism: |settings| {
        vec![
            detour(Seam::RenewKey, settings),
            Action::Provider(vec![("token_ttl_s", settings.get("life").round().to_string())]),
        ]
    },
    contract: Contract {
        witness: metrics(
            "the provider turns the shop away",
            r#"sum(rate(provider_requests_total{outcome="unauthorized"}[30s])) > 0.2"#,
        ),
        signature: &[
            metrics(
                "payments fail, and are not late",
                r#"sum(rate(payment_provider_requests_total{operation="authorize", outcome=~"failed|rejected"}[30s])) > 0.2 unless on () (sum(rate(payment_provider_requests_total{outcome="timed_out"}[30s])) > 0.1)"#,
            ),
            logs(
                "order-api says which payments it could not decide",
                3,
                &[("service", "order-api"), ("text", "payment not decided")],
            ),
            traces(
                "traces of orders with a call to the provider that failed",
                Traces { like: &[("step", "POST /orders"), ("error", "true")], ..ANY },
            ),
        ],
        fires: &["PaymentSuccessBurn"],
        silent: &["DbPoolSaturated", "RuntimeLagHigh"],
        tells: &[
            told(
                "slow-provider",
                "the provider has time",
                r#"avg_over_time(provider_servers_busy[20s]) / provider_servers < 0.5"#,
            ),
            told(
                "errors",
                "the provider turns the shop away",
                r#"sum(rate(provider_requests_total{outcome="unauthorized"}[1m])) > 0"#,
            ),
            told(
                "flapping-breaker",
                "the provider turns the shop away",
                r#"sum(rate(provider_requests_total{outcome="unauthorized"}[1m])) > 0"#,
            ),
        ],
        outlives: Duration::ZERO,
        gone: None,
        impact: Some(Slo::Payment),
        recovers_within: Duration::from_secs(300),
    },
    hints: [
        "Since one moment no payment succeeds, and before it all did.",
        "With which status does the provider answer? Open a trace of an order down to that call.",
        "401: the key is not good any more. Who should have renewed it?",
    ],
    red_herring: "The provider: it is up, it answers at once, and it is right.",
    fix: "Let the key be renewed again: roll back, or restart once it is known why it was not.",
    repairs: &[Repair::RollBack(Service::OrderApi)],
    incident: Incident {
        what: "Epic Games, 2021: a certificate that nobody watched expired, and logins and \
               purchases failed.",
        url: "https://www.epicgames.com/site/en-US/expiration-date-4-6-2021",
    },
};
