//! Queue: from the outbox over the broker to the worker, and back.

use crate::{
    model::{Dashboard, Level, Panel, Unit},
    promql::{quantile, rate},
};

const ORDERS: &str = r#"queue="fulfillment.orders""#;
const RETRIES: &str = r#"queue=~"fulfillment.retry.*""#;
const DEAD: &str = r#"queue="fulfillment.dead""#;

pub(super) fn dashboard() -> Dashboard {
    Dashboard::new(
        "queue",
        "Queue",
        "The way of an order's message: out of the outbox, over the broker, to the worker. Does it \
         flow, where does it wait, what comes back, and is the broker well?",
    )
    .next(&["start-here", "fulfillment-worker", "order-api"])
    .row("Does it flow?", flow_now())
    .row("Flow and backlog", flow())
    .row("What comes back", back())
    .row("The broker (RabbitMQ in compose)", broker())
}

fn ready(queue: &str) -> String {
    format!("sum(rabbitmq_queue_messages_ready{{{queue}}})")
}

fn flow_now() -> [Panel; 6] {
    [
        Panel::stat("Orders waiting", Unit::Count)
            .says("Messages that the worker has not taken yet. Good: near 0; 50 is a backlog.")
            .draws(ready(ORDERS), "waiting")
            .too_high(20.0, 50.0),
        Panel::stat("With the worker", Unit::Count)
            .says("Delivered and not acknowledged. Good: below the prefetch.")
            .draws(format!("sum(rabbitmq_queue_messages_unacked{{{ORDERS}}})"), "unacked"),
        Panel::stat("Consumers", Unit::Count)
            .says("Who takes orders. Good: at least one (alert QueueNoConsumers).")
            .draws(format!("sum(rabbitmq_queue_consumers{{{ORDERS}}})"), "consumers")
            .too_low(1.0, 1.0),
        Panel::stat("To be tried again", Unit::Count)
            .says("Messages in the retry queues. Good: 0.")
            .draws(ready(RETRIES), "retrying")
            .too_high(1.0, 20.0),
        Panel::stat("Dead letters", Unit::Count)
            .says("Orders that were given up. Good: 0; look with `lab dlq` (alert DlqGrowing).")
            .draws(ready(DEAD), "dead")
            .bad_from(1.0),
        Panel::stat("Oldest in the outbox", Unit::Seconds)
            .says("Age of the oldest event that the broker does not have yet. Good: below 15 s.")
            .draws("max(outbox_oldest_age_seconds)", "oldest")
            .too_high(5.0, 15.0),
    ]
}

