//! The list of products is fetched for every look at it.
//!
//! The gateway keeps the list for a second, and while it is fetched all who want it wait for one and the
//! same call. A release has lost what was kept, and asks for the list again for the price and for the
//! stock of each product on it: every look is two dozen calls, and as many statements.
//! The shop is as right as before and its front page slower; order-api does many times the work for the
//! same customers, and has no room left for more of them.

use std::time::Duration;

use super::{Family, Fault, Incident, Layer, detour, share};
use crate::{
    contract::{ANY, Contract, Slo, Traces, metrics, told, traces},
    repair::Repair,
    seam::{Seam, Service},
};

pub(super) const FAULT: Fault = Fault {
    name: "cache-stampede",
    source: include_str!("cache_stampede.rs"),
    layer: Layer::Load,
    family: Family::MoreWork,
    parameters: &[share("share of looks", 1.0)],
    mechanism: |settings| vec![detour(Seam::ShowProducts, settings)],
    contract: Contract {
        witness: metrics(
            "order-api lists the products many times as often as customers look",
            r#"sum(rate(grpc_requests_total{job="order-api", method="ListProducts"}[30s])) > 5 * sum(rate(http_requests_total{job="web-gateway", route="/products"}[30s]))"#,
        ),
        signature: &[
            metrics(
                "nothing comes from the cache",
                r#"sum(rate(cache_requests_total{result="miss"}[30s])) / sum(rate(cache_requests_total[30s])) > 0.8"#,
            ),
            traces(
                "traces of GET /products that reach the database",
                Traces { like: &[("step", "list_products")], at_least: 100, ..ANY },
            ),
        ],
        fires: &["GatewayBrowsingBurn"],
        silent: &[
            "GatewayAvailabilityBurn",
            "FulfilledTwiceBurn",
            "RetryRatioHigh",
            "DbSlowQueries",
        ],
        tells: &[
            told(
                "traffic-spike",
                "there are no more looks than at rest",
                r#"sum(rate(http_requests_total{job="web-gateway", route="/products"}[30s])) < 1.8 * sum(rate(http_requests_total{job="web-gateway", route="/products"}[30s] offset 2m))"#,
            ),
            told(
                "duplicate-delivery",
                "nothing comes from the cache",
                r#"sum(rate(cache_requests_total{result="miss"}[30s])) / sum(rate(cache_requests_total[30s])) > 0.8"#,
            ),
            told(
                "retry-storm",
                "one call for each request",
                r#"sum(rate(grpc_client_attempts_total{job="web-gateway"}[30s])) / sum(rate(grpc_client_requests_total{job="web-gateway"}[30s])) < 1.3"#,
            ),
        ],
        outlives: Duration::ZERO,
        gone: None,
        impact: Some(Slo::Browsing),
        recovers_within: Duration::from_secs(240),
    },
    hints: [
        "order-api does more than it did, for as many customers.",
        "Which call has become more frequent, and what stands before it that should hold it back?",
        "Every look at the products misses the cache: it keeps nothing, or for no time.",
    ],
    red_herring: "The database: it does what it is asked, which is too much.",
    fix: "Roll back to the cache with a lifetime and one fetch at a time; serve stale while it is \
          fetched.",
    repairs: &[Repair::RollBack(Service::WebGateway)],
    incident: Incident {
        what: "Facebook, 2010: a value that was always taken for invalid sent every look past the \
               cache, and the databases down.",
        url: "https://engineering.fb.com/2010/09/23/uncategorized/more-details-on-today-s-outage/",
    },
};
