//! A share of orders fails.
//!
//! Storing an order fails as it does when the database drops the connection. The customer gets a
//! 503 and order-api answers `Unavailable`: `http_requests_total` for `POST /orders` shows it by
//! `status_code`, `grpc_requests_total` for `PlaceOrder` by `status`. What does not fail is as fast
//! as ever, reading is untouched, and nothing is half done: a failed order is neither stored nor
//! has it taken stock.

use super::Fault;
use crate::{effect::Effect, parameters::Parameter, seam::Seam};

pub(super) const FAULT: Fault = Fault {
    name: "errors",
    source: include_str!("errors.rs"),
    parameters: &[Parameter {
        name: "p",
        meaning: "share of orders",
        default: 0.3,
        min: 0.0,
        max: 1.0,
    }],
    effects: |settings| vec![(Seam::StoreOrder, Effect::Fail { share: settings.get("p") })],
};
