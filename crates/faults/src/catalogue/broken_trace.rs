//! The worker begins a new trace for every message.
//!
//! A release of the worker does not read the trace that a message carries. Nothing is wrong with the
//! shop: orders are fulfilled as ever. But an order's trace ends at the broker, and its fulfillment is
//! a trace of its own. Whoever believes traces sees orders that nobody fulfills.

use std::time::Duration;

use super::{Family, Fault, Incident, Layer, detour, share};
use crate::{
    contract::{ANY, Contract, Traces, told, traces},
    repair::Repair,
    seam::{Seam, Service},
};

pub(super) const FAULT: Fault = Fault {
    name: "broken-trace",
    source: include_str!("broken_trace.rs"),
    layer: Layer::Telemetry,
    family: Family::Telemetry,
    parameters: &[share("share of messages", 1.0)],
    mechanism: |settings| vec![detour(Seam::ContinueTrace, settings)],
    contract: Contract {
        witness: traces(
            "traces that begin at the worker",
            Traces {
                like: &[("service", "fulfillment-worker")],
                root: "process fulfillment.orders",
                ..ANY
            },
        ),
        signature: &[
            traces(
                "traces of orders that no worker works on",
                Traces {
                    like: &[("step", "POST /orders")],
                    without: "fulfillment-worker",
                    at_least: 20,
                    ..ANY
                },
            ),
            traces(
                "traces that begin with the work of the worker",
                Traces {
                    like: &[("service", "fulfillment-worker")],
                    root: "process fulfillment.orders",
                    ..ANY
                },
            ),
        ],
        fires: &[],
        silent: &["FulfillmentLagBurn", "PublishConsumeMismatch", "GatewayLatencyBurn"],
        tells: &[
            told(
                "lost-publish",
                "orders are fulfilled",
                r#"sum(rate(fulfillment_messages_total{outcome="fulfilled"}[30s])) > 0.3"#,
            ),
            told(
                "lying-metric",
                "what is counted is what the customers see",
                r#"sum(rate(lab_customer_requests_total{outcome="failed"}[1m])) == 0"#,
            ),
            told(
                "log-flood",
                "the logs are as long as ever",
                r#"max(rate(log_bytes_total[30s])) < 60e3"#,
            ),
            told(
                "cardinality",
                "the series are as many as ever",
                r#"delta(scrape_samples_scraped{job="order-api"}[1m]) < 60"#,
            ),
        ],
        outlives: Duration::ZERO,
        gone: None,
        impact: None,
        recovers_within: Duration::from_secs(180),
    },
    hints: [
        "By the traces nobody fulfills orders. By what else?",
        "Find the fulfillment of one order by its order_id, and compare the trace ids.",
        "The worker works, in traces of its own: it does not go on with the one that the message \
         brings.",
    ],
    red_herring: "The queue: orders go through it as ever.",
    fix: "Roll back; every hop has to read and to write the context.",
    repairs: &[Repair::RollBack(Service::FulfillmentWorker)],
    incident: Incident {
        what: "Suga: a deploy was slow, and its trace ended at the queue; engineers pieced it \
               together from the timestamps in logs.",
        url: "https://dev.to/rsiv/three-days-debugging-a-missing-trace-7p8",
    },
};
