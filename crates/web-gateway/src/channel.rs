//! The way to order-api: made when it is needed, given up soon, made again by itself.

use std::{
    io,
    sync::{Arc, Mutex},
    time::Duration,
};

use faults::{Seam, Switchboard};
use http::Uri;
use hyper_util::rt::TokioIo;
use instrumentation::{
    net::{self, Metered},
    rpc::{ClientLayer, ClientMetrics},
};
use tokio::{
    net::TcpStream,
    time::{Instant, timeout},
};
use tonic::{
    Status,
    body::Body,
    transport::{Channel, Endpoint},
};
use tower::{BoxError, ServiceBuilder, service_fn, util::BoxCloneSyncService};

use crate::metrics::Peer;

/// How long a connection may take to be made.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
/// For how long after a failure no new connection is tried.
///
/// Calls wait in line while one is being made; without this, each would wait out its own.
const CONNECT_PAUSE: Duration = Duration::from_millis(100);
/// How often a silent peer is asked whether it is there, and how long it has to answer.
const KEEP_ALIVE: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(2));

/// What calls of the contract go through.
pub(crate) type Transport = BoxCloneSyncService<http::Request<Body>, http::Response<Body>, Status>;

/// A channel to order-api that is not connected before its first call.
pub(crate) fn lazy(order_api: Uri, network: net::Metrics<Peer>) -> Channel {
    let (interval, patience) = KEEP_ALIVE;
    let failed = Arc::new(Mutex::new(None));
    let connector = service_fn(move |uri| dial(uri, network.clone(), Arc::clone(&failed)));
    Endpoint::from(order_api)
        .http2_keep_alive_interval(interval)
        .keep_alive_timeout(patience)
        .keep_alive_while_idle(true)
        .connect_with_connector_lazy(connector)
}

/// The channel with what every call of the contract goes through: it is measured and carries the
/// correlation id; then it meets what the network has in store.
pub(crate) fn measured(
    channel: Channel,
    metrics: ClientMetrics,
    faults: Arc<Switchboard>,
) -> Transport {
    let strike = move |request| {
        let faults = Arc::clone(&faults);
        async move {
            let struck = faults.strike(Seam::CallOrderApi).await;
            struck.map_err(|failure| BoxError::from(Status::unavailable(failure.to_string())))?;
            Ok::<_, BoxError>(request)
        }
    };
    let layers = ServiceBuilder::new()
        .map_err(Status::from_error)
        .layer(ClientLayer(metrics))
        .filter_async(strike);
    Transport::new(layers.service(channel))
}

async fn dial(
    uri: Uri,
    network: net::Metrics<Peer>,
    failed: Arc<Mutex<Option<(Instant, io::ErrorKind)>>>,
) -> io::Result<TokioIo<Metered<TcpStream>>> {
    let last = *failed.lock().expect("no holder of the lock panics");
    if let Some((when, kind)) = last
        && when.elapsed() < CONNECT_PAUSE
    {
        return Err(kind.into());
    }
    let dialing = network.dial(Peer::OrderApi, &uri);
    let connected = timeout(CONNECT_TIMEOUT, dialing).await.unwrap_or_else(|_| {
        Err(io::Error::new(io::ErrorKind::TimedOut, "no connection within a second"))
    });
    let failure = connected.as_ref().err().map(|error| (Instant::now(), error.kind()));
    *failed.lock().expect("no holder of the lock panics") = failure;
    connected.map(TokioIo::new)
}
