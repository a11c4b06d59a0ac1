//! What the provider measures of itself.

use std::time::Duration;

use axum::body::Body;
use http::Request;
use instrumentation::metrics::Registry;
use provider::{Behaviour, Config, Metrics, Provider};
use tokio::time::timeout;

use crate::client::{Client, QUICK, charge};

/// The value of one series.
fn value(registry: &Registry, series: &str) -> f64 {
    let text = registry.render();
    let line = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("no {series} in {text}")).parse().expect("a number")
}

#[tokio::test(start_paused = true)]
async fn every_end_of_a_request_is_counted() {
    let registry = Registry::new("lab", &[Metrics::CATALOGUE]);
    let config = Config { behaviour: QUICK, ..Config::default() };
    let provider = Provider::measured(config, Metrics::register(&registry));
    assert_eq!(value(&registry, "provider_servers"), 16.0);
    let client = Client::of_provider(provider.clone()).await;

    let id = client.authorized("a", 1).await;
    client.authorize("a", 1).await;
    client.post("/authorizations", "b", &charge(1, "card-declined")).await;
    client.authorize("a", 2).await;
    client.look_up("nobody's").await;
    client.capture("a", &id).await;
    client.refund("a", &id).await;
    let stranger = Request::post("/refunds").body(Body::empty()).expect("a request");
    client.send(stranger).await;
    let slow = Behaviour { capacity: 1, queue: 1, median: Duration::from_secs(1), ..QUICK };
    provider.set_behaviour(slow);
    let gone = timeout(slow.median / 2, async {
        tokio::join!(client.authorize("c", 1), client.authorize("d", 1), async {
            let turned_away = client.authorize("e", 1).await;
            assert_eq!(turned_away.status, 503);
            assert_eq!(value(&registry, "provider_servers"), 1.0);
            assert_eq!(value(&registry, "provider_servers_busy"), 1.0);
            assert_eq!(value(&registry, "provider_queue_depth"), 1.0);
        })
    });
    assert!(gone.await.is_err(), "two have left");
    assert_eq!(value(&registry, "provider_queue_depth"), 0.0);
    tokio::time::sleep(slow.median).await;
    assert_eq!(value(&registry, "provider_servers_busy"), 0.0);

    for (operation, outcome, count) in [
        ("token", "done", 1.0),
        ("authorize", "done", 1.0),
        ("authorize", "replayed", 1.0),
        ("authorize", "declined", 1.0),
        ("authorize", "refused", 1.0),
        ("authorize", "overloaded", 1.0),
        ("authorize", "abandoned", 2.0),
        ("look_up", "refused", 1.0),
        ("capture", "done", 1.0),
        ("refund", "done", 1.0),
        ("refund", "unauthorized", 1.0),
        ("refund", "overloaded", 0.0),
    ] {
        let series =
            format!("provider_requests_total{{operation=\"{operation}\",outcome=\"{outcome}\"}}");
        assert_eq!(value(&registry, &series), count, "{series}");
    }
    let duration = "provider_request_duration_seconds_count{operation=\"authorize\"}";
    assert_eq!(value(&registry, duration), 7.0);
}

#[tokio::test(start_paused = true)]
async fn a_foreign_company_has_no_part_in_the_traces_of_the_shop() {
    let client = Client::of(QUICK).await;
    let request = Request::post("/authorizations")
        .header("authorization", format!("Bearer {}", client.token))
        .header("content-type", "application/json")
        .header("idempotency-key", "a")
        .header("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
    let body = charge(1, "card").to_string();
    let answer = client.send(request.body(body.into()).expect("a request")).await;
    assert_eq!(answer.status, 201);
    let names: Vec<_> = answer.headers.keys().map(http::HeaderName::as_str).collect();
    assert!(names.iter().all(|name| !name.contains("trace")), "{names:?}");
}
