//! Orders of one product fail, and of no other.
//!
//! A price list was loaded with its check turned off, and one price came in another unit: it is a
//! thousand million times what it was. order-api refuses to reckon with a price that cannot be one, so
//! that every order with this product ends in a 500. That is a small share of all requests: no graph
//! moves much, nothing is slow, nothing restarts. What the failed orders have in common is in their log
//! lines: the SKU.

use std::time::Duration;

use super::{Family, Fault, Incident, Layer};
use crate::{
    action::{Action, Deed},
    contract::{ANY, Contract, Slo, Sql, Traces, logs, metrics, rows, told, traces},
    repair::Repair,
};

pub(super) const FAULT: Fault = Fault {
    name: "one-sku",
    source: include_str!("one_sku.rs"),
    layer: Layer::Database,
    family: Family::SomeErrors,
    parameters: &[],
    mechanism: |_| vec![Action::Database(Deed::Misprice("POT-001"))],
    contract: Contract {
        witness: rows(
            "a product has a price that no table of ours would take",
            "SELECT sku FROM products WHERE unit_price_minor NOT BETWEEN 0 AND 1000000000",
            "SELECT sku FROM products WHERE unit_price_minor NOT BETWEEN 0 AND 1000000000",
        ),
        signature: &[
            metrics(
                "a small share of PlaceOrder ends with INTERNAL",
                r#"0 < sum(rate(grpc_requests_total{job="order-api", method="PlaceOrder", status="INTERNAL"}[30s])) / sum(rate(grpc_requests_total{job="order-api", method="PlaceOrder"}[30s])) < 0.5"#,
            ),
            traces(
                "traces of orders with a step that failed",
                Traces { like: &[("step", "POST /orders"), ("error", "true")], ..ANY },
            ),
            logs(
                "errors of order-api, each with the same SKU",
                3,
                &[("service", "order-api"), ("level", "error"), ("text", "call failed")],
            ),
        ],
        fires: &[],
        silent: &["GatewayLatencyBurn", "DbSlowQueries", "RetryRatioHigh", "DbPoolSaturated"],
        tells: &[
            told(
                "errors",
                "order-api is never unavailable",
                r#"sum(rate(grpc_requests_total{job="order-api", method="PlaceOrder", status="UNAVAILABLE"}[1m])) == 0"#,
            ),
            told(
                "deadlock",
                "no transaction is done again",
                "sum(rate(db_transaction_retries_total[1m])) < 0.01",
            ),
            told(
                "lying-metric",
                "the gateway counts what fails as failed",
                r#"sum(rate(http_requests_total{job="web-gateway", route="/orders", status_code="500"}[1m])) > 0"#,
            ),
            told(
                "bad-canary",
                "no replica is spared",
                r#"min(sum by (instance) (rate(grpc_requests_total{job="order-api", method="PlaceOrder", status="INTERNAL"}[1m]))) > 0"#,
            ),
            told(
                "bad-timeout",
                "what fails is broken, not late",
                r#"sum(rate(http_requests_total{job="web-gateway", method="POST", route="/orders", status_code="504"}[1m])) < 0.05 and on () (sum(rate(grpc_requests_total{job="order-api", method="PlaceOrder", status="INTERNAL"}[1m])) > 0)"#,
            ),
        ],
        outlives: Duration::ZERO,
        gone: None,
        impact: Some(Slo::Availability),
        recovers_within: Duration::from_secs(240),
    },
    hints: [
        "A few orders fail, with a 500: what do they have in common?",
        "Not the replica, not the customer, not the time: look at the log lines of the calls that failed.",
        "They all have the same SKU. Look at its row, beside the others.",
    ],
    red_herring: "The rate of errors is so low that it looks like noise.",
    fix: "Correct the price in the row, and put the check back that the import had turned off.",
    repairs: &[
        Repair::Run(Sql::both(
            "UPDATE products SET unit_price_minor = unit_price_minor / 1000000000 WHERE unit_price_minor > 1000000000",
        )),
        Repair::Run(Sql::postgres(
            "ALTER TABLE products ADD CONSTRAINT products_unit_price_minor_check CHECK (unit_price_minor BETWEEN 0 AND 1000000000)",
        )),
    ],
    incident: Incident {
        what: "Google Cloud, 2025: a policy with blank fields was written into a table that is \
               replicated everywhere, and a service crashed wherever it was read.",
        url: "https://status.cloud.google.com/incidents/ow5i3PPK96RduMcb1SsW",
    },
};
