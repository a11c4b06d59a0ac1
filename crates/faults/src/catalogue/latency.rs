//! Storing an order becomes slow.
//!
//! Half of the orders take most of a second longer to store, some of them several. Nothing fails
//! at first: the error rate stays flat while the upper percentiles of
//! `http_request_duration_seconds` for `POST /orders` climb, and with them those of
//! `grpc_request_duration_seconds` for `PlaceOrder`. Reading orders and products is as fast as
//! ever, and so is every statement that reaches the database: the time is lost before the first.

use super::Fault;
use crate::{effect::Effect, parameters::Parameter, seam::Seam};

pub(super) const FAULT: Fault = Fault {
    name: "latency",
    source: include_str!("latency.rs"),
    parameters: &[
        Parameter {
            name: "ms",
            meaning: "median delay in milliseconds",
            default: 800.0,
            min: 1.0,
            max: 30_000.0,
        },
        Parameter { name: "p", meaning: "share of orders", default: 0.5, min: 0.0, max: 1.0 },
    ],
    effects: |settings| {
        let delay = Effect::Delay { median_ms: settings.get("ms"), share: settings.get("p") };
        vec![(Seam::StoreOrder, delay)]
    },
};
