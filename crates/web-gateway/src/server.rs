//! Accepting connections, bounded and drained: what `axum::serve` leaves to its users.

use std::{io, sync::Arc, time::Duration};

use axum::Router;
use hyper::{body::Incoming, server::conn::http1};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use instrumentation::net::{self, Metered};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower::util::MapRequest;

use crate::{metrics, rate::Peer};

/// The most connections at a time; more wait in the operating system's queue.
const CONNECTIONS: usize = 2048;
/// How long the headers of a request may take, and how long a connection may be idle.
const HEADER_TIMEOUT: Duration = Duration::from_secs(30);
/// How long requests in hand may still take when the service stops.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(10);
/// How long to wait when no connection can be accepted, as when files have run out.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves until `shutdown`, then finishes what was begun within ten seconds.
pub(crate) async fn serve(
    listener: TcpListener,
    router: Router,
    network: net::Metrics<metrics::Peer>,
    shutdown: CancellationToken,
) {
    let slots = Arc::new(Semaphore::new(CONNECTIONS));
    let connections = TaskTracker::new();
    while let Some(accepted) = shutdown.run_until_cancelled(accept(&listener, &slots)).await {
        match accepted {
            Ok((stream, peer, slot)) => {
                // Small answers must not wait for the client's acknowledgment; without it they are
                // only slower.
                let _ = stream.set_nodelay(true);
                let stream = network.meter(metrics::Peer::Clients, stream);
                let (router, shutdown) = (router.clone(), shutdown.clone());
                connections.spawn(async move {
                    converse(stream, peer, router, shutdown).await;
                    drop(slot);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept connections");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    connections.close();
    connections.wait().await;
}

async fn accept(
    listener: &TcpListener,
    slots: &Arc<Semaphore>,
) -> io::Result<(TcpStream, Peer, OwnedSemaphorePermit)> {
    let slot = Arc::clone(slots).acquire_owned().await.expect("nobody closes the semaphore");
    let (stream, address) = listener.accept().await?;
    Ok((stream, Peer(address), slot))
}

/// Serves one connection to its end.
async fn converse(
    stream: Metered<TcpStream>,
    peer: Peer,
    router: Router,
    shutdown: CancellationToken,
) {
    let service = MapRequest::new(router, move |mut request: http::Request<Incoming>| {
        request.extensions_mut().insert(peer);
        request
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(service));
    let mut connection = std::pin::pin!(connection);
    tokio::select! {
        ended = connection.as_mut() => return log(ended),
        () = shutdown.cancelled() => connection.as_mut().graceful_shutdown(),
    }
    match timeout(DRAIN_TIMEOUT, connection).await {
        Ok(ended) => log(ended),
        Err(_) => tracing::warn!("requests cut off after {DRAIN_TIMEOUT:?}"),
    }
}

/// A connection that ends badly is the client's business.
fn log(ended: hyper::Result<()>) {
    if let Err(error) = ended {
        tracing::debug!(%error, "connection ended");
    }
}
