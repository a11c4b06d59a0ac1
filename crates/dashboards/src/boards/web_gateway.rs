//! web-gateway: HTTP in, gRPC out.

use crate::{
    model::{Dashboard, Level, Panel, Unit},
    promql::{buckets, quantile, rate, share, trouble},
    rows::{self, SHOP},
};

const JOB: &str = "web-gateway";

pub(super) fn dashboard() -> Dashboard {
    Dashboard::new(
        "web-gateway",
        "web-gateway",
        "The HTTP edge of the shop: what is asked of it, what it answers, what it asks of \
         order-api, and what that costs.",
    )
    .next(&["start-here", "order-api", "slos", "telemetry"])
    .row("Requests: rate, errors, duration", requests())
    .row("Where the time goes", [heatmap(), endpoints()])
    .row("Calls to order-api", calls())
    .row("Resilience: what keeps it standing", resilience())
    .row("Requests in hand and their bodies", traffic())
    .row("Who asks", identity())
    .row("Connections and bytes", rows::network(JOB))
    .row("Process and runtime", rows::runtime(JOB))
}

fn requests() -> [Panel; 3] {
    [
        Panel::areas("Requests by route", Unit::RequestsPerSecond)
            .says("Requests of customers. Good: steady, and the mix stays the same.")
            .draws(format!("route:http_requests:rate1m{{{SHOP}}} > 0"), "{{method}} {{route}}"),
        Panel::areas("Answers other than 2xx", Unit::RequestsPerSecond)
            .says(
                "By status code. Good: few 4xx, no 5xx. 409: stock or key; 422: not understood; \
                 499: the client left; 503: order-api is away or refuses; 504: it is late.",
            )
            .draws(
                trouble(
                    "status_code",
                    &format!(r#"http_requests_total{{{SHOP}, status_code!~"2.."}}"#),
                ),
                "{{status_code}}",
            )
            .tone("5..", Level::Bad),
        Panel::lines("Duration", Unit::Seconds)
            .says("Good: p95 below 500 ms, the objective; p50 of a few milliseconds.")
            .percentiles("http_request_duration_seconds", SHOP)
            .bad_from(0.5),
    ]
}

fn heatmap() -> Panel {
    Panel::heatmap("Duration, all of it", Unit::Seconds)
        .says(
            "How many requests took how long. Good: one band, low. A second band is a second way \
             through the shop, a slow one; percentiles hide it until it is wide.",
        )
        .draws(buckets("http_request_duration_seconds", SHOP), "{{le}}")
        .exemplars()
}

fn endpoints() -> Panel {
    Panel::table("Endpoints", Unit::Count)
        .says(
            "Every endpoint that was asked for in the last minute. Good: errors 0, p95 below \
             500 ms for each, not only for all together.",
        )
        .column("requests", Unit::RequestsPerSecond, "route:http_requests:rate1m > 0")
        .column("5xx", Unit::Ratio, "route:http_request_errors:ratio_rate1m")
        .column("p50", Unit::Seconds, "route:http_request_duration_seconds:p50 > 0")
        .column("p95", Unit::Seconds, "route:http_request_duration_seconds:p95 > 0")
        .column("p99", Unit::Seconds, "route:http_request_duration_seconds:p99 > 0")
}

fn calls() -> impl Iterator<Item = Panel> {
    let attempts = format!(r#"grpc_client_attempts_total{{job="{JOB}"}}"#);
    let requests = format!(r#"grpc_client_requests_total{{job="{JOB}"}}"#);
    let [ended, failed, duration] = rows::calls(JOB);
    let retries = Panel::lines("Attempts per request", Unit::Times)
        .says(
            "How often a call is made for each answer that is wanted. Good: 1. From 1.1 on, \
             half of the retry budget is used up (alert RetryRatioHigh); above 1.2 it is empty.",
        )
        .draws(share("", &attempts, &requests), "attempts")
        .too_high(1.05, 1.1)
        .next("order-api");
    [retries, ended, failed, duration].into_iter().map(|panel| panel.size(6, 8))
}

fn resilience() -> [Panel; 4] {
    let state = |name: &str| {
        format!(r#"max by (circuit) (circuit_breaker_state{{job="{JOB}", state="{name}"}})"#)
    };
    let circuits = Panel::timeline("Circuits")
        .says(
            "Whether order-api is asked. Good: closed all along. Open: it has failed too often, \
             and is spared for two seconds; half open: a few calls find out whether it is back \
             (alert CircuitOpen).",
        )
        .draws(format!("{} + 2 * {}", state("half_open"), state("open")), "{{circuit}}")
        .means(0, "closed", Level::Good)
        .means(1, "half open", Level::Warn)
        .means(2, "open", Level::Bad)
        .next("order-api");
    let refused = Panel::areas("Refused without work", Unit::RequestsPerSecond)
        .says(
            "Requests refused so that others can be served, and calls that were not tried again \
             because the retry budget was used up. Good: 0. rate_limited is one client's doing, \
             overloaded is everybody's (alert LoadShedding), circuit_open is order-api's.",
        )
        .draws(rate("reason", "http_requests_shed_total"), "{{reason}}")
        .draws(rate("", r#"retry_budget_exhausted_total{job="web-gateway"}"#), "not tried again")
        .tone("overloaded|circuit_open", Level::Bad);
    let cache = Panel::areas("Products from the cache", Unit::RequestsPerSecond)
        .says(
            "Requests for the products, by what was in the cache. Good: few that miss, which wait \
             for order-api. Only stale: order-api does not answer, and the list grows old.",
        )
        .draws(rate("result", "cache_requests_total"), "{{result}}")
        .tone("hit", Level::Good);
    [circuits, rows::slots(JOB), refused, cache].map(|panel| panel.size(6, 8))
}

fn identity() -> [Panel; 2] {
    [
        Panel::areas("Logins", Unit::RequestsPerSecond)
            .says(
                "Attempts to sign in, by how they ended. Good: few, and accepted. Rejected and then \
                 limited: somebody guesses a password. Failed: order-api could not say.",
            )
            .draws(rate("outcome", "auth_logins_total"), "{{outcome}}"),
        Panel::areas("Refused for whose they were", Unit::RequestsPerSecond)
            .says(
                "Requests with no good token, or for what is somebody else's. Good: none. Many \
                 invalid ones at once: the secret has changed; forbidden: somebody tries.",
            )
            .draws(trouble("reason", "auth_rejections_total"), "{{reason}}"),
    ]
}

fn traffic() -> [Panel; 3] {
    [
        Panel::lines("In hand", Unit::Count)
            .says(
                "Requests being worked on. Good: about requests per second times their duration. \
                 Growing without more requests, they are stuck.",
            )
            .draws(
                format!("sum by (method, route) (http_requests_active{{{SHOP}}})"),
                "{{method}} {{route}}",
            ),
        Panel::lines("Bodies", Unit::BytesPerSecond)
            .says("Bodies received and sent, in bytes. Good: moves with the requests.")
            .draws(rate("", "http_request_size_bytes_sum"), "in")
            .draws(rate("", "http_response_size_bytes_sum"), "out"),
        Panel::lines("Size of an answer", Unit::Bytes)
            .says(
                "p95 of an answer's body, by route. Good: flat; a list that grows is a page too \
                 long.",
            )
            .draws(
                format!(
                    "{} > 0",
                    quantile(0.95, "method, route", "http_response_size_bytes", SHOP)
                ),
                "{{method}} {{route}}",
            ),
    ]
}
