//! A circuit breaker opens at the slightest error, again and again.
//!
//! The payment provider answers one request in ten with an error, which trying again would hide. But the
//! breaker before it opens after two calls of which one in ten has failed, for a moment, and closes, and
//! opens: orders are refused by the breaker, not by the provider, which has time. Far more is rejected
//! than fails.

use std::time::Duration;

use super::{Family, Fault, Incident, Layer};
use crate::{
    action::Action,
    contract::{Contract, Slo, logs, metrics, told},
    parameters::Parameter,
    repair::Repair,
    seam::Service,
};

pub(super) const FAULT: Fault = Fault {
    name: "flapping-breaker",
    source: include_str!("flapping_breaker.rs"),
    layer: Layer::Dependency,
    family: Family::Payments,
    parameters: &[
        Parameter {
            name: "p",
            meaning: "share of the provider's answers that are errors",
            default: 0.1,
            min: 0.0,
            max: 1.0,
        },
        Parameter {
            name: "threshold",
            meaning: "share of failed calls from which on the breaker opens",
            default: 0.05,
            min: 0.0,
            max: 1.0,
        },
    ],
    mechanism: |settings| {
        let set = |name, value: String| Action::Set(Service::OrderApi, name, value);
        vec![
            set("breaker-minimum", "2".to_owned()),
            set("breaker-threshold", settings.get("threshold").to_string()),
            set("breaker-open-for", "3s".to_owned()),
            Action::Provider(vec![("error_rate", settings.get("p").to_string())]),
        ]
    },
    contract: Contract {
        witness: metrics(
            "the provider, by its own count, answers nine in ten",
            r#"sum(rate(provider_requests_total{outcome="failed"}[1m])) > 0 and on () (sum(rate(provider_requests_total{outcome="failed"}[1m])) < 0.4 * sum(rate(provider_requests_total[1m])))"#,
        ),
        signature: &[
            metrics(
                "the circuit opens again and again",
                r#"sum(increase(circuit_breaker_transitions_total{job="order-api", state="open"}[1m])) > 4"#,
            ),
            metrics(
                "far more is rejected than fails",
                r#"sum(rate(circuit_breaker_rejections_total{job="order-api"}[1m])) > 2 * sum(rate(provider_requests_total{outcome="failed"}[1m]))"#,
            ),
            logs(
                "order-api says that the circuit opens",
                3,
                &[("service", "order-api"), ("text", "the circuit opens")],
            ),
        ],
        fires: &["CircuitOpen"],
        silent: &["DbPoolSaturated", "RuntimeLagHigh", "DbSlowQueries"],
        tells: &[
            told(
                "slow-provider",
                "the provider has time",
                r#"max_over_time(provider_servers_busy[30s]) / provider_servers < 0.9"#,
            ),
            told(
                "token-expiry",
                "the provider lets the shop in",
                r#"sum(rate(provider_requests_total{outcome="unauthorized"}[1m])) == 0"#,
            ),
        ],
        outlives: Duration::ZERO,
        gone: Some(metrics(
            "the circuit opens again and again",
            r#"sum(increase(circuit_breaker_transitions_total{job="order-api", state="open"}[1m])) > 1"#,
        )),
        impact: Some(Slo::Availability),
        recovers_within: Duration::from_secs(300),
    },
    hints: [
        "Orders are refused at once, in bursts, with quiet between them.",
        "Who refuses? Compare how many calls the provider answers with an error and how many never reach \
         it.",
        "The circuit breaker opens at an error or two: with how few calls, and at what share, may it? \
         Compare the settings with what they were.",
    ],
    red_herring: "The payment provider: it fails a little, which trying again would hide.",
    fix: "Let the breaker look at more calls and bear more failures.",
    repairs: &[Repair::Reset(
        Service::OrderApi,
        &["breaker-minimum", "breaker-threshold", "breaker-open-for"],
    )],
    incident: Incident {
        what: "FormSG, 2020: a breaker that needed no least number of calls opened too easily, and \
               may have locked many users out.",
        url: "https://github.com/opengovsg/FormSG/pull/165",
    },
};
