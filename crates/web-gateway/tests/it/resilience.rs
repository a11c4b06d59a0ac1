//! What the gateway does so that a failure stays small: tries again, stops asking, refuses early.

use std::time::Instant;

use serde_json::json;
use testbed::eventually;
use tokio::task::JoinSet;

use crate::shop::{AT_ONCE, Answer, SOON, Shop, cart};

/// An order is stuck on its way into the database for a minute.
async fn stuck(shop: &Shop) {
    shop.arm("store_order", json!({"delay": {"median_ms": 60_000.0, "share": 1.0}})).await;
}

async fn failing(shop: &Shop) {
    shop.arm("store_order", json!({"fail": {"share": 1.0}})).await;
}

async fn attempts(shop: &Shop, method: &str, status: &str) -> f64 {
    let labels = format!("method=\"{method}\",status=\"{status}\"");
    shop.metric(&format!("grpc_client_attempts_total{{{labels}}}")).await
}

#[tokio::test]
async fn an_order_is_tried_again_only_if_it_has_a_key() {
    let shop = Shop::open().await;
    failing(&shop).await;
    assert_eq!(shop.order(&cart()).await.status, 503);
    assert_eq!(attempts(&shop, "PlaceOrder", "UNAVAILABLE").await, 1.0);
    let refused = shop.order_with(&[("idempotency-key", "checkout-1")], &cart()).await;
    assert_eq!((refused.status, refused.code().as_str()), (503, "unavailable"));
    assert_eq!(attempts(&shop, "PlaceOrder", "UNAVAILABLE").await, 1.0 + 3.0);
    let requests = r#"grpc_client_requests_total{method="PlaceOrder",status="UNAVAILABLE"}"#;
    assert_eq!(shop.metric(requests).await, 2.0);
}

#[tokio::test]
async fn a_key_makes_one_order_of_however_many_tries() {
    // Half of the attempts fail, which would open the circuit and use up the budget of retries.
    let settings = ["--breaker-minimum", "1000", "--retry-budget", "1"];
    let mut shop = Shop::without_order_api(&settings).await;
    shop.start_order_api().await;
    shop.arm("store_order", json!({"fail": {"share": 0.5}})).await;
    let mut placed = 0;
    for number in 0..20 {
        let key = format!("checkout-{number}");
        placed +=
            i64::from(shop.order_with(&[("idempotency-key", &key)], &cart()).await.status == 201);
    }
    // One of eight fails three times; that more than half of them do is one in a million.
    assert!(placed >= 10, "{placed} of 20");
    let listed = shop.get("/orders?limit=100").await.json();
    assert_eq!(listed["orders"].as_array().unwrap().len() as i64, placed);
}

