//! A share of orders fails.
//!
//! Storing an order fails as it does when the database drops the connection. order-api answers
//! `Unavailable`, which `grpc_requests_total` for `PlaceOrder` shows by `status`. The gateway tries again
//! what has an idempotency key, as nine of ten orders have, so that customers see less of it than there is:
//! attempts of `grpc_client_attempts_total` outnumber requests of `grpc_client_requests_total`, and what
//! fails three times, or has no key, is a 503 of `http_requests_total` for `POST /orders`. From about half
//! of the orders on the gateway's circuit for placing opens (`circuit_breaker_state`). What does not fail
//! is as fast as ever, reading is untouched, and nothing is half done: a failed order is neither stored nor
//! has it taken stock.

use std::time::Duration;

use super::{Family, Fault, Incident, Layer, share};
use crate::{
    action::Action,
    contract::{ANY, Contract, Slo, Traces, metrics, told, traces},
    effect::Effect,
    seam::Seam,
};

pub(super) const FAULT: Fault = Fault {
    name: "errors",
    source: include_str!("errors.rs"),
    layer: Layer::Database,
    family: Family::SomeErrors,
    parameters: &[share("share of orders", 0.27)],
    mechanism: |settings| {
        vec![Action::Strike(Seam::StoreOrder, Effect::Fail { share: settings.get("p") })]
    },
    contract: Contract {
        witness: metrics(
            "the gateway, at the other end of the call, sees calls fail",
            r#"sum(rate(grpc_client_attempts_total{job="web-gateway", method="PlaceOrder", status="UNAVAILABLE"}[30s])) > 0.1"#,
        ),
        signature: &[
            metrics(
                "order-api answers a share of PlaceOrder with UNAVAILABLE",
                r#"sum(rate(grpc_requests_total{job="order-api", method="PlaceOrder", status="UNAVAILABLE"}[30s])) / sum(rate(grpc_requests_total{job="order-api", method="PlaceOrder"}[30s])) > 0.1"#,
            ),
            traces(
                "traces of orders with a step that failed",
                Traces { like: &[("step", "POST /orders"), ("error", "true")], ..ANY },
            ),
        ],
        fires: &["RetryRatioHigh", "DependencyErrors"],
        silent: &["GatewayLatencyBurn", "DbPoolSaturated", "PaymentSuccessBurn"],
        tells: &[
            told(
                "lying-metric",
                "what the gateway counts as failed and what the customers see is the same",
                r#"sum(rate(http_requests_total{job="web-gateway", route="/orders", status_code="503"}[1m])) >= 0.5 * sum(rate(lab_customer_requests_total{journey="order", outcome="failed"}[1m]))"#,
            ),
            told(
                "pool-leak",
                "no call waits for a connection in vain",
                "sum(rate(db_pool_timeouts_total[30s])) == 0",
            ),
            told(
                "bad-timeout",
                "what fails is broken, not late",
                r#"sum(rate(http_requests_total{job="web-gateway", method="POST", route="/orders", status_code="504"}[1m])) < 0.05"#,
            ),
            told(
                "bad-canary",
                "every replica fails a share",
                r#"min(sum by (instance) (rate(grpc_requests_total{job="order-api", method="PlaceOrder", status="UNAVAILABLE"}[30s])) / sum by (instance) (rate(grpc_requests_total{job="order-api", method="PlaceOrder"}[30s]))) > 0.1"#,
            ),
            told(
                "token-expiry",
                "the payment provider lets the shop in",
                r#"sum(rate(provider_requests_total{outcome="unauthorized"}[1m])) == 0"#,
            ),
            told(
                "migration-lock",
                "no statement waits",
                r#"histogram_quantile(0.9, sum by (le) (rate(db_statement_duration_seconds_bucket{query="sample_oldest"}[30s]))) < 0.25"#,
            ),
            told(
                "slow-provider",
                "every payment is decided",
                r#"sum(rate(payments_undecided_total[1m])) == 0"#,
            ),
            told(
                "flapping-breaker",
                "no circuit is open",
                r#"sum(rate(circuit_breaker_rejections_total{job="order-api"}[1m])) == 0"#,
            ),
            told(
                "deadlock",
                "no transaction is done again",
                r#"sum(rate(db_transaction_retries_total[1m])) < 0.01"#,
            ),
            told(
                "one-sku",
                "order-api is unavailable for a share of the orders, whatever is in them",
                r#"sum(rate(grpc_requests_total{job="order-api", method="PlaceOrder", status="UNAVAILABLE"}[30s])) / sum(rate(grpc_requests_total{job="order-api", method="PlaceOrder"}[30s])) > 0.1"#,
            ),
        ],
        outlives: Duration::ZERO,
        gone: None,
        impact: Some(Slo::Availability),
        recovers_within: Duration::from_secs(240),
    },
    hints: [
        "Attempts outnumber requests: somebody tries again.",
        "Which call fails, with which status, and where does the error begin? Open a trace with an \
         error.",
        "PlaceOrder fails with UNAVAILABLE in order-api before its first statement: its connections \
         break.",
    ],
    red_herring: "The gateway: it only hands on what it gets, and hides most of it by trying \
                  again.",
    fix: "Find what breaks order-api's connections to its store; meanwhile retries bound the harm.",
    repairs: &[],
    incident: Incident {
        what: "Slack, 2021: a share of the packets between its machines was lost, so that a share of \
               requests failed, and retries hid and then fed it.",
        url: "https://slack.engineering/slacks-outage-on-january-4th-2021/",
    },
};
