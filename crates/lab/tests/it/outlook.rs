//! The desk's own state, and what it says of everything else's.

use faults::Service;
use lab::{client, desk::Status};
use reqwest::{Method, StatusCode};

use crate::desk::World;

#[tokio::test]
async fn the_desk_says_how_everything_is() {
    let world = World::empty();
    let _api = world.side(Service::OrderApi).await;
    let desk = world.desk().await;
    desk.text(Method::POST, "/chaos/errors", "").await;
    desk.text(Method::PUT, "/load", "rate=7&enabled=false").await;

    let (_, json) = desk.json(Method::GET, "/status", "").await;
    let status: Status = serde_json::from_value(json).expect("a status");
    let up: Vec<_> = status.services.iter().map(|one| (one.up, one.ready)).collect();
    assert_eq!(up, [(false, false), (true, true), (false, false)]);
    assert_eq!((status.load.rate, status.load.enabled), (7.0, false));
    assert_eq!(status.queue, None, "there is no broker");
    assert_eq!(status.faults[0].name, "errors");
    assert!((590..=600).contains(&status.faults[0].remaining_seconds));

    let (_, text) = desk.text(Method::GET, "/status", "").await;
    for line in ["order-api           ready", "does not answer", "off, 7 journeys", "errors p=0.27"]
    {
        assert!(text.contains(line), "{text}");
    }
}

#[tokio::test]
async fn the_desk_is_alive_welcomes_and_measures() {
    let desk = World::empty().desk().await;
    assert_eq!(desk.text(Method::GET, "/health", "").await.0, StatusCode::OK);
    let (_, welcome) = desk.text(Method::GET, "/", "").await;
    assert!(welcome.contains("/chaos/latency"), "{welcome}");
    let series = r#"lab_customer_requests_total{journey="order",outcome="failed"}"#;
    assert_eq!(desk.metric(series).await, Some(0.0), "every series exists from the start");
    desk.text(Method::PUT, "/load", "rate=7").await;
    assert_eq!(desk.metric("lab_load_rate").await, Some(7.0));
    desk.text(Method::PUT, "/load", "enabled=false").await;
    assert_eq!(desk.metric("lab_load_rate").await, Some(0.0));
}

#[tokio::test]
async fn a_desk_that_is_not_there_is_an_error_and_no_status() {
    let nobody = format!("http://127.0.0.1:{}", testbed::free_port());
    assert!(client::status(&reqwest::Client::new(), &nobody).await.is_err());
}
