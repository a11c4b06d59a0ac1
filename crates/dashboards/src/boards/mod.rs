//! The dashboards, one file each, in the order in which one looks at them.

mod alerts;
mod business;
mod database;
mod faults;
mod fulfillment_worker;
mod hosts;
mod load;
mod order_api;
mod queue;
mod slos;
mod start_here;
mod telemetry;
mod web_gateway;

use crate::model::Dashboard;

/// Every dashboard.
pub fn all() -> Vec<Dashboard> {
    vec![
        start_here::dashboard(),
        web_gateway::dashboard(),
        order_api::dashboard(),
        fulfillment_worker::dashboard(),
        queue::dashboard(),
        database::dashboard(),
        hosts::dashboard(),
        slos::dashboard(),
        business::dashboard(),
        alerts::dashboard(),
        telemetry::dashboard(),
        load::dashboard(),
        faults::dashboard(),
    ]
}
