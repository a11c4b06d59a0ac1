//! The edges of the gateway: what is behind it and beside it is not reached through it, and every
//! answer says how it is to be treated.

use std::time::Duration;

use reqwest::Method;
use tokio::{net::TcpListener, time::timeout};

use crate::{
    protocol::raw,
    shop::{Answer, Shop, cart},
};

/// What is served at the side ports and at the control desk.
const BESIDE: [&str; 14] = [
    "/control/seams",
    "/control/log-level",
    "/chaos",
    "/chaos/latency",
    "/chaos/status",
    "/status",
    "/load",
    "/dlq",
    "/dlq/replay",
    "/alerts",
    "/traces",
    "/logs",
    "/grpc.health.v1.Health/Check",
    "/shop.v1.Orders/CompleteFulfillment",
];

#[tokio::test]
async fn what_is_beside_the_gateway_is_not_reached_through_it() {
    let shop = Shop::open().await;
    for path in BESIDE {
        for method in [Method::GET, Method::POST, Method::PUT, Method::DELETE] {
            let answer = shop.ask(method.clone(), path, &[], "").await;
            assert_eq!(
                (answer.status, answer.code().as_str()),
                (404, "not_found"),
                "{method} {path}"
            );
        }
    }
}

/// However a path is written, and whichever host a request names.
#[tokio::test]
async fn no_way_of_writing_an_address_leads_beside_the_gateway() {
    let shop = Shop::open().await;
    let side = &shop.side;
    for target in [
        format!("GET http://{side}/control/seams"),
        format!("PUT http://{side}/control/seams"),
        format!("GET http://{side}@{}/control/seams", shop.address),
        "GET //control/seams".to_owned(),
        format!("GET //{side}/control/seams"),
        "GET /%2fcontrol/seams".to_owned(),
        "GET /%63ontrol/seams".to_owned(),
        "GET /control%2fseams".to_owned(),
        "GET /./control/seams".to_owned(),
        "GET /products/../control/seams".to_owned(),
        "GET /orders/..%2f..%2fcontrol%2fseams".to_owned(),
        "GET /orders/%2e%2e/control/seams".to_owned(),
        "GET /orders/..;/control/seams".to_owned(),
        "GET \\control\\seams".to_owned(),
        format!("CONNECT {side}"),
        "OPTIONS *".to_owned(),
        "TRACE /orders".to_owned(),
    ] {
        let request = format!(
            "{target} HTTP/1.1\r\nHost: {side}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        );
        let answer = raw(&shop, &[&request]).await;
        let status = answer.strip_prefix("HTTP/1.1 ").and_then(|answer| answer.get(..3));
        assert!(matches!(status, Some("400" | "404" | "405")), "{target}: {answer}");
        assert!(!answer.contains("seam\""), "{target}: {answer}");
    }
    // A request that names another host is still one to this shop.
    let request =
        format!("GET http://{side}/health HTTP/1.1\r\nHost: {side}\r\nConnection: close\r\n\r\n");
    assert!(raw(&shop, &[&request]).await.ends_with("alive\n"));
}

fn is_treated_well(answer: &Answer) {
    assert_eq!(answer.header("x-content-type-options"), "nosniff", "{answer:?}");
    for tells in ["server", "x-powered-by", "access-control-allow-origin", "set-cookie"] {
        assert_eq!(answer.header(tells), "", "{answer:?}");
    }
}

#[tokio::test]
async fn every_answer_says_how_it_is_to_be_treated_and_not_what_made_it() {
    let shop = Shop::open().await;
    let order = shop.order(&cart()).await;
    let get = async |path: &str| shop.get(path).await;
    for answer in [
        get("/").await,
        get(order.header("location")).await,
        get("/orders?limit=0").await,
        get("/nowhere").await,
        shop.log_in("ada", "wrong").await,
        shop.log_in("ada", "analytical").await,
        order,
    ] {
        assert_eq!(answer.header("cache-control"), "no-store", "{answer:?}");
        is_treated_well(&answer);
    }
    // What everybody sees may be kept for a moment.
    let products = get("/products").await;
    assert!(products.header("cache-control").starts_with("public, max-age=1,"), "{products:?}");
    is_treated_well(&products);
    let page = shop.get("/").await;
    let policy = page.header("content-security-policy");
    for rule in ["default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'"] {
        assert!(policy.contains(rule), "{policy}");
    }
}

/// The gateway asks nobody because of what a request says: all that a client can name is an order.
#[tokio::test]
async fn no_request_makes_the_gateway_call_somebody() {
    let shop = Shop::open().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let trap = format!("http://{}/", listener.local_addr().unwrap());
    let mut cart = cart();
    cart["customer_id"] = trap.as_str().into();
    let headers = [
        ("x-forwarded-host", trap.as_str()),
        ("x-original-url", trap.as_str()),
        ("forwarded", "host=127.0.0.1"),
        ("referer", trap.as_str()),
        ("origin", trap.as_str()),
        ("idempotency-key", trap.as_str()),
    ];
    assert_eq!(shop.order_with(&headers, &cart).await.status, 422);
    let query = format!("/orders?customer_id={trap}&cursor={trap}");
    assert_eq!(shop.get(&query).await.status, 400);
    assert_eq!(shop.ask(Method::GET, "/products", &headers, "").await.status, 200);
    let form = format!(r#"{{"username":"{trap}","password":"{trap}"}}"#);
    assert_eq!(shop.post("/auth/login", form).await.status, 422);
    let called = timeout(Duration::from_millis(100), listener.accept()).await;
    assert!(called.is_err(), "somebody was called");
}
