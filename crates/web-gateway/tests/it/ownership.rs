//! Whose orders one sees and places: one's own, and an admin everybody's.

use identity::Role;
use serde_json::{Value, json};

use crate::shop::{Answer, Shop, bearer, cart, cart_of};

/// What a problem says, without what is different each time.
fn said(answer: &Answer) -> (u16, Value) {
    let mut problem = answer.json();
    problem["correlation_id"] = json!(null);
    (answer.status, problem)
}

#[tokio::test]
async fn an_order_of_another_is_not_there() {
    let shop = Shop::open().await;
    let [ada, grace] = ["ada", "grace"].map(|name| bearer(Role::Customer, name));
    let placed = shop.order_as(&ada, &cart()).await;
    assert_eq!((placed.status, &placed.json()["customer_id"]), (201, &json!("ada")));
    let location = placed.header("location");
    assert_eq!(shop.get_as(&ada, location).await.status, 200);

    let nothing = "/orders/01980000-0000-7000-8000-000000000000";
    let nothing = said(&shop.get_as(&grace, nothing).await);
    assert_eq!(nothing.0, 404);
    assert_eq!(said(&shop.get_as(&grace, location).await), nothing);
    assert_eq!(
        said(&shop.get(location).await),
        nothing,
        "nor to those who do not say who they are"
    );
}

#[tokio::test]
async fn a_list_has_ones_own_orders_only() {
    let shop = Shop::open().await;
    let [ada, grace] = ["ada", "grace"].map(|name| bearer(Role::Customer, name));
    for who in [&ada, &ada, &grace] {
        assert_eq!(shop.order_as(who, &cart()).await.status, 201);
    }
    shop.order(&cart()).await;
    let owners = async |who: &str, path: &str| -> Vec<String> {
        let orders = shop.get_as(who, path).await.json()["orders"].clone();
        let orders = orders.as_array().unwrap().iter();
        orders.map(|order| order["customer_id"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(owners(&ada, "/orders").await, ["ada", "ada"]);
    assert_eq!(owners(&ada, "/orders?customer_id=ada&status=placed").await, ["ada", "ada"]);
    assert_eq!(owners(&grace, "/orders?limit=100").await, ["grace"]);

    let refused = shop.get_as(&grace, "/orders?customer_id=ada").await;
    assert_eq!((refused.status, refused.code().as_str()), (403, "forbidden"));
    let refused = shop.get("/orders?customer_id=ada").await;
    assert_eq!((refused.status, refused.code().as_str()), (403, "forbidden"));

    let first = shop.get_as(&ada, "/orders?limit=1").await.json();
    let cursor = first["next_cursor"].as_str().unwrap();
    let theirs = format!("/orders?cursor={cursor}");
    assert!(
        owners(&grace, &theirs).await.iter().all(|owner| owner == "grace"),
        "a page of another"
    );
}

#[tokio::test]
async fn nobody_orders_for_another() {
    let shop = Shop::open().await;
    let grace = bearer(Role::Customer, "grace");
    for refused in [
        shop.order_as(&grace, &cart_of("ada")).await,
        shop.order_as(&grace, &cart_of("Grace")).await,
        shop.order(&cart_of("ada")).await,
    ] {
        assert_eq!((refused.status, refused.code().as_str()), (403, "forbidden"));
    }
    assert_eq!(shop.order_as(&grace, &cart_of("grace")).await.status, 201);
    assert_eq!(shop.order(&cart_of("demo")).await.status, 201);
    let forbidden = r#"auth_rejections_total{reason="forbidden"}"#;
    assert_eq!(shop.metric(forbidden).await, 3.0);
}

/// The first answer to a key is its customer's: who uses the same key gets an order of their own.
#[tokio::test]
async fn a_key_of_another_shows_nothing_of_their_order() {
    let shop = Shop::open().await;
    let order = async |name: &str| {
        let who = bearer(Role::Customer, name);
        let headers = [("authorization", who.as_str()), ("idempotency-key", "checkout-1")];
        shop.order_with(&headers, &cart()).await
    };
    let (ada, grace) = (order("ada").await, order("grace").await);
    assert_eq!(grace.header("idempotent-replayed"), "");
    assert_eq!(grace.json()["customer_id"], "grace");
    assert_ne!(ada.json()["id"], grace.json()["id"]);
}

#[tokio::test]
async fn an_admin_sees_all_orders_and_places_them_for_anybody() {
    let shop = Shop::open().await;
    let admin = bearer(Role::Admin, "root");
    for (cart, owner) in [(cart_of("ada"), "ada"), (cart_of("bob"), "bob"), (cart(), "root")] {
        let placed = shop.order_as(&admin, &cart).await;
        assert_eq!((placed.status, &placed.json()["customer_id"]), (201, &json!(owner)));
        assert_eq!(shop.get_as(&admin, placed.header("location")).await.status, 200);
    }
    for (path, count) in [("/orders", 3), ("/orders?customer_id=ada", 1)] {
        let listed = shop.get_as(&admin, path).await.json();
        assert_eq!(listed["orders"].as_array().unwrap().len(), count, "{path}");
    }
}

#[tokio::test]
async fn who_does_not_say_who_they_are_is_the_demo_customer_and_no_more() {
    let shop = Shop::open().await;
    let placed = shop.order(&cart()).await;
    assert_eq!(placed.json()["customer_id"], "demo");
    assert_eq!(shop.get(placed.header("location")).await.status, 200);
    let demo = bearer(Role::Customer, "demo");
    assert_eq!(shop.get_as(&demo, placed.header("location")).await.status, 200);
    assert_eq!(shop.get("/orders").await.text, shop.get_as(&demo, "/orders").await.text);
}

/// What an order is worth, where it stands and whose it is, the shop decides.
#[tokio::test]
async fn what_only_the_shop_decides_cannot_be_sent() {
    let shop = Shop::open().await;
    let ada = bearer(Role::Customer, "ada");
    for (field, value) in [
        ("id", json!("01980000-0000-7000-8000-000000000000")),
        ("status", json!("fulfilled")),
        ("total_minor", json!(1)),
        ("currency", json!("XTS")),
        ("created_at", json!("2020-01-01T00:00:00Z")),
        ("updated_at", json!("2020-01-01T00:00:00Z")),
        ("role", json!("admin")),
        ("__proto__", json!({"role": "admin"})),
    ] {
        let mut cart = cart();
        cart[field] = value;
        let refused = shop.order_as(&ada, &cart).await;
        assert_eq!((refused.status, refused.code().as_str()), (422, "invalid_order"), "{field}");
        assert_eq!(refused.json()["field"], field);
    }
    for field in ["unit_price_minor", "price", "line"] {
        let mut cart = cart();
        cart["items"][0][field] = json!(0);
        let refused = shop.order_as(&ada, &cart).await;
        assert_eq!((refused.status, refused.code().as_str()), (422, "invalid_order"), "{field}");
    }
    assert_eq!(shop.get_as(&ada, "/orders").await.json()["orders"], json!([]));
}
