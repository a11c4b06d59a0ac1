//! `/metrics`: complete from the first scrape, and true.

use reqwest::Method;
use testbed::eventually;
use tokio::net::TcpStream;

use crate::shop::{SOON, Shop, cart};

#[tokio::test]
async fn every_series_is_there_before_anything_happens() {
    let shop = Shop::without_order_api(&[]).await;
    for series in [
        r#"http_requests_total{method="POST",route="/orders",status_code="201"}"#,
        r#"http_requests_total{method="GET",route="/orders/{id}",status_code="404"}"#,
        r#"http_requests_total{method="other",route="/orders",status_code="405"}"#,
        r#"http_requests_total{method="GET",route="unmatched",status_code="404"}"#,
        r#"http_request_duration_seconds_count{method="POST",route="/orders",status_code="503"}"#,
        r#"http_request_size_bytes_count{method="POST",route="/orders"}"#,
        r#"http_response_size_bytes_count{method="GET",route="/products"}"#,
        r#"http_requests_active{method="POST",route="/orders"}"#,
        r#"grpc_client_requests_total{method="PlaceOrder",status="OK"}"#,
        r#"grpc_client_request_duration_seconds_count{method="PlaceOrder"}"#,
        r#"grpc_client_attempts_total{method="GetOrder",status="UNAVAILABLE"}"#,
        r#"grpc_client_attempt_duration_seconds_count{method="ListOrders"}"#,
        r#"network_connections_open{peer="order_api"}"#,
        r#"network_receive_bytes_total{peer="order_api"}"#,
    ] {
        assert_eq!(shop.metric(series).await, 0.0, "{series}");
    }
}

#[tokio::test]
async fn requests_are_counted_once_where_they_belong() {
    let shop = Shop::open().await;
    let order = shop.order(&cart()).await;
    shop.get(order.header("location")).await;
    shop.ask(Method::HEAD, order.header("location"), &[], "").await;
    shop.get("/orders/1").await;
    shop.get("/nowhere/at/all").await;
    shop.ask(Method::DELETE, "/orders", &[], "").await;
    shop.ask(Method::from_bytes(b"BREW").unwrap(), "/nowhere", &[], "").await;
    for (labels, count) in [
        (r#"method="POST",route="/orders",status_code="201""#, 1.0),
        (r#"method="GET",route="/orders/{id}",status_code="200""#, 2.0),
        (r#"method="GET",route="/orders/{id}",status_code="404""#, 1.0),
        (r#"method="GET",route="unmatched",status_code="404""#, 1.0),
        (r#"method="other",route="/orders",status_code="405""#, 1.0),
        (r#"method="other",route="unmatched",status_code="404""#, 1.0),
    ] {
        assert_eq!(shop.metric(&format!("http_requests_total{{{labels}}}")).await, count);
        let timed = format!("http_request_duration_seconds_count{{{labels}}}");
        assert_eq!(shop.metric(&timed).await, count);
    }
    let placed = r#"{method="POST",route="/orders"}"#;
    let sum = async |name| shop.metric(&format!("{name}_sum{placed}")).await;
    assert_eq!(sum("http_request_size_bytes").await, cart().to_string().len() as f64);
    assert_eq!(sum("http_response_size_bytes").await, order.text.len() as f64);
    assert_eq!(shop.metric(&format!("http_requests_active{placed}")).await, 0.0);
    let calls = r#"{method="PlaceOrder",status="OK"}"#;
    assert_eq!(shop.metric(&format!("grpc_client_requests_total{calls}")).await, 1.0);
    assert_eq!(shop.metric(&format!("grpc_client_attempts_total{calls}")).await, 1.0);
}

#[tokio::test]
async fn connections_and_their_bytes_are_counted_by_who_is_at_the_other_end() {
    let shop = Shop::open().await;
    let network = async |name: &str, peer: &str| {
        shop.metric(&format!("network_{name}{{peer=\"{peer}\"}}")).await
    };
    assert_eq!(network("connections_open", "order_api").await, 1.0);
    assert!(network("connections_total", "order_api").await >= 1.0);
    let received = network("receive_bytes_total", "clients").await;
    let sent = network("transmit_bytes_total", "order_api").await;
    let order = shop.order(&cart()).await;
    let body = cart().to_string().len() as f64;
    assert!(network("receive_bytes_total", "clients").await > received + body);
    assert!(network("transmit_bytes_total", "clients").await > order.text.len() as f64);
    assert!(network("transmit_bytes_total", "order_api").await > sent);
    assert!(network("receive_bytes_total", "order_api").await > 0.0);

    let open = network("connections_open", "clients").await;
    let opened = network("connections_total", "clients").await;
    let client = TcpStream::connect(&shop.address).await.unwrap();
    eventually(SOON, "one more open connection", async || {
        (network("connections_open", "clients").await == open + 1.0).then_some(())
    })
    .await;
    drop(client);
    eventually(SOON, "one less open connection", async || {
        (network("connections_open", "clients").await == open).then_some(())
    })
    .await;
    assert!(network("connections_total", "clients").await > opened);
}

#[tokio::test]
async fn a_gateway_without_metrics_serves_and_shows_only_what_it_is() {
    let shop = Shop::without_order_api(&["--metrics", "false"]).await;
    assert_eq!(shop.get("/products").await.status, 503);
    let text = shop.get("/metrics").await.text;
    let series: Vec<_> = text.lines().filter(|line| !line.is_empty()).collect();
    let [help, kind, build] = series[..] else { panic!("{text}") };
    assert!(help.starts_with("# HELP build_info") && kind.starts_with("# TYPE build_info"));
    assert!(build.contains(r#"service="web-gateway""#), "{build}");
}

#[tokio::test]
async fn the_side_port_shows_the_same() {
    let shop = Shop::without_order_api(&[]).await;
    let names = |text: &str| -> Vec<String> {
        let types = text.lines().filter(|line| line.starts_with("# TYPE "));
        let mut types: Vec<_> = types.map(str::to_owned).collect();
        types.sort();
        types
    };
    let side = shop.client.get(format!("http://{}/metrics", shop.side)).send().await.unwrap();
    let side = names(&side.text().await.unwrap());
    assert_eq!(side, names(&shop.get("/metrics").await.text));
    assert!(side.len() > 20, "{side:?}");
}
