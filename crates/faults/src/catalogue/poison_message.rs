//! Messages that nobody can read go round and round.
//!
//! A batch of messages came into the queue that are no orders. A worker that is well gives such a message
//! up at once, and it lies where it can be looked at. A release holds it for a moment and puts it back at
//! the end of the queue, to take it again. Nothing is lost and nothing ends: the worker's hands are full
//! of messages that it has had before, many times as many as there are orders, and orders wait behind
//! them.

use std::time::Duration;

use super::{Family, Fault, Incident, Layer, detour, share};
use crate::{
    action::Action,
    contract::{Contract, Slo, logs, metrics, told},
    parameters::Parameter,
    repair::Repair,
    seam::{Seam, Service},
};

pub(super) const FAULT: Fault = Fault {
    name: "poison-message",
    source: include_str!("poison_message.rs"),
    layer: Layer::Queue,
    family: Family::Unfulfilled,
    parameters: &[
        share("share of times that such a message is put back", 1.0),
        Parameter {
            name: "messages",
            meaning: "how many such messages",
            default: 2000.0,
            min: 1000.0,
            max: 5000.0,
        },
    ],
    mechanism: |settings| {
        vec![detour(Seam::ParkMessage, settings), Action::Publish(settings.get("messages") as u32)]
    },
    contract: Contract {
        witness: metrics(
            "workers put many more messages back than order-api publishes",
            r#"sum(rate(fulfillment_messages_total{outcome="returned"}[30s])) > 2 * sum(rate(outbox_publishes_total[30s])) + 5"#,
        ),
        signature: &[
            metrics(
                "the same messages come again",
                r#"sum(rate(fulfillment_messages_total[30s])) / (sum(rate(fulfillment_messages_total{outcome=~"fulfilled|failed|duplicate"}[30s])) + 0.1) > 5"#,
            ),
            logs(
                "a worker cannot read a message, and says so again and again",
                20,
                &[("service", "fulfillment-worker"), ("text", "cannot read")],
            ),
        ],
        fires: &["FulfillmentLagBurn"],
        silent: &["DbPoolSaturated", "GatewayLatencyBurn", "PaymentSuccessBurn"],
        tells: &[
            told(
                "unacked-pileup",
                "deliveries go on",
                r#"sum(rate(fulfillment_messages_total[30s])) > 5"#,
            ),
            told(
                "slow-consumer",
                "it takes more messages than there are orders, and puts them back",
                r#"sum(rate(fulfillment_messages_total{outcome="returned"}[30s])) > 2 * sum(rate(orders_created_total[30s])) + 5"#,
            ),
            told(
                "zombie-consumer",
                "somebody takes messages",
                r#"rabbitmq_queue_consumers{queue="fulfillment.orders"} > 0"#,
            ),
            told(
                "lost-publish",
                "deliveries go on",
                r#"sum(rate(fulfillment_messages_total[30s])) > 5"#,
            ),
        ],
        outlives: Duration::ZERO,
        gone: None,
        impact: Some(Slo::Fulfillment),
        recovers_within: Duration::from_secs(240),
    },
    hints: [
        "The worker has never been busier, and has nothing to show for it.",
        "How many messages does it take for each that is published? Which ids are they?",
        "The same messages, which it cannot read, are put back at the end of the queue, again and again.",
    ],
    red_herring: "The broker: it delivers what it is given.",
    fix: "Give up what cannot be read, once: roll back, or take these messages out of the queue by \
          hand without losing others.",
    repairs: &[Repair::RollBack(Service::FulfillmentWorker)],
    incident: Incident {
        what: "incident.io, 2022: a message that made its reader crash was delivered again after \
               each restart.",
        url: "https://incident.io/blog/intermittent-downtime",
    },
};
