//! The index by which a customer's orders are found is gone.
//!
//! Orders of years were brought into the table, and with them went `orders_by_customer`: somebody has
//! dropped it so that the import is faster, and not made it again. To list a customer's orders the
//! database now reads through the whole table. One statement, `list_orders`, takes a hundred times as
//! long (`db_statement_duration_seconds`), and with it `GET /orders`; all others are as fast as ever.
//! The database computes meanwhile and waits for nobody.

use std::time::Duration;

use super::{Family, Fault, Incident, Layer};
use crate::{
    action::{Action, Deed},
    contract::{ANY, Contract, Slo, Sql, Traces, metrics, rows, told, traces},
    parameters::Parameter,
    repair::Repair,
};

pub(super) const FAULT: Fault = Fault {
    name: "missing-index",
    source: include_str!("missing_index.rs"),
    layer: Layer::Database,
    family: Family::SlowDatabase,
    parameters: &[Parameter {
        name: "orders",
        meaning: "old orders that are brought in; they are taken away again",
        default: 300_000.0,
        min: 1000.0,
        max: 3_000_000.0,
    }],
    mechanism: |settings| {
        let orders = settings.get("orders") as u32;
        vec![Action::Database(Deed::DropIndex { orders })]
    },
    contract: Contract {
        witness: rows(
            "no index of the orders begins with the customer",
            "SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM pg_index JOIN pg_attribute ON attrelid = indrelid AND attnum = indkey[0] WHERE indrelid = 'orders'::regclass AND indisvalid AND attname = 'customer_id')",
            "SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM pragma_index_list('orders') AS i JOIN pragma_index_info(i.name) AS c WHERE c.seqno = 0 AND c.name = 'customer_id')",
        ),
        signature: &[
            metrics(
                "listing orders has become slow",
                r#"histogram_quantile(0.9, sum by (le) (rate(db_statement_duration_seconds_bucket{query="list_orders"}[30s]))) > 0.1"#,
            ),
            traces(
                "traces of GET /orders in which one statement takes nearly all of the time",
                Traces { like: &[("step", "list_orders"), ("lasting", "100ms")], ..ANY },
            ),
        ],
        fires: &["DbSlowQueries", "GatewayBrowsingBurn"],
        // On a machine that is short of processors the scans fill the pool, too.
        silent: &["RetryRatioHigh", "PaymentSuccessBurn"],
        tells: &[
            told(
                "latency",
                "placing orders is as fast as ever",
                r#"histogram_quantile(0.9, sum by (le) (rate(grpc_request_duration_seconds_bucket{job="order-api", method="PlaceOrder"}[30s]))) < 0.4"#,
            ),
            told(
                "n-plus-one",
                "a page takes one statement",
                r#"sum(rate(db_statement_duration_seconds_count{query="get_order"}[30s])) < 2 * sum(rate(grpc_requests_total{job="order-api", method="GetOrder"}[30s])) + 2"#,
            ),
            told(
                "pool-leak",
                "there is room in the pool",
                r#"db_pool_connections{state="used"} / ignoring (state) db_pool_connections_max < 0.9"#,
            ),
            told(
                "lock-convoy",
                "the time is spent in a statement",
                r#"histogram_quantile(0.9, sum by (le) (rate(db_statement_duration_seconds_bucket{query="list_orders"}[30s]))) > 0.1"#,
            ),
            told(
                "migration-lock",
                "reading a single order is as fast as ever",
                r#"histogram_quantile(0.9, sum by (le) (rate(db_statement_duration_seconds_bucket{query="get_order"}[30s]))) < 0.1"#,
            ),
            told(
                "hot-row",
                "reserving stock is as fast as ever",
                r#"histogram_quantile(0.9, sum by (le) (rate(db_statement_duration_seconds_bucket{query="reserve_stock"}[30s]))) < 0.1"#,
            ),
            told(
                "slow-link",
                "the database answers at once when it is asked for nothing",
                r#"histogram_quantile(0.5, sum by (le) (rate(db_statement_duration_seconds_bucket{query="ping"}[30s]))) < 0.03"#,
            ),
        ],
        outlives: Duration::ZERO,
        gone: None,
        impact: Some(Slo::Browsing),
        recovers_within: Duration::from_secs(240),
    },
    hints: [
        "One route has become slow, and only that one.",
        "In a slow trace of GET /orders one statement takes nearly all of the time. Which one, and since \
         when?",
        "list_orders reads through all orders to find a customer's: ask the database for its plan, and \
         for the indexes of the table.",
    ],
    red_herring: "The table has grown: with its index it could be many times as large.",
    fix: "Make the index again, CONCURRENTLY: without it nobody could order meanwhile. SQLite has no such word.",
    repairs: &[Repair::Run(Sql {
        postgres: "CREATE INDEX CONCURRENTLY orders_by_customer ON orders (customer_id, id)",
        sqlite: "CREATE INDEX orders_by_customer ON orders (customer_id, id)",
    })],
    incident: Incident {
        what: "GitLab, 2021: one statement was given a plan that reads far too many rows, and pages, \
               jobs and runners became slow together.",
        url: "https://gitlab.com/gitlab-com/gl-infra/production/-/issues/4011",
    },
};
