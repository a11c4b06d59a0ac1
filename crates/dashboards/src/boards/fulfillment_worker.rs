//! fulfillment-worker: picks and packs.

use crate::{
    model::{Dashboard, Level, Panel, Unit},
    promql::{buckets, rate},
    rows,
};

const JOB: &str = "fulfillment-worker";

pub(super) fn dashboard() -> Dashboard {
    Dashboard::new(
        "fulfillment-worker",
        "fulfillment-worker",
        "Takes orders from the queue, has them picked and packed, and tells order-api: what became \
         of the messages, how long it took, what came back.",
    )
    .next(&["start-here", "queue", "order-api", "telemetry"])
    .row("Messages: rate, errors, duration", messages())
    .row("Room to work, and what comes back", room())
    .row("Where the time goes", waiting())
    .row("Calls to order-api", rows::calls(JOB))
    .row("Connections and bytes", rows::network(JOB))
    .row("Process and runtime", rows::runtime(JOB))
}

fn messages() -> [Panel; 3] {
    [
        Panel::areas("Messages by outcome", Unit::PerSecond)
            .says(
                "What became of the messages taken. Good: fulfilled. Retried wait in a retry \
                 queue, parked lie among the dead letters, returned could not be handed on.",
            )
            .draws("outcome:fulfillment_messages:rate1m", "{{outcome}}")
            .tone("fulfilled", Level::Good)
            .tone("retried|returned", Level::Warn)
            .tone("parked", Level::Bad),
        Panel::areas("Given up, by reason", Unit::PerSecond)
            .says(
                "Messages that became dead letters. Good: none; each is a customer without goods.",
            )
            .draws(rate("reason", "fulfillment_dead_lettered_total"), "{{reason}}")
            .next("queue"),
        Panel::lines("Processing duration", Unit::Seconds)
            .says("From taking a message to settling it. Good: p50 about 60 ms, p99 below 1 s.")
            .percentiles("fulfillment_processing_duration_seconds", "")
            .bad_from(1.0),
    ]
}

fn room() -> [Panel; 3] {
    [
        Panel::lines("In flight against prefetch", Unit::Count)
            .says(
                "Messages being worked on, and how many may be. Good: well below the limit. At \
                 the limit the worker is the bottleneck and the queue grows.",
            )
            .draws("sum(fulfillment_messages_in_flight)", "in flight")
            .draws("sum(fulfillment_prefetch)", "prefetch")
            .tone("prefetch", Level::Neutral),
        Panel::lines("Redelivered", Unit::PerSecond)
            .says(
                "Messages that the broker had delivered before and had not seen settled. Good: 0, \
                 but for a moment after a restart.",
            )
            .draws(rate("", "fulfillment_redeliveries_total"), "redelivered")
            .too_high(0.1, 0.5)
            .next("queue"),
        Panel::timeline("Broker")
            .says("Whether the worker takes messages from the broker. Good: connected all along.")
            .draws("fulfillment_connected", "worker {{instance}}")
            .means(1, "connected", Level::Good)
            .means(0, "not connected", Level::Bad)
            .size(8, 8)
            .next("queue"),
    ]
}

fn waiting() -> [Panel; 2] {
    [
        Panel::heatmap("Processing, all of it", Unit::Seconds)
            .says("How many messages took how long. Good: one band about the picking time.")
            .draws(buckets("fulfillment_processing_duration_seconds", ""), "{{le}}")
            .exemplars(),
        Panel::heatmap("Age when taken, all of it", Unit::Seconds)
            .says(
                "How old orders are when their message is taken, at every try. Good: one band \
                 below a second. One that climbs is a backlog; bands at 1, 5 and 15 s are tries.",
            )
            .draws(buckets("fulfillment_message_age_seconds", ""), "{{le}}")
            .exemplars()
            .next("queue"),
    ]
}
