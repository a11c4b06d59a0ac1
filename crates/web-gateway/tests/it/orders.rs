//! Placing, looking and listing.

use identity::Role;
use reqwest::Method;
use serde_json::{Value, json};

use crate::shop::{Shop, bearer, cart, cart_of};

#[tokio::test]
async fn an_order_is_answered_with_its_location_and_found_there() {
    let shop = Shop::open().await;
    let cart = json!({"items": [
        {"sku": "TEA-002", "quantity": 2}, {"sku": "TEA-001", "quantity": 1.0},
    ]});
    let placed = shop.order(&cart).await;
    assert_eq!(placed.status, 201, "{placed:?}");
    assert_eq!(placed.header("content-type"), "application/json");
    let order = placed.json();
    assert_eq!(order["customer_id"], "demo");
    assert_eq!(order["status"], "placed");
    assert_eq!(order["currency"], "EUR");
    assert_eq!(
        order["items"],
        json!([
            {"sku": "TEA-002", "quantity": 2, "unit_price_minor": 640},
            {"sku": "TEA-001", "quantity": 1, "unit_price_minor": 590},
        ])
    );
    assert_eq!(order["total_minor"], 2 * 640 + 590);

    let location = placed.header("location");
    assert_eq!(location, format!("/orders/{}", order["id"].as_str().unwrap()));
    let found = shop.get(location).await;
    assert_eq!((found.status, found.json()), (200, order));
    let found = shop.get(&location.to_uppercase().replace("/ORDERS", "/orders")).await;
    assert_eq!(found.status, 200, "an id may be written in capitals");
}

#[tokio::test]
async fn a_repeated_request_returns_the_first_answer() {
    let shop = Shop::open().await;
    let key = [("idempotency-key", "checkout-1")];
    let first = shop.order_with(&key, &cart()).await;
    assert_eq!(first.status, 201);
    assert_eq!(first.header("idempotent-replayed"), "");

    let again = shop.order_with(&key, &cart()).await;
    assert_eq!(again.status, 201);
    assert_eq!(again.header("idempotent-replayed"), "true");
    assert_eq!(again.header("location"), first.header("location"));
    assert_eq!(again.text, first.text);

    let other = json!({"items": [{"sku": "TEA-001", "quantity": 2}]});
    let reused = shop.order_with(&key, &other).await;
    assert_eq!((reused.status, reused.code().as_str()), (422, "idempotency_key_reused"));
}

#[tokio::test]
async fn all_pages_together_are_all_orders_newest_first() {
    let shop = Shop::open().await;
    let mut placed = Vec::new();
    for _ in 0..5 {
        placed.push(shop.order(&cart()).await.json());
    }
    shop.order_as(&bearer(Role::Admin, "root"), &cart_of("bob")).await;
    placed.reverse();
    // A list shows orders without their history.
    for order in &mut placed {
        order.as_object_mut().unwrap().remove("history");
    }

    let mut listed: Vec<Value> = Vec::new();
    let mut path = "/orders?customer_id=demo&status=placed&limit=2".to_owned();
    let mut pages = 0;
    loop {
        let page = shop.get(&path).await.json();
        listed.extend(page["orders"].as_array().unwrap().clone());
        pages += 1;
        let Some(cursor) = page["next_cursor"].as_str() else { break };
        path = format!("/orders?customer_id=demo&status=placed&limit=2&cursor={cursor}");
    }
    assert_eq!((listed, pages), (placed, 3));

    let none = shop.get("/orders?status=failed").await;
    assert_eq!(none.json(), json!({"orders": [], "next_cursor": null}));
}

#[tokio::test]
async fn products_are_listed_with_what_is_left_of_them() {
    let mut shop = Shop::without_order_api(&["--products-fresh", "0s"]).await;
    shop.start_order_api().await;
    let stock = async || {
        let products = shop.get("/products").await.json();
        let products = products["products"].as_array().unwrap().clone();
        let tea = products.into_iter().find(|product| product["sku"] == "TEA-001").unwrap();
        assert_eq!((&tea["unit_price_minor"], &tea["currency"]), (&json!(590), &json!("EUR")));
        tea["stock"].as_i64().unwrap()
    };
    let before = stock().await;
    shop.order(&cart()).await;
    assert_eq!(stock().await, before - 1);
}

#[tokio::test]
async fn more_than_is_in_stock_is_a_conflict() {
    let shop = Shop::open().await;
    let pool = sqlx::SqlitePool::connect(&shop.database_url()).await.unwrap();
    let empty = "UPDATE products SET stock = 3 WHERE sku = 'KET-001'";
    sqlx::query(empty).execute(&pool).await.unwrap();
    let order = async |quantity| {
        let items = json!([{"sku": "KET-001", "quantity": quantity}]);
        shop.order(&json!({"items": items})).await
    };
    let refused = order(4).await;
    assert_eq!((refused.status, refused.code().as_str()), (409, "insufficient_stock"));
    assert_eq!(order(3).await.status, 201);
}

#[tokio::test]
async fn a_correlation_id_is_taken_or_made_and_reaches_order_api() {
    let shop = Shop::open().await;
    let given = shop.order_with(&[("x-correlation-id", "checkout-7")], &cart()).await;
    assert_eq!(given.header("x-correlation-id"), "checkout-7");
    for bad in ["two words", "\u{e4}", &"x".repeat(129), ""] {
        let made = shop.order_with(&[("x-correlation-id", bad)], &cart()).await;
        assert_eq!(made.status, 201);
        assert_eq!(made.header("x-correlation-id").len(), 36, "{made:?}");
    }
    let nowhere = shop.ask(Method::GET, "/nowhere", &[("x-correlation-id", "lost")], "").await;
    assert_eq!(nowhere.header("x-correlation-id"), "lost");
}

#[tokio::test]
async fn a_declined_card_is_told_counted_and_takes_no_stock() {
    let shop = Shop::open().await;
    let mut cart = cart();
    cart["payment_method"] = json!("card-declined");
    let declined = shop.order(&cart).await;
    assert_eq!((declined.status, declined.code().as_str()), (402, "payment_declined"));
    let metrics = shop.get("/metrics").await.text;
    let series = r#"http_requests_total{method="POST",route="/orders",status_code="402"} 1"#;
    assert!(metrics.contains(series), "{metrics}");
    let products = shop.get("/products").await.json();
    let products = products["products"].as_array().unwrap();
    assert!(products.iter().all(|product| product["stock"] == 1_000_000), "{products:?}");
}
