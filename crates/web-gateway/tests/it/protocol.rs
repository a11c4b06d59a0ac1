//! HTTP itself: methods, bodies that come in pieces or not at all, clients that leave, stopping.

use std::time::Instant;

use reqwest::Method;
use serde_json::json;
use testbed::eventually;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::shop::{AT_ONCE, SOON, Shop, cart};

/// Sends bytes as they are and reads until the gateway closes.
pub(crate) async fn raw(shop: &Shop, pieces: &[&str]) -> String {
    let mut stream = TcpStream::connect(&shop.address).await.unwrap();
    for piece in pieces {
        stream.write_all(piece.as_bytes()).await.unwrap();
    }
    let mut answer = Vec::new();
    tokio::time::timeout(SOON, stream.read_to_end(&mut answer)).await.unwrap().unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn head_works_where_get_does() {
    let shop = Shop::open().await;
    let order = shop.order(&cart()).await;
    for path in ["/", "/products", "/orders", order.header("location"), "/health", "/openapi.json"]
    {
        let (head, get) = (shop.ask(Method::HEAD, path, &[], "").await, shop.get(path).await);
        assert_eq!((head.status, head.text.as_str()), (200, ""), "{path}");
        assert_eq!(head.header("content-type"), get.header("content-type"), "{path}");
        assert_eq!(head.header("content-length"), get.text.len().to_string(), "{path}");
    }
}

#[tokio::test]
async fn what_is_allowed_is_said() {
    let shop = Shop::without_order_api(&[]).await;
    for (path, allowed) in
        [("/orders", "GET,HEAD,POST"), ("/products", "GET,HEAD"), ("/", "GET,HEAD")]
    {
        let refused = shop.ask(Method::DELETE, path, &[], "").await;
        assert_eq!(refused.status, 405);
        let mut methods: Vec<_> = refused.header("allow").split(',').map(str::trim).collect();
        methods.sort_unstable();
        assert_eq!(methods.join(","), allowed, "{path}");
    }
}

#[tokio::test]
async fn a_chunked_body_has_the_same_limit() {
    let shop = Shop::open().await;
    let head = "POST /orders HTTP/1.1\r\nHost: shop\r\nContent-Type: application/json\r\n\
                Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n";
    let chunk = |text: &str| format!("{:x}\r\n{text}\r\n", text.len());
    let (first, second) = (cart().to_string(), String::new());
    let (start, rest) = first.split_at(20);
    let good = raw(&shop, &[head, &chunk(start), &chunk(rest), &chunk(&second)]).await;
    assert!(good.starts_with("HTTP/1.1 201 "), "{good}");

    let spaces = chunk(&" ".repeat(10_000));
    let mut pieces = vec![head];
    pieces.extend(std::iter::repeat_n(spaces.as_str(), 7));
    pieces.push("0\r\n\r\n");
    let large = raw(&shop, &pieces).await;
    assert!(large.starts_with("HTTP/1.1 413 "), "{large}");
    assert!(large.contains("body_too_large"), "{large}");
}

#[tokio::test]
async fn a_body_that_trickles_in_is_not_waited_for() {
    let shop = Shop::without_order_api(&["--request-deadline", "300ms"]).await;
    let started = Instant::now();
    let head = "POST /orders HTTP/1.1\r\nHost: shop\r\nContent-Type: application/json\r\n\
                Content-Length: 100\r\n\r\n{";
    let answer = raw(&shop, &[head]).await;
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    assert!(answer.contains("body_timeout"), "{answer}");
    assert!(started.elapsed() < AT_ONCE, "{:?}", started.elapsed());
}

#[tokio::test]
async fn a_body_that_ends_early_harms_nobody() {
    let shop = Shop::without_order_api(&[]).await;
    let mut stream = TcpStream::connect(&shop.address).await.unwrap();
    let head = "POST /orders HTTP/1.1\r\nHost: shop\r\nContent-Type: application/json\r\n\
                Content-Length: 100\r\n\r\n{";
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.shutdown().await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 400 "), "{answer}");
    assert_eq!(shop.get("/health").await.status, 200);
}

#[tokio::test]
async fn what_is_not_http_is_refused() {
    let shop = Shop::without_order_api(&[]).await;
    for garbage in [
        "\0\0\0\0\r\n\r\n",
        "GET / HTTP/9.9\r\n\r\n",
        "GET /orders HTTP/1.1\r\nHost: shop\r\nbad header: x\r\n\r\n",
        "POST /orders HTTP/1.1\r\nHost: shop\r\nContent-Length: -1\r\n\r\n",
        "POST /orders HTTP/1.1\r\nHost: shop\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n{}",
    ] {
        let answer = raw(&shop, &[garbage]).await;
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{garbage:?}: {answer}");
    }
    for odd in ["OPTIONS * HTTP/1.1", "CONNECT shop:80 HTTP/1.1"] {
        let odd = format!("{odd}\r\nHost: shop\r\nConnection: close\r\n\r\n");
        let answer = raw(&shop, &[&odd]).await;
        assert!(answer.starts_with("HTTP/1.1 404 "), "{odd}: {answer}");
        assert!(answer.contains("x-correlation-id"), "{odd}: {answer}");
    }
    assert_eq!(shop.get("/health").await.status, 200);
}

#[tokio::test]
async fn nothing_leads_through_to_a_side_port_or_the_control_desk() {
    let shop = Shop::without_order_api(&[]).await;
    let side = shop.side.clone();
    for asked in [
        "GET /control/seams HTTP/1.1\r\nHost: shop".to_owned(),
        "PUT /control/log-level HTTP/1.1\r\nHost: shop".to_owned(),
        "GET //control/seams HTTP/1.1\r\nHost: shop".to_owned(),
        "GET /orders/../control/seams HTTP/1.1\r\nHost: shop".to_owned(),
        "POST /chaos/latency HTTP/1.1\r\nHost: shop".to_owned(),
        format!("GET /control/seams HTTP/1.1\r\nHost: {side}"),
        format!("GET http://{side}/control/seams HTTP/1.1\r\nHost: {side}"),
        format!("GET /control/seams HTTP/1.1\r\nHost: shop\r\nX-Forwarded-Host: {side}"),
    ] {
        let answer = raw(&shop, &[&format!("{asked}\r\nConnection: close\r\n\r\n")]).await;
        assert!(answer.starts_with("HTTP/1.1 404 "), "{asked}: {answer}");
    }
}

#[tokio::test]
async fn a_client_that_leaves_takes_its_work_with_it() {
    let shop = Shop::open().await;
    shop.arm("store_order", json!({"delay": {"median_ms": 60_000.0, "share": 1.0}})).await;
    let url = format!("http://{}/orders", shop.address);
    let order = tokio::spawn(shop.client.post(url).json(&cart()).send());
    eventually(SOON, "in the hands of order-api", async || {
        (shop.metric("concurrency_in_use").await == 1.0).then_some(())
    })
    .await;
    order.abort();
    let gone = r#"http_requests_total{method="POST",route="/orders",status_code="499"}"#;
    eventually(SOON, "499", async || (shop.metric(gone).await == 1.0).then_some(())).await;
    let canceled = r#"grpc_client_requests_total{method="PlaceOrder",status="CANCELLED"}"#;
    assert_eq!(shop.metric(canceled).await, 1.0);
}

#[tokio::test]
async fn stopping_finishes_what_was_begun() {
    let mut shop = Shop::without_order_api(&["--request-deadline", "20s"]).await;
    shop.start_order_api().await;
    // Long enough to be seen; the longest draw, four times that, is within the time to drain.
    shop.arm("store_order", json!({"delay": {"median_ms": 1_500.0, "share": 1.0}})).await;
    let url = format!("http://{}/orders", shop.address);
    let order = tokio::spawn(shop.client.post(url).json(&cart()).send());
    let active = r#"http_requests_active{method="POST",route="/orders"}"#;
    eventually(SOON, "in hand", async || (shop.metric(active).await == 1.0).then_some(())).await;

    shop.stop();
    assert_eq!(order.await.unwrap().unwrap().status(), 201);
    shop.stopped().await;
    assert!(TcpStream::connect(&shop.address).await.is_err(), "nobody listens any more");
    let ready = shop.client.get(format!("http://{}/ready", shop.side)).send().await.unwrap();
    assert_eq!(ready.status(), 503);
}
