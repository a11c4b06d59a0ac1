//! order-api writes dozens of lines for every statement.
//!
//! A release has left on what was meant for a debugging session. The log grows by a hundred times, what
//! matters drowns in it, and each line is made by the thread that would have served a request, which waits
//! where the log falls behind. What keeps the last lines keeps them for minutes less.

use std::time::Duration;

use super::{Family, Fault, Incident, Layer, detour, share};
use crate::{
    contract::{Contract, logs, metrics, told},
    repair::Repair,
    seam::{Seam, Service},
};

pub(super) const FAULT: Fault = Fault {
    name: "log-flood",
    source: include_str!("log_flood.rs"),
    layer: Layer::Telemetry,
    family: Family::Telemetry,
    parameters: &[share("share of statements", 1.0)],
    mechanism: |settings| vec![detour(Seam::RunStatement, settings)],
    contract: Contract {
        witness: metrics(
            "order-api counts the bytes of its log",
            r#"sum(rate(log_bytes_total{job="order-api"}[30s])) > 60e3"#,
        ),
        signature: &[
            metrics(
                "it writes many lines for each call",
                r#"sum(rate(log_lines_total{job="order-api"}[30s])) / sum(rate(grpc_requests_total{job="order-api"}[30s])) > 30"#,
            ),
            logs(
                "lines about rows of statements",
                100,
                &[("service", "order-api"), ("text", "statement")],
            ),
        ],
        fires: &["LogVolumeHigh"],
        silent: &["FulfillmentLagBurn", "SeriesGrowth", "DbSlowQueries"],
        tells: &[
            told(
                "broken-trace",
                "order-api writes many lines",
                r#"sum(rate(log_bytes_total{job="order-api"}[30s])) > 60e3"#,
            ),
            told(
                "cardinality",
                "the series are as many as ever",
                r#"delta(scrape_samples_scraped{job="order-api"}[1m]) < 60"#,
            ),
            told(
                "blocked-runtime",
                "order-api writes many lines",
                r#"sum(rate(log_bytes_total{job="order-api"}[30s])) > 60e3"#,
            ),
            told(
                "cpu-burn",
                "order-api writes many lines",
                r#"sum(rate(log_bytes_total{job="order-api"}[30s])) > 60e3"#,
            ),
            told(
                "lying-metric",
                "order-api writes many lines",
                r#"sum(rate(log_bytes_total{job="order-api"}[30s])) > 60e3"#,
            ),
        ],
        outlives: Duration::ZERO,
        gone: None,
        impact: None,
        recovers_within: Duration::from_secs(240),
    },
    hints: [
        "Who writes most, and since when?",
        "How many lines does one call write? Follow one by its trace id.",
        "order-api writes dozens of lines for each statement: a level, or a release, that was \
         meant for debugging.",
    ],
    red_herring: "The statements: they are as many as ever.",
    fix: "Roll back order-api. A higher level (curl PUT /control/log-level on its side port) stops the flood \
          until then, and with it every line of its own.",
    repairs: &[Repair::RollBack(Service::OrderApi)],
    incident: Incident {
        what: "Tarsnap, 2016: a loop that logged each of its tries filled the disk, and the \
               service stood still.",
        url: "https://mail.tarsnap.com/tarsnap-announce/msg00035.html",
    },
};
