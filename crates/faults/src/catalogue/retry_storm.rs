//! Retries keep the shop down after what brought it down has passed.
//!
//! order-api asks a carrier where each parcel is, one question at a time, and goes on asking when nobody
//! waits for the answer any more. The gateway gives each attempt half a second and makes four of them,
//! with no limit on how many in all. For half a minute the carrier is slow: the line grows longer than
//! half a second, and from then on every look at an order is asked for four times and answered too late
//! each time. The carrier is quick again, the customers are as many as ever, and the shop stays down: it
//! is busy with questions that nobody waits for.

use std::time::Duration;

use super::{Family, Fault, Incident, Layer};
use crate::{
    action::Action,
    contract::{ANY, Contract, Slo, Traces, metrics, told, traces},
    effect::Effect,
    parameters::Parameter,
    repair::Repair,
    seam::{Seam, Service},
};

/// How long the carrier is slow.
const TRIGGER: Duration = Duration::from_secs(30);

pub(super) const FAULT: Fault = Fault {
    name: "retry-storm",
    source: include_str!("retry_storm.rs"),
    layer: Layer::Load,
    family: Family::MoreWork,
    parameters: &[
        Parameter {
            name: "ms",
            meaning: "median time of the carrier's answer in milliseconds",
            default: 70.0,
            min: 1.0,
            max: 5000.0,
        },
        Parameter {
            name: "slow",
            meaning: "the same while the carrier is slow, in the beginning",
            default: 600.0,
            min: 1.0,
            max: 5000.0,
        },
        Parameter {
            name: "retries",
            meaning: "how often the gateway tries again",
            default: 3.0,
            min: 0.0,
            max: 10.0,
        },
    ],
    mechanism: |settings| {
        let set = |name, value: String| Action::Set(Service::WebGateway, name, value);
        let answer = |ms| Effect::Delay { median_ms: ms, share: 1.0 };
        vec![
            Action::Strike(Seam::ReadCall, Effect::Detour { share: 1.0 }),
            Action::Strike(Seam::AskCarrier, answer(settings.get("ms"))),
            set("attempt-timeout", "500ms".to_owned()),
            set("retry-limit", settings.get("retries").round().to_string()),
            set("retry-budget", "10".to_owned()),
            Action::Briefly(Seam::AskCarrier, answer(settings.get("slow")), TRIGGER),
        ]
    },
    contract: Contract {
        witness: metrics(
            "what brought it down has passed, and looks at orders fail all the same",
            r#"sum(rate(http_requests_total{job="web-gateway", route="/orders/{id}", status_code="504"}[20s])) > 0.5"#,
        ),
        signature: &[
            metrics(
                "the gateway makes several attempts for each request",
                r#"sum(rate(grpc_client_attempts_total{job="web-gateway", method="GetOrder"}[30s])) / sum(rate(grpc_client_requests_total{job="web-gateway", method="GetOrder"}[30s])) > 2"#,
            ),
            metrics(
                "order-api is asked more than the customers ask",
                r#"sum(rate(grpc_client_attempts_total{job="web-gateway", method="GetOrder"}[30s])) > 2 * sum(rate(lab_customer_requests_total{journey="order"}[30s] offset 3m))"#,
            ),
            traces(
                "traces of looks at an order with several attempts that were too late",
                Traces { like: &[("step", "track parcel"), ("repeated", "3")], ..ANY },
            ),
        ],
        fires: &["RetryRatioHigh", "GatewayAvailabilityBurn"],
        silent: &["DbPoolSaturated", "RuntimeLagHigh", "DbSlowQueries"],
        tells: &[
            told(
                "traffic-spike",
                "several attempts for each request",
                r#"sum(rate(grpc_client_attempts_total{job="web-gateway"}[30s])) / sum(rate(grpc_client_requests_total{job="web-gateway"}[30s])) > 1.3"#,
            ),
            told(
                "cache-stampede",
                "most looks at the products are answered from the cache",
                r#"sum(rate(cache_requests_total{result="miss"}[30s])) / sum(rate(cache_requests_total[30s])) < 0.3"#,
            ),
            told(
                "duplicate-delivery",
                "no message comes again",
                r#"sum(rate(fulfillment_redeliveries_total[30s])) == 0"#,
            ),
        ],
        outlives: TRIGGER,
        gone: None,
        impact: Some(Slo::Availability),
        recovers_within: Duration::from_secs(300),
    },
    hints: [
        "order-api is asked far more than customers ask the gateway.",
        "Divide attempts by requests, and look in a trace at how the attempts end, and when their work \
         does.",
        "Work that nobody waits for keeps the line long, the long line makes attempts late, and late \
         attempts are made again: what began it has long passed.",
    ],
    red_herring: "The carrier: it was slow for a moment, and is as quick as ever.",
    fix: "Break the loop: fewer attempts and a budget for them, then drop the line (restart or roll back \
          order-api).",
    repairs: &[
        Repair::Reset(Service::WebGateway, &["retry-limit", "retry-budget", "attempt-timeout"]),
        Repair::RollBack(Service::OrderApi),
    ],
    incident: Incident {
        what: "Metastable failures in the wild: of 22 outages at 11 organizations, half were kept going \
               by retries after their trigger had passed.",
        url: "https://www.usenix.org/conference/osdi22/presentation/huang-lexiang",
    },
};
