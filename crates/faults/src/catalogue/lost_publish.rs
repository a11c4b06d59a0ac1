//! Orders are announced to nobody.
//!
//! The exchange has lost the queue that was bound to it, and a release of order-api publishes without
//! asking to hear of what cannot be delivered. The broker confirms each message, since it did all that it
//! was asked, and drops it. order-api, the broker and the worker are well by all that they say. Orders
//! are placed and paid, and stay so. What was announced meanwhile is gone; healing brings back what comes
//! after, and the fix brings back the rest.

use std::time::Duration;

use super::{Family, Fault, Incident, Layer, detour, share};
use crate::{
    action::Action,
    contract::{ANY, Contract, Slo, Traces, metrics, told, traces},
    repair::Repair,
    seam::{Seam, Service},
};

pub(super) const FAULT: Fault = Fault {
    name: "lost-publish",
    source: include_str!("lost_publish.rs"),
    layer: Layer::Queue,
    family: Family::Unfulfilled,
    parameters: &[share("share of events that are published so", 1.0)],
    mechanism: |settings| vec![detour(Seam::PublishEvent, settings), Action::Unbind],
    contract: Contract {
        witness: metrics(
            "the broker drops what nobody wanted",
            r#"rate(rabbitmq_global_messages_unroutable_dropped_total[30s]) > 0"#,
        ),
        signature: &[
            metrics(
                "events are confirmed, and no message comes",
                r#"sum(rate(outbox_publishes_total{result="confirmed"}[20s])) > 0.3 and sum(rate(fulfillment_messages_total[20s])) == 0"#,
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
        fires: &["FulfillmentLagBurn", "PublishConsumeMismatch"],
        silent: &["OutboxStuck", "QueueNoConsumers", "QueueUnackedHigh"],
        tells: &[
            told(
                "zombie-consumer",
                "there is a consumer, and nothing for it",
                r#"rabbitmq_queue_consumers{queue="fulfillment.orders"} > 0 and on () rabbitmq_queue_messages_ready{queue="fulfillment.orders"} == 0"#,
            ),
            told(
                "unacked-pileup",
                "nothing is unacknowledged",
                r#"sum(rabbitmq_queue_messages_unacked{queue="fulfillment.orders"}) == 0"#,
            ),
            told(
                "broken-trace",
                "orders are not fulfilled",
                r#"orders_oldest_unfulfilled_age_seconds > 15"#,
            ),
            told(
                "poison-message",
                "the queue is empty",
                r#"rabbitmq_queue_messages_ready{queue="fulfillment.orders"} == 0 and on () (sum(rate(fulfillment_messages_total[20s])) == 0)"#,
            ),
            told(
                "slow-consumer",
                "the worker has nothing in hand",
                r#"sum(avg_over_time(fulfillment_messages_in_flight[20s])) < 1"#,
            ),
        ],
        outlives: Duration::ZERO,
        gone: None,
        impact: Some(Slo::Fulfillment),
        recovers_within: Duration::from_secs(300),
    },
    hints: [
        "Orders are placed and not fulfilled, and every part is well.",
        "Follow one order: it is announced, and confirmed. Where is the message?",
        "The broker confirms what it drops, if it is not told otherwise: the exchange has no queue \
         for it.",
    ],
    red_herring: "The worker: it waits, and nothing comes.",
    fix: "Bind the queue again, as the worker does when it starts, announce again what was lost, and publish \
          as mandatory.",
    repairs: &[
        Repair::RollBack(Service::OrderApi),
        Repair::Restart(Service::FulfillmentWorker),
        Repair::Announce,
    ],
    incident: Incident {
        what: "An operator of RabbitMQ, 2022: after its nodes had changed, the binding of a queue \
               was listed, and messages were routed as if there was none.",
        url: "https://github.com/rabbitmq/rabbitmq-server/issues/4236",
    },
};
