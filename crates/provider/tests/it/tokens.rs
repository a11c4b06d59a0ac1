//! Tokens: who has one may ask, until it expires.

use std::time::Duration;

use axum::body::Body;
use http::Request;
use provider::Behaviour;
use serde_json::json;
use tokio::time::advance;

use crate::client::{Client, QUICK};

#[tokio::test(start_paused = true)]
async fn a_token_expires_and_an_older_one_stays_valid_until_then() {
    let client = Client::of(QUICK).await;
    let first = client.with_token(client.new_token().await);
    advance(Duration::from_secs(200)).await;
    let second = client.with_token(client.new_token().await);
    assert_ne!(first.token, second.token);
    assert_eq!(first.authorize("a", 1).await.status, 201);
    advance(Duration::from_secs(101)).await;
    let expired = first.authorize("a", 1).await;
    assert_eq!(expired.problem(), (401, "token_expired"));
    assert_eq!(expired.headers["www-authenticate"], "Bearer");
    assert_eq!(second.authorize("a", 1).await.status, 201);
}

#[tokio::test(start_paused = true)]
async fn how_long_a_token_lives_can_be_changed_and_a_shorter_life_is_that_of_all() {
    let client = Client::of(QUICK).await;
    client.provider.set_behaviour(Behaviour { token_ttl: Duration::from_secs(2), ..QUICK });
    let credentials = json!({"client_id": "shop", "client_secret": "shop-secret"});
    let answer = client.post("/tokens", "any", &credentials).await;
    assert_eq!(answer.body["expires_in"], 2);
    let short = client.with_token(answer.text("access_token"));
    assert_eq!(short.authorize("a", 1).await.status, 201);
    advance(Duration::from_secs(2)).await;
    assert_eq!(short.authorize("a", 1).await.problem(), (401, "token_expired"));
    let before = client.authorize("a", 1).await;
    assert_eq!(before.problem(), (401, "token_expired"), "also if it was issued before");

    let short = client.with_token(client.new_token().await);
    client.provider.set_behaviour(QUICK);
    let long = client.with_token(client.new_token().await);
    advance(Duration::from_secs(2)).await;
    assert_eq!(short.authorize("b", 1).await.problem(), (401, "token_expired"), "it stays short");
    assert_eq!(long.authorize("b", 1).await.status, 201);
}

#[tokio::test]
async fn wrong_credentials_get_no_token() {
    let client = Client::of(QUICK).await;
    for (id, secret) in [("shop", "wrong"), ("shops", "shop-secret"), ("", "")] {
        let credentials = json!({"client_id": id, "client_secret": secret});
        let answer = client.post("/tokens", "any", &credentials).await;
        assert_eq!(answer.problem(), (401, "invalid_client"));
    }
}

#[tokio::test]
async fn everything_but_the_ledger_needs_a_token() {
    let client = Client::of(QUICK).await;
    let nobody = client.with_token("nobody's".to_owned());
    for answer in [
        nobody.authorize("a", 1).await,
        nobody.look_up("a").await,
        nobody.capture("a", "any").await,
        nobody.refund("a", "any").await,
    ] {
        assert_eq!(answer.problem(), (401, "invalid_token"));
    }
    for header in [None, Some(""), Some("Bearer"), Some("Basic c2hvcDpzaG9w")] {
        let request = Request::get("/authorizations/a");
        let request = header.into_iter().fold(request, |r, value| r.header("authorization", value));
        let answer = client.send(request.body(Body::empty()).expect("a request")).await;
        assert_eq!(answer.problem(), (401, "invalid_token"), "{header:?}");
    }
    assert_eq!(nobody.get("/ledger").await.status, 200);
}
