//! Traces and logs: whether what the services tell of themselves arrives, and how much it is.

use crate::{
    model::{Dashboard, Level, Panel, Unit},
    promql::{quantile, rate, trouble},
};

pub(super) fn dashboard() -> Dashboard {
    Dashboard::new(
        "telemetry",
        "Traces and logs",
        "Whether traces and logs can be believed: what was sent, what was lost on its way, what \
         arrived, and who writes how much.",
    )
    .next(&["start-here", "alerts", "web-gateway", "order-api", "fulfillment-worker"])
    .row("Is anything missing?", verdict())
    .row("Sent by the services", sent())
    .row("Kept by the lab: what `lab traces` and `lab logs` show", kept())
    .row("Log lines", logs())
    .row("Counted in spans (in compose)", spans())
}

fn verdict() -> [Panel; 6] {
    let minutes = |counter: &str| format!("sum(increase({counter}[2m]))");
    [
        Panel::stat("Lost", Unit::Count)
            .says(
                "Spans and log records that were lost in the last two minutes. Good: 0 (alert \
                 TelemetryLoss).",
            )
            .draws(minutes("telemetry_dropped_total"), "lost")
            .bad_from(1.0),
        Panel::stat("Orphans", Unit::Ratio)
            .says(
                "Of the spans received in the last two minutes, the share whose parent never \
                 came. Good: 0; from 2% on a service is missing (alert TraceOrphans).",
            )
            .draws(
                format!(
                    "{} / ({} > 0)",
                    minutes("telemetry_orphan_spans_total"),
                    minutes("telemetry_spans_received_total"),
                ),
                "orphans",
            )
            .too_high(0.005, 0.02),
        Panel::stat("Waiting", Unit::Count)
            .says("Spans and log records that wait to be sent, of all. Good: near 0.")
            .draws("sum(telemetry_waiting)", "waiting")
            .too_high(1000.0, 4000.0),
        Panel::stat("Traces kept", Unit::Count)
            .says("Traces that the lab still has. Good: grows, then stands still at its limit.")
            .draws("telemetry_traces", "traces"),
        Panel::stat("Memory of the store", Unit::Bytes)
            .says(
                "What the kept traces and logs take, as it is estimated. Good: grows, then stands \
                 still at its limit.",
            )
            .draws("telemetry_memory_bytes", "memory"),
        Panel::stat("Log errors", Unit::PerSecond)
            .says("Lines of the level error, of all services. Good: 0.")
            .draws(rate("", r#"log_lines_total{level="error"}"#), "errors")
            .bad_from(0.01),
    ]
}

fn sent() -> [Panel; 4] {
    [
        Panel::lines("Spans sent", Unit::PerSecond)
            .says(
                "By service; the lab's are those of the customers. Good: moves with the requests. \
                 A service that falls to 0 while it works is out of every trace.",
            )
            .draws(rate("job", r#"telemetry_sent_total{signal="spans"}"#), "{{job}}"),
        Panel::lines("Log records sent", Unit::PerSecond)
            .says("By service; the lab sends none. Good: as many as lines are written.")
            .draws(rate("job", r#"telemetry_sent_total{signal="logs", job!="lab"}"#), "{{job}}"),
        Panel::areas("Lost, by reason", Unit::PerSecond)
            .says(
                "Good: none. queue_full: more than can be sent at once. not_sent: whoever takes \
                 them did not answer. Nothing in the shop waits for either.",
            )
            .draws(trouble("reason", "telemetry_dropped_total"), "{{reason}}")
            .tone("queue_full|not_sent", Level::Bad),
        Panel::lines("Waiting to be sent", Unit::Count)
            .says(
                "By service and signal. Good: saw teeth near 0. At 8192, the limit, everything \
                 more is lost.",
            )
            .draws("sum by (job, signal) (telemetry_waiting)", "{{job}} {{signal}}")
            .too_high(1000.0, 4000.0),
    ]
    .map(|panel| panel.size(6, 8))
}

fn kept() -> [Panel; 4] {
    [
        Panel::lines("Received", Unit::PerSecond)
            .says("What came to the lab over OTLP. Good: as much as all services send together.")
            .draws(rate("", "telemetry_spans_received_total"), "spans")
            .draws(rate("", "telemetry_log_records_received_total"), "log records"),
        Panel::lines("In pieces", Unit::PerSecond)
            .says(
                "Spans without their parent, and spans that came when their trace had been let \
                 go. Good: 0, but for the moment in which a service is stopped.",
            )
            .draws(rate("", "telemetry_orphan_spans_total"), "orphans")
            .draws(rate("", "telemetry_spans_late_total"), "late")
            .tone("orphans", Level::Bad)
            .tone("late", Level::Warn),
        Panel::lines("Let go", Unit::PerSecond)
            .says(
                "What was the oldest when there was no more room. Good: 0 at first, then as much \
                 as is received.",
            )
            .draws(rate("", "telemetry_spans_evicted_total"), "spans")
            .draws(rate("", "telemetry_log_records_evicted_total"), "log records"),
        Panel::lines("Memory", Unit::Bytes)
            .says(
                "Of the kept traces and logs, and of the lab's whole process. Good: both stand \
                 still once things are let go.",
            )
            .draws("telemetry_memory_bytes", "traces and logs")
            .draws(r#"process_resident_memory_bytes{job="lab"}"#, "process"),
    ]
    .map(|panel| panel.size(6, 8))
}

fn logs() -> [Panel; 4] {
    [
        Panel::areas("Lines, by level", Unit::PerSecond)
            .says(
                "Of all services. Good: info, with hardly a warning. Errors that grow are worth \
                 reading; debug that appears was switched on by someone.",
            )
            .draws(rate("level", "log_lines_total"), "{{level}}")
            .tone("info", Level::Good)
            .tone("warn", Level::Warn)
            .tone("error", Level::Bad),
        Panel::areas("Warnings and errors, by service", Unit::PerSecond)
            .says("Good: none. Who begins is often nearer to the cause than who is loudest.")
            .draws(trouble("job", r#"log_lines_total{level=~"warn|error"}"#), "{{job}}"),
        Panel::lines("Bytes, by service", Unit::BytesPerSecond)
            .says("Good: moves with the requests, as on the right.")
            .draws(rate("job", r#"log_bytes_total{job!="lab"}"#), "{{job}}"),
        Panel::lines("Bytes for each request", Unit::Bytes)
            .says(
                "For each request, call or message that a service handles. Good: below 500, \
                 whatever the traffic. From 1500 on it writes more than its traffic explains \
                 (alert LogVolumeHigh).",
            )
            .draws("job:log_bytes_per_request:rate1m", "{{job}}")
            .too_high(1000.0, 1500.0),
    ]
    .map(|panel| panel.size(6, 8))
}

fn spans() -> [Panel; 4] {
    let all = "traces_spanmetrics_calls_total";
    let failed = r#"traces_spanmetrics_calls_total{status_code="STATUS_CODE_ERROR"}"#;
    let by_service = |counter: &str| rate("service_name", counter);
    [
        Panel::lines("Spans, by service", Unit::PerSecond)
            .says(
                "As the collector counts them. Good: as many as are sent above; fewer are lost \
                 between.",
            )
            .draws(by_service(all), "{{service_name}}"),
        Panel::lines("Spans that failed", Unit::Ratio)
            .says("Share of a service's spans that ended in an error. Good: 0.")
            .draws(
                // Before the first failure there is no series of failures.
                format!(
                    "({failed} or 0 * {all}) / ({all} > 0)",
                    failed = by_service(failed),
                    all = by_service(all),
                ),
                "{{service_name}}",
            )
            .too_high(0.005, 0.05),
        Panel::lines("Who calls whom", Unit::PerSecond)
            .says(
                "Pairs of spans: a client's and its server's, a message's sending and taking. \
                 Good: each line moves with the customers. One that is missing is a way on which \
                 traces break.",
            )
            .draws(
                rate("client, server", "traces_service_graph_request_total"),
                "{{client}} → {{server}}",
            ),
        Panel::lines("Duration, by who calls whom", Unit::Seconds)
            .says(
                "p95 as the callee sees it. Good: below 500 ms for lab → web-gateway, below \
                 100 ms for the database.",
            )
            .draws(
                quantile(0.95, "client, server", "traces_service_graph_request_server_seconds", ""),
                "{{client}} → {{server}}",
            )
            .bad_from(0.5),
    ]
    .map(|panel| panel.size(6, 8))
}
