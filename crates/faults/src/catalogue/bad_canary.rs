//! One of two replicas runs a newer version, which fails a share of the orders.
//!
//! The newer version of order-api stores some orders with a column more, which its migration adds;
//! the migration was forgotten. The database refuses the statement, the order is undone, and
//! order-api answers `INTERNAL`, which nobody tries again: the gateway answers 500. Only the replica
//! with that version fails, and only with orders, so that of all requests few fail. By `instance`
//! they all come from the same one, and `build_info` says which version that is.

use std::time::Duration;

use super::{CANARY_VERSION, Family, Fault, Incident, Layer, share};
use crate::{
    action::Action,
    contract::{ANY, Contract, Slo, Traces, logs, metrics, told, traces},
    effect::Effect,
    repair::Repair,
    seam::{Seam, Service},
};

pub(super) const FAULT: Fault = Fault {
    name: "bad-canary",
    source: include_str!("bad_canary.rs"),
    layer: Layer::Runtime,
    family: Family::SomeErrors,
    parameters: &[share("share of the orders that the newer version stores", 0.2)],
    mechanism: |settings| {
        let detour = Effect::Detour { share: settings.get("p") };
        vec![Action::StrikeCanary(Seam::StoreOrder, detour)]
    },
    contract: Contract {
        witness: metrics(
            "the gateway, at the other end of the call, sees calls fail",
            r#"sum(rate(grpc_client_attempts_total{job="web-gateway", method="PlaceOrder", status="INTERNAL"}[30s])) > 0.05"#,
        ),
        signature: &[
            metrics(
                "one replica answers a share of PlaceOrder with INTERNAL, the other none",
                r#"max(sum by (instance) (rate(grpc_requests_total{job="order-api", method="PlaceOrder", status="INTERNAL"}[30s])) / sum by (instance) (rate(grpc_requests_total{job="order-api", method="PlaceOrder"}[30s]))) > 0.05 and on () (min(sum by (instance) (rate(grpc_requests_total{job="order-api", method="PlaceOrder", status="INTERNAL"}[30s]))) == 0)"#,
            ),
            traces(
                "traces of orders that failed in the process that reports the newer version",
                Traces {
                    like: &[
                        ("step", "shop.v1.Orders/PlaceOrder"),
                        ("version", CANARY_VERSION),
                        ("error", "true"),
                    ],
                    ..ANY
                },
            ),
            logs(
                "order-api says which column the database does not know",
                3,
                &[("service", "order-api"), ("text", "call failed")],
            ),
        ],
        fires: &["ReplicaOutlier"],
        silent: &["GatewayLatencyBurn", "RetryRatioHigh", "DbPoolSaturated", "CircuitOpen"],
        tells: &[
            told(
                "errors",
                "all failures are of one version, and two versions run",
                r#"count(sum by (version) (sum by (instance) (rate(grpc_requests_total{job="order-api", status="INTERNAL"}[30s])) * on (instance) group_left (version) build_info{service="order-api"}) > 0) == 1 and on () (count(count by (version) (build_info{service="order-api"})) == 2)"#,
            ),
            told(
                "lying-metric",
                "what the gateway counts as failed and what the customers see is the same",
                r#"sum(rate(http_requests_total{job="web-gateway", route="/orders", status_code="500"}[1m])) >= 0.5 * sum(rate(lab_customer_requests_total{journey="order", outcome="failed"}[1m]))"#,
            ),
            told(
                "bad-timeout",
                "one replica is spared",
                r#"min(sum by (instance) (rate(grpc_requests_total{job="order-api", method="PlaceOrder", status="INTERNAL"}[30s]))) == 0 and on () (max(sum by (instance) (rate(grpc_requests_total{job="order-api", method="PlaceOrder", status="INTERNAL"}[30s]))) > 0)"#,
            ),
            told(
                "deadlock",
                "one replica is spared",
                r#"min(sum by (instance) (rate(grpc_requests_total{job="order-api", method="PlaceOrder", status="INTERNAL"}[30s]))) == 0 and on () (max(sum by (instance) (rate(grpc_requests_total{job="order-api", method="PlaceOrder", status="INTERNAL"}[30s]))) > 0)"#,
            ),
            told(
                "one-sku",
                "one replica is spared",
                r#"min(sum by (instance) (rate(grpc_requests_total{job="order-api", method="PlaceOrder", status="INTERNAL"}[30s]))) == 0 and on () (max(sum by (instance) (rate(grpc_requests_total{job="order-api", method="PlaceOrder", status="INTERNAL"}[30s]))) > 0)"#,
            ),
        ],
        outlives: Duration::ZERO,
        gone: None,
        impact: Some(Slo::Availability),
        recovers_within: Duration::from_secs(240),
    },
    hints: [
        "Some orders fail, and nothing else does. What do they have in common?",
        "Neither the customer nor what is ordered: draw order-api's errors by instance, and ask \
         build_info about that instance.",
        "Only the replica with the newer version fails: the column that its log names is in its \
         statement, and not in the database.",
    ],
    red_herring: "The database: it answers every statement that the older version sends.",
    fix: "Take the newer version back; migrate before the next try.",
    repairs: &[Repair::RollBack(Service::OrderApi)],
    incident: Incident {
        what: "Knight Capital, 2012: one of eight servers ran another version than its siblings, and \
               did in 45 minutes what ruined the company.",
        url: "https://dougseven.com/2014/04/17/knightmare-a-devops-cautionary-tale/",
    },
};
