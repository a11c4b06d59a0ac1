//! Many want one product, and its row is held while the payment provider is asked.
//!
//! A release of order-api locks the rows of an order's products (`SELECT … FOR UPDATE`) and keeps them
//! until the order is paid, so that nobody can sell the same goods twice. As long as customers want
//! different things, nobody notices. Then one product is in demand: its orders go through one at a time,
//! each for as long as the provider takes. `reserve_stock` takes as long as those before it in the queue,
//! and all else is as fast as ever. The database waits and does not compute.

use std::time::Duration;

use super::{Family, Fault, Incident, Layer, detour, share};
use crate::{
    action::Action,
    contract::{ANY, Contract, Slo, Traces, metrics, rows, told, traces},
    parameters::Parameter,
    repair::Repair,
    seam::{Seam, Service},
};

pub(super) const FAULT: Fault = Fault {
    name: "hot-row",
    source: include_str!("hot_row.rs"),
    layer: Layer::Database,
    family: Family::SlowDatabase,
    parameters: &[
        share("share of orders that hold their products", 1.0),
        Parameter {
            name: "demand",
            meaning: "share of orders that are for one product meanwhile",
            default: 0.8,
            min: 0.0,
            max: 1.0,
        },
        Parameter {
            name: "provider",
            meaning: "median time of the payment provider meanwhile, in milliseconds",
            default: 400.0,
            min: 0.0,
            max: 5000.0,
        },
    ],
    mechanism: |settings| {
        vec![
            detour(Seam::PayOrder, settings),
            Action::Demand(&["TEA-003"], settings.get("demand")),
            Action::Provider(vec![
                ("median_ms", settings.get("provider").to_string()),
                ("sigma", "0.1".to_owned()),
            ]),
        ]
    },
    contract: Contract {
        witness: rows(
            "a session waits for another's row of products",
            "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND wait_event IN ('transactionid', 'tuple') AND query LIKE '%products%'",
            "",
        ),
        signature: &[
            metrics(
                "reserving stock takes long",
                r#"histogram_quantile(0.9, sum by (le) (rate(db_statement_duration_seconds_bucket{query="reserve_stock"}[30s]))) > 0.25"#,
            ),
            traces(
                "traces of orders with a long step that reserves stock",
                Traces { like: &[("step", "reserve_stock"), ("lasting", "250ms")], ..ANY },
            ),
        ],
        fires: &["DbSlowQueries", "GatewayLatencyBurn"],
        silent: &["RetryRatioHigh", "DbPoolSaturated"],
        tells: &[
            told(
                "deadlock",
                "no transaction is done again",
                "sum(rate(db_transaction_retries_total[1m])) < 0.01",
            ),
            told(
                "lock-convoy",
                "the wait is in a statement",
                r#"histogram_quantile(0.9, sum by (le) (rate(db_statement_duration_seconds_bucket{query="reserve_stock"}[30s]))) > 0.25"#,
            ),
            told(
                "latency",
                "the wait is in a statement",
                r#"histogram_quantile(0.9, sum by (le) (rate(db_statement_duration_seconds_bucket{query="reserve_stock"}[30s]))) > 0.25"#,
            ),
            told(
                "missing-index",
                "listing orders is as fast as ever",
                r#"histogram_quantile(0.9, sum by (le) (rate(db_statement_duration_seconds_bucket{query="list_orders"}[30s]))) < 0.1"#,
            ),
            told(
                "migration-lock",
                "reading orders is as fast as ever",
                r#"histogram_quantile(0.9, sum by (le) (rate(db_statement_duration_seconds_bucket{query="get_order"}[30s]))) < 0.1"#,
            ),
            told(
                "pool-leak",
                "there is room in the pool",
                "sum(rate(db_pool_timeouts_total[30s])) == 0",
            ),
            told(
                "n-plus-one",
                "reading orders takes no more statements than ever",
                r#"sum(rate(db_statement_duration_seconds_count{query="get_order"}[30s])) < 2 * sum(rate(grpc_requests_total{job="order-api", method="GetOrder"}[30s])) + 2"#,
            ),
            told(
                "slow-link",
                "the database answers at once when it is asked for nothing",
                r#"histogram_quantile(0.5, sum by (le) (rate(db_statement_duration_seconds_bucket{query="ping"}[30s]))) < 0.03"#,
            ),
        ],
        outlives: Duration::ZERO,
        gone: None,
        impact: Some(Slo::Latency),
        recovers_within: Duration::from_secs(300),
    },
    hints: [
        "Placing orders is slow, and the more want the same, the slower.",
        "One statement of a slow trace waits: which one, and in which order is the row that it waits for?",
        "A row of products is locked for as long as an order waits for the payment provider: who holds it \
         is idle in its transaction.",
    ],
    red_herring: "The payment provider: a little slower, it only shows what is wrong.",
    fix: "Reserve in a short transaction and ask the provider outside of it; meanwhile take the product \
          out of the shop.",
    repairs: &[Repair::RollBack(Service::OrderApi)],
    incident: Incident {
        what: "Shopify, 2026: one row for each product could not bear the contention of everybody who \
               reserves it at once; now each unit has a row of its own.",
        url: "https://shopify.engineering/scaling-inventory-reservations",
    },
};
