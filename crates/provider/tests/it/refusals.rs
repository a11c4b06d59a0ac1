//! What cannot be is refused, with a code that never changes.

use axum::body::Body;
use http::{Method, Request};
use serde_json::{Value, json};

use crate::client::{Answer, Client, QUICK, charge};

/// Sends a body as it is.
async fn send(client: &Client, kind: &str, body: impl Into<Body>) -> Answer {
    let request = Request::post("/authorizations")
        .header("authorization", format!("Bearer {}", client.token))
        .header("idempotency-key", "key-1")
        .header("content-type", kind);
    client.send(request.body(body.into()).expect("a request")).await
}

#[tokio::test(start_paused = true)]
async fn a_body_that_is_no_json_is_refused() {
    let client = Client::of(QUICK).await;
    for body in ["", "{", "amount_minor=1", "{} {}", "\"\u{0}\""] {
        let answer = send(&client, "application/json", body).await;
        assert_eq!(answer.problem(), (400, "malformed_json"), "{body:?}");
    }
    let valid = charge(1, "card").to_string();
    for kind in ["", "text/plain", "application/json5", "application/x-www-form-urlencoded"] {
        let answer = send(&client, kind, valid.clone()).await;
        assert_eq!(answer.problem(), (415, "unsupported_media_type"), "{kind}");
    }
    let large = format!("{}{}", valid, " ".repeat(20_000));
    let answer = send(&client, "application/json", large).await;
    assert_eq!(answer.problem(), (413, "body_too_large"));
    let answer = send(&client, "Application/JSON; charset=utf-8", valid).await;
    assert_eq!(answer.status, 201);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_does_not_come_is_not_waited_for() {
    let client = Client::of(QUICK).await;
    let never = futures_util::stream::pending::<Result<bytes::Bytes, std::io::Error>>();
    let answer = send(&client, "application/json", Body::from_stream(never)).await;
    assert_eq!(answer.problem(), (408, "body_timeout"));
}

#[tokio::test(start_paused = true)]
async fn every_field_must_be_there_known_and_within_bounds() {
    let client = Client::of(QUICK).await;
    let with = |field: &str, value: Value| {
        let mut body = charge(1, "card");
        body[field] = value;
        body
    };
    let without = |field: &str| {
        let mut body = charge(1, "card");
        body.as_object_mut().expect("an object").remove(field);
        body
    };
    let fields = ["amount_minor", "currency", "payment_method", "reference"];
    let missing = fields.map(without);
    let wrong = [
        with("tip", json!(1)),
        with("amount_minor", json!(-1)),
        with("amount_minor", json!(1.5)),
        with("amount_minor", json!("1")),
        with("amount_minor", json!(100_000_000_001_u64)),
        with("currency", json!("eur")),
        with("currency", json!("EURO")),
        with("currency", json!("€")),
        with("payment_method", json!("")),
        with("payment_method", json!("a card")),
        with("payment_method", json!("c".repeat(65))),
        with("reference", json!("")),
        with("reference", json!("order 1")),
        with("reference", json!("r".repeat(65))),
        with("reference", json!(null)),
        json!([]),
        json!("order"),
        json!(null),
    ];
    for body in missing.iter().chain(&wrong) {
        let answer = client.post("/authorizations", "key-1", body).await;
        assert_eq!(answer.problem(), (422, "invalid_request"), "{body}");
    }
    let twice = r#"{"amount_minor":1,"amount_minor":2,"currency":"EUR","payment_method":"card","reference":"r"}"#;
    let answer = send(&client, "application/json", twice).await;
    assert_eq!(answer.problem(), (422, "invalid_request"));
    for body in
        [json!({}), json!({"authorization_id": 1}), json!({"authorization_id": "a", "b": 1})]
    {
        for path in ["/captures", "/refunds"] {
            let answer = client.post(path, "key-1", &body).await;
            assert_eq!(answer.problem(), (422, "invalid_request"), "{path} {body}");
        }
    }
    assert_eq!(client.ledger("").await["entries"], json!([]));
    for amount in [0, 100_000_000_000] {
        assert_eq!(client.authorize(&format!("key-{amount}"), amount).await.status, 201);
    }
}

#[tokio::test(start_paused = true)]
async fn a_key_must_be_there_once_and_be_one() {
    let client = Client::of(QUICK).await;
    let long = "k".repeat(256);
    for keys in [&[][..], &[""], &["a b"], &["ö"], &[long.as_str()], &["a", "a"]] {
        for path in ["/authorizations", "/captures", "/refunds"] {
            let request = Request::post(path)
                .header("authorization", format!("Bearer {}", client.token))
                .header("content-type", "application/json");
            let request = keys.iter().fold(request, |r, key| r.header("idempotency-key", *key));
            let answer = client.send(request.body("{}".into()).expect("a request")).await;
            assert_eq!(answer.problem(), (400, "invalid_idempotency_key"), "{path} {keys:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_not_there_is_not_found() {
    let client = Client::of(QUICK).await;
    client.authorized("key-1", 1).await;
    for key in ["key-2", "key-1%20", "%FF", "%2F"] {
        let answer = client.look_up(key).await;
        assert_eq!(answer.problem(), (404, "authorization_not_found"), "{key}");
    }
    for id in ["", "key-1", "00000000-0000-8000-8000-000000000001"] {
        for answer in [client.capture("a", id).await, client.refund("a", id).await] {
            assert_eq!(answer.problem(), (404, "authorization_not_found"), "{id}");
        }
    }
    assert_eq!(client.get("/nowhere").await.problem(), (404, "not_found"));
    let request = Request::builder().method(Method::DELETE).uri("/authorizations");
    let answer = client.send(request.body(Body::empty()).expect("a request")).await;
    assert_eq!(answer.problem(), (405, "method_not_allowed"));
    assert_eq!(answer.headers["allow"], "POST");
}

#[tokio::test(start_paused = true)]
async fn a_part_of_the_ledger_is_asked_for_in_known_words() {
    let client = Client::of(QUICK).await;
    for query in
        ["?limit=10001", "?limit=-1", "?limit=all", "?since=x", "?page=1", "?limit=1&limit=2"]
    {
        let answer = client.get(&format!("/ledger{query}")).await;
        assert_eq!(answer.problem(), (400, "invalid_query"), "{query}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_key_with_a_slash_is_found_again() {
    let client = Client::of(QUICK).await;
    client.authorized("order/1?", 1).await;
    assert_eq!(client.look_up("order%2F1%3F").await.status, 200);
}
