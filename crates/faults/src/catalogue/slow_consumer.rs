//! A worker takes one order at a time, and each takes longer.
//!
//! A release of the worker fulfills one order after the other, reads each again for every line of it,
//! and waits a little longer for whoever picks and packs (a delay, log-normal like theirs). Each message
//! takes longer than before, and only one is worked on: fewer are done than come.
//! The queue grows in a straight line, as steep as the difference. Nobody fails, and the worker is
//! busy.

use std::time::Duration;

use super::{Family, Fault, Incident, Layer, detour, share};
use crate::{
    action::Action,
    contract::{ANY, Contract, Slo, Traces, metrics, told, traces},
    effect::Effect,
    parameters::Parameter,
    repair::Repair,
    seam::{Seam, Service},
};

pub(super) const FAULT: Fault = Fault {
    name: "slow-consumer",
    source: include_str!("slow_consumer.rs"),
    layer: Layer::Queue,
    family: Family::Unfulfilled,
    parameters: &[
        share("share of orders", 1.0),
        Parameter {
            name: "ms",
            meaning: "median further time for each, in milliseconds",
            default: 700.0,
            min: 0.0,
            max: 10_000.0,
        },
    ],
    mechanism: |settings| {
        let delay = Effect::Delay { median_ms: settings.get("ms"), share: settings.get("p") };
        vec![detour(Seam::FulfillOrder, settings), Action::Strike(Seam::FulfillOrder, delay)]
    },
    contract: Contract {
        witness: metrics(
            "more messages wait in the broker than a minute's",
            r#"sum(rabbitmq_queue_messages_ready{queue="fulfillment.orders"} + rabbitmq_queue_messages_unacked{queue="fulfillment.orders"}) > 10"#,
        ),
        signature: &[
            metrics(
                "less is done than comes, and something is done",
                r#"sum(rate(fulfillment_messages_total{outcome="fulfilled"}[30s])) < 0.85 * sum(rate(outbox_publishes_total{result="confirmed"}[30s])) and sum(rate(fulfillment_messages_total{outcome="fulfilled"}[30s])) > 0.2"#,
            ),
            metrics(
                "orders are read more often than anybody looks",
                r#"sum(rate(grpc_client_attempts_total{job="fulfillment-worker", method="GetOrder"}[30s])) > 2.5 * sum(rate(fulfillment_messages_total[30s]))"#,
            ),
            traces(
                "traces in which the worker takes long",
                Traces {
                    like: &[
                        ("service", "fulfillment-worker"),
                        ("step", "process fulfillment.orders"),
                        ("lasting", "2s"),
                    ],
                    ..ANY
                },
            ),
        ],
        fires: &["FulfillmentLagBurn"],
        silent: &["QueueNoConsumers", "DlqGrowing", "RedeliveryRateHigh", "GatewayLatencyBurn"],
        tells: &[
            told(
                "unacked-pileup",
                "the worker is busy",
                r#"sum(avg_over_time(fulfillment_messages_in_flight[20s])) > 1"#,
            ),
            told(
                "zombie-consumer",
                "orders are fulfilled",
                r#"sum(rate(fulfillment_messages_total{outcome="fulfilled"}[30s])) > 0.2"#,
            ),
            told(
                "poison-message",
                "what it takes it finishes",
                r#"sum(rate(fulfillment_messages_total{outcome="fulfilled"}[30s])) / sum(rate(fulfillment_messages_total[30s])) > 0.5"#,
            ),
            told(
                "lost-publish",
                "orders are fulfilled",
                r#"sum(rate(fulfillment_messages_total{outcome="fulfilled"}[30s])) > 0.2"#,
            ),
        ],
        outlives: Duration::ZERO,
        gone: None,
        impact: Some(Slo::Fulfillment),
        recovers_within: Duration::from_secs(420),
    },
    hints: [
        "Orders are fulfilled, and later and later.",
        "Compare what comes with what is done, and how long each takes with how long it took.",
        "One at a time, with many calls and a longer wait each: the worker has become too slow for what comes, which \
         is as much as ever.",
    ],
    red_herring: "Traffic: as many orders come as before.",
    fix: "Roll back; more workers bridge the time.",
    repairs: &[Repair::RollBack(Service::FulfillmentWorker)],
    incident: Incident {
        what: "CircleCI, 2015: a queue whose every step had become a little slower grew faster \
               than it could be worked off.",
        url: "https://status.circleci.com/incidents/hr0mm9xmm3x6",
    },
};
