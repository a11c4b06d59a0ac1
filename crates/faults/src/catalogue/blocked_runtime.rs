//! A call that blocks is made on the async runtime.
//!
//! Placing an order calls something that knows no `async` and waits: the thread of the runtime waits
//! with it, and with it every other request that this thread would have served. So all that order-api
//! does is late, also what has nothing to do with orders: other calls, their deadlines, timers. The
//! processor is idle meanwhile, and `runtime_lag_seconds` says how late a timer is. `/metrics` is
//! on time, for the side port has a runtime of its own.

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
    name: "blocked-runtime",
    source: include_str!("blocked_runtime.rs"),
    layer: Layer::Runtime,
    family: Family::SlowProcess,
    parameters: &[
        Parameter {
            name: "ms",
            meaning: "how long each call blocks, in milliseconds",
            default: 600.0,
            min: 1.0,
            max: 10_000.0,
        },
        share("share of orders", 1.0),
    ],
    mechanism: |settings| {
        let block = Effect::Block { ms: settings.get("ms"), share: settings.get("p") };
        vec![Action::Strike(Seam::ReadOrder, block)]
    },
    contract: Contract {
        witness: metrics(
            "customers wait, by their own clocks, while the kernel sees next to no work",
            r#"histogram_quantile(0.9, sum by (le) (rate(lab_customer_request_duration_seconds_bucket[30s]))) > 0.2 and on () (rate(process_cpu_seconds_total{job="order-api"}[30s]) < 0.8)"#,
        ),
        signature: &[
            metrics(
                "order-api's timers are late",
                r#"histogram_quantile(0.99, sum by (le) (rate(runtime_lag_seconds_bucket{job="order-api"}[30s]))) > 0.15"#,
            ),
            metrics(
                "also a call that blocks nothing is slow",
                r#"histogram_quantile(0.9, sum by (le) (rate(grpc_client_attempt_duration_seconds_bucket{job=~"web-gateway|fulfillment-worker", method=~"GetOrder|CompleteFulfillment"}[30s]))) > 0.15"#,
            ),
            traces(
                "slow traces of more than one route",
                Traces { like: &[("step", "GET /orders/{id}"), ("lasting", "300ms")], ..ANY },
            ),
        ],
        fires: &["RuntimeLagHigh", "GatewayLatencyBurn"],
        silent: &["DbPoolSaturated", "MemoryGrowth"],
        tells: &[
            told(
                "cpu-burn",
                "an order costs as little processor time as ever",
                r#"sum(rate(process_cpu_seconds_total{job="order-api"}[30s])) / sum(rate(grpc_requests_total{job="order-api", method="PlaceOrder"}[30s])) < 0.07"#,
            ),
            told(
                "log-flood",
                "its log is as short as ever",
                r#"rate(log_bytes_total{job="order-api"}[30s]) < 60e3"#,
            ),
            told(
                "gray-replica",
                "also calls that one replica would answer at once are late: its timers are",
                r#"histogram_quantile(0.99, sum by (le) (rate(runtime_lag_seconds_bucket{job="order-api"}[30s]))) > 0.15"#,
            ),
        ],
        outlives: Duration::ZERO,
        gone: None,
        impact: Some(Slo::Latency),
        recovers_within: Duration::from_secs(240),
    },
    hints: [
        "Everything that one process does is late, whatever it is.",
        "Is it busy or is it waiting? Compare runtime_lag_seconds with process_cpu_seconds_total \
         of each service.",
        "order-api's threads stand still without computing: somewhere it makes a call that blocks.",
    ],
    red_herring: "The calls that are slow: most of them do nothing wrong, they only wait for a \
                  thread.",
    fix: "Roll back, or move the call to spawn_blocking.",
    repairs: &[Repair::RollBack(Service::OrderApi)],
    incident: Incident {
        what: "Tuist, 2026: writes to the database stalled on the threads of the async runtime, and \
               a cache server was silent for 25 minutes.",
        url: "https://github.com/tuist/tuist/pull/12587",
    },
};
