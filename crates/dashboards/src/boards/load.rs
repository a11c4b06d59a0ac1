//! Load: what k6 saw of the shop that it asked, and what the shop saw meanwhile.

use crate::{
    model::{Dashboard, Level, Panel, Unit},
    promql::rate,
    rows::SHOP,
};

pub(super) fn dashboard() -> Dashboard {
    Dashboard::new(
        "load",
        "Load",
        "How much does the shop bear? What k6 measures of it while it runs (just k6 stress), beside \
         what the shop measures itself. Percentiles and shares of k6 are those since its beginning.",
    )
    .next(&["start-here", "web-gateway", "order-api", "hosts"])
    .row("Did it keep to its thresholds?", thresholds())
    .row("What k6 asked", asked())
    .row("Orders and payments", orders())
    .row("The shop meanwhile", shop())
}

/// k6 writes a counter from its first count on: until then, there is none of it while k6 runs.
fn or_none(counted: impl std::fmt::Display) -> String {
    format!("{counted} or 0 * max(k6_vus)")
}

fn thresholds() -> [Panel; 6] {
    [
        Panel::stat("p95", Unit::Seconds)
            .says("Of all answers, of the slowest kind of request. Good: below 500 ms.")
            .draws("max(k6_http_req_duration_p95)", "p95")
            .too_high(0.3, 0.5),
        Panel::stat("p99", Unit::Seconds)
            .says("Of all answers, of the slowest kind of request. Good: below one second.")
            .draws("max(k6_http_req_duration_p99)", "p99")
            .too_high(0.6, 1.0),
        Panel::stat("Failed", Unit::Ratio)
            .says("Share of the requests that failed; turned away is not failed. Good: below 5%.")
            .draws("max(k6_errors_rate)", "failed")
            .too_high(0.01, 0.05),
        Panel::stat("Right answers", Unit::Ratio)
            .says("Good: above 95%. What is neither right nor failed was turned away.")
            .draws("min(k6_success_rate)", "right")
            .too_low(0.98, 0.95),
        Panel::stat("Not begun", Unit::PerSecond)
            .says(
                "Requests that were due while every user still waited. Good: 0. They have no \
                 duration, so percentiles say too little from here on.",
            )
            .draws(or_none(rate("", "k6_dropped_iterations_total")), "not begun")
            .too_high(0.1, 1.0),
        Panel::stat("Users", Unit::Count)
            .says("Users that k6 needs to ask at its rate. Good: far below 256, its limit.")
            .draws("max(k6_vus)", "users")
            .too_high(128.0, 250.0),
    ]
}

fn asked() -> [Panel; 3] {
    [
        Panel::areas("Requests", Unit::RequestsPerSecond)
            .says("What k6 asked, by route. Good: follows the load's stages, not the answers.")
            .draws(rate("name", "k6_http_reqs_total"), "{{name}}"),
        Panel::areas("Answers, by status", Unit::RequestsPerSecond)
            .says(
                "Good: 2xx. 402 and 409 are right answers; 429 and 503 turn someone away; 0 is no \
                 answer.",
            )
            .draws(rate("status", "k6_http_reqs_total"), "{{status}}")
            .tone("2..", Level::Good)
            .tone("429|503", Level::Warn)
            .tone("0|500|504", Level::Bad),
        Panel::lines("Duration, by route", Unit::Seconds)
            .says("p95 since the run's beginning, from sending to the answer. Good: below 500 ms.")
            .draws("max by (name) (k6_http_req_duration_p95)", "{{name}}")
            .bad_from(0.5),
    ]
}

fn orders() -> [Panel; 3] {
    [
        Panel::lines("Creating an order", Unit::Seconds)
            .says("From sending an order to its acceptance. Good: p95 below 500 ms.")
            .draws("max(k6_order_creation_duration_p50)", "p50")
            .draws("max(k6_order_creation_duration_p95)", "p95")
            .draws("max(k6_order_creation_duration_p99)", "p99")
            .bad_from(0.5),
        Panel::lines("Payments that went well", Unit::Ratio)
            .says(
                "Of those that were decided, since the run's beginning. Good: above 95%; in the \
                 load mixed every twentieth card is declined on purpose.",
            )
            .draws("min(k6_payment_processing_success_rate)", "went well")
            .too_low(0.95, 0.9),
        Panel::lines("Orders undone", Unit::PerMinute)
            .says(
                "Orders that k6 saw declined, failed or refunded. Good: only those whose card is \
                 declined on purpose.",
            )
            .draws(or_none("60 * sum(rate(k6_compensation_calls_total[1m]))"), "undone")
            .tone("undone", Level::Warn),
    ]
}

fn shop() -> [Panel; 3] {
    [
        Panel::lines("Requests, as the gateway counts them", Unit::RequestsPerSecond)
            .says("Good: as many as k6 asks, and the lab's own customers. Fewer do not arrive.")
            .draws(rate("", &format!("http_requests_total{{{SHOP}}}")), "requests")
            .next("web-gateway"),
        Panel::lines("CPU of the services", Unit::Ratio)
            .says("100% is one core. Good: below one, where each container has its limit.")
            .draws(rate("job", "process_cpu_seconds_total"), "{{job}}")
            .too_high(0.8, 1.0)
            .next("hosts"),
        Panel::lines("Memory of the services", Unit::Bytes)
            .says("Good: bounded. It may rise with the load and must not rise for ever.")
            .draws("sum by (job) (process_resident_memory_bytes)", "{{job}}"),
    ]
}
