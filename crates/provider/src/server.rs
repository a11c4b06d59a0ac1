//! Connections: taken and answered, or, while the provider is not available, taken and closed.
//!
//! A port that refuses would tell its clients at once that nothing was done. One that closes a
//! connection says nothing, which is what a client of somebody else's service has to live with.

use std::{io, sync::Arc, time::Duration};

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore, watch},
    time::{sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::behaviour::Behaviour;

/// The most connections at a time; more wait in the operating system's queue.
const CONNECTIONS: usize = 2048;
/// How long the headers of a request may take, and how long a connection may be idle.
const HEADER_TIMEOUT: Duration = Duration::from_secs(60);
/// How long requests in hand may still take when the provider stops.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(2);
/// How long to wait when no connection can be accepted, as when files have run out.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves until `stop`, then finishes what was begun, but not for long.
pub(crate) async fn serve(
    listener: TcpListener,
    router: Router,
    behaviour: watch::Receiver<Behaviour>,
    stop: CancellationToken,
) {
    let slots = Arc::new(Semaphore::new(CONNECTIONS));
    let connections = TaskTracker::new();
    while let Some(accepted) = stop.run_until_cancelled(accept(&listener, &slots)).await {
        match accepted {
            Ok((stream, slot)) => {
                // Small answers must not wait for the client's acknowledgment; without it they are
                // only slower.
                let _ = stream.set_nodelay(true);
                let (router, behaviour) = (router.clone(), behaviour.clone());
                let stop = stop.clone();
                connections.spawn(async move {
                    while_available(behaviour, converse(stream, router, stop)).await;
                    drop(slot);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept connections (payment provider)");
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
) -> io::Result<(TcpStream, OwnedSemaphorePermit)> {
    let slot = Arc::clone(slots).acquire_owned().await.expect("nobody closes the semaphore");
    let (stream, _) = listener.accept().await?;
    Ok((stream, slot))
}

/// Cuts a connection as soon as the provider is not available.
async fn while_available(
    mut behaviour: watch::Receiver<Behaviour>,
    connection: impl Future<Output = ()>,
) {
    tokio::select! {
        biased;
        _ = behaviour.wait_for(|behaviour| !behaviour.available) => {}
        () = connection => {}
    }
}

/// Serves one connection to its end, which, when it is a bad one, is the client's business.
async fn converse(stream: TcpStream, router: Router, stop: CancellationToken) {
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    let mut connection = std::pin::pin!(connection);
    tokio::select! {
        _ = connection.as_mut() => return,
        () = stop.cancelled() => connection.as_mut().graceful_shutdown(),
    }
    let _ = timeout(DRAIN_TIMEOUT, connection).await;
}
