//! Postgres and RabbitMQ may come late, go and come back.

use std::{
    collections::HashSet,
    time::{Duration, Instant},
};

use contract::{event::OrderPlaced, refusal::Reason, shop::v1::orders_server::SERVICE_NAME};
use testbed::{Gate, Postgres, RabbitMq, eventually};
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};

use crate::shop::{SOON, Shop, amqp, next_message, reason};

/// A broker that is never there.
const NOBODY: &str = "amqp://guest:guest@127.0.0.1:1/%2f";

async fn is_unavailable(shop: &Shop) {
    let started = Instant::now();
    let refused = shop.place(&[("TEA-001", 1)]).await.unwrap_err();
    assert_eq!(reason(&refused), Reason::Unavailable);
    assert!(started.elapsed().as_secs() < 5, "a client waited for what cannot come");
    let request = HealthCheckRequest { service: SERVICE_NAME.to_owned() };
    let health = HealthClient::new(shop.channel.clone()).check(request).await.unwrap();
    assert_eq!(health.into_inner().status(), ServingStatus::NotServing);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_comes_late_goes_and_comes_back_is_survived() {
    if testbed::left_out(Postgres::available()) {
        return;
    }
    let mut server = Postgres::start().await.unwrap();
    server.kill();
    let shop = Shop::start_on(&server.url(), NOBODY, tempfile::tempdir().unwrap()).await;
    is_unavailable(&shop).await;

    server.restart().await.unwrap();
    shop.becomes_ready(true).await;
    for _ in 0..3 {
        shop.place(&[("TEA-001", 1)]).await.unwrap();
    }

    server.kill();
    shop.becomes_ready(false).await;
    is_unavailable(&shop).await;

    server.restart().await.unwrap();
    shop.becomes_ready(true).await;
    // At once, and then always: no connection of before is handed to a call.
    for _ in 0..20 {
        shop.place(&[("TEA-001", 1)]).await.unwrap();
    }
    eventually(SOON, "all orders", async || {
        (shop.metrics().await["orders{status=\"placed\"}"] == 23.0).then_some(())
    })
    .await;
    shop.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_that_is_killed_and_returns_gets_every_event() {
    if testbed::left_out(RabbitMq::available()) {
        return;
    }
    let mut server = RabbitMq::start().await.unwrap();
    let directory = tempfile::tempdir().unwrap();
    let database = format!("sqlite://{}", directory.path().join("shop.db").display());
    let shop = Shop::start_on(&database, &server.url(), directory).await;
    shop.becomes_ready(true).await;
    let mut placed = HashSet::new();
    for _ in 0..10 {
        placed.insert(shop.place(&[("TEA-001", 1)]).await.unwrap().id);
    }
    shop.metric_is("outbox_publishes_total{result=\"confirmed\"}", 10.0).await;

    server.kill();
    for _ in 0..10 {
        placed.insert(shop.place(&[("TEA-001", 1)]).await.unwrap().id);
    }
    shop.metric_is("outbox_broker_connected", 0.0).await;
    server.restart().await.unwrap();
    shop.metric_is("outbox_depth", 0.0).await;

    let channel = amqp(&server.url()).await;
    let mut announced = HashSet::new();
    while announced.len() < 20 {
        let body = next_message(&channel).await.delivery.data;
        let event: OrderPlaced = serde_json::from_slice(&body).unwrap();
        announced.insert(event.order_id.to_string());
    }
    assert_eq!(announced, placed);
    shop.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_hangs_is_noticed_and_survived() {
    if testbed::left_out(Postgres::available()) {
        return;
    }
    let server = Postgres::start().await.unwrap();
    let gate = Gate::before(&server.url()).await.unwrap();
    let shop = Shop::start_on(gate.url(), NOBODY, tempfile::tempdir().unwrap()).await;
    shop.becomes_ready(true).await;
    shop.place(&[("TEA-001", 1)]).await.unwrap();

    gate.shut();
    let started = Instant::now();
    shop.becomes_ready(false).await;
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
    is_unavailable(&shop).await;

    gate.open();
    shop.becomes_ready(true).await;
    for _ in 0..5 {
        shop.place(&[("TEA-001", 1)]).await.unwrap();
    }
    // Neither does what nobody waits for hang for ever.
    let claims = shop.statements("claim_due").await;
    eventually(SOON, "a claim", async || {
        (shop.statements("claim_due").await > claims).then_some(())
    })
    .await;
    shop.finish().await;
}
