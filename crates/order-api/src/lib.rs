//! order-api: the owner of orders. It stores them, reserves stock and announces them.
//!
//! - [`config`]: the settings.
//! - [`mod@error`]: what can go wrong, and what a client is told of it.
//! - [`metrics`]: what is measured.
//! - [`status`]: where an order stands, and the one table of how it may move on.
//! - [`store`](mod@store): orders, products and events in Postgres or SQLite.
//! - `orders`: the subject; `rpc`, `messages`, `page` and `server` bring it to gRPC.
//! - `relay`: takes events out of the outbox and to the broker.

pub mod config;
pub mod error;
mod messages;
pub mod metrics;
mod orders;
mod page;
mod relay;
mod rpc;
mod server;
pub mod status;
pub mod store;

use std::{sync::Arc, time::Duration};

use anyhow::{Context as _, bail};
use faults::Switchboard;
use instrumentation::{
    health::Readiness,
    net,
    rpc::{ServerLayer, ServerMetrics},
    service::Config as _,
    side::Side,
};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

pub use crate::config::Config;
use crate::{metrics::Metrics, orders::Orders, relay::Relay, store::Store};

/// How long the relay and the database may each take to finish after the last call.
const FINISH_LIMIT: Duration = Duration::from_secs(2);

/// Runs the service until `shutdown`, then drains it.
///
/// # Errors
/// If it cannot listen, or a part of it ended that must not.
pub async fn run(config: Config, shutdown: CancellationToken) -> anyhow::Result<()> {
    let registry = config.instrumentation.registry(Config::SERVICE, metrics::CATALOGUES);
    let registry = Arc::new(registry);
    let metrics = Metrics::register(&registry);
    let network = net::Metrics::register(&registry);
    let layer = ServerLayer(ServerMetrics::register(&registry));
    let faults = Arc::new(Switchboard::default());
    let store = Arc::new(store(&config, &metrics));

    // Placing needs no broker: events wait in the outbox. So the broker is none of the needs, and
    // its absence shows in outbox_broker_connected and outbox_depth instead.
    let readiness = Readiness::default();
    let (calls, need) = (readiness.needs("calls"), readiness.needs("store"));
    let side = Side { registry, readiness };
    let side_address = side.start(config.side_listen, faults::control::router(faults.clone()))?;
    let incoming = server::listen(config.listen)?;
    let address = incoming.local_addr().context("cannot read the gRPC address")?;
    tracing::info!(%address, %side_address, database = ?config.database_url, "listening");

    let (stop_keeper, stop_relay) = (CancellationToken::new(), CancellationToken::new());
    let mut keeper = tokio::spawn(store::keep(store.clone(), need, stop_keeper.clone()));
    let (broker, orders) = (config.amqp_url, orders(&store, &faults, &metrics));
    let relay = Relay { store: store.clone(), faults, broker, metrics };
    let mut relay = tokio::spawn(relay.run(stop_relay.clone()));

    tokio::select! {
        served = server::serve(incoming, network, orders, layer, calls, shutdown) => served?,
        ended = &mut keeper => bail!("cannot go on without the store's keeper: {ended:?}"),
        ended = &mut relay => bail!("cannot go on without the relay: {ended:?}"),
    }

    // In this order: the relay takes out what the last calls wrote, and needs the store for it.
    stop_relay.cancel();
    finish("relay", relay).await;
    stop_keeper.cancel();
    finish("keeper", keeper).await;
    finish("store", store.close()).await;
    Ok(())
}

fn store(config: &Config, metrics: &Metrics) -> Store {
    let patience = config.database_acquire_timeout.into();
    Store::new(&config.database_url, config.database_connections, patience, metrics.clone())
}

fn orders(store: &Arc<Store>, faults: &Arc<Switchboard>, metrics: &Metrics) -> Orders {
    Orders { store: store.clone(), faults: faults.clone(), metrics: metrics.clone() }
}

async fn finish(part: &'static str, ending: impl Future) {
    if timeout(FINISH_LIMIT, ending).await.is_err() {
        tracing::warn!(part, "did not finish in time");
    }
}
