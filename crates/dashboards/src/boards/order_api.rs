//! order-api: the owner of orders.

use crate::{
    model::{Dashboard, Level, Panel, Unit},
    promql::{buckets, quantile, rate, share, trouble},
    rows::{self, CALL_FAILED},
};

pub(super) fn dashboard() -> Dashboard {
    Dashboard::new(
        "order-api",
        "order-api",
        "The owner of orders: the calls it answers, the orders it places, the events it publishes, \
         and what that costs.",
    )
    .next(&["start-here", "database", "queue", "telemetry"])
    .row("Calls: rate, errors, duration", requests())
    .row("Where the time goes", [heatmap(), in_hand()])
    .row("Orders: placed, refused, waiting", orders())
    .row("Payment provider: asked over HTTP, and not ours", provider())
    .row("Outbox: events on their way to the broker", outbox())
    .row("Resilience: what keeps it standing", resilience())
    .row("Connections and bytes", rows::network("order-api"))
    .row("Process and runtime", rows::runtime("order-api"))
}

fn requests() -> [Panel; 3] {
    let failed = format!("grpc_requests_total{{{CALL_FAILED}}}");
    [
        Panel::areas("Calls by method", Unit::RequestsPerSecond)
            .says("Good: moves with the gateway's requests and the worker's messages.")
            .draws(r#"method:grpc_requests:rate1m{method!="other"} > 0"#, "{{method}}"),
        Panel::areas("Calls not OK", Unit::RequestsPerSecond)
            .says(
                "By method and status. Good: only refusals, as NOT_FOUND or FAILED_PRECONDITION. \
                 UNAVAILABLE: the database is away or busy; DEADLINE_EXCEEDED: too late.",
            )
            .draws(trouble("status", r#"grpc_requests_total{status!="OK"}"#), "{{status}}")
            .tone("UNAVAILABLE|DEADLINE_EXCEEDED|INTERNAL|UNKNOWN|CANCELLED", Level::Bad),
        Panel::lines("Failed, by method", Unit::Ratio)
            .says("Share of the calls that failed through no fault of the caller. Good: 0.")
            .draws(share("method", &failed, "grpc_requests_total"), "{{method}}")
            .too_high(0.005, 0.05),
    ]
}

fn heatmap() -> Panel {
    Panel::heatmap("PlaceOrder, all of it", Unit::Seconds)
        .says(
            "How many orders took how long to place. Good: one band, low. A second band is a \
             share of the orders that waits for something.",
        )
        .draws(buckets("grpc_request_duration_seconds", r#"method="PlaceOrder""#), "{{le}}")
        .exemplars()
}

fn in_hand() -> Panel {
    Panel::lines("Duration, by method", Unit::Seconds)
        .says("p95 from a call's arrival to its answer. Good: PlaceOrder below 100 ms.")
        .draws(
            format!(
                "{} > 0",
                quantile(0.95, "method", "grpc_request_duration_seconds", r#"method!="other""#)
            ),
            "{{method}}",
        )
        .exemplars()
        .bad_from(0.5)
        .size(12, 8)
}

fn orders() -> [Panel; 4] {
    [
        Panel::lines("Orders", Unit::PerSecond)
            .says(
                "Placed and ended. Good: as many end as are placed. Replayed: a repeated call \
                 that got the first answer again; many of them are retries.",
            )
            .draws(rate("", "orders_created_total"), "placed")
            .draws(rate("outcome", "fulfillments_total"), "{{outcome}}")
            .draws(rate("", "orders_replayed_total"), "replayed")
            .tone("failed", Level::Bad),
        Panel::areas("Refused, by reason", Unit::PerSecond)
            .says(
                "Valid orders that could not be placed. Good: few; insufficient_stock means sold \
                 out.",
            )
            .draws(rate("reason", "orders_refused_total"), "{{reason}}"),
        Panel::lines("Oldest order waiting", Unit::Seconds)
            .says("Age of the oldest order that has not ended, from SQL. Good: below 30 s.")
            .draws("max(orders_oldest_unfulfilled_age_seconds)", "oldest")
            .too_high(10.0, 30.0)
            .next("queue"),
        Panel::lines("Calls in hand", Unit::Count)
            .says(
                "Calls being worked on. Good: about calls per second times their duration; \
                 growing without more calls, they are stuck.",
            )
            .draws(r#"sum by (method) (grpc_requests_active{method!="other"})"#, "{{method}}"),
    ]
    .map(|panel| panel.size(6, 8))
}

fn provider() -> [Panel; 4] {
    let duration = "payment_provider_request_duration_seconds";
    [
        Panel::areas("Requests, by how they end", Unit::RequestsPerSecond)
            .says("Good: all ok. Timed out: slow; unreachable: away; failed: it answers errors.")
            .draws(rate("outcome", "payment_provider_requests_total"), "{{outcome}}")
            .tone("ok", Level::Good)
            .tone("failed|timed_out|unreachable|rejected", Level::Bad),
        Panel::lines("Duration, by operation", Unit::Seconds)
            .says("p95 until its answer. Good: below 50 ms; at 1 s it is cut off.")
            .draws(format!("{} > 0", quantile(0.95, "operation", duration, "")), "{{operation}}")
            .exemplars()
            .bad_from(0.5),
        Panel::lines("Sent again", Unit::PerSecond)
            .says("Good: 0. Not allowed: the retry budget was spent, so that trouble stays small.")
            .draws(rate("", "payment_provider_retries_total"), "sent again")
            .draws(rate("", r#"retry_budget_exhausted_total{job="order-api"}"#), "not allowed"),
        Panel::lines("Overdue", Unit::Seconds)
            .says(
                "How long the order that is overdue longest has waited for somebody to go on with \
                 it. Good: 0; alert OrdersOverdue above 20 s.",
            )
            .draws("max(orders_longest_overdue_seconds)", "overdue")
            .bad_from(20.0),
    ]
    .map(|panel| panel.size(6, 8))
}

fn resilience() -> [Panel; 2] {
    let shed = Panel::areas("Refused without work", Unit::RequestsPerSecond)
        .says(
            "Calls refused because too many were in hand already. Good: 0. Then what is begun is \
             still finished in time (alert LoadShedding).",
        )
        .draws(rate("", "grpc_requests_shed_total"), "overloaded")
        .tone("overloaded", Level::Bad)
        .next("web-gateway");
    [rows::slots("order-api"), shed].map(|panel| panel.size(12, 8))
}

fn outbox() -> [Panel; 4] {
    [
        Panel::areas("Publishes, by result", Unit::PerSecond)
            .says("Good: all confirmed. Anything else is tried again; nothing is lost meanwhile.")
            .draws(rate("result", "outbox_publishes_total"), "{{result}}")
            .tone("confirmed", Level::Good)
            .tone("nacked|returned|timed_out|failed", Level::Bad),
        Panel::lines("Events waiting", Unit::Count)
            .says("Good: near 0. A staircase means that the broker takes nothing.")
            .draws("max(outbox_depth)", "events")
            .too_high(20.0, 100.0),
        Panel::lines("Delay", Unit::Seconds)
            .says(
                "From an event's writing to the broker's confirmation, and the age of the oldest \
                 that waits. Good: p95 below 200 ms, oldest below 15 s (alert OutboxStuck).",
            )
            .percentiles("outbox_delay_seconds", "")
            .draws("max(outbox_oldest_age_seconds)", "oldest")
            .bad_from(15.0),
        Panel::timeline("Broker")
            .says("Whether the relay is connected to the broker. Good: connected all along.")
            .draws("outbox_broker_connected", "relay {{instance}}")
            .means(1, "connected", Level::Good)
            .means(0, "not connected", Level::Bad),
    ]
    .map(|panel| panel.size(6, 8).next("queue"))
}
