//! Nothing is wrong.
//!
//! Somebody said that the shop is slow today. It is as it always is. Whoever finds something all the
//! same has found what is always there: this is what every other sign has to be told from.

use std::time::Duration;

use super::{Family, Fault, Incident, Layer};
use crate::contract::{Contract, metrics};

pub(super) const FAULT: Fault = Fault {
    name: "nothing",
    source: include_str!("nothing.rs"),
    layer: Layer::Load,
    family: Family::MoreWork,
    parameters: &[],
    mechanism: |_| Vec::new(),
    contract: Contract {
        witness: metrics(
            "customers are served",
            r#"sum(rate(lab_customer_requests_total{outcome="served"}[30s])) > 0"#,
        ),
        signature: &[],
        fires: &[],
        silent: &[
            "GatewayAvailabilityBurn",
            "GatewayLatencyBurn",
            "GatewayBrowsingBurn",
            "FulfillmentLagBurn",
            "FulfilledTwiceBurn",
            "PaymentSuccessBurn",
            "RetryRatioHigh",
            "DbPoolSaturated",
            "RuntimeLagHigh",
            "QueueUnackedHigh",
            "QueueNoConsumers",
            "LogVolumeHigh",
            "MemoryGrowth",
        ],
        tells: &[],
        outlives: Duration::ZERO,
        gone: None,
        impact: None,
        recovers_within: Duration::from_secs(60),
    },
    hints: [
        "Is there an alert? Is there a promise that is broken?",
        "Compare with an hour ago, and with the same hour of yesterday.",
        "There is nothing to be found.",
    ],
    red_herring: "Everything.",
    fix: "None.",
    repairs: &[],
    incident: Incident {
        what: "Why a page has to be about a symptom that somebody feels: the chapter on monitoring \
               of the SRE book.",
        url: "https://sre.google/sre-book/monitoring-distributed-systems/",
    },
};
