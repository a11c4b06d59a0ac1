//! The way to order-api: balanced over its replicas, measured, and struck by what the network has
//! in store.

use std::sync::Arc;

use contract::shop::v1::orders_server::SERVICE_NAME;
use faults::{Seam, Switchboard};
use instrumentation::{
    net,
    rpc::{ClientLayer, ClientMetrics},
};
use resilience::{Balanced, Urls};
use tonic::{Status, body::Body};
use tower::{BoxError, ServiceBuilder, util::BoxCloneSyncService};

use crate::metrics::Peer;

/// What calls of the contract go through.
pub(crate) type Transport = BoxCloneSyncService<http::Request<Body>, http::Response<Body>, Status>;

/// The replicas of order-api; none is connected before it is needed.
pub(crate) fn balanced(order_api: &Urls, network: net::Metrics<Peer>) -> Balanced {
    Balanced::new(order_api, SERVICE_NAME, Peer::OrderApi, network)
}

/// The replicas with what every call of the contract goes through: it is measured and carries the
/// correlation id; then it meets what the network has in store.
pub(crate) fn measured(
    replicas: Balanced,
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
    Transport::new(layers.service(replicas))
}
