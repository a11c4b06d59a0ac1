//! A metric has a series for every order.
//!
//! A release of order-api counts orders by their id. Every order is a series more, at order-api, in
//! each scrape and in Prometheus, for as long as the process lives. The shop is well. What is scraped
//! grows with the orders, and so does the time it takes, until the monitoring falls over and not the
//! shop.

use std::time::Duration;

use super::{Family, Fault, Incident, Layer, detour, share};
use crate::{
    contract::{Contract, metrics, told},
    repair::Repair,
    seam::{Seam, Service},
};

pub(super) const FAULT: Fault = Fault {
    name: "cardinality",
    source: include_str!("cardinality.rs"),
    layer: Layer::Telemetry,
    family: Family::Telemetry,
    parameters: &[share("share of orders", 1.0)],
    mechanism: |settings| vec![detour(Seam::CountOrder, settings)],
    contract: Contract {
        witness: metrics(
            "Prometheus gets more samples with each scrape of order-api",
            r#"delta(scrape_samples_scraped{job="order-api"}[1m]) > 60"#,
        ),
        signature: &[
            metrics(
                "the series grow as the orders do",
                r#"sum(delta(scrape_samples_scraped{job="order-api"}[1m])) > 0.5 * sum(increase(orders_created_total[1m]))"#,
            ),
            metrics(
                "a metric has a series for each order",
                r#"count({__name__=~".+", job="order-api", order_id!=""}) > 20"#,
            ),
        ],
        fires: &["SeriesGrowth"],
        silent: &["MemoryGrowth", "GatewayLatencyBurn", "FulfillmentLagBurn"],
        tells: &[
            told(
                "log-flood",
                "the logs are as long as ever",
                r#"max(rate(log_bytes_total[30s])) < 60e3"#,
            ),
            told(
                "broken-trace",
                "a metric has a series for each order",
                r#"count({__name__=~".+", job="order-api", order_id!=""}) > 20"#,
            ),
            told(
                "lying-metric",
                "what is counted is what the customers see",
                r#"sum(rate(lab_customer_requests_total{outcome="failed"}[1m])) == 0"#,
            ),
        ],
        outlives: Duration::ZERO,
        gone: None,
        impact: None,
        recovers_within: Duration::from_secs(360),
    },
    hints: [
        "The shop is well, and what watches it is not.",
        "How many samples does each scrape bring, and how many did it an hour ago?",
        "One metric of order-api has a label that never comes twice.",
    ],
    red_herring: "The memory of order-api: it grows a little, as a consequence.",
    fix: "Roll back: ids belong into traces and logs. Drop the series at the scrape until then.",
    repairs: &[Repair::RollBack(Service::OrderApi)],
    incident: Incident {
        what: "Pelican, 2024: a label held the path of each request, and half a million series took \
               the memory of its director to 5 GiB.",
        url: "https://github.com/PelicanPlatform/pelican/issues/1311",
    },
};
