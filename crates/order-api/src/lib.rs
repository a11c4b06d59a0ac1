//! order-api: the owner of orders. It stores them, reserves stock and announces them.
//!
//! - [`config`]: the settings.
//! - [`mod@error`]: what can go wrong, and what a client is told of it.
//! - [`metrics`]: what is measured.
//! - [`status`]: where an order stands, and the one table of how it may move on.
//! - [`store`](mod@store): orders, products and events in Postgres or SQLite.
//! - `orders`: the subject; `rpc`, `messages`, `page` and `server` bring it to gRPC.
//! - `saga`: takes an order from step to step; `reconciler` goes on where somebody died.
//! - [`payments`]: the money of orders, at the payment provider.
//! - `arrival`: how calls come in; `shedding`: how many calls are worked on at once.
//! - `accounts`: the other subject, who may sign in; `guard`: who may call what.
//! - `relay`: takes events out of the outbox and to the broker.
//! - [`control`]: what operators can have done, on the side port.
//! - `retention`: forgets idempotency keys whose time is over.
//! - `backoff`: how long to wait before something that failed is tried again.

mod accounts;
mod arrival;
mod backoff;
pub mod config;
pub mod control;
pub mod error;
mod guard;
mod messages;
pub mod metrics;
mod orders;
mod page;
pub mod payments;
mod reconciler;
mod relay;
mod retention;
mod rpc;
mod saga;
mod server;
mod shedding;
pub mod status;
pub mod store;
mod tuning;

use std::{sync::Arc, time::Duration};

use anyhow::{Context as _, bail};
use faults::Switchboard;
use instrumentation::{
    health::Readiness,
    metrics::{Registry, Unlisted},
    net,
    rpc::{ServerLayer, ServerMetrics},
    service::Config as _,
    settings,
    side::Side,
};
use resilience::{Bulkhead, breaker, budget, bulkhead};
use tokio::time::timeout;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

pub use crate::config::Config;
use crate::{
    accounts::Accounts,
    arrival::Arrival,
    guard::GuardLayer,
    metrics::Metrics,
    orders::Orders,
    payments::{Payments, Provider},
    relay::Relay,
    saga::Saga,
    server::{Gates, Services},
    shedding::Shedding,
    store::Store,
    tuning::Tuning,
};

/// How long the relay and the database may each take to finish after the last call.
const FINISH_LIMIT: Duration = Duration::from_secs(2);

/// The counter of orders placed that has a series for each of them.
const BY_ORDER: &str = "orders_placed_by_order_total";

