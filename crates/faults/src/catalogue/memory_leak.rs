//! Each order leaves something behind in memory.
//!
//! order-api keeps something for every order that nobody will ever ask for. Nothing is slow and nothing
//! fails; `process_resident_memory_bytes` grows with the number of orders, not with time. In compose the
//! kernel ends the process at its limit, orders in hand are taken up again by others, and it begins anew.
//! A restart gives time, and the slope stays.

use std::time::Duration;

use super::{Family, Fault, Incident, Layer, share};
use crate::{
    action::Action,
    contract::{Contract, metrics, told},
    effect::Effect,
    parameters::Parameter,
    repair::Repair,
    seam::{Seam, Service},
};

pub(super) const FAULT: Fault = Fault {
    name: "memory-leak",
    source: include_str!("memory_leak.rs"),
    layer: Layer::Runtime,
    family: Family::Growth,
    parameters: &[
        Parameter {
            name: "kib",
            meaning: "how much each order leaves, in KiB",
            default: 384.0,
            min: 1.0,
            max: 16_384.0,
        },
        share("share of orders", 1.0),
    ],
    mechanism: |settings| {
        let hoard = Effect::Hoard { kib: settings.get("kib"), share: settings.get("p") };
        vec![Action::Strike(Seam::ReadOrder, hoard)]
    },
    contract: Contract {
        witness: metrics(
            "the kernel counts more and more pages of order-api's",
            r#"delta(process_resident_memory_bytes{job="order-api"}[1m]) > 20e6"#,
        ),
        signature: &[
            metrics(
                "order-api's memory grows steadily",
                r#"deriv(process_resident_memory_bytes{job="order-api"}[1m]) > 300e3"#,
            ),
            metrics(
                "it grows with the orders",
                r#"sum(delta(process_resident_memory_bytes{job="order-api"}[1m])) / sum(increase(grpc_requests_total{job="order-api", method="PlaceOrder"}[1m])) > 50e3"#,
            ),
        ],
        fires: &["MemoryGrowth"],
        silent: &["RuntimeLagHigh", "GatewayLatencyBurn", "SeriesGrowth"],
        tells: &[told(
            "cardinality",
            "its series are as many as ever",
            r#"delta(scrape_samples_scraped{job="order-api"}[1m]) < 60"#,
        )],
        outlives: Duration::ZERO,
        gone: None,
        impact: None,
        recovers_within: Duration::from_secs(300),
    },
    hints: [
        "Nothing is wrong yet, and something will be: look for what only ever grows.",
        "Does it grow with time, or with something that is done? Change how many customers come, \
         and look again.",
        "order-api's memory follows its orders, and its series, tasks and connections do not: it \
         keeps something of each.",
    ],
    red_herring: "Traffic: it is flat, and so is all that it should cost.",
    fix: "Roll back; a restart only begins anew. Bound whatever is kept of each order.",
    repairs: &[Repair::RollBack(Service::OrderApi)],
    incident: Incident {
        what: "AWS, 2012: an agent that could not reach its server leaked memory, until the \
               storage servers that it ran on had none left.",
        url: "https://aws.amazon.com/message/680342/",
    },
};