#[tokio::test]
async fn an_order_api_that_only_fails_is_left_alone_until_it_is_back() {
    let shop = Shop::open().await;
    failing(&shop).await;
    for _ in 0..20 {
        shop.order(&cart()).await;
    }
    let asked = attempts(&shop, "PlaceOrder", "UNAVAILABLE").await;
    let refused = shop.order(&cart()).await;
    assert_eq!((refused.status, refused.code().as_str()), (503, "unavailable"));
    let seconds: u64 = refused.header("retry-after").parse().unwrap();
    assert!((1..=3).contains(&seconds), "{seconds}");
    assert_eq!(attempts(&shop, "PlaceOrder", "UNAVAILABLE").await, asked, "it was not asked");
    let open = r#"circuit_breaker_state{circuit="place_order",state="open"}"#;
    assert_eq!(shop.metric(open).await, 1.0);
    assert!(shop.metric(r#"http_requests_shed_total{reason="circuit_open"}"#).await >= 1.0);
    assert_eq!(shop.get("/orders").await.status, 200, "looking is another circuit");

    shop.arm("store_order", json!({"fail": {"share": 0.0}})).await;
    eventually(SOON, "orders again", async || {
        (shop.order(&cart()).await.status == 201).then_some(())
    })
    .await;
    eventually(SOON, "a closed circuit", async || {
        shop.order(&cart()).await;
        (shop.metric(open).await == 0.0).then_some(())
    })
    .await;
}

#[tokio::test]
async fn what_does_not_fit_is_refused_at_once_and_whoever_leaves_makes_room() {
    let settings = ["--concurrency", "1", "--request-deadline", "60s"];
    let mut shop = Shop::without_order_api(&settings).await;
    shop.start_order_api().await;
    assert_eq!(shop.get("/products").await.status, 200);
    stuck(&shop).await;
    let url = format!("http://{}/orders", shop.address);
    let first = tokio::spawn(shop.client.post(url).json(&cart()).send());
    eventually(SOON, "in hand", async || {
        (shop.metric("concurrency_in_use").await == 1.0).then_some(())
    })
    .await;

    let started = Instant::now();
    let refused = shop.get("/orders").await;
    assert_eq!((refused.status, refused.code().as_str()), (503, "overloaded"));
    assert_eq!(refused.header("retry-after"), "1");
    assert!(started.elapsed() < AT_ONCE, "{:?}", started.elapsed());
    assert_eq!(shop.metric(r#"http_requests_shed_total{reason="overloaded"}"#).await, 1.0);
    assert_eq!(shop.metric("concurrency_limit").await, 1.0);
    for free in ["/health", "/products"] {
        assert_eq!(shop.get(free).await.status, 200, "{free}");
    }
    shop.wait_for("/ready", 200).await;

    first.abort();
    eventually(SOON, "room", async || (shop.get("/orders").await.status == 200).then_some(()))
        .await;
}

/// Asks until too much was asked for: the refusal, after how many answers of this status. More may
/// come back meanwhile than the burst.
async fn until_refused(status: u16, mut ask: impl AsyncFnMut(u32) -> Answer) -> (Answer, u32) {
    for number in 0..30 {
        let answer = ask(number).await;
        if answer.status == 429 {
            assert_eq!(answer.code(), "rate_limited");
            return (answer, number);
        }
        assert_eq!(answer.status, status, "{answer:?}");
    }
    panic!("nothing is too much");
}

#[tokio::test]
async fn a_client_that_asks_for_too_much_is_told_when_to_come_back() {
    let shop = Shop::without_order_api(&["--rate-limit", "1", "--rate-burst", "3"]).await;
    let (refused, answered) = until_refused(404, async |_| shop.get("/orders/1").await).await;
    assert!(answered >= 3, "{answered}");
    assert_eq!(refused.header("retry-after"), "1");
    // Anybody can claim to ask for another, and each time for somebody else.
    until_refused(404, async |number| {
        let another = format!("203.0.113.{number}");
        let liar = [("x-forwarded-for", another.as_str())];
        shop.ask(reqwest::Method::GET, "/orders/1", &liar, "").await
    })
    .await;
    assert_eq!(shop.metric(r#"http_requests_shed_total{reason="rate_limited"}"#).await, 2.0);
    let limited = r#"http_requests_total{method="GET",route="/orders/{id}",status_code="429"}"#;
    assert_eq!(shop.metric(limited).await, 2.0);
    for _ in 0..5 {
        assert_eq!(shop.get("/health").await.status, 200, "the gateway's own pages are free");
    }
    shop.wait_for("/orders/1", 404).await;
}

#[tokio::test]
async fn signing_in_is_limited_like_the_rest() {
    let shop = Shop::without_order_api(&["--rate-limit", "1", "--rate-burst", "3"]).await;
    let (_, answered) = until_refused(422, async |_| shop.post("/auth/login", "{}").await).await;
    assert!(answered >= 3, "{answered}");
    for path in ["/auth/refresh", "/orders"] {
        until_refused(422, async |_| shop.post(path, "{}").await).await;
    }
}

#[tokio::test]
async fn many_who_look_at_the_products_are_one_question() {
    let shop = Shop::open().await;
    let mut looking = JoinSet::new();
    for _ in 0..50 {
        looking.spawn(shop.client.get(format!("http://{}/products", shop.address)).send());
    }
    for answer in looking.join_all().await {
        let answer = Answer::of(answer.unwrap()).await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("content-type"), "application/json");
        let promised = "public, max-age=1, stale-while-revalidate=30, stale-if-error=30";
        assert_eq!(answer.header("cache-control"), promised);
        assert_eq!(answer.json()["products"].as_array().unwrap().len(), 12);
    }
    let asked = attempts(&shop, "ListProducts", "OK").await;
    assert!(asked <= 5.0, "{asked} questions for 50 answers");
}

#[tokio::test]
async fn products_are_shown_while_order_api_is_away() {
    let mut shop = Shop::open().await;
    let before = shop.get("/products").await;
    assert_eq!(before.header("age"), "0");
    shop.line.cut().await;
    shop.wait_for("/ready", 503).await;
    eventually(SOON, "an old list", async || {
        let shown = shop.get("/products").await;
        assert_eq!((shown.status, &shown.text), (200, &before.text));
        (shown.header("age") != "0").then_some(())
    })
    .await;
    assert!(shop.metric(r#"cache_requests_total{result="stale"}"#).await >= 1.0);
}
