//! Takes orders from the queue, has them picked and packed, and tells order-api.
//!
//! - [`config`]: the settings.
//! - [`metrics`]: what is measured.
//! - `assignment`: a delivery, read: what is to be done, and what happened to it before.
//! - `fulfillment`: the work itself; knows nothing of queues.
//! - `order_api`: the calls to order-api.
//! - `outcome`: what a result means for the message: done, try again, give up.
//! - `consumer`: the loop that takes, works, and settles.
//! - `forwarded`: the envelope of a message that is handed on.
//! - `queue`: a connection to the broker, and handing messages on without losing them.

pub mod config;
pub mod metrics;

mod assignment;
mod consumer;
mod error;
mod forwarded;
mod fulfillment;
mod order_api;
mod outcome;
mod queue;

use std::sync::Arc;

pub use config::Config;
use faults::{Switchboard, control};
use identity::{Caller, standing::Standing};
use instrumentation::{
    health::Readiness, net, rpc::ClientMetrics, service::Config as _, side::Side,
};
use metrics::Metrics;
use tokio_util::sync::CancellationToken;

use crate::{consumer::Consumer, fulfillment::Fulfillment, order_api::OrderApi};

/// Runs the worker until `shutdown`; then what it has in hand is finished, within a limit.
///
/// Starts without broker and order-api, and waits for them.
///
/// # Errors
///
/// If the side port cannot be listened on or a setting is wrong.
pub async fn run(config: Config, shutdown: CancellationToken) -> anyhow::Result<()> {
    let registry = config.instrumentation.registry(Config::SERVICE, metrics::CATALOGUES);
    let registry = Arc::new(registry);
    let metrics = Metrics::register(&registry);
    let client_metrics = ClientMetrics::register(&registry);
    let network = net::Metrics::register(&registry);

    let readiness = Readiness::default();
    let (queue, order_api_reachable) = (readiness.needs("queue"), readiness.needs("order-api"));
    let switchboard = Arc::new(Switchboard::default());
    let side = Side { registry, readiness }
        .start(config.side_listen, control::router(Arc::clone(&switchboard)))?;

    config.identity.warn_of_demo_secret(|problem| tracing::warn!("{problem}"));
    let token = Standing::new(config.identity.issuer(), Caller::service(Config::SERVICE));
    let order_api = OrderApi::new(&config.order_api_url, token, client_metrics, network);
    let fulfillment = Fulfillment::new(order_api.clone(), Arc::clone(&switchboard), &config);
    let consumer = Consumer::new(&config, fulfillment, switchboard, metrics, queue);
    tracing::info!(%side, amqp = %config.amqp_url, order_api = %config.order_api_url, "started");

    tokio::select! {
        () = consumer.run(shutdown) => Ok(()),
        never = order_api.watch(order_api_reachable) => match never {},
    }
}
