//! order-api is away, slow or dies: the gateway says so at once and recovers by itself.

use std::time::{Duration, Instant};

use serde_json::json;
use testbed::eventually;
use tokio::net::TcpListener;

use crate::shop::{AT_ONCE, Answer, SOON, Shop, cart};

#[tokio::test]
async fn an_order_api_that_comes_late_is_found() {
    let mut shop = Shop::without_order_api(&[]).await;
    let started = Instant::now();
    let refused = shop.order(&cart()).await;
    assert_eq!((refused.status, refused.code().as_str()), (503, "unavailable"));
    assert_eq!(refused.header("retry-after"), "1");
    assert!(started.elapsed() < AT_ONCE, "{:?}", started.elapsed());
    assert_eq!(shop.get("/ready").await.status, 503);
    assert_eq!(shop.get("/health").await.status, 200);
    assert_eq!(shop.get("/products").await.status, 503);

    shop.start_order_api().await;
    assert_eq!(shop.order(&cart()).await.status, 201);
}

#[tokio::test]
async fn an_order_api_that_dies_is_missed_and_found_again() {
    let mut shop = Shop::open().await;
    let placed = shop.order(&cart()).await;
    shop.line.cut().await;
    let refused = shop.get(placed.header("location")).await;
    assert_eq!((refused.status, refused.code().as_str()), (503, "unavailable"));
    shop.wait_for("/ready", 503).await;

    shop.line.up().await;
    shop.wait_for("/ready", 200).await;
    let found = shop.get(placed.header("location")).await;
    assert_eq!((found.status, found.text), (200, placed.text));
}

#[tokio::test]
async fn an_order_api_that_dies_during_a_call_is_not_waited_for() {
    let mut shop = Shop::open().await;
    shop.arm("store_order", json!({"delay": {"median_ms": 60_000.0, "share": 1.0}})).await;
    let url = format!("http://{}/orders", shop.address);
    let order = tokio::spawn(shop.client.post(url).json(&cart()).send());
    let active = r#"http_requests_active{method="POST",route="/orders"}"#;
    eventually(SOON, "in hand", async || (shop.metric(active).await == 1.0).then_some(())).await;
    let started = Instant::now();
    shop.line.cut().await;
    let refused = Answer::of(order.await.unwrap().unwrap()).await;
    assert_eq!((refused.status, refused.code().as_str()), (503, "unavailable"));
    assert!(started.elapsed() < AT_ONCE, "{:?}", started.elapsed());
}

#[tokio::test]
async fn an_order_api_that_vanishes_is_noticed() {
    let mut shop = Shop::without_order_api(&["--request-deadline", "1s"]).await;
    shop.start_order_api().await;
    shop.line.die();
    assert_eq!(shop.get("/products").await.status, 504);
    shop.wait_for("/products", 200).await;
}

#[tokio::test]
async fn an_order_api_that_is_silent_is_not_waited_for_beyond_the_deadline() {
    let mut shop = Shop::without_order_api(&["--request-deadline", "300ms"]).await;
    let silent = TcpListener::bind(("127.0.0.1", shop.line.to)).await.unwrap();
    shop.line.up().await;
    shop.wait_for("/products", 504).await;
    let started = Instant::now();
    let late = shop.order(&cart()).await;
    assert_eq!((late.status, late.code().as_str()), (504, "deadline_exceeded"));
    assert!(started.elapsed() >= Duration::from_millis(300));
    assert!(started.elapsed() < AT_ONCE, "{:?}", started.elapsed());
    let series = r#"grpc_client_requests_total{method="PlaceOrder",status="DEADLINE_EXCEEDED"}"#;
    assert_eq!(shop.metric(series).await, 1.0);
    drop(silent);
}

#[tokio::test]
async fn an_order_that_is_too_late_or_fails_is_not_stored() {
    let mut shop = Shop::without_order_api(&["--request-deadline", "3s"]).await;
    shop.start_order_api().await;
    shop.arm("store_order", json!({"delay": {"median_ms": 60_000.0, "share": 1.0}})).await;
    let late = shop.order(&cart()).await;
    assert_eq!((late.status, late.code().as_str()), (504, "deadline_exceeded"));
    shop.arm("store_order", json!({"fail": {"share": 1.0}})).await;
    let failed = shop.order(&cart()).await;
    assert_eq!((failed.status, failed.code().as_str()), (503, "unavailable"));
    let listed = shop.get("/orders").await.json();
    assert_eq!(listed["orders"], json!([]), "an order that was too late is not stored");
}

#[tokio::test]
async fn what_strikes_on_the_way_to_order_api_looks_like_the_network() {
    let shop = Shop::open().await;
    shop.arm("call_order_api", json!({"fail": {"share": 1.0}})).await;
    let failed = shop.order(&cart()).await;
    assert_eq!((failed.status, failed.code().as_str()), (503, "unavailable"));
    let series = r#"grpc_client_attempts_total{method="PlaceOrder",status="UNAVAILABLE"}"#;
    assert_eq!(shop.metric(series).await, 1.0);
    shop.wait_for("/ready", 200).await;
}

#[tokio::test]
async fn a_hundred_calls_at_once_to_nobody_are_refused_at_once() {
    let shop = Shop::without_order_api(&[]).await;
    let started = Instant::now();
    let mut asking = tokio::task::JoinSet::new();
    for _ in 0..100 {
        let url = format!("http://{}/products", shop.address);
        asking.spawn(shop.client.get(url).send());
    }
    let answers = asking.join_all().await;
    assert!(answers.iter().all(|answer| answer.as_ref().unwrap().status() == 503));
    assert!(started.elapsed() < AT_ONCE, "{:?}", started.elapsed());
}
