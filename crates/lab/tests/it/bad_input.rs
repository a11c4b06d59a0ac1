//! What cannot be is refused, with what can.

use faults::{FAULTS, Service};
use reqwest::{Method, StatusCode};

use crate::desk::World;

#[tokio::test]
async fn what_cannot_be_is_refused_with_what_can() {
    let world = World::empty();
    let api = world.side(Service::OrderApi).await;
    let desk = world.desk().await;
    let (unknown, bad) = (StatusCode::NOT_FOUND, StatusCode::UNPROCESSABLE_ENTITY);
    for (method, path, form, status, possible) in [
        (Method::POST, "/chaos/gremlins", "", unknown, "latency"),
        (Method::POST, "/chaos/Latency", "", unknown, "latency"),
        (Method::DELETE, "/chaos/gremlins", "", unknown, "latency"),
        (Method::GET, "/chaos/gremlins", "", unknown, "latency"),
        (Method::DELETE, "/chaos/latency", "", unknown, "is not on"),
        (Method::POST, "/chaos/latency", "ms=0", bad, "1 to 30000"),
        (Method::POST, "/chaos/latency", "ms=", bad, "1 to 30000"),
        (Method::POST, "/chaos/latency", "ms=NaN", bad, "1 to 30000"),
        (Method::POST, "/chaos/latency", "p=1.5", bad, "p=0.5 (share of orders, 0.01 to 1)"),
        (Method::POST, "/chaos/latency", "p=0", bad, "0.01 to 1"),
        (Method::POST, "/chaos/latency", "speed=1", bad, "ms=800"),
        (Method::POST, "/chaos/latency", "{\"ms\":800}", bad, "ms=800"),
        (Method::POST, "/chaos/latency?for=0s", "", bad, "for=10m (how long, 1s to 24h)"),
        (Method::POST, "/chaos/latency?for=2d", "", bad, "for=10m (how long, 1s to 24h)"),
        (Method::POST, "/chaos/latency?ms=800", "ms=x", bad, "1 to 30000"),
        (Method::PUT, "/load", "rate=-1", bad, "rate=0 to 1000"),
        (Method::PUT, "/load", "rate=1e9", bad, "rate=0 to 1000"),
        (Method::PUT, "/load", "rate=5&enabled=perhaps", bad, "enabled=true or false"),
        (Method::PUT, "/load", "speed=5", bad, "rate=0 to 1000"),
        (Method::PUT, "/provider", "capacity=1001", bad, "capacity=0 to 1000"),
        (Method::PUT, "/provider", "capacity=4&median_ms=-1", bad, "median_ms=0 to 30000"),
        (Method::PUT, "/provider", "available=maybe", bad, "available=true or false"),
        (Method::PUT, "/provider", "speed=5", bad, "decline_rate=0 to 1"),
        (Method::POST, "/dlq/replay", "limit=0", bad, "limit=1 or more"),
        (Method::POST, "/dlq/replay", "limit=all", bad, "limit=1 or more"),
        (Method::GET, "/nowhere", "", unknown, "/status"),
    ] {
        let (seen, text) = desk.text(method.clone(), path, form).await;
        assert_eq!(seen, status, "{method} {path} {form}: {text}");
        assert!(text.contains(possible), "{method} {path} {form}: {text}");
        assert!(text.ends_with('\n'), "{text:?}");
        let (seen, json) = desk.json(method.clone(), path, form).await;
        assert_eq!(seen, status, "{json}");
        assert!(json["error"].is_string() && json["possible"].is_array(), "{json}");
    }
    assert_eq!(api.armings(), [], "nothing that was refused is on");
    assert_eq!(desk.metric("lab_load_rate").await, Some(0.0), "nor was the load changed");
    assert_eq!(desk.metric("provider_servers").await, Some(16.0), "nor was the provider");
}

#[tokio::test]
async fn the_list_has_every_fault_and_what_can_be_set_of_it() {
    let desk = World::empty().desk().await;
    let (_, text) = desk.text(Method::GET, "/chaos", "").await;
    let (_, json) = desk.json(Method::GET, "/faults", "").await;
    assert_eq!(json["faults"].as_array().expect("a list").len(), FAULTS.len());
    for (fault, listed) in FAULTS.iter().zip(json["faults"].as_array().expect("a list")) {
        assert_eq!(listed["name"], fault.name);
        assert!(text.contains(fault.summary()), "{text}");
        for parameter in fault.parameters {
            assert!(text.contains(&parameter.to_string()), "{text}");
        }
    }
}

#[tokio::test]
async fn a_form_without_end_is_not_read() {
    let desk = World::empty().desk().await;
    let form = "ms=800&".repeat(20_000);
    let (status, _) = desk.text(Method::POST, "/chaos/latency", &form).await;
    assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE);
}
