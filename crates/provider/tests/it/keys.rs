//! Idempotency: whatever is sent twice is done once.

use std::collections::HashSet;

use futures_util::future::join_all;
use provider::{Config, Provider};
use serde_json::json;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::client::{Client, QUICK, charge};

#[tokio::test(start_paused = true)]
async fn the_same_request_gets_the_same_answer() {
    let client = Client::of(QUICK).await;
    let first = client.authorize("key-1", 100).await;
    let second = client.authorize("key-1", 100).await;
    assert_eq!((second.status, &second.body), (first.status, &first.body));
    assert!(!first.is_replayed() && second.is_replayed());

    let id = first.text("id");
    let captures = [client.capture("a", &id).await, client.capture("a", &id).await];
    assert_eq!(captures[0].body, captures[1].body);
    assert_eq!(captures.each_ref().map(super::client::Answer::is_replayed), [false, true]);
    let refunds = [client.refund("a", &id).await, client.refund("a", &id).await];
    assert_eq!(refunds[0].body, refunds[1].body);
    assert_eq!(refunds.each_ref().map(super::client::Answer::is_replayed), [false, true]);

    let totals = client.provider.totals();
    assert_eq!((totals.authorizations, totals.captures, totals.refunds), (1, 1, 1));
}

#[tokio::test(start_paused = true)]
async fn what_is_done_is_done_whatever_the_key() {
    let client = Client::of(QUICK).await;
    let id = client.authorized("key-1", 100).await;
    let (first, second) = (client.capture("a", &id).await, client.capture("b", &id).await);
    assert_eq!(first.body, second.body);
    assert!(second.is_replayed());
    let (first, second) = (client.refund("a", &id).await, client.refund("b", &id).await);
    assert_eq!(first.body, second.body);
    assert!(second.is_replayed());
    assert_eq!(client.provider.totals().captured_minor, 100);
    assert_eq!(client.provider.totals().refunded_minor, 100);
}

#[tokio::test(start_paused = true)]
async fn a_key_that_captured_says_so_for_ever_and_a_new_one_comes_too_late() {
    let client = Client::of(QUICK).await;
    let id = client.authorized("key-1", 100).await;
    let captured = client.capture("a", &id).await;
    client.refund("a", &id).await;
    let again = client.capture("a", &id).await;
    assert_eq!((again.status.as_u16(), again.body), (201, captured.body));
    assert_eq!(client.capture("b", &id).await.problem(), (409, "authorization_closed"));
}

#[tokio::test(start_paused = true)]
async fn a_key_is_of_one_request_of_its_kind() {
    let client = Client::of(QUICK).await;
    let (one, other) = (client.authorized("one", 100).await, client.authorized("two", 100).await);
    for body in [charge(101, "card"), charge(100, "visa")] {
        let refused = client.post("/authorizations", "one", &body).await;
        assert_eq!(refused.problem(), (422, "idempotency_key_reused"), "{body}");
    }
    assert_eq!(client.capture("one", &one).await.status, 201);
    assert_eq!(client.capture("one", &other).await.problem(), (422, "idempotency_key_reused"));
    assert_eq!(client.refund("one", &one).await.status, 201);
    assert_eq!(client.refund("one", &other).await.problem(), (422, "idempotency_key_reused"));
    assert_eq!(client.provider.totals().captures, 1);
}

#[tokio::test(start_paused = true)]
async fn what_was_refused_is_not_remembered() {
    let client = Client::of(QUICK).await;
    let nothing = "00000000-0000-8000-8000-000000000000";
    assert_eq!(client.capture("a", nothing).await.problem(), (404, "authorization_not_found"));
    let id = client.authorized("key-1", 100).await;
    assert_eq!(client.capture("a", &id).await.status, 201);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_at_once_with_one_key_charge_once() {
    let provider = Provider::new(Config::default());
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let stop = CancellationToken::new();
    let served = tokio::spawn(provider.clone().serve(listener, stop.clone()));
    let token = Client::of_provider(provider.clone()).await.token;

    let client = reqwest::Client::builder().no_proxy().build().expect("a client");
    let (client, url) = (&client, &url);
    let send = async |path: &str, body: serde_json::Value| {
        let request = client.post(format!("{url}{path}")).bearer_auth(&token).json(&body);
        let answer = request.header("idempotency-key", "the-one").send().await.expect("an answer");
        let replayed = answer.headers().contains_key("idempotent-replayed");
        assert_eq!(answer.status(), 201);
        let body: serde_json::Value = answer.json().await.expect("JSON");
        (body["id"].as_str().expect("an id").to_owned(), replayed)
    };
    let all = async |path: &str, body: serde_json::Value| {
        let answers = join_all((0..50).map(|_| send(path, body.clone()))).await;
        let ids: HashSet<_> = answers.iter().map(|(id, _)| id.clone()).collect();
        let firsts = answers.iter().filter(|(_, replayed)| !replayed).count();
        assert_eq!((ids.len(), firsts), (1, 1), "{path}");
        ids.into_iter().next().expect("there is one")
    };
    let id = all("/authorizations", charge(700, "card-ok")).await;
    all("/captures", json!({"authorization_id": id})).await;
    all("/refunds", json!({"authorization_id": id})).await;
    let totals = provider.totals();
    assert_eq!((totals.authorizations, totals.captures, totals.refunds), (1, 1, 1));
    assert_eq!((totals.captured_minor, totals.refunded_minor), (700, 700));
    stop.cancel();
    served.await.expect("no panic");
}
