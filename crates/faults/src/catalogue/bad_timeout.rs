//! The gateway waits for less time than an order takes.
//!
//! With a change of its configuration the gateway gives each request a fraction of a second. The payment
//! provider is a little slow today, within what it promises, and the order needs longer: the gateway
//! answers 504 at that very moment, and what order-api had begun is given up or finished by its
//! reconciler for nobody. Everything quicker is as ever. In the histogram of the gateway there is a wall:
//! what failed took exactly as long as was set, never more.

use std::time::Duration;

use super::{Family, Fault, Incident, Layer};
use crate::{
    action::Action,
    contract::{ANY, Contract, Slo, Traces, metrics, told, traces},
    parameters::Parameter,
    repair::Repair,
    seam::Service,
};

pub(super) const FAULT: Fault = Fault {
    name: "bad-timeout",
    source: include_str!("bad_timeout.rs"),
    layer: Layer::Dependency,
    family: Family::SomeErrors,
    parameters: &[
        Parameter {
            name: "deadline",
            meaning: "what the gateway gives a request, in milliseconds",
            default: 300.0,
            min: 10.0,
            max: 5000.0,
        },
        Parameter {
            name: "ms",
            meaning: "median time of service of the provider in milliseconds",
            default: 280.0,
            min: 1.0,
            max: 10_000.0,
        },
    ],
    mechanism: |settings| {
        let deadline = Duration::from_millis(settings.get("deadline") as u64);
        let deadline = humantime::format_duration(deadline).to_string();
        vec![
            Action::Set(Service::WebGateway, "request-deadline", deadline),
            Action::Provider(vec![("median_ms", settings.get("ms").to_string())]),
        ]
    },
    contract: Contract {
        witness: metrics(
            "the customers, by their own count, place orders in vain",
            r#"sum(rate(lab_customer_requests_total{journey="order", outcome="failed"}[30s])) > 0.1"#,
        ),
        signature: &[
            metrics(
                "the gateway says that the time is over, for more than a tenth of the orders",
                r#"sum(rate(http_requests_total{job="web-gateway", method="POST", route="/orders", status_code="504"}[30s])) / sum(rate(http_requests_total{job="web-gateway", method="POST", route="/orders"}[30s])) > 0.1"#,
            ),
            metrics(
                "what failed took as long as all that failed",
                r#"histogram_quantile(0.95, sum by (le) (rate(http_request_duration_seconds_bucket{job="web-gateway", method="POST", route="/orders", status_code="504"}[1m]))) < 1 and on () (sum(rate(http_requests_total{job="web-gateway", status_code="504"}[1m])) > 0.1)"#,
            ),
            traces(
                "traces of orders that failed at the gateway",
                Traces { like: &[("step", "POST /orders"), ("error", "true")], ..ANY },
            ),
        ],
        fires: &["GatewayAvailabilityBurn"],
        silent: &["DbPoolSaturated", "RuntimeLagHigh", "DbSlowQueries"],
        tells: &[
            told(
                "errors",
                "what fails is late, not broken",
                r#"sum(rate(http_requests_total{job="web-gateway", method="POST", route="/orders", status_code="504"}[1m])) > sum(rate(http_requests_total{job="web-gateway", method="POST", route="/orders", status_code="503"}[1m]))"#,
            ),
            told(
                "slow-provider",
                "the provider has time",
                r#"max_over_time(provider_servers_busy[30s]) / provider_servers < 0.9"#,
            ),
            told(
                "slow-provider",
                "the provider answers within its time",
                r#"sum(rate(payment_provider_requests_total{outcome="timed_out"}[30s])) < 0.05"#,
            ),
            told(
                "bad-canary",
                "what fails is late, not broken",
                r#"sum(rate(http_requests_total{job="web-gateway", method="POST", route="/orders", status_code="504"}[1m])) > sum(rate(http_requests_total{job="web-gateway", method="POST", route="/orders", status_code=~"500|503"}[1m]))"#,
            ),
            told(
                "deadlock",
                "no transaction is done again",
                r#"sum(rate(db_transaction_retries_total[1m])) < 0.01"#,
            ),
            told(
                "one-sku",
                "what fails is late, not broken",
                r#"sum(rate(http_requests_total{job="web-gateway", method="POST", route="/orders", status_code="504"}[1m])) > sum(rate(http_requests_total{job="web-gateway", method="POST", route="/orders", status_code=~"500|503"}[1m]))"#,
            ),
        ],
        outlives: Duration::ZERO,
        gone: None,
        impact: Some(Slo::Availability),
        recovers_within: Duration::from_secs(300),
    },
    hints: [
        "A share of the orders fails since one moment, and all that fails takes equally long.",
        "In a trace that failed, compare when the gateway's step ends and when the steps below it do.",
        "The gateway gives up while the payment is still under way: what does it give a request? Compare \
         the settings with what they were.",
    ],
    red_herring: "The payment provider: it is slower than yesterday, and well within what it promises.",
    fix: "Set the gateway's deadline longer than that of what it calls.",
    repairs: &[Repair::Reset(Service::WebGateway, &["request-deadline"])],
    incident: Incident {
        what: "GitHub, 2023: a session timeout was too short for consumers that were throttled; \
               they started over and over, and jobs waited up to an hour.",
        url: "https://github.blog/2023-09-13-github-availability-report-august-2023/",
    },
};