/// Runs the service until `shutdown`, then drains it.
///
/// # Errors
/// If it cannot listen, or a part of it ended that must not.
pub async fn run(config: Config, shutdown: CancellationToken) -> anyhow::Result<()> {
    let registry = config.instrumentation.registry(Config::SERVICE, metrics::CATALOGUES);
    let registry = Arc::new(registry);
    let metrics = Metrics::register(&registry);
    let network = net::Metrics::register(&registry);
    let faults = Arc::new(Switchboard::default());
    let gates = Gates {
        measured: ServerLayer(ServerMetrics::register(&registry)),
        arrival: Arrival(faults.clone()),
        guard: GuardLayer(config.identity.verifier().with_leeway(guard::LEEWAY)),
        shedding: shedding(&config, &registry, &metrics),
    };
    let store = Arc::new(store(&config, &metrics, &faults));
    let tuning = Tuning::of(&config);
    let provider = Arc::new(provider(&config, &tuning, &metrics, &registry, &faults)?);
    let payments = Payments { store: store.clone(), provider, metrics: metrics.clone() };
    let tasks = TaskTracker::new();
    let saga = Saga {
        store: store.clone(),
        payments: payments.clone(),
        metrics: metrics.clone(),
        by_order: Unlisted::register(&registry, BY_ORDER, "Orders placed, by order.", "order_id"),
        faults: faults.clone(),
        tasks: tasks.clone(),
    };

    // Placing needs no broker: events wait in the outbox. So the broker is none of the needs, and
    // its absence shows in outbox_broker_connected and outbox_depth instead. The provider is none
    // either: without it orders can still be read and fulfilled.
    let readiness = Readiness::default();
    let (accepting, need) = (readiness.needs("calls"), readiness.needs("store"));
    let side = Side { registry, readiness };
    let control = faults::control::router(faults.clone())
        .merge(control::router(store.clone()))
        .merge(settings::router(tuning.offered()));
    let side_address = side.start(config.side_listen, control)?;
    let incoming = server::listen(config.listen)?;
    let address = incoming.local_addr().context("cannot read the gRPC address")?;
    tracing::info!(%address, %side_address, database = ?config.database_url, "listening");
    config.identity.warn_of_demo_secret(|problem| tracing::warn!("{problem}"));

    let [stop_keeper, stop_relay, stop_reconciler] =
        std::array::from_fn(|_| CancellationToken::new());
    let mut keeper = tokio::spawn(store::keep(store.clone(), need, stop_keeper.clone()));
    let mut reconciler = tokio::spawn(reconciler::reconcile(saga.clone(), stop_reconciler.clone()));
    let accounts = Accounts::new(store.clone(), metrics.grpc_requests_shed_total.clone());
    tokio::spawn({
        let (accounts, users, stop) = (accounts.clone(), config.demo_users, shutdown.clone());
        async move { stop.run_until_cancelled(accounts.seed(&users)).await }
    });
    // Nothing hurries it, so that it may end together with the reconciler.
    let (retained, stop_retention) = (config.idempotency_retention, stop_reconciler.clone());
    let mut retention = tokio::spawn(retention::forget(store.clone(), retained, stop_retention));
    let orders = Orders {
        store: store.clone(),
        saga,
        faults: faults.clone(),
        metrics: metrics.clone(),
        turn: Arc::default(),
        carrier: Arc::default(),
    };
    let relay = Relay { store: store.clone(), faults, broker: config.amqp_url, metrics };
    let mut relay = tokio::spawn(relay.run(stop_relay.clone()));

    let services = Services { accounts, orders, payments };
    tokio::select! {
        served = server::serve(incoming, network, gates, services, accepting, shutdown) => served?,
        ended = &mut keeper => bail!("cannot go on without the store's keeper: {ended:?}"),
        ended = &mut relay => bail!("cannot go on without the relay: {ended:?}"),
        ended = &mut reconciler => bail!("cannot go on without the reconciler: {ended:?}"),
        ended = &mut retention => bail!("cannot go on without forgetting keys: {ended:?}"),
    }

    // In this order: the steps in hand write events, the relay takes out what was written, and all
    // need the store for it.
    stop_reconciler.cancel();
    finish("reconciler", reconciler).await;
    finish("retention", retention).await;
    tasks.close();
    finish("saga", tasks.wait()).await;
    stop_relay.cancel();
    finish("relay", relay).await;
    stop_keeper.cancel();
    finish("keeper", keeper).await;
    finish("store", store.close()).await;
    Ok(())
}

fn store(config: &Config, metrics: &Metrics, faults: &Arc<Switchboard>) -> Store {
    let patience = config.database_acquire_timeout.into();
    let connections = config.database_connections;
    Store::new(&config.database_url, connections, patience, metrics.clone(), faults.clone())
}

fn provider(
    config: &Config,
    tuning: &Tuning,
    metrics: &Metrics,
    registry: &Registry,
    faults: &Arc<Switchboard>,
) -> anyhow::Result<Provider> {
    let settings = payments::Settings {
        url: config.payment_provider_url.clone(),
        credentials: config.payment_credentials(),
        concurrency: config.payment_provider_concurrency,
        tuning: tuning.clone(),
        faults: faults.clone(),
    };
    let breakers = breaker::Metrics::register(registry);
    let budgets = budget::Metrics::register(registry);
    Provider::new(settings, metrics.clone(), &breakers, budgets)
        .context("cannot call the payment provider")
}

fn shedding(config: &Config, registry: &Registry, metrics: &Metrics) -> Shedding {
    let (limit, patience) = (config.concurrency as usize, config.queue_patience.into());
    let bulkhead = Bulkhead::new(limit, patience, bulkhead::Metrics::register(registry));
    Shedding { bulkhead, shed: metrics.grpc_requests_shed_total.clone() }
}

async fn finish(part: &'static str, ending: impl Future) {
    if timeout(FINISH_LIMIT, ending).await.is_err() {
        tracing::warn!(part, "did not finish in time");
    }
}
