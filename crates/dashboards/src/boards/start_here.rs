//! Start here: the order's journey, one row per hop.

use crate::{
    model::{Dashboard, Level, Panel, Unit},
    promql::{quantile, rate, share},
    rows::{CALL_FAILED, SHOP, red},
};

pub(super) fn dashboard() -> Dashboard {
    Dashboard::new(
        "start-here",
        "Start here",
        "An order's journey, hop by hop: how much, how much of it fails, how long it takes. Find \
         the first hop that is not as it was, and follow the link on its panel.",
    )
    .next(&["slos", "alerts", "business", "telemetry"])
    .row("Is all well?", verdict())
    .row("1 · Customers: what they see", red("business", customers()))
    .row("2 · web-gateway: HTTP comes in", red("web-gateway", gateway()))
    .row("3 · order-api: orders are stored and stock is reserved", red("order-api", order_api()))
    .row("4 · Database: where they are stored", red("database", database()))
    .row("5 · Queue: the order is announced", red("queue", queue()))
    .row("6 · fulfillment-worker: it is picked and packed", red("fulfillment-worker", worker()))
}

fn verdict() -> [Panel; 6] {
    [
        Panel::stat("Requests", Unit::RequestsPerSecond)
            .says("Requests of customers. Good: steady; a fall to zero is as bad as errors.")
            .draws(rate("", &format!("http_requests_total{{{SHOP}}}")), "requests")
            .next("web-gateway"),
        Panel::stat("Errors", Unit::Ratio)
            .says(
                "Share of the customers' requests that were answered with a 5xx. Good: below \
                 0.5%, what the objective allows; from 3% on someone is woken.",
            )
            .draws("gateway:availability_errors:ratio_rate1m", "errors")
            .too_high(0.005, 0.03)
            .next("slos"),
        Panel::stat("p95 latency", Unit::Seconds)
            .says("95% of the customers' requests are answered faster. Good: below 500 ms.")
            .draws(quantile(0.95, "", "http_request_duration_seconds", SHOP), "p95")
            .too_high(0.3, 0.5)
            .next("slos"),
        Panel::stat("Oldest order waiting", Unit::Seconds)
            .says("Age of the oldest order that is not fulfilled yet. Good: below 30 s.")
            .draws("max(orders_oldest_unfulfilled_age_seconds)", "oldest")
            .too_high(10.0, 30.0)
            .next("queue"),
        Panel::stat("Error budget left", Unit::Ratio)
            .says(
                "Of the objective that is worst off: how much of what may go wrong in an hour has \
                 not gone wrong yet. Good: above half. Below zero the promise is broken.",
            )
            .draws("min(slo:error_budget_remaining:ratio)", "left")
            .too_low(0.5, 0.0)
            .next("slos"),
        Panel::stat("Alerts firing", Unit::Count)
            .says("Good: none.")
            .draws(r#"count(ALERTS{alertstate="firing"}) or vector(0)"#, "firing")
            .bad_from(1.0)
            .next("alerts"),
    ]
}

fn customers() -> [Panel; 3] {
    let failed = r#"outcome=~"failed|timed_out|unreachable|dropped""#;
    [
        Panel::areas("Customers: requests by outcome", Unit::RequestsPerSecond)
            .says("What customers wanted, by what became of it. Good: served, with few refusals.")
            .draws(rate("outcome", "lab_customer_requests_total"), "{{outcome}}")
            .tone("served", Level::Good)
            .tone("refused", Level::Warn)
            .tone("failed|timed_out|unreachable|dropped", Level::Bad),
        Panel::lines("Customers: failed", Unit::Ratio)
            .says(
                "Share of the customers' requests that failed, came too late or found nobody: the \
                 truth, measured outside the shop. Good: 0. If the gateway's errors disagree, \
                 requests do not reach it.",
            )
            .draws(
                share(
                    "",
                    &format!("lab_customer_requests_total{{{failed}}}"),
                    "lab_customer_requests_total",
                ),
                "failed",
            )
            .tone("failed", Level::Bad)
            .too_high(0.005, 0.03),
        Panel::lines("Customers: duration", Unit::Seconds)
            .says("How long customers wait for an answer. Good: p95 below 500 ms.")
            .percentiles("lab_customer_request_duration_seconds", "")
            .bad_from(0.5),
    ]
}

fn gateway() -> [Panel; 3] {
    [
        Panel::areas("web-gateway: requests by route", Unit::RequestsPerSecond)
            .says("Good: moves with the customers; the mix of routes stays the same.")
            .draws(format!("route:http_requests:rate1m{{{SHOP}}} > 0"), "{{method}} {{route}}"),
        Panel::lines("web-gateway: errors", Unit::Ratio)
            .says(
                "Share of the answers that are 5xx (the shop's fault) and 4xx (the customer's). \
                 Good: 5xx below 0.5%; 4xx steady: sold-out products are refused with 409.",
            )
            .draws("gateway:availability_errors:ratio_rate1m", "5xx")
            .draws(
                share(
                    "",
                    &format!(r#"http_requests_total{{{SHOP}, status_code=~"4.."}}"#),
                    &format!("http_requests_total{{{SHOP}}}"),
                ),
                "4xx",
            )
            .tone("5xx", Level::Bad)
            .tone("4xx", Level::Warn)
            .bad_from(0.005),
        Panel::lines("web-gateway: duration", Unit::Seconds)
            .says(
                "From a request's headers to its answer's. Good: p95 below 500 ms. If it climbs \
                 and order-api's does not, the time is lost in between.",
            )
            .percentiles("http_request_duration_seconds", SHOP)
            .bad_from(0.5),
    ]
}

fn order_api() -> [Panel; 3] {
    let failed = format!("grpc_requests_total{{{CALL_FAILED}}}");
    [
        Panel::areas("order-api: calls by method", Unit::RequestsPerSecond)
            .says(
                "Good: one PlaceOrder and one CompleteFulfillment for each order. More calls \
                 than the gateway has requests are retries.",
            )
            .draws(r#"method:grpc_requests:rate1m{method!="other"} > 0"#, "{{method}}"),
        Panel::lines("order-api: errors", Unit::Ratio)
            .says(
                "Share of the calls that failed through no fault of the caller. Good: 0. What \
                 shows here shows at the gateway as 503 or 504.",
            )
            .draws(share("method", &failed, "grpc_requests_total"), "{{method}}")
            .too_high(0.005, 0.05),
        Panel::lines("order-api: duration by method", Unit::Seconds)
            .says(
                "p95 of a call from its arrival to its answer. Good: PlaceOrder below 100 ms. If \
                 all methods climb together, look at the runtime or the database's connections; \
                 if one does, at its statements.",
            )
            .draws(r#"method:grpc_request_duration_seconds:p95{method!="other"} > 0"#, "{{method}}")
            .bad_from(0.5),
    ]
}

fn database() -> [Panel; 3] {
    [
        Panel::lines("Database: statements", Unit::PerSecond)
            .says("Good: a constant number of statements for each request.")
            .draws(rate("", "db_statement_duration_seconds_count"), "statements"),
        Panel::lines("Database: calls waiting for a connection", Unit::Count)
            .says(
                "Calls that wait for one of the pool's connections, and calls that waited in \
                 vain. Good: 0. While calls wait, each takes longer than its statements.",
            )
            .draws("db_pool_waiters", "waiting")
            .draws(rate("", "db_pool_timeouts_total"), "in vain, per second")
            .tone("in vain, per second", Level::Bad)
            .too_high(1.0, 5.0),
        Panel::lines("Database: statement duration", Unit::Seconds)
            .says(
                "Good: p95 below 50 ms. From 250 ms on, see which statement (alert DbSlowQueries).",
            )
            .percentiles("db_statement_duration_seconds", "")
            .bad_from(0.25),
    ]
}

fn queue() -> [Panel; 3] {
    [
        Panel::lines("Queue: published and taken", Unit::PerSecond)
            .says("Good: one line upon the other. A gap between them is a backlog that grows.")
            .draws(rate("", r#"outbox_publishes_total{result="confirmed"}"#), "published")
            .draws(rate("", "fulfillment_messages_total"), "taken"),
        Panel::lines("Queue: orders waiting", Unit::Count)
            .says(
                "Where orders wait: in the outbox for the broker, in the queue for the worker, for \
                 another try, or given up. Good: near 0 everywhere.",
            )
            .draws("max(outbox_depth)", "in the outbox")
            .draws(
                r#"sum(rabbitmq_queue_messages_ready{queue="fulfillment.orders"})"#,
                "for the worker",
            )
            .draws(
                r#"sum(rabbitmq_queue_messages_ready{queue=~"fulfillment.retry.*"})"#,
                "for another try",
            )
            .draws(r#"sum(rabbitmq_queue_messages_ready{queue="fulfillment.dead"})"#, "given up")
            .tone("given up", Level::Bad)
            .tone("for another try", Level::Warn)
            .bad_from(50.0),
        Panel::lines("Queue: age when taken", Unit::Seconds)
            .says(
                "From an order's placing to its message's taking, and of that the time in the \
                 outbox; p95. Good: below one second. The promise is 30 s to be fulfilled.",
            )
            .draws("fulfillment:message_age_seconds:p95", "until taken")
            .draws(quantile(0.95, "", "outbox_delay_seconds", ""), "in the outbox")
            .bad_from(30.0),
    ]
}

fn worker() -> [Panel; 3] {
    let failed = r#"fulfillment_messages_total{outcome=~"retried|parked|returned"}"#;
    [
        Panel::areas("fulfillment-worker: messages by outcome", Unit::PerSecond)
            .says("Good: fulfilled. Retried ones come back; parked ones were given up.")
            .draws("outcome:fulfillment_messages:rate1m", "{{outcome}}")
            .tone("fulfilled", Level::Good)
            .tone("retried|returned", Level::Warn)
            .tone("parked", Level::Bad),
        Panel::lines("fulfillment-worker: not settled at once", Unit::Ratio)
            .says("Share of the messages that have to be tried again or were given up. Good: 0.")
            .draws(share("", failed, "fulfillment_messages_total"), "again or given up")
            .tone("again or given up", Level::Bad)
            .too_high(0.01, 0.05),
        Panel::lines("fulfillment-worker: processing duration", Unit::Seconds)
            .says(
                "From taking a message to settling it: picking, packing, telling order-api. Good: \
                 p50 about 60 ms. Times the rate it is the number of messages in flight, which \
                 the prefetch limits.",
            )
            .percentiles("fulfillment_processing_duration_seconds", "")
            .bad_from(1.0),
    ]
}
