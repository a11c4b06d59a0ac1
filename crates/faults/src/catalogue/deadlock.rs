//! Orders take the stock of their products in any order, and some hold what the other waits for.
//!
//! A release of order-api reserves line by line as the cart has them, and asks the payment provider after
//! each line whether the order was not paid before. It used to reserve in the order of SKUs, so that no
//! two orders could each hold the product that the other waits for. Now two who buy the same two things
//! sometimes do. Postgres finds out after a second (`deadlock_timeout`) and ends one of them with 40P01;
//! order-api does it again, so that customers see few errors and waits of a second. Whoever wants one of
//! the two products waits with them.

use std::time::Duration;

use super::{Family, Fault, Incident, Layer, detour, share};
use crate::{
    action::Action,
    contract::{ANY, Contract, Slo, Traces, grown, logs, metrics, told, traces},
    parameters::Parameter,
    repair::Repair,
    seam::{Seam, Service},
};

pub(super) const FAULT: Fault = Fault {
    name: "deadlock",
    source: include_str!("deadlock.rs"),
    layer: Layer::Database,
    family: Family::SomeErrors,
    parameters: &[
        share("share of orders that reserve so", 1.0),
        Parameter {
            name: "demand",
            meaning: "share of orders that are for the same two products meanwhile",
            default: 0.5,
            min: 0.0,
            max: 1.0,
        },
        Parameter {
            name: "provider",
            meaning: "median time of the payment provider meanwhile, in milliseconds",
            default: 100.0,
            min: 0.0,
            max: 5000.0,
        },
    ],
    mechanism: |settings| {
        vec![
            detour(Seam::ReserveStock, settings),
            Action::Demand(&["TEA-001", "CUP-001"], settings.get("demand")),
            Action::Provider(vec![("median_ms", settings.get("provider").to_string())]),
        ]
    },
    contract: Contract {
        witness: grown(
            "Postgres counts deadlocks",
            "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()",
        ),
        signature: &[
            metrics(
                "transactions are done again",
                "sum(rate(db_transaction_retries_total[1m])) > 0.01",
            ),
            traces(
                "traces of orders in which reserving stock has waited for most of a second and failed",
                Traces {
                    like: &[("step", "reserve_stock"), ("lasting", "900ms"), ("error", "true")],
                    at_least: 1,
                    ..ANY
                },
            ),
            logs(
                "order-api says why it does them again",
                1,
                &[("service", "order-api"), ("text", "transaction done again")],
            ),
        ],
        fires: &["GatewayLatencyBurn"],
        silent: &["PaymentSuccessBurn", "DbPoolSaturated"],
        tells: &[
            told(
                "hot-row",
                "transactions are done again",
                "sum(rate(db_transaction_retries_total[1m])) > 0.01",
            ),
            told(
                "errors",
                "transactions are done again",
                "sum(rate(db_transaction_retries_total[1m])) > 0.01",
            ),
            told(
                "one-sku",
                "nothing ends with INTERNAL",
                r#"sum(rate(grpc_requests_total{job="order-api", method="PlaceOrder", status="INTERNAL"}[30s])) == 0"#,
            ),
            told(
                "bad-canary",
                "nothing ends with INTERNAL",
                r#"sum(rate(grpc_requests_total{job="order-api", method="PlaceOrder", status="INTERNAL"}[30s])) == 0"#,
            ),
            told(
                "bad-timeout",
                "transactions are done again",
                r#"sum(rate(db_transaction_retries_total[1m])) > 0.01"#,
            ),
        ],
        outlives: Duration::ZERO,
        gone: None,
        impact: Some(Slo::Latency),
        recovers_within: Duration::from_secs(300),
    },
    hints: [
        "Some orders take a second longer than all others, and hardly ever anything in between.",
        "In such a trace one statement has failed, and its transaction is done again: with which SQLSTATE?",
        "40P01: two orders each held a product that the other waited for. In which order are products \
         reserved?",
    ],
    red_herring: "The errors that customers see: trying again hides most of them.",
    fix: "Roll back: every transaction must take its products in the same order, and hold them across no \
          call.",
    repairs: &[Repair::RollBack(Service::OrderApi)],
    incident: Incident {
        what: "GitHub, 2021: a change of a table left replicas of its main database in a deadlock of a \
               semaphore, and reads failed for hours.",
        url: "https://github.blog/2021-12-01-github-availability-report-november-2021/",
    },
};
