//! A fault from the desk to the service it strikes, and back.

use std::time::Duration;

use faults::{Arming, Effect, Seam, Service};
use reqwest::{Method, StatusCode};
use testbed::eventually;
use tokio::process::Command;
use uuid::Uuid;

use crate::desk::{DeskFixture, PATIENCE, Side, World};

const ARMED: &str = r#"fault_armed{fault="latency"}"#;

#[tokio::test]
async fn a_fault_strikes_its_service_until_it_is_healed() {
    let world = World::empty();
    let (api, gateway) =
        (world.side(Service::OrderApi).await, world.side(Service::WebGateway).await);
    let desk = world.desk().await;
    assert_eq!(desk.metric(ARMED).await, Some(0.0));

    let (status, text) = desk.text(Method::POST, "/chaos/latency?p=1", "ms=120&for=5m").await;
    assert_eq!(status, StatusCode::OK);
    assert!(text.starts_with("on: latency ms=120 p=1 for=5m, until "), "{text}");
    assert!(text.contains("just alerts") && text.contains("just hint latency"), "{text}");
    assert!(!text.contains("order_api") && !text.contains("database"), "no answer in it: {text}");
    let held = api.armings();
    assert_eq!(held.len(), 1);
    assert_eq!(held[0].seam, Seam::StoreOrder);
    assert_eq!(held[0].effect, Effect::Delay { median_ms: 120.0, share: 1.0 });
    assert!((290_000..=300_000).contains(&held[0].remaining_ms), "{held:?}");
    assert_eq!(gateway.armings(), []);
    assert_eq!(desk.metric(ARMED).await, Some(1.0));
    assert_eq!(desk.metric(r#"fault_armed{fault="errors"}"#).await, Some(0.0));

    let (status, text) = desk.text(Method::DELETE, "/chaos/latency", "").await;
    assert_eq!(
        (status, text.as_str()),
        (
            StatusCode::OK,
            "off: latency\nfulfillment-worker cannot be reached; it follows when it can\n"
        )
    );
    assert_eq!(api.armings(), []);
    assert_eq!(desk.metric(ARMED).await, Some(0.0));
}

/// Runs `lab`: exit code and what it printed.
async fn command(desk: &DeskFixture, arguments: &[&str]) -> (i32, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_lab"))
        .args(arguments)
        .env("LAB_DESK_URL", &desk.url)
        .output()
        .await
        .expect("the lab's program runs");
    let text = [output.stdout, output.stderr].concat();
    (output.status.code().expect("no signal"), String::from_utf8(text).expect("text"))
}

#[tokio::test]
async fn who_turns_a_fault_on_is_told_its_cause_step_by_step_if_they_ask() {
    let desk = World::empty().desk().await;
    for fault in faults::FAULTS.iter().filter(|fault| fault.needs() == faults::Needs::Nothing) {
        let path = format!("/chaos/{}", fault.name);
        let (status, text) = desk.text(Method::POST, &path, "").await;
        if status == StatusCode::CONFLICT {
            continue; // It needs a second replica.
        }
        assert_eq!(status, StatusCode::OK, "{text}");
        assert!(!text.contains(fault.summary()) && !text.contains(&fault.story()), "{text}");
        let (_, json) = desk.json(Method::POST, &path, "").await;
        assert!(!json.to_string().contains(fault.summary()), "{json}");
    }
    let latency = faults::find("latency").expect("the catalogue has it");
    for (arguments, step) in [(&["hint", "latency"][..], 0), (&["hint", "latency", "3"], 2)] {
        let (code, text) = command(&desk, arguments).await;
        assert_eq!(code, 0, "{text}");
        for (number, hint) in latency.hints.iter().enumerate() {
            assert_eq!(text.contains(hint), number == step, "{text}");
        }
    }
    let (code, text) = command(&desk, &["story", "latency"]).await;
    assert_eq!(code, 0, "{text}");
    for told in [&latency.story(), latency.fix, latency.red_herring] {
        assert!(text.contains(told), "{text}");
    }
    for bad in [&["hint", "latency", "4"][..], &["hint", "nobody"], &["story", "nobody"]] {
        let (code, text) = command(&desk, bad).await;
        assert_eq!(code, 2, "{bad:?}: {text}");
    }
    let (status, text) = desk.text(Method::GET, "/chaos/latency/hint/0", "").await;
    assert_eq!(status, StatusCode::NOT_FOUND, "{text}");
    assert!(text.contains("possible:\n  1\n  2\n  3"), "{text}");
}

#[tokio::test]
async fn arming_again_replaces_what_was_set() {
    let world = World::empty();
    let api = world.side(Service::OrderApi).await;
    let desk = world.desk().await;
    desk.text(Method::POST, "/chaos/latency", "ms=100").await;
    desk.text(Method::POST, "/chaos/latency", "ms=200").await;
    desk.text(Method::POST, "/chaos/errors", "").await;
    let held: Vec<_> = api.armings().into_iter().map(|arming| arming.effect).collect();
    let delay = Effect::Delay { median_ms: 200.0, share: 0.5 };
    assert_eq!(held, [delay, Effect::Fail { share: 0.27 }]);

    let (_, healed) = desk.json(Method::DELETE, "/chaos", "").await;
    assert_eq!(healed["healed"], serde_json::json!(["latency", "errors"]));
    assert_eq!(api.armings(), []);
    assert_eq!(desk.text(Method::DELETE, "/chaos", "").await.0, StatusCode::OK);
}

#[tokio::test]
async fn what_is_done_outside_of_the_services_is_undone() {
    let world = World::empty();
    let desk = world.desk().await;
    let is = async || {
        let (_, provider) = desk.json(Method::GET, "/provider", "").await;
        let (_, load) = desk.json(Method::GET, "/load", "").await;
        let behaviour = &provider["behaviour"];
        (behaviour["capacity"].clone(), behaviour["median_ms"].clone(), load["rate"].clone())
    };
    let before = is().await;
    desk.text(Method::POST, "/chaos/slow-provider", "capacity=2&ms=300").await;
    desk.text(Method::POST, "/chaos/traffic-spike", "times=4&for=5s").await;
    let (capacity, median, rate) = is().await;
    assert_eq!((capacity.as_u64(), median.as_f64()), (Some(2), Some(300.0)));
    assert_eq!(rate.as_f64().unwrap(), 4.0 * before.2.as_f64().unwrap());
    eventually(PATIENCE, "the customers are as many as before", async || {
        (is().await.2 == before.2).then_some(())
    })
    .await;
    assert_eq!(is().await.0, capacity, "the other is still on");
    desk.text(Method::DELETE, "/chaos", "").await;
    assert_eq!(is().await, before);
}

/// Whichever is turned off first, the other stays as it is, and nothing is left at the end.
#[tokio::test]
async fn two_that_bend_the_same_thing_are_undone_in_any_order() {
    let world = World::empty();
    let desk = world.desk().await;
    let is = async || desk.json(Method::GET, "/provider", "").await.1["behaviour"].clone();
    let before = is().await;
    for first in ["slow-provider", "pool-leak"] {
        desk.text(Method::POST, "/chaos/slow-provider", "capacity=2.2&ms=300").await;
        desk.text(Method::POST, "/chaos/pool-leak", "declined=0.5").await;
        let both = is().await;
        assert_eq!(
            (both["capacity"].as_u64(), both["decline_rate"].as_f64()),
            (Some(2), Some(0.5))
        );
        desk.text(Method::DELETE, &format!("/chaos/{first}"), "").await;
        let one = is().await;
        let (slow, declining) = (one["capacity"] == both["capacity"], one["decline_rate"] == 0.5);
        assert_eq!((slow, declining), (first == "pool-leak", first == "slow-provider"));
        desk.text(Method::DELETE, "/chaos", "").await;
        assert_eq!(is().await, before, "{first} first");
    }
}

#[tokio::test]
async fn a_fault_ends_by_itself_everywhere_at_once() {
    let world = World::empty();
    let api = world.side(Service::OrderApi).await;
    let desk = world.desk().await;
    desk.text(Method::POST, "/chaos/latency", "for=5s").await;
    assert_eq!(desk.metric(ARMED).await, Some(1.0));
    eventually(PATIENCE, "the fault is over", async || {
        (desk.metric(ARMED).await == Some(0.0) && api.armings().is_empty()).then_some(())
    })
    .await;
    let (_, text) = desk.text(Method::GET, "/chaos/status", "").await;
    assert_eq!(text, "on\n  none is on\n");
}

#[tokio::test]
async fn a_service_that_comes_back_gets_back_what_is_on() {
    let world = World::empty();
    let desk = world.desk().await;
    let (_, text) = desk.text(Method::POST, "/chaos/errors", "p=1&for=5m").await;
    assert!(text.contains("order-api cannot be reached; it follows when it can"), "{text}");

    for _ in 0..2 {
        let api = world.side(Service::OrderApi).await;
        let held = eventually(PATIENCE, "the fault is on again", async || {
            api.armings().into_iter().next()
        })
        .await;
        assert_eq!(held.effect, Effect::Fail { share: 1.0 });
        assert!(held.remaining_ms < 300_000, "its time goes on meanwhile");
        api.stop().await;
    }
}

#[tokio::test]
async fn what_no_desk_knows_of_does_not_stay_on() {
    let world = World::empty();
    let api = world.side(Service::OrderApi).await;
    api.hold(vec![Arming {
        id: Uuid::new_v4(),
        seam: Seam::StoreOrder,
        effect: Effect::Fail { share: 1.0 },
        remaining_ms: 600_000,
    }]);
    let _desk = world.desk().await;
    wait_until_empty(&api).await;
}

#[tokio::test]
async fn a_desk_that_stops_leaves_nothing_on() {
    let world = World::empty();
    let api = world.side(Service::OrderApi).await;
    let desk = world.desk().await;
    desk.text(Method::POST, "/chaos/latency", "").await;
    assert_eq!(api.armings().len(), 1);
    desk.stop().await;
    assert_eq!(api.armings(), []);
}

async fn wait_until_empty(side: &Side) {
    eventually(Duration::from_secs(5), "the switchboard is empty", async || {
        side.armings().is_empty().then_some(())
    })
    .await;
}
