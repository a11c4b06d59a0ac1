//! More customers come than usual.
//!
//! This is no fault: the shop does more of everything, each thing as before. It is here because it looks
//! like one, on every panel that shows a sum and on none that shows a ratio.

use std::time::Duration;

use super::{Family, Fault, Incident, Layer};
use crate::{
    action::Action,
    contract::{Contract, metrics, told},
    parameters::Parameter,
};

pub(super) const FAULT: Fault = Fault {
    name: "traffic-spike",
    source: include_str!("traffic_spike.rs"),
    layer: Layer::Load,
    family: Family::MoreWork,
    parameters: &[Parameter {
        name: "times",
        meaning: "so many times as many customers",
        default: 3.0,
        min: 0.0,
        max: 100.0,
    }],
    mechanism: |settings| vec![Action::Traffic(settings.get("times"))],
    contract: Contract {
        witness: metrics(
            "more customers come to browse, by their own count",
            r#"sum(rate(lab_customer_requests_total{journey=~"browse|list"}[30s])) > 1.8 * sum(rate(lab_customer_requests_total{journey=~"browse|list"}[30s] offset 2m))"#,
        ),
        signature: &[metrics(
            "the gateway is asked more for products, which nobody looks at again while an order is late",
            r#"sum(rate(http_requests_total{job="web-gateway", route="/products"}[30s])) > 1.8 * sum(rate(http_requests_total{job="web-gateway", route="/products"}[30s] offset 2m))"#,
        )],
        fires: &[],
        silent: &["GatewayAvailabilityBurn", "FulfilledTwiceBurn", "RetryRatioHigh", "DlqGrowing"],
        tells: &[
            told(
                "cache-stampede",
                "most looks at the products are answered from the cache",
                r#"sum(rate(cache_requests_total{result="miss"}[30s])) / sum(rate(cache_requests_total[30s])) < 0.3"#,
            ),
            told(
                "retry-storm",
                "order-api is asked in proportion: one call for each request",
                r#"sum(rate(grpc_client_attempts_total{job="web-gateway"}[30s])) / sum(rate(grpc_client_requests_total{job="web-gateway"}[30s])) < 1.05"#,
            ),
        ],
        outlives: Duration::ZERO,
        gone: None,
        impact: None,
        recovers_within: Duration::from_secs(180),
    },
    hints: [
        "Everything has grown. Has everything grown alike?",
        "Divide: calls for each request, statements for each call, errors for each answer.",
        "Every ratio is as before: more customers, and nothing else.",
    ],
    red_herring: "Whatever is drawn as a sum.",
    fix: "None, but room for them.",
    repairs: &[],
    incident: Incident {
        what: "Niantic, 2016: fifty times the expected traffic on the first day of a game.",
        url: "https://cloud.google.com/blog/products/containers-kubernetes/bringing-pokemon-go-to-life-on-google-cloud",
    },
};
