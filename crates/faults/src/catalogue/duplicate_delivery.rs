//! Orders are picked and packed twice.
//!
//! The worker's connection to the broker is lost, now and then, after an order is packed and before that
//! is acknowledged. The broker delivers the message again, as it must. A release of the worker does not
//! ask any more whether an order is done, and one of order-api counts what it is told as often as it is
//! told: the same parcel leaves twice, and the revenue is counted twice. No order is lost and nothing
//! fails; there is more fulfilled than ordered.

use std::time::Duration;

use super::{Family, Fault, Incident, Layer, detour, share};
use crate::{
    action::Action,
    contract::{ANY, Contract, Slo, Traces, metrics, told, traces},
    effect::Effect,
    repair::Repair,
    seam::{Seam, Service},
};

pub(super) const FAULT: Fault = Fault {
    name: "duplicate-delivery",
    source: include_str!("duplicate_delivery.rs"),
    layer: Layer::Queue,
    family: Family::MoreWork,
    parameters: &[share("chance that the connection is lost after an order", 0.4)],
    mechanism: |settings| {
        let always = |seam| Action::Strike(seam, Effect::Detour { share: 1.0 });
        vec![
            detour(Seam::SettleMessage, settings),
            always(Seam::AskOrder),
            always(Seam::CountEnding),
        ]
    },
    contract: Contract {
        witness: metrics(
            "the broker delivers messages again",
            r#"sum(rate(fulfillment_redeliveries_total[30s])) > 0.3"#,
        ),
        signature: &[
            metrics(
                "more is fulfilled than was placed",
                r#"sum(increase(fulfillments_total{outcome="fulfilled"}[1m])) > 1.15 * sum(increase(orders_created_total[1m]))"#,
            ),
            traces(
                "traces of orders that are picked and packed twice",
                Traces { like: &[("step", "pick and pack"), ("repeated", "2")], ..ANY },
            ),
        ],
        fires: &["RedeliveryRateHigh", "FulfilledTwiceBurn"],
        silent: &["DlqGrowing", "QueueNoConsumers", "GatewayAvailabilityBurn"],
        tells: &[
            told(
                "traffic-spike",
                "there are no more orders than at rest",
                r#"sum(rate(orders_created_total[30s])) < 1.8 * sum(rate(orders_created_total[30s] offset 2m))"#,
            ),
            told(
                "poison-message",
                "every message can be read",
                r#"sum(rate(fulfillment_messages_total{outcome=~"returned|parked"}[1m])) == 0"#,
            ),
            told(
                "cache-stampede",
                "most looks at the products are answered from the cache",
                r#"sum(rate(cache_requests_total{result="miss"}[30s])) / sum(rate(cache_requests_total[30s])) < 0.3"#,
            ),
            told(
                "retry-storm",
                "messages come again",
                r#"sum(rate(fulfillment_redeliveries_total[30s])) > 0.3"#,
            ),
        ],
        outlives: Duration::ZERO,
        gone: None,
        impact: Some(Slo::Correctness),
        recovers_within: Duration::from_secs(240),
    },
    hints: [
        "Nothing fails, and the numbers do not add up: compare what was placed with what was fulfilled.",
        "Open the trace of one order and count how often it was packed.",
        "Its message came twice, which is the broker's right, and nobody asked whether it was done.",
    ],
    red_herring: "The broker: it delivers at least once, and never promised anything else.",
    fix: "Let the worker ask again before it packs, and order-api count changes and not messages; then \
          compare the books with the orders.",
    repairs: &[Repair::RollBack(Service::FulfillmentWorker), Repair::RollBack(Service::OrderApi)],
    incident: Incident {
        what: "Twilio, 2013: a store that had lost its writes could not say that customers were charged \
               already, and they were charged again and again.",
        url: "https://www.twilio.com/blog/2013/07/billing-incident-post-mortem-breakdown-analysis-and-root-cause.html",
    },
};
