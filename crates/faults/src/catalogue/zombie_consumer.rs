//! The worker is up, healthy, and takes no messages.
//!
//! Its subscription has ended, and nobody noticed: the task that took messages is gone, the process
//! lives, `/health` and `/ready` answer, the last line in its log is a while old. At the broker the queue
//! has no consumer and grows. The worker's own metrics are flat, as on a quiet day.

use std::time::Duration;

use super::{Family, Fault, Incident, Layer, detour, share};
use crate::{
    contract::{ANY, Contract, Slo, Traces, metrics, told, traces},
    repair::Repair,
    seam::{Seam, Service},
};

pub(super) const FAULT: Fault = Fault {
    name: "zombie-consumer",
    source: include_str!("zombie_consumer.rs"),
    layer: Layer::Queue,
    family: Family::Unfulfilled,
    parameters: &[share("chance at each message", 1.0)],
    mechanism: |settings| vec![detour(Seam::TakeMessage, settings)],
    contract: Contract {
        witness: metrics(
            "the broker knows of no consumer",
            r#"rabbitmq_queue_consumers{queue="fulfillment.orders"} == 0"#,
        ),
        signature: &[
            metrics(
                "the worker says that it is connected, and takes nothing",
                r#"fulfillment_connected == 1 and on () (sum(rate(fulfillment_messages_total[20s])) == 0)"#,
            ),
            metrics(
                "orders wait in the queue",
                r#"rabbitmq_queue_messages_ready{queue="fulfillment.orders"} > 10"#,
            ),
            traces(
                "traces of orders that no worker works on",
                Traces {
                    like: &[("step", "POST /orders")],
                    without: "fulfillment-worker",
                    at_least: 20,
                    ..ANY
                },
            ),
        ],
        fires: &["QueueNoConsumers", "FulfillmentLagBurn"],
        silent: &["TargetDown", "DlqGrowing", "GatewayLatencyBurn"],
        tells: &[
            told(
                "unacked-pileup",
                "nothing is unacknowledged",
                r#"sum(rabbitmq_queue_messages_unacked{queue="fulfillment.orders"}) == 0"#,
            ),
            told(
                "slow-consumer",
                "there is no consumer",
                r#"rabbitmq_queue_consumers{queue="fulfillment.orders"} == 0"#,
            ),
            told(
                "lost-publish",
                "the orders are in the queue",
                r#"rabbitmq_queue_messages_ready{queue="fulfillment.orders"} > 10"#,
            ),
            told(
                "poison-message",
                "there is no consumer",
                r#"rabbitmq_queue_consumers{queue="fulfillment.orders"} == 0"#,
            ),
        ],
        outlives: Duration::ZERO,
        gone: None,
        impact: Some(Slo::Fulfillment),
        recovers_within: Duration::from_secs(300),
    },
    hints: [
        "Orders are placed and not fulfilled.",
        "Whom does the queue know that would take its messages?",
        "The worker lives and does not listen: what took messages has ended, and nobody began it \
         anew.",
    ],
    red_herring: "The health checks: they ask the process, which is well.",
    fix: "Restart the worker; then let something watch over the task, or let its end be the end of \
          the process.",
    repairs: &[Repair::Restart(Service::FulfillmentWorker)],
    incident: Incident {
        what: "A consumer whose data channel was dead, with its database happily running.",
        url: "https://github.com/metricq/metricq-db-hta/issues/29",
    },
};
