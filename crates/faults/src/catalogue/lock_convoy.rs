//! Orders are placed one at a time.
//!
//! A release has put a lock around placing an order, and holds it while the payment provider is asked.
//! As long as few order, nobody notices; then throughput stops at one order for each such time, and
//! the wait grows with the number of those who wait. order-api, its database and the provider all have
//! time: connections are idle, the processor too. In a trace the steps are as short as ever, with a
//! long nothing before the first.

use std::time::Duration;

use super::{Family, Fault, Incident, Layer, detour, share};
use crate::{
    action::Action,
    contract::{ANY, Contract, Slo, Traces, metrics, told, traces},
    parameters::Parameter,
    repair::Repair,
    seam::{Seam, Service},
};

pub(super) const FAULT: Fault = Fault {
    name: "lock-convoy",
    source: include_str!("lock_convoy.rs"),
    layer: Layer::Runtime,
    family: Family::SlowDatabase,
    parameters: &[
        share("share of orders that take the lock", 1.0),
        Parameter {
            name: "provider",
            meaning: "median time of the payment provider meanwhile, in milliseconds",
            default: 460.0,
            min: 0.0,
            max: 5000.0,
        },
    ],
    mechanism: |settings| {
        vec![
            detour(Seam::PlaceOrder, settings),
            Action::Provider(vec![
                ("median_ms", settings.get("provider").to_string()),
                ("sigma", "0.1".to_owned()),
            ]),
        ]
    },
    contract: Contract {
        witness: metrics(
            "many calls are in order-api, and next to none is at the provider",
            r#"sum(avg_over_time(grpc_requests_active{job="order-api", method="PlaceOrder"}[20s])) > 2 * sum(avg_over_time(provider_servers_busy[20s]))"#,
        ),
        signature: &[
            metrics(
                "placing takes longer than its longest step by far",
                r#"histogram_quantile(0.9, sum by (le) (rate(grpc_request_duration_seconds_bucket{job="order-api", method="PlaceOrder"}[30s]))) > 0.7"#,
            ),
            traces(
                "traces of orders that wait for nothing that is seen",
                Traces { like: &[("step", "POST /orders"), ("lasting", "700ms")], ..ANY },
            ),
        ],
        fires: &["GatewayLatencyBurn"],
        silent: &["DbPoolSaturated", "DbSlowQueries", "RuntimeLagHigh"],
        tells: &[
            told(
                "slow-provider",
                "no more than about one request is at the provider at a time",
                r#"avg_over_time(provider_servers_busy[30s]) < 2.5"#,
            ),
            told(
                "pool-leak",
                "nobody waits for a connection",
                r#"histogram_quantile(0.95, sum by (le) (rate(db_pool_wait_duration_seconds_bucket[30s]))) < 0.1"#,
            ),
            told(
                "hot-row",
                "no statement waits",
                r#"histogram_quantile(0.9, sum by (le) (rate(db_statement_duration_seconds_bucket{query="reserve_stock"}[30s]))) < 0.1"#,
            ),
            told(
                "latency",
                "all orders are slow: the quickest of them waits for the provider, and the others for it",
                r#"histogram_quantile(0.25, sum by (le) (rate(grpc_request_duration_seconds_bucket{job="order-api", method="PlaceOrder"}[30s]))) > 0.3"#,
            ),
            told(
                "slow-link",
                "the database answers at once when it is asked for nothing",
                r#"histogram_quantile(0.5, sum by (le) (rate(db_statement_duration_seconds_bucket{query="ping"}[30s]))) < 0.03"#,
            ),
            told(
                "blocked-runtime",
                "timers are on time in every service",
                r#"max(histogram_quantile(0.99, sum by (le, job) (rate(runtime_lag_seconds_bucket[30s])))) < 0.1"#,
            ),
            told(
                "cpu-burn",
                "timers are on time in every service",
                r#"max(histogram_quantile(0.99, sum by (le, job) (rate(runtime_lag_seconds_bucket[30s])))) < 0.1"#,
            ),
            told(
                "migration-lock",
                "no statement waits",
                r#"histogram_quantile(0.9, sum by (le) (rate(db_statement_duration_seconds_bucket{query="sample_oldest"}[30s]))) < 0.25"#,
            ),
            told(
                "missing-index",
                "listing orders is as fast as ever",
                r#"histogram_quantile(0.9, sum by (le) (rate(db_statement_duration_seconds_bucket{query="list_orders"}[30s]))) < 0.1"#,
            ),
            told(
                "n-plus-one",
                "reading orders takes no more statements than ever",
                r#"sum(rate(db_statement_duration_seconds_count{query="get_order"}[30s])) < 2 * sum(rate(grpc_requests_total{job="order-api", method="GetOrder"}[30s])) + 2"#,
            ),
        ],
        outlives: Duration::ZERO,
        gone: None,
        impact: Some(Slo::Latency),
        recovers_within: Duration::from_secs(240),
    },
    hints: [
        "Throughput has a ceiling, and latency grows with demand, while everything below has time.",
        "Lay two slow traces beside each other: do their steps ever overlap?",
        "One payment at a time is what the provider sees: in order-api something lets only one \
         order through.",
    ],
    red_herring: "The payment provider: it is a little slower, but has many servers and uses one.",
    fix: "Roll back, or hold the lock only for what needs it, and never across a call; then ask the provider \
          why it has become slow, which was bearable until then.",
    repairs: &[
        Repair::RollBack(Service::OrderApi),
        Repair::Provider(&[("median_ms", "8"), ("sigma", "0.4")]),
    ],
    incident: Incident {
        what: "Fly.io, 2025: requests queued behind one badly set mutex, and the API answered 503 \
               until the load was spread.",
        url: "https://fly.io/infra-log/2025-04-19",
    },
};
