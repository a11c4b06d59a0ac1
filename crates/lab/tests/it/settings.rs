//! What operators can do: change a setting, go back to the release before; and whether it helped.

use std::time::Duration;

use faults::{Seam, Service};
use reqwest::{Method, StatusCode};
use testbed::{Prometheus, eventually};

use crate::desk::{PATIENCE, World};

const SET: &str = "/settings/order-api";
const FIVE: Duration = Duration::from_secs(5);

#[tokio::test]
async fn a_setting_is_changed_and_kept_when_the_service_starts_again() {
    let world = World::empty();
    let api = world.side(Service::OrderApi).await;
    let desk = world.desk().await;
    let (status, text) = desk.text(Method::PUT, SET, "request-deadline=300ms").await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(text, "order-api\n  request-deadline          300ms (started with 5s)\n");
    assert_eq!(api.deadline(), Duration::from_millis(300));
    api.stop().await;

    let api = world.side(Service::OrderApi).await;
    let kept = async || (api.deadline() != FIVE).then_some(());
    eventually(PATIENCE, "the setting", kept).await;
    let (_, all) = desk.json(Method::GET, "/settings", "").await;
    assert_eq!(all["services"][0]["settings"][0]["value"], "300ms");
    let (_, text) = desk.text(Method::PUT, SET, "request-deadline=default").await;
    assert_eq!(text, "order-api\n  request-deadline          5s\n");
    assert_eq!(api.deadline(), FIVE);
}

#[tokio::test]
async fn what_cannot_be_set_is_refused_and_nothing_is_changed() {
    let world = World::empty();
    let api = world.side(Service::OrderApi).await;
    let desk = world.desk().await;
    let bad = StatusCode::UNPROCESSABLE_ENTITY;
    for (path, form, refused, says) in [
        (SET, "request-deadline=1s&limit=2", bad, "there is no setting \"limit\""),
        (SET, "request-deadline=soon", bad, "request-deadline=soon: "),
        ("/settings/nobody", "a=1", StatusCode::NOT_FOUND, "there is no service \"nobody\""),
        ("/settings/web-gateway", "a=1", StatusCode::SERVICE_UNAVAILABLE, "cannot be reached"),
    ] {
        let (status, text) = desk.text(Method::PUT, path, form).await;
        assert_eq!(status, refused, "{text}");
        assert!(text.contains(says), "{text}");
    }
    assert_eq!(api.deadline(), FIVE);
    let (status, _) = desk.text(Method::POST, "/releases/nobody/rollback", "").await;
    assert_eq!(status, StatusCode::NOT_FOUND);
}

/// The last change wins, be it an operator's or a fault's.
#[tokio::test]
async fn a_fault_changes_a_setting_until_it_is_healed_or_set_otherwise() {
    let world = World::empty();
    let gateway = world.side(Service::WebGateway).await;
    let desk = world.desk().await;
    let set = async |value: &str| {
        let form = format!("request-deadline={value}");
        desk.text(Method::PUT, "/settings/web-gateway", &form).await.0
    };
    set("4s").await;
    desk.text(Method::POST, "/chaos/bad-timeout", "deadline=200").await;
    assert_eq!(gateway.deadline(), Duration::from_millis(200));
    assert_eq!(set("3s").await, StatusCode::OK);
    assert_eq!(gateway.deadline(), Duration::from_secs(3));
    desk.text(Method::POST, "/chaos/bad-timeout", "deadline=200").await;
    assert_eq!(gateway.deadline(), Duration::from_millis(200));
    desk.text(Method::DELETE, "/chaos", "").await;
    assert_eq!(gateway.deadline(), FIVE);
}

/// Code that came with a release goes with it; what others do to the service does not.
#[tokio::test]
async fn a_rollback_takes_the_code_of_the_last_release_with_it() {
    let world = World::empty();
    let api = world.side(Service::OrderApi).await;
    let desk = world.desk().await;
    for name in ["latency", "n-plus-one"] {
        desk.text(Method::POST, &format!("/chaos/{name}"), "").await;
    }
    let seams = || api.armings().into_iter().map(|arming| arming.seam).collect::<Vec<_>>();
    assert_eq!(seams(), [Seam::StoreOrder, Seam::ListOrders]);
    let answer = "order-api runs the release before its last one\n".to_owned();
    for _ in 0..2 {
        let done = desk.text(Method::POST, "/releases/order-api/rollback", "").await;
        assert_eq!(done, (StatusCode::OK, answer.clone()), "it says nothing of whether it helped");
        assert_eq!(seams(), [Seam::StoreOrder]);
    }
}

/// A Prometheus that has seen nothing sees no witness, and no promise that is broken.
#[tokio::test]
async fn a_fault_about_which_something_was_done_is_over_when_all_is_well_for_long_enough() {
    if testbed::left_out(Prometheus::available()) {
        return;
    }
    let prometheus = Prometheus::start("scrape_configs: []").await.expect("Prometheus starts");
    let world = World { prometheus_url: Some(prometheus.url()), ..World::empty() };
    let (_api, _gateway) =
        (world.side(Service::OrderApi).await, world.side(Service::WebGateway).await);
    let desk = world.desk().await;
    for name in ["n-plus-one", "bad-timeout"] {
        desk.text(Method::POST, &format!("/chaos/{name}"), "").await;
    }
    let form = "request-deadline=default";
    desk.text(Method::PUT, "/settings/web-gateway", form).await;
    let repaired = async || {
        let (_, status) = desk.json(Method::GET, "/chaos/status", "").await;
        let repaired = status["repaired"].as_array().unwrap();
        repaired.contains(&"bad-timeout".into()).then_some(status)
    };
    eventually(Duration::from_secs(120), "it is repaired", repaired).await;
    let on = async |name: &str| desk.metric(&format!("fault_armed{{fault=\"{name}\"}}")).await;
    assert_eq!((on("bad-timeout").await, on("n-plus-one").await), (Some(0.0), Some(1.0)));
}
