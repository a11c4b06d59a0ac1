//! The gRPC server: orders, payments, accounts, health and reflection, and how it stops.

use std::{io, net::SocketAddr, time::Duration};

use anyhow::Context as _;
use contract::shop::v1::{
    accounts_server::{self, AccountsServer},
    orders_server::{self, OrdersServer},
    payments_server::{self, PaymentsServer},
};
use futures_util::{StreamExt as _, TryStreamExt as _};
use instrumentation::{health::Check, net, rpc::ServerLayer};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tonic::transport::{Server, server::TcpIncoming};
use tonic_health::{ServingStatus, server::HealthReporter};

use crate::{
    accounts::Accounts, arrival::Arrival, guard::GuardLayer, metrics::Peer, orders::Orders,
    payments::Payments, shedding::Shedding,
};

/// How long calls in hand may take to end once the service is to stop.
const DRAIN_LIMIT: Duration = Duration::from_secs(7);
/// How long to wait after a connection could not be accepted.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// How often a silent client is asked whether it is still there.
const KEEPALIVE: Duration = Duration::from_secs(20);

/// What every call goes through before it is answered, in this order.
pub(crate) struct Gates {
    pub(crate) measured: ServerLayer,
    pub(crate) arrival: Arrival,
    pub(crate) guard: GuardLayer,
    pub(crate) shedding: Shedding,
}

/// What is served.
pub(crate) struct Services {
    pub(crate) accounts: Accounts,
    pub(crate) orders: Orders,
    pub(crate) payments: Payments,
}

/// Listens for calls; they are answered once [`serve`] runs.
pub(crate) fn listen(address: SocketAddr) -> anyhow::Result<TcpIncoming> {
    let incoming = TcpIncoming::bind(address);
    let incoming = incoming.with_context(|| format!("cannot listen on {address} (gRPC)"))?;
    Ok(incoming.with_nodelay(Some(true)))
}

/// Answers calls until `stop`, then waits for those in hand, but not for ever.
pub(crate) async fn serve(
    incoming: TcpIncoming,
    network: net::Metrics<Peer>,
    gates: Gates,
    services: Services,
    accepting: Check,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let Services { accounts, orders, payments } = services;
    let (reporter, health) = tonic_health::server::health_reporter();
    let follow = follow(reporter, orders.store.availability(), accepting, stop.clone());
    let incoming =
        incoming.then(patiently).map_ok(move |stream| network.meter(Peer::Clients, stream));
    let server = Server::builder()
        .http2_keepalive_interval(Some(KEEPALIVE))
        .layer(gates.measured)
        .layer(gates.arrival)
        .layer(gates.guard)
        .layer(gates.shedding)
        .add_service(health)
        .add_service(reflection().build_v1().context("cannot describe the contract")?)
        .add_service(reflection().build_v1alpha().context("cannot describe the contract")?)
        .add_service(OrdersServer::new(orders))
        .add_service(AccountsServer::new(accounts))
        .add_service(PaymentsServer::new(payments))
        .serve_with_incoming_shutdown(incoming, stop.clone().cancelled_owned());
    let limit = async {
        stop.cancelled().await;
        tokio::time::sleep(DRAIN_LIMIT).await;
    };
    let served = async { tokio::join!(server, follow).0 };
    tokio::select! {
        outcome = served => outcome.context("cannot serve gRPC"),
        () = limit => {
            tracing::warn!("calls in hand were cut off");
            Ok(())
        }
    }
}

/// Where none can be accepted, for want of files, say, that is said, and another try waits a moment: the
/// server itself tries at once, again and again.
async fn patiently<S>(accepted: io::Result<S>) -> io::Result<S> {
    if let Err(error) = &accepted {
        tracing::warn!(%error, "cannot accept connections");
        tokio::time::sleep(ACCEPT_PAUSE).await;
    }
    accepted
}

fn reflection() -> tonic_reflection::server::Builder<'static> {
    tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(contract::FILE_DESCRIPTOR_SET)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
}

/// Tells gRPC health and `/ready` whether calls can be answered: the store is there, and nobody
/// wants us to stop.
async fn follow(
    reporter: HealthReporter,
    mut available: watch::Receiver<bool>,
    accepting: Check,
    stop: CancellationToken,
) {
    loop {
        accepting.set(!stop.is_cancelled());
        let serving = *available.borrow_and_update() && !stop.is_cancelled();
        let status = if serving { ServingStatus::Serving } else { ServingStatus::NotServing };
        let services = [
            accounts_server::SERVICE_NAME,
            orders_server::SERVICE_NAME,
            payments_server::SERVICE_NAME,
        ];
        for name in [""].into_iter().chain(services) {
            reporter.set_service_status(name, status).await;
        }
        if stop.is_cancelled() {
            return;
        }
        tokio::select! {
            changed = available.changed() => if changed.is_err() { return },
            () = stop.cancelled() => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::stream;
    use tokio::time::Instant;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn who_cannot_accept_does_not_try_again_at_once() {
        let started = Instant::now();
        let none =
            stream::iter([(); 10]).map(|()| io::Result::<()>::Err(io::ErrorKind::Other.into()));
        assert_eq!(
            none.then(patiently).filter(|it| std::future::ready(it.is_err())).count().await,
            10
        );
        assert_eq!(started.elapsed(), 10 * ACCEPT_PAUSE);
    }
}
