//! The other ways that steps of the gateway can take: what is wrong with each, and that it ends.

use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::shop::{Answer, Shop, cart};

fn other_way() -> Value {
    json!({"detour": {"share": 1.0}})
}

#[tokio::test]
async fn a_failed_order_is_counted_as_placed_and_answered_as_it_is() {
    let shop = Shop::open().await;
    shop.arm("store_order", json!({"fail": {"share": 1.0}})).await;
    let counted = async |status: u16| {
        let labels = format!(r#"{{method="POST",route="/orders",status_code="{status}"}}"#);
        let total = shop.metric(&format!("http_requests_total{labels}")).await;
        let timed = format!("http_request_duration_seconds_count{labels}");
        assert_eq!(shop.metric(&timed).await, total);
        total
    };
    shop.arm("count_answer", other_way()).await;
    assert_eq!(shop.order(&cart()).await.status, 503);
    assert_eq!(shop.get("/orders/1").await.status, 404);
    assert_eq!((counted(201).await, counted(503).await), (1.0, 0.0));

    shop.disarm("count_answer").await;
    assert_eq!(shop.order(&cart()).await.status, 503);
    assert_eq!((counted(201).await, counted(503).await), (1.0, 1.0));
}

#[tokio::test]
async fn everybody_who_looks_at_the_products_asks_for_themselves() {
    let shop = Shop::open().await;
    let look = async || {
        let mut looking = JoinSet::new();
        for _ in 0..10 {
            looking.spawn(shop.client.get(format!("http://{}/products", shop.address)).send());
        }
        for answer in looking.join_all().await {
            let answer = Answer::of(answer.unwrap()).await;
            assert_eq!(answer.status, 200);
            assert_eq!(answer.json()["products"].as_array().unwrap().len(), 12);
        }
        let asked = r#"grpc_client_attempts_total{method="ListProducts",status="OK"}"#;
        let missed = r#"cache_requests_total{result="miss"}"#;
        (shop.metric(asked).await, shop.metric(missed).await)
    };
    shop.arm("show_products", other_way()).await;
    // For the list, and for the price and the stock of each of the twelve on it.
    assert_eq!(look().await, (250.0, 10.0));
    shop.disarm("show_products").await;
    let (asked, _) = look().await;
    assert!(asked <= 252.0, "{} questions for ten answers", asked - 250.0);
}
