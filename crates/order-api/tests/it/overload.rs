//! More calls than are worked on at once: some are refused soon, and the workers' are not.

use std::time::{Duration, Instant};

use contract::{
    refusal::Reason,
    shop::v1::{
        CompleteFulfillmentRequest, GetOrderRequest, ListProductsRequest,
        orders_server::SERVICE_NAME,
    },
};
use faults::{Effect, Seam};
use tonic::Code;
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};
use uuid::Uuid;

use crate::shop::{Shop, cart, reason};

const NOBODY: &str = "amqp://guest:guest@127.0.0.1:1/%2f";
const STUCK: Effect = Effect::Delay { median_ms: 60_000.0, share: 1.0 };

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_does_not_fit_is_refused_soon_and_the_workers_are_let_through() {
    let directory = tempfile::tempdir().unwrap();
    let database = format!("sqlite://{}", directory.path().join("shop.db").display());
    let shop = Shop::start_with(&["--concurrency=1"], &database, NOBODY, directory).await;
    shop.becomes_ready(true).await;
    shop.arm(Some((Seam::StoreOrder, STUCK))).await;
    let mut calls = shop.calls.clone();
    let first =
        tokio::spawn(async move { calls.place_order(cart("ada", &[("TEA-001", 1)])).await });
    shop.metric_is("concurrency_in_use", 1.0).await;

    let started = Instant::now();
    let refused = shop.calls.clone().list_products(ListProductsRequest {}).await.unwrap_err();
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
    assert_eq!((refused.code(), reason(&refused)), (Code::ResourceExhausted, Reason::Overloaded));
    shop.metric_is("grpc_requests_shed_total", 1.0).await;
    let counted = "grpc_requests_total{method=\"ListProducts\",status=\"RESOURCE_EXHAUSTED\"}";
    shop.metric_is(counted, 1.0).await;

    let order_id = Uuid::now_v7().to_string();
    let done = CompleteFulfillmentRequest { order_id, message_id: "1".to_owned() };
    let unknown = shop.worker().complete_fulfillment(done).await.unwrap_err();
    assert_eq!(reason(&unknown), Reason::OrderNotFound, "it was looked for");
    let request = GetOrderRequest { id: Uuid::now_v7().to_string() };
    let unknown = shop.worker().get_order(request.clone()).await.unwrap_err();
    assert_eq!(reason(&unknown), Reason::OrderNotFound, "a worker looks at what it packs");
    let refused = shop.calls.clone().get_order(request).await.unwrap_err();
    assert_eq!(reason(&refused), Reason::Overloaded, "others wait for their turn");
    let request = HealthCheckRequest { service: SERVICE_NAME.to_owned() };
    HealthClient::new(shop.channel.clone()).check(request).await.unwrap();

    first.abort();
    shop.metric_is("concurrency_in_use", 0.0).await;
    shop.calls.clone().list_products(ListProductsRequest {}).await.unwrap();
    shop.finish().await;
}
