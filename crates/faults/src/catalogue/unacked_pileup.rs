//! Work is done, and the broker is never told.
//!
//! The worker fulfills an order and then, for a share of messages, forgets to acknowledge. The broker
//! takes them to be in work. When as many are unacknowledged as may be in hand at once, it hands out no
//! more: the queue grows, the worker is idle, and no error is anywhere. Half an hour later RabbitMQ
//! closes the channel, all of it comes again, and is found to be done.

use std::time::Duration;

use super::{Family, Fault, Incident, Layer, detour, share};
use crate::{
    contract::{ANY, Contract, Slo, Traces, metrics, told, traces},
    repair::Repair,
    seam::{Seam, Service},
};

pub(super) const FAULT: Fault = Fault {
    name: "unacked-pileup",
    source: include_str!("unacked_pileup.rs"),
    layer: Layer::Queue,
    family: Family::Unfulfilled,
    parameters: &[share("share of messages", 0.5)],
    mechanism: |settings| vec![detour(Seam::AcknowledgeMessage, settings)],
    contract: Contract {
        witness: metrics(
            "the broker waits for more acknowledgments than there are messages in work",
            r#"sum(rabbitmq_queue_messages_unacked{queue="fulfillment.orders"}) > 3 + sum(fulfillment_messages_in_flight)"#,
        ),
        signature: &[
            metrics(
                "as many are unacknowledged as may be",
                r#"sum(rabbitmq_queue_messages_unacked{queue="fulfillment.orders"}) >= 0.9 * sum(fulfillment_prefetch)"#,
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
        fires: &["QueueUnackedHigh", "FulfillmentLagBurn"],
        silent: &["QueueNoConsumers", "DlqGrowing", "GatewayLatencyBurn"],
        tells: &[
            told(
                "zombie-consumer",
                "there is a consumer",
                r#"rabbitmq_queue_consumers{queue="fulfillment.orders"} > 0"#,
            ),
            told(
                "slow-consumer",
                "the worker is idle",
                r#"sum(avg_over_time(fulfillment_messages_in_flight[20s])) < 1"#,
            ),
            told(
                "poison-message",
                "no message is put back",
                r#"sum(rate(fulfillment_messages_total{outcome="returned"}[30s])) == 0"#,
            ),
            told(
                "lost-publish",
                "messages come, and are not acknowledged",
                r#"sum(rabbitmq_queue_messages_unacked{queue="fulfillment.orders"}) > 3"#,
            ),
        ],
        outlives: Duration::ZERO,
        gone: None,
        impact: Some(Slo::Fulfillment),
        recovers_within: Duration::from_secs(300),
    },
    hints: [
        "Orders are placed and not fulfilled, and the worker has nothing to do.",
        "What does the broker think that the worker is doing? Look at ready and unacknowledged.",
        "Exactly as many unacknowledged as may be in hand: the worker does not say when it is \
         done.",
    ],
    red_herring: "The worker: it is up, idle and without an error.",
    fix: "Roll back; a restart frees what is held until it has happened as often again.",
    repairs: &[Repair::RollBack(Service::FulfillmentWorker)],
    incident: Incident {
        what: "Messages whose acknowledgment never came, until RabbitMQ closed the channel after \
               half an hour.",
        url: "https://github.com/Kitware/dive/issues/995",
    },
};