fn flow() -> [Panel; 4] {
    [
        Panel::lines("Published and taken", Unit::PerSecond)
            .says("Good: one line upon the other. A gap between them is a backlog that grows.")
            .draws(rate("", r#"outbox_publishes_total{result="confirmed"}"#), "published")
            .draws(rate("", "fulfillment_messages_total"), "taken"),
        Panel::areas("Backlog, by queue", Unit::Count)
            .says(
                "Messages waiting in each queue. Good: none. Look at the slope: it is what \
                 arrives less what is taken.",
            )
            .draws("sum by (queue) (rabbitmq_queue_messages_ready)", "{{queue}}")
            .tone("fulfillment.dead", Level::Bad),
        Panel::lines("Held by consumers", Unit::Count)
            .says(
                "Messages delivered and not acknowledged, against what consumers may hold. Good: \
                 below the limit. At it, and nothing acknowledged, a consumer hangs.",
            )
            .draws(format!("sum(rabbitmq_queue_messages_unacked{{{ORDERS}}})"), "unacknowledged")
            .draws("sum(fulfillment_prefetch)", "prefetch")
            .tone("prefetch", Level::Neutral)
            .next("fulfillment-worker"),
        Panel::lines("Age", Unit::Seconds)
            .says(
                "From placing an order to taking its message, and of that in the outbox; p95. \
                 Good: below 1 s.",
            )
            .draws("fulfillment:message_age_seconds:p95", "until taken")
            .draws(quantile(0.95, "", "outbox_delay_seconds", ""), "in the outbox")
            .bad_from(30.0),
    ]
    .map(|panel| panel.size(6, 8))
}

fn back() -> [Panel; 4] {
    [
        Panel::lines("Tried again and redelivered", Unit::PerSecond)
            .says(
                "Retried: the worker says not now. Redelivered: a consumer went away with it. \
                 Good: 0.",
            )
            .draws(rate("", r#"fulfillment_messages_total{outcome="retried"}"#), "retried")
            .draws(rate("", "fulfillment_redeliveries_total"), "redelivered")
            .too_high(0.1, 0.5),
        Panel::areas("Waiting to be tried again", Unit::Count)
            .says("By retry queue: how far along the tries are. Good: none.")
            .draws(
                format!("sum by (queue) (rabbitmq_queue_messages_ready{{{RETRIES}}})"),
                "{{queue}}",
            ),
        Panel::areas("Given up, by reason", Unit::PerSecond)
            .says(
                "Good: none. Many of one reason are one defect; tries_exhausted is a long outage.",
            )
            .draws(rate("reason", "fulfillment_dead_lettered_total"), "{{reason}}"),
        Panel::areas("Publishes not confirmed", Unit::PerSecond)
            .says(
                "Good: none. Returned: no queue takes it; timed_out: the broker is stuck; \
                 failed: it is away. The outbox keeps the event and tries again.",
            )
            .draws(rate("result", r#"outbox_publishes_total{result!="confirmed"}"#), "{{result}}")
            .next("order-api"),
    ]
    .map(|panel| panel.size(6, 8))
}

fn broker() -> Vec<Panel> {
    let delivered =
        |what: &str| rate("", &format!("rabbitmq_queue_messages_{what}_total{{{ORDERS}}}"));
    vec![
        Panel::lines("Delivered by the broker", Unit::PerSecond)
            .says(
                "The broker's own count for fulfillment.orders. Good: acknowledged as fast as \
                 delivered.",
            )
            .draws(delivered("delivered_ack"), "delivered")
            .draws(delivered("acked"), "acknowledged")
            .draws(delivered("redelivered"), "redelivered")
            .tone("redelivered", Level::Bad),
        Panel::lines("Not routed", Unit::PerSecond)
            .says("Messages that no queue took. Good: 0; else a binding is gone.")
            .draws(rate("", "rabbitmq_global_messages_unroutable_returned_total"), "returned")
            .draws(rate("", "rabbitmq_global_messages_unroutable_dropped_total"), "dropped")
            .bad_from(0.01),
        Panel::lines("Connections and channels", Unit::Count)
            .says(
                "Good: a handful, flat. A staircase is a leak; a sawtooth, clients that come and \
                 go.",
            )
            .draws("rabbitmq_connections", "connections")
            .draws("rabbitmq_channels", "channels"),
        Panel::timeline("Alarms")
            .says(
                "Whether the broker blocks publishers, and why. Good: no alarm (alert \
                 BrokerBlockedPublishers).",
            )
            .draws("max(rabbitmq_alarms_memory_used_watermark)", "memory")
            .draws("max(rabbitmq_alarms_free_disk_space_watermark)", "disk")
            .means(0, "no alarm", Level::Good)
            .means(1, "alarm", Level::Bad),
        Panel::lines("Memory", Unit::Bytes)
            .says("Against the watermark at which publishers are blocked. Good: far below.")
            .draws("rabbitmq_process_resident_memory_bytes", "used")
            .draws("rabbitmq_resident_memory_limit_bytes", "watermark")
            .tone("watermark", Level::Neutral),
        Panel::lines("Disk", Unit::Bytes)
            .says("Against the mark below which publishers are blocked. Good: far above.")
            .draws("rabbitmq_disk_space_available_bytes", "available")
            .draws("rabbitmq_disk_space_available_limit_bytes", "mark")
            .tone("mark", Level::Neutral),
    ]
    .into_iter()
    .map(|panel| panel.size(8, 8))
    .collect()
}
