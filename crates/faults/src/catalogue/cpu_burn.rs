//! A pattern backtracks without end.
//!
//! A release of order-api checks a text for some of its orders, here as many as a parameter says, against
//! a pattern that, for a text that nearly fits, tries every way to read it. One such order keeps a
//! processor busy, and what else its thread would have done waits. There are no more requests than
//! before, and each costs many times as much processor time (`process_cpu_seconds_total` over
//! `grpc_requests_total`).

use std::time::Duration;

use super::{Family, Fault, Incident, Layer, share};
use crate::{
    action::Action,
    contract::{ANY, Contract, Slo, Traces, metrics, told, traces},
    effect::Effect,
    parameters::Parameter,
    repair::Repair,
    seam::{Seam, Service},
};

pub(super) const FAULT: Fault = Fault {
    name: "cpu-burn",
    source: include_str!("cpu_burn.rs"),
    layer: Layer::Runtime,
    family: Family::SlowProcess,
    parameters: &[
        Parameter {
            name: "length",
            meaning: "length of the text that is checked: two more take about three times as long",
            default: 39.0,
            min: 30.0,
            max: 42.0,
        },
        share("share of orders with such a text", 0.2),
    ],
    mechanism: |settings| {
        let burn = Effect::Match { length: settings.get("length"), share: settings.get("p") };
        vec![Action::Strike(Seam::ReadOrder, burn)]
    },
    contract: Contract {
        witness: metrics(
            "the kernel counts the time of order-api's threads",
            r#"rate(process_cpu_seconds_total{job="order-api"}[30s]) > 0.15"#,
        ),
        signature: &[
            metrics(
                "an order costs much processor time",
                r#"sum(rate(process_cpu_seconds_total{job="order-api"}[30s])) / sum(rate(grpc_requests_total{job="order-api", method="PlaceOrder"}[30s])) > 0.08"#,
            ),
            metrics(
                "order-api's timers are late",
                r#"histogram_quantile(0.99, sum by (le) (rate(runtime_lag_seconds_bucket{job="order-api"}[30s]))) > 0.03"#,
            ),
            traces(
                "traces of orders with time that no step accounts for",
                Traces { like: &[("step", "POST /orders"), ("lasting", "80ms")], ..ANY },
            ),
        ],
        fires: &["RuntimeLagHigh"],
        silent: &["DbPoolSaturated", "MemoryGrowth"],
        tells: &[
            told(
                "blocked-runtime",
                "order-api computes",
                r#"rate(process_cpu_seconds_total{job="order-api"}[30s]) > 0.15"#,
            ),
            told(
                "log-flood",
                "its log is as short as ever",
                r#"rate(log_bytes_total{job="order-api"}[30s]) < 60e3"#,
            ),
            told(
                "traffic-spike",
                "there are no more requests than at rest",
                r#"sum(rate(http_requests_total{job="web-gateway", route=~"/orders.*|/products"}[30s])) < 1.8 * sum(rate(http_requests_total{job="web-gateway", route=~"/orders.*|/products"}[30s] offset 2m))"#,
            ),
            told(
                "gray-replica",
                "order-api computes",
                r#"rate(process_cpu_seconds_total{job="order-api"}[30s]) > 0.15"#,
            ),
        ],
        outlives: Duration::ZERO,
        gone: None,
        impact: Some(Slo::Latency),
        recovers_within: Duration::from_secs(240),
    },
    hints: [
        "One process computes more than it did, for as many requests.",
        "Which requests cost it? Look for traces with time that none of their steps accounts for.",
        "It is spent in order-api before the first statement, on some orders and not on others: \
         nothing is waited for, something is computed.",
    ],
    red_herring: "The number of requests: it has not changed.",
    fix: "Roll back, and use a pattern matcher without backtracking.",
    repairs: &[Repair::RollBack(Service::OrderApi)],
    incident: Incident {
        what: "Cloudflare, 2019: a pattern that backtracks took all processors of its edge for 27 \
               minutes.",
        url: "https://blog.cloudflare.com/details-of-the-cloudflare-outage-on-july-2-2019/",
    },
};
