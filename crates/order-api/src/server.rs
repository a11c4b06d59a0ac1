//! The gRPC server: orders, health and reflection, and how it stops.

use std::{net::SocketAddr, time::Duration};

use anyhow::Context as _;
use contract::shop::v1::orders_server::{OrdersServer, SERVICE_NAME};
use futures_util::TryStreamExt as _;
use instrumentation::{health::Check, net, rpc::ServerLayer};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tonic::transport::{Server, server::TcpIncoming};
use tonic_health::{ServingStatus, server::HealthReporter};

use crate::{metrics::Peer, orders::Orders};

/// How long calls in hand may take to end once the service is to stop.
const DRAIN_LIMIT: Duration = Duration::from_secs(7);
/// How often a silent client is asked whether it is still there.
const KEEPALIVE: Duration = Duration::from_secs(20);

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
    orders: Orders,
    layer: ServerLayer,
    accepting: Check,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let (reporter, health) = tonic_health::server::health_reporter();
    let follow = follow(reporter, orders.store.availability(), accepting, stop.clone());
    let incoming = incoming.map_ok(move |stream| network.meter(Peer::Clients, stream));
    let server = Server::builder()
        .http2_keepalive_interval(Some(KEEPALIVE))
        .layer(layer)
        .add_service(health)
        .add_service(reflection().build_v1().context("cannot describe the contract")?)
        .add_service(reflection().build_v1alpha().context("cannot describe the contract")?)
        .add_service(OrdersServer::new(orders))
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
        reporter.set_service_status("", status).await;
        reporter.set_service_status(SERVICE_NAME, status).await;
        if stop.is_cancelled() {
            return;
        }
        tokio::select! {
            changed = available.changed() => if changed.is_err() { return },
            () = stop.cancelled() => {}
        }
    }
}
