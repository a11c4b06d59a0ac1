//! Books without bounds would be a leak: the oldest that are settled are forgotten, the totals
//! never.

use provider::{Config, Provider};
use serde_json::{Value, json};

use crate::client::{Client, QUICK};

async fn remembering(remembered: usize) -> Client {
    let config = Config { remembered, behaviour: QUICK, ..Config::default() };
    Client::of_provider(Provider::new(config)).await
}

fn numbers(ledger: &Value) -> Vec<u64> {
    let entries = ledger["entries"].as_array().expect("a list");
    entries.iter().map(|entry| entry["number"].as_u64().expect("a number")).collect()
}

#[tokio::test(start_paused = true)]
async fn the_oldest_that_are_settled_are_forgotten_and_the_totals_are_not() {
    let client = remembering(10).await;
    let open = client.authorized("open", 5).await;
    for number in 0..50_u64 {
        let key = format!("key-{number}");
        let id = client.authorized(&key, 100).await;
        client.capture(&key, &id).await;
        if number % 2 == 0 {
            client.refund(&key, &id).await;
        }
    }
    let ledger = client.ledger("").await;
    assert_eq!(numbers(&ledger), [[1].as_slice(), &(43..=51).collect::<Vec<_>>()].concat());
    let totals = client.provider.totals();
    assert_eq!((totals.authorizations, totals.authorized_minor), (51, 5005));
    assert_eq!((totals.captures, totals.captured_minor), (50, 5000));
    assert_eq!((totals.refunds, totals.refunded_minor), (25, 2500));
    assert_eq!(totals.forgotten, 41);
    assert_eq!(ledger["totals"], json!(totals));
    assert_eq!(client.look_up("key-0").await.problem(), (404, "authorization_not_found"));
    assert_eq!(client.capture("late", &open).await.status, 201, "what is open is remembered");
}

#[tokio::test(start_paused = true)]
async fn where_none_is_settled_the_oldest_promise_expires() {
    let client = remembering(3).await;
    for number in 0..5 {
        client.authorized(&number.to_string(), 100).await;
    }
    assert_eq!(numbers(&client.ledger("").await), [3, 4, 5]);
    let totals = client.provider.totals();
    assert_eq!((totals.authorized_minor, totals.voided_minor, totals.voids), (500, 200, 2));
    assert_eq!(totals.forgotten, 2);
}

#[tokio::test(start_paused = true)]
async fn the_ledger_comes_page_by_page_or_as_a_sum() {
    let client = remembering(5000).await;
    for number in 0..2500_u64 {
        client.authorized(&number.to_string(), number).await;
    }
    let (mut seen, mut query) = (Vec::new(), String::new());
    loop {
        let page = client.ledger(&query).await;
        assert!(numbers(&page).len() <= 1000);
        seen.extend(numbers(&page));
        let Some(next) = page["next"].as_u64() else { break };
        query = format!("?since={next}");
    }
    assert_eq!(seen, (1..=2500).collect::<Vec<_>>());

    let sum = client.ledger("?limit=0").await;
    assert_eq!((&sum["entries"], &sum["next"]), (&json!([]), &json!(null)));
    assert_eq!(sum["totals"]["authorized_minor"], (0..2500).sum::<u64>());
    let page = client.ledger("?since=2490&limit=10").await;
    assert_eq!((numbers(&page).len(), &page["next"]), (10, &json!(null)));
    let entry = &page["entries"][0];
    assert_eq!(entry["idempotency_key"], "2490");
    assert_eq!((&entry["state"], &entry["reference"]), (&json!("authorized"), &json!("order-1")));
    assert_eq!((&entry["captures"], &entry["refunds"]), (&json!(0), &json!(0)));
}
