//! The payment provider, as the desk runs it, shows it and changes it.

use lab::desk::ProviderStatus;
use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};
use tokio::process::Command;

use crate::desk::{DeskFixture, World};

/// Asks the provider as the shop does.
async fn authorize(desk: &DeskFixture, key: &str) -> reqwest::Result<Value> {
    let client = Client::new();
    let credentials = json!({"client_id": "shop", "client_secret": "shop-secret"});
    let tokens = format!("{}/tokens", desk.provider_url);
    let token: Value = client.post(tokens).json(&credentials).send().await?.json().await?;
    let charge = json!({
        "amount_minor": 1180,
        "currency": "EUR",
        "payment_method": "card",
        "reference": key,
    });
    let request = client.post(format!("{}/authorizations", desk.provider_url)).json(&charge);
    let request = request.bearer_auth(token["access_token"].as_str().expect("a token"));
    request.header("idempotency-key", key).send().await?.json().await
}

#[tokio::test]
async fn the_provider_is_shown_and_changed_while_it_runs() {
    let desk = World::empty().desk().await;
    let (status, text) = desk.text(Method::PUT, "/provider?capacity=4", "decline_rate=0").await;
    assert_eq!(status, StatusCode::OK);
    let behaviour = "available=true capacity=4 median_ms=8 sigma=0.4 queue=256 decline_rate=0 error_rate=0 \
                     token_ttl_s=300\n";
    assert!(text.starts_with(behaviour), "{text}");
    assert_eq!(desk.metric("provider_servers").await, Some(4.0));

    let answer = authorize(&desk, "order-1").await.expect("an answer");
    assert_eq!(answer["status"], "authorized");
    let (_, json) = desk.json(Method::GET, "/provider", "").await;
    let shown: ProviderStatus = serde_json::from_value(json).expect("a status");
    assert_eq!((shown.totals.authorizations, shown.totals.authorized_minor), (1, 1180));
    assert_eq!((shown.behaviour.capacity, shown.behaviour.decline_rate), (4, 0.0));
    let series = r#"provider_requests_total{operation="authorize",outcome="done"}"#;
    assert_eq!(desk.metric(series).await, Some(1.0));
    let (_, text) = desk.text(Method::GET, "/status", "").await;
    let line = "payments\n  provider available, 0 of 4 servers busy, 0 waiting; since the start: 1 \
                authorized, 0 declined\n";
    assert!(text.contains(line), "{text}");

    desk.text(Method::PUT, "/provider", "available=false").await;
    assert!(authorize(&desk, "order-2").await.is_err(), "nobody answers");
    let (_, text) = desk.text(Method::PUT, "/provider", "available=true&decline_rate=1").await;
    assert!(text.contains("decline_rate=1"), "{text}");
    assert_eq!(authorize(&desk, "order-2").await.expect("an answer")["status"], "declined");
    desk.stop().await;
}

/// Runs `lab provider`: exit code and what it printed.
async fn command(desk: &DeskFixture, arguments: &[&str]) -> (i32, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_lab"))
        .arg("provider")
        .args(arguments)
        .env("LAB_DESK_URL", &desk.url)
        .output()
        .await
        .expect("the lab's program runs");
    let text = [output.stdout, output.stderr].concat();
    (output.status.code().expect("no signal"), String::from_utf8(text).expect("text"))
}

#[tokio::test]
async fn the_provider_is_shown_and_changed_from_the_command_line() {
    let desk = World::empty().desk().await;
    for arguments in [&[][..], &["show"]] {
        let (code, text) = command(&desk, arguments).await;
        assert_eq!(code, 0, "{text}");
        assert!(text.contains("capacity=16") && text.contains("authorized"), "{text}");
    }
    let (code, text) = command(&desk, &["set", "capacity=3", "available=false"]).await;
    assert_eq!(code, 0, "{text}");
    assert!(text.starts_with("available=false capacity=3 median_ms=8"), "{text}");
    for bad in [&["set"][..], &["set", "capacity"], &["set", "capacity=many"], &["set", "x=1"]] {
        let (code, text) = command(&desk, bad).await;
        assert_eq!(code, 2, "{bad:?}: {text}");
    }
    assert_eq!(desk.metric("provider_servers").await, Some(3.0));
}
