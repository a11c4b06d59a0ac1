//! A page of orders is read one order at a time.
//!
//! Listing orders used to be one statement; now each order on the page is read once more, and the payment
//! provider is asked about it. Each step is as fast as ever, and a page takes many times as long. What
//! shows it is a ratio: statements for each request (`db_statement_duration_seconds_count` over
//! `grpc_requests_total`). A trace of `GET /orders` is a comb, with one `get_order` beside the other.

use std::time::Duration;

use super::{Family, Fault, Incident, Layer, detour, share};
use crate::{
    contract::{ANY, Contract, Slo, Traces, metrics, told, traces},
    repair::Repair,
    seam::{Seam, Service},
};

pub(super) const FAULT: Fault = Fault {
    name: "n-plus-one",
    source: include_str!("n_plus_one.rs"),
    layer: Layer::Database,
    family: Family::SlowDatabase,
    parameters: &[share("share of pages", 1.0)],
    mechanism: |settings| vec![detour(Seam::ListOrders, settings)],
    contract: Contract {
        witness: metrics(
            "order-api reads single orders far more often than anybody asks for one",
            r#"sum(rate(db_statement_duration_seconds_count{query="get_order"}[30s])) > 2 * sum(rate(grpc_requests_total{job="order-api", method="GetOrder"}[30s])) + 2"#,
        ),
        signature: &[
            metrics(
                "a page takes many statements",
                r#"(sum(rate(db_statement_duration_seconds_count{query="get_order"}[30s])) - sum(rate(grpc_requests_total{job="order-api", method="GetOrder"}[30s]))) / sum(rate(grpc_requests_total{job="order-api", method="ListOrders"}[30s])) > 3"#,
            ),
            traces(
                "traces of GET /orders that are combs of one statement",
                Traces {
                    like: &[("route", "/orders"), ("step", "get_order"), ("repeated", "5")],
                    ..ANY
                },
            ),
        ],
        fires: &["GatewayBrowsingBurn"],
        silent: &["GatewayAvailabilityBurn", "DbPoolSaturated", "RetryRatioHigh"],
        tells: &[
            told(
                "latency",
                "placing orders is as fast as ever",
                r#"histogram_quantile(0.9, sum by (le) (rate(grpc_request_duration_seconds_bucket{job="order-api", method="PlaceOrder"}[30s]))) < 0.4"#,
            ),
            told(
                "token-expiry",
                "every payment is decided, so that nobody reads orders to find out",
                "sum(rate(payments_undecided_total[1m])) == 0",
            ),
            told(
                "pool-leak",
                "there is room in the pool",
                r#"db_pool_connections{state="used"} / ignoring (state) db_pool_connections_max < 0.9"#,
            ),
            told(
                "slow-link",
                "the database answers at once when it is asked for nothing",
                r#"histogram_quantile(0.5, sum by (le) (rate(db_statement_duration_seconds_bucket{query="ping"}[30s]))) < 0.03"#,
            ),
            told(
                "hot-row",
                "reserving stock is as fast as ever",
                r#"histogram_quantile(0.9, sum by (le) (rate(db_statement_duration_seconds_bucket{query="reserve_stock"}[30s]))) < 0.1"#,
            ),
            told(
                "lock-convoy",
                "a page takes many statements",
                r#"(sum(rate(db_statement_duration_seconds_count{query="get_order"}[30s])) - sum(rate(grpc_requests_total{job="order-api", method="GetOrder"}[30s]))) / sum(rate(grpc_requests_total{job="order-api", method="ListOrders"}[30s])) > 3"#,
            ),
            told(
                "migration-lock",
                "no statement waits",
                r#"histogram_quantile(0.9, sum by (le) (rate(db_statement_duration_seconds_bucket{query="sample_oldest"}[30s]))) < 0.25"#,
            ),
            told(
                "missing-index",
                "a page takes many statements, each of them quick",
                r#"(sum(rate(db_statement_duration_seconds_count{query="get_order"}[30s])) - sum(rate(grpc_requests_total{job="order-api", method="GetOrder"}[30s]))) / sum(rate(grpc_requests_total{job="order-api", method="ListOrders"}[30s])) > 3 and on () (histogram_quantile(0.9, sum by (le) (rate(db_statement_duration_seconds_bucket{query="list_orders"}[30s]))) < 0.1)"#,
            ),
        ],
        outlives: Duration::ZERO,
        gone: None,
        impact: Some(Slo::Browsing),
        recovers_within: Duration::from_secs(240),
    },
    hints: [
        "One route has become slow in step with how much it shows.",
        "Count the steps of a trace of GET /orders, and compare it with one of yesterday.",
        "The same statement and the same question to the provider, once for each order: a loop with \
         calls in it has come with a release.",
    ],
    red_herring: "The database and the provider: each answers as fast as ever, and is asked too often.",
    fix: "Roll back, or read the page with one statement that joins what it shows, and keep what the provider said.",
    repairs: &[Repair::RollBack(Service::OrderApi)],
    incident: Incident {
        what: "MIT xPRO, 2019: the catalog made n+1 queries and took up to a minute and more, and \
               more and more servers were added.",
        url: "https://github.com/mitodl/mitxpro/issues/1141",
    },
};
