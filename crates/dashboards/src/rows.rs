//! The rows that several dashboards have.

use crate::{
    model::{Level, Panel, Unit},
    promql::{quantile, rate, share},
};

/// The requests that a customer waits for: what is promised is promised for these.
pub(crate) const SHOP: &str = r#"route=~"/orders.*|/products""#;
/// A gRPC call that failed for no fault of the caller.
pub(crate) const CALL_FAILED: &str =
    r#"status=~"UNAVAILABLE|DEADLINE_EXCEEDED|INTERNAL|UNKNOWN|CANCELLED""#;

/// Rate, errors and duration of one hop, side by side; each leads to the hop's own dashboard.
pub(crate) fn red(next: &'static str, panels: [Panel; 3]) -> [Panel; 3] {
    panels.map(|panel| panel.next(next))
}

/// What a service's process and its async runtime cost.
pub(crate) fn runtime(job: &str) -> [Panel; 6] {
    let only = format!(r#"job="{job}""#);
    let series = |name: &str| format!("{name}{{{only}}}");
    [
        Panel::lines("Runtime lag", Unit::Seconds)
            .says(
                "How late a timer of 100 ms comes: what every task of this process waits in vain. \
                 Good: p99 below 10 ms. From 200 ms on something blocks the runtime's threads, \
                 and every request is late together.",
            )
            .percentiles("runtime_lag_seconds", &only)
            .too_high(0.05, 0.2),
        Panel::lines("Runtime threads busy", Unit::Ratio)
            .says(
                "Share of the time that the runtime's threads work. Good: well below 70%. Near \
                 100% new work has to wait for a thread.",
            )
            .draws(series("runtime_workers_busy_ratio"), "{{instance}}")
            .too_high(0.7, 0.9),
        Panel::lines("Tasks", Unit::Count)
            .says(
                "Tasks that have started and not ended, and tasks that wait for a thread. Good: \
                 follows the requests in hand, and comes down with them. A staircase is a leak.",
            )
            .draws(format!("sum({})", series("runtime_tasks_alive")), "alive")
            .draws(
                format!("sum({})", series("runtime_global_queue_depth")),
                "waiting for a thread",
            ),
        Panel::lines("CPU", Unit::Ratio)
            .says(
                "CPU time used; 100% is one core. Good: moves with the requests. CPU that grows \
                 while requests do not is work that nobody asked for.",
            )
            .draws(rate("instance", &series("process_cpu_seconds_total")), "{{instance}}"),
        Panel::lines("Memory", Unit::Bytes)
            .says(
                "Memory that the process holds. Good: flat after the first minutes. A slope that \
                 follows time or requests is a leak.",
            )
            .draws(series("process_resident_memory_bytes"), "{{instance}}"),
        Panel::lines("File descriptors", Unit::Ratio)
            .says(
                "Open file descriptors, as a share of the limit. Good: far below 80%. At the \
                 limit, accepting and connecting fail together.",
            )
            .draws(
                format!("{} / {}", series("process_open_fds"), series("process_max_fds")),
                "{{instance}}",
            )
            .too_high(0.6, 0.8),
    ]
}

/// What a service works on at once, and what waits for that.
pub(crate) fn slots(job: &str) -> Panel {
    let sum = |name: &str| format!(r#"sum(concurrency_{name}{{job="{job}"}})"#);
    Panel::lines("Slots", Unit::Count)
        .says(
            "Requests that are worked on, those that wait to be, and how many may be at once. \
             Good: far below the limit, nobody waits. At the limit, whoever waits longer than a \
             moment is refused.",
        )
        .draws(sum("in_use"), "in hand")
        .draws(sum("waiters"), "waiting")
        .draws(sum("limit"), "limit")
        .tone("limit", Level::Neutral)
}

/// Whom a service is connected to, and what goes through.
pub(crate) fn network(job: &str) -> [Panel; 3] {
    let series = |name: &str| format!(r#"network_{name}{{job="{job}"}}"#);
    [
        Panel::lines("Connections", Unit::Count)
            .says(
                "Open connections by who is at the other end; those to the database and the \
                 broker are not among them. Good: follows the number of clients. A staircase of \
                 clients comes and does not go.",
            )
            .draws(format!("sum by (peer) ({})", series("connections_open")), "{{peer}}"),
        Panel::lines("Connections opened", Unit::PerSecond)
            .says(
                "Connections accepted from clients and made to others. Good: far below the \
                 requests, and near 0 for order_api. As many as requests: nobody keeps them open, \
                 or each is lost again.",
            )
            .draws(rate("peer", &series("connections_total")), "{{peer}}"),
        Panel::lines("Bytes", Unit::BytesPerSecond)
            .says(
                "All that goes through these connections: bodies, headers and pings. Good: moves \
                 with the requests.",
            )
            .draws(rate("peer", &series("receive_bytes_total")), "from {{peer}}")
            .draws(rate("peer", &series("transmit_bytes_total")), "to {{peer}}"),
    ]
}

/// The calls that a service makes to order-api, attempt by attempt.
pub(crate) fn calls(job: &str) -> [Panel; 3] {
    let attempts = format!(r#"grpc_client_attempts_total{{job="{job}"}}"#);
    let failed = format!(r#"grpc_client_attempts_total{{job="{job}", {CALL_FAILED}}}"#);
    let duration = "grpc_client_attempt_duration_seconds";
    [
        Panel::areas("Attempts", Unit::RequestsPerSecond)
            .says(
                "Calls made to order-api, by how each attempt ended. Good: nearly all OK. \
                 NOT_FOUND and FAILED_PRECONDITION are answers; UNAVAILABLE and \
                 DEADLINE_EXCEEDED are failures.",
            )
            .draws(format!("{} > 0", rate("status", &attempts)), "{{status}}")
            .tone("OK", Level::Good)
            .tone("UNAVAILABLE|DEADLINE_EXCEEDED|INTERNAL|UNKNOWN|CANCELLED", Level::Bad)
            .next("order-api"),
        Panel::lines("Failed attempts", Unit::Ratio)
            .says(
                "Share of the attempts that failed through no fault of the caller. Good: 0. From \
                 5% on the dependency is in trouble (alert DependencyErrors).",
            )
            .draws(share("", &failed, &attempts), "failed")
            .tone("failed", Level::Bad)
            .too_high(0.01, 0.05)
            .next("order-api"),
        Panel::lines("Attempt duration, by method", Unit::Seconds)
            .says(
                "p95 of the calls as this side sees them. Good: no more than a few milliseconds \
                 above what order-api measures itself; the difference is the way there and back, \
                 or a queue before its door.",
            )
            .draws(
                format!("{} > 0", quantile(0.95, "method", duration, &format!(r#"job="{job}""#))),
                "{{method}}",
            )
            .exemplars()
            .next("order-api"),
    ]
}
