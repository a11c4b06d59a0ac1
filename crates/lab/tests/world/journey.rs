//! The journey of an order through all three services.

use serde_json::json;
use testbed::eventually;

use crate::{
    in_both_worlds,
    lab::{PATIENCE, World},
    shop::cart,
};

in_both_worlds!(
    an_order_is_fulfilled_and_its_stock_is_taken,
    the_correlation_id_is_on_the_lines_of_every_service,
    a_repeated_order_is_one_order,
);

async fn an_order_is_fulfilled_and_its_stock_is_taken(world: World) {
    let shop = world.shop();
    let products = shop.get("/products").await.expect("products");
    let [first, second] = [&products["products"][0], &products["products"][1]];
    let sku = |product: &serde_json::Value| product["sku"].as_str().expect("a SKU").to_owned();

    let placed = shop
        .place(&json!({"items": [
            {"sku": sku(first), "quantity": 2},
            {"sku": sku(second), "quantity": 1},
        ]}))
        .await;
    let price =
        |product: &serde_json::Value| product["unit_price_minor"].as_i64().expect("a price");
    assert_eq!(placed["total_minor"], 2 * price(first) + price(second));
    assert!(placed["status"] == "placed" || placed["status"] == "pending", "{placed}");

    shop.wait_for(placed["id"].as_str().expect("an id"), "fulfilled").await;
    let stock = |products: &serde_json::Value| products["products"][0]["stock"].as_i64();
    let left = stock(&products).map(|stock| stock - 2);
    // The list may be a little old.
    eventually(PATIENCE, "the stock is shown", || async {
        (stock(&shop.get("/products").await?) == left).then_some(())
    })
    .await;
}

async fn the_correlation_id_is_on_the_lines_of_every_service(world: World) {
    let url = format!("http://127.0.0.1:{}/orders", world.lab.gateway_port);
    let request = reqwest::Client::new().post(url).header("x-correlation-id", "thread-of-ada");
    let answer = request.json(&cart("TEA-001", 1)).send().await.expect("an answer");
    assert_eq!(answer.headers()["x-correlation-id"], "thread-of-ada");

    for service in ["web-gateway", "order-api", "fulfillment-worker"] {
        eventually(PATIENCE, &format!("{service} logs the thread"), || async {
            let log = world.lab.log(service);
            let line = log.lines().find(|line| line.contains("thread-of-ada"))?;
            let line: serde_json::Value = serde_json::from_str(line).ok()?;
            (line["correlation_id"] == "thread-of-ada").then_some(())
        })
        .await;
    }
}

async fn a_repeated_order_is_one_order(world: World) {
    let shop = world.shop();
    let (_, first) = shop.insist(&cart("TEA-001", 1), "key-1").await;
    shop.wait_for(first["id"].as_str().expect("an id"), "fulfilled").await;

    world.lab.kill("web-gateway").await;
    world.lab.kill("order-api").await;
    world.lab.ready().await;
    let (headers, again) = shop.insist(&cart("TEA-001", 1), "key-1").await;
    assert_eq!(headers["idempotent-replayed"], "true");
    assert_eq!(again, first);
}
