//! Storing an order becomes slow.
//!
//! Half of the orders take most of a second longer to store, some of them several. Nothing fails
//! at first: the error rate stays flat while the upper percentiles of
//! `http_request_duration_seconds` for `POST /orders` climb, and with them those of
//! `grpc_request_duration_seconds` for `PlaceOrder`. Reading orders and products is as fast as
//! ever, and so is every statement that reaches the database: the time is lost before the first.

use std::time::Duration;

use super::{Family, Fault, Incident, Layer, share};
use crate::{
    action::Action,
    contract::{ANY, Contract, Slo, Traces, metrics, told, traces},
    effect::Effect,
    parameters::Parameter,
    seam::Seam,
};

pub(super) const FAULT: Fault = Fault {
    name: "latency",
    source: include_str!("latency.rs"),
    layer: Layer::Database,
    family: Family::SlowDatabase,
    parameters: &[
        Parameter {
            name: "ms",
            meaning: "median delay in milliseconds",
            default: 800.0,
            min: 1.0,
            max: 30_000.0,
        },
        share("share of orders", 0.5),
    ],
    mechanism: |settings| {
        let delay = Effect::Delay { median_ms: settings.get("ms"), share: settings.get("p") };
        vec![Action::Strike(Seam::StoreOrder, delay)]
    },
    contract: Contract {
        witness: metrics(
            "customers wait for their orders, by their own clocks",
            r#"histogram_quantile(0.9, sum by (le) (rate(lab_customer_request_duration_seconds_bucket{journey="order"}[30s]))) > 0.4"#,
        ),
        signature: &[
            metrics(
                "PlaceOrder is slow where it is answered",
                r#"histogram_quantile(0.9, sum by (le) (rate(grpc_request_duration_seconds_bucket{job="order-api", method="PlaceOrder"}[30s]))) > 0.5"#,
            ),
            traces(
                "traces in which order-api takes its time over PlaceOrder",
                Traces { like: &[("step", "POST /orders"), ("lasting", "500ms")], ..ANY },
            ),
        ],
        fires: &["GatewayLatencyBurn"],
        silent: &["DbPoolSaturated", "RuntimeLagHigh", "DbSlowQueries"],
        tells: &[
            told(
                "pool-leak",
                "nobody waits for a connection",
                "histogram_quantile(0.95, sum by (le) \
                 (rate(db_pool_wait_duration_seconds_bucket[30s]))) < 0.1",
            ),
            told(
                "slow-provider",
                "the payment provider is as fast as ever",
                r#"histogram_quantile(0.9, sum by (le) (rate(payment_provider_request_duration_seconds_bucket{operation="authorize"}[30s]))) < 0.2"#,
            ),
            told(
                "blocked-runtime",
                "order-api's timers are on time",
                r#"histogram_quantile(0.99, sum by (le) (rate(runtime_lag_seconds_bucket{job="order-api"}[30s]))) < 0.1"#,
            ),
            told(
                "deadlock",
                "no transaction is done again",
                "sum(rate(db_transaction_retries_total[1m])) < 0.01",
            ),
            told(
                "missing-index",
                "listing orders is as fast as ever",
                r#"histogram_quantile(0.9, sum by (le) (rate(db_statement_duration_seconds_bucket{query="list_orders"}[30s]))) < 0.1"#,
            ),
            told(
                "hot-row",
                "no statement waits",
                r#"histogram_quantile(0.95, sum by (le) (rate(db_statement_duration_seconds_bucket{query="reserve_stock"}[30s]))) < 0.1"#,
            ),
            told(
                "lock-convoy",
                "orders are slow however few are placed at a time: the delay is drawn for each",
                r#"histogram_quantile(0.25, sum by (le) (rate(grpc_request_duration_seconds_bucket{job="order-api", method="PlaceOrder"}[30s]))) < 0.25"#,
            ),
            told(
                "gray-replica",
                "every replica is slow with it",
                r#"min(histogram_quantile(0.9, sum by (le, instance) (rate(grpc_request_duration_seconds_bucket{job="order-api", method="PlaceOrder"}[30s])))) > 0.4"#,
            ),
            told(
                "slow-link",
                "the database answers at once when it is asked for nothing",
                r#"histogram_quantile(0.5, sum by (le) (rate(db_statement_duration_seconds_bucket{query="ping"}[30s]))) < 0.03"#,
            ),
            told(
                "migration-lock",
                "no statement waits",
                r#"histogram_quantile(0.9, sum by (le) (rate(db_statement_duration_seconds_bucket{query="sample_oldest"}[30s]))) < 0.25"#,
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
        "One route is slow, and others are not: compare the rows of the gateway's dashboard.",
        "Open a slow trace of POST /orders, and look for the gap: before which step is it?",
        "No statement is slow and nobody waits for a connection: the time is lost in order-api, before \
         the first statement.",
    ],
    red_herring: "The database: its statements are as fast as ever.",
    fix: "Find what order-api does before it stores, and take it out of the way.",
    repairs: &[],
    incident: Incident {
        what: "AWS, 2015: requests to DynamoDB's metadata became slow, and whoever needed them \
               waited, timed out and asked again.",
        url: "https://aws.amazon.com/message/5467D2/",
    },
};
