//! What is answered when all goes well, and what becomes of an authorization.

use provider::Behaviour;
use serde_json::json;

use crate::client::{Client, QUICK, charge};

#[tokio::test(start_paused = true)]
async fn a_card_is_authorized_captured_and_paid_back() {
    let client = Client::of(QUICK).await;
    let answer = client.authorize("key-1", 1180).await;
    assert_eq!(answer.status, 201);
    assert!(!answer.is_replayed());
    let id = answer.text("id");
    let promise = json!({
        "id": id,
        "status": "authorized",
        "amount_minor": 1180,
        "currency": "EUR",
        "reference": "order-1",
    });
    assert_eq!(answer.body, promise);

    let capture = client.capture("capture-1", &id).await;
    assert_eq!(capture.status, 201);
    let id_of_capture = capture.text("id");
    assert_eq!(
        capture.body,
        json!({"id": id_of_capture, "authorization_id": id, "amount_minor": 1180})
    );
    let refund = client.refund("refund-1", &id).await;
    assert_eq!(refund.status, 201);
    assert_eq!(refund.body["kind"], "refund");
    assert_eq!(refund.body["amount_minor"], 1180);
    assert_eq!(refund.body["authorization_id"], id);

    let mut now = promise;
    now["captured_minor"] = json!(1180);
    now["refunded_minor"] = json!(1180);
    now["voided"] = json!(false);
    let found = client.look_up("key-1").await;
    assert_eq!((found.status.as_u16(), found.body), (200, now));
}

#[tokio::test(start_paused = true)]
async fn what_is_not_captured_is_voided() {
    let client = Client::of(QUICK).await;
    let id = client.authorized("key-1", 500).await;
    let reversal = client.refund("refund-1", &id).await;
    assert_eq!(reversal.body["kind"], "void");
    let found = client.look_up("key-1").await.body;
    assert_eq!(found["voided"], true);
    assert_eq!((&found["captured_minor"], &found["refunded_minor"]), (&json!(0), &json!(0)));
    let refused = client.capture("capture-1", &id).await;
    assert_eq!(refused.problem(), (409, "authorization_closed"));
}

#[tokio::test(start_paused = true)]
async fn a_decline_is_a_normal_answer() {
    let client = Client::of(QUICK).await;
    let answer = client.post("/authorizations", "key-1", &charge(1, "card-declined")).await;
    assert_eq!(answer.status, 201);
    assert_eq!(answer.body["status"], "declined");
    assert_eq!(answer.body["decline_reason"], "card_declined");
    let found = client.look_up("key-1").await.body;
    assert_eq!((&found["status"], &found["voided"]), (&json!("declined"), &json!(false)));
    for refused in [
        client.capture("capture-1", &answer.text("id")).await,
        client.refund("refund-1", &answer.text("id")).await,
    ] {
        assert_eq!(refused.problem(), (409, "authorization_declined"));
    }
    assert_eq!(client.provider.totals().declined, 1);
    assert_eq!(client.provider.totals().authorized_minor, 0);
}

#[tokio::test(start_paused = true)]
async fn who_is_declined_is_the_same_again() {
    let declined = async || {
        let client = Client::of(Behaviour { decline_rate: 0.3, ..QUICK }).await;
        let mut declined = Vec::new();
        for number in 0..200 {
            let answer = client.authorize(&format!("order-{number}"), 100).await;
            match answer.body["status"].as_str().expect("a status") {
                "declined" => declined.push((number, answer.text("decline_reason"))),
                status => assert_eq!(status, "authorized"),
            }
        }
        declined
    };
    let first = declined().await;
    assert!((40..80).contains(&first.len()), "{}", first.len());
    assert!(first.iter().any(|(_, reason)| reason == "insufficient_funds"));
    assert_eq!(first, declined().await);
}
