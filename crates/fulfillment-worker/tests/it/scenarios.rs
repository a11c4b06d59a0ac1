//! What the worker must do, whichever broker it has.

use anyhow::Result;
use contract::{
    event::{OrderPlaced, PlacedItem},
    shop::v1::OrderStatus,
    topology::{ATTEMPTS_HEADER, DEAD_LETTERS, FULFILLMENT_QUEUE, REASON_HEADER, RETRIES, TRIES},
};
use lapin::{
    BasicProperties,
    message::Delivery,
    types::{AMQPValue, FieldTable},
};
use testbed::eventually;

use crate::shop::{PATIENCE, QUANTITY, Shop};

const IN_FLIGHT: &str = "fulfillment_messages_in_flight";

pub(crate) async fn an_order_is_fulfilled(shop: Shop) -> Result<()> {
    let worker = shop.worker(&[])?;
    let (_, before) = shop.stock().await?;
    let id = shop.place_order().await?;
    shop.wait_for(&id, OrderStatus::Fulfilled).await;

    worker.wait_for_messages("fulfilled", 1.0).await;
    assert_eq!(shop.stock().await?.1, before - i64::from(QUANTITY));
    assert_eq!(worker.metric("fulfillment_message_age_seconds_count").await, Some(1.0));
    assert_eq!(worker.metric("fulfillment_connected").await, Some(1.0));
    assert_eq!(worker.metric(IN_FLIGHT).await, Some(0.0));
    let network =
        async |name: &str| worker.metric(&format!("network_{name}{{peer=\"order_api\"}}")).await;
    assert_eq!(network("connections_open").await, Some(1.0));
    assert!(network("receive_bytes_total").await > Some(100.0));
    assert!(network("transmit_bytes_total").await > Some(100.0));
    Ok(())
}

pub(crate) async fn a_message_that_comes_twice_is_fulfilled_once(shop: Shop) -> Result<()> {
    let id = shop.place_order().await?;
    let thief = shop.observe().await?;
    let message = thief.take(FULFILLMENT_QUEUE).await;
    thief.put(FULFILLMENT_QUEUE, &message.data, message.properties.clone()).await?;
    drop((message, thief));

    let worker = shop.worker(&[])?;
    worker.wait_for_messages("duplicate", 1.0).await;
    worker.wait_for_messages("fulfilled", 1.0).await;
    assert_eq!(worker.messages("fulfilled").await, 1.0);
    assert_eq!(worker.metric("fulfillment_redeliveries_total").await, Some(1.0));
    assert_eq!(shop.status(&id).await?, OrderStatus::Fulfilled);
    shop.observe().await?.wait_for_ready(FULFILLMENT_QUEUE, 0).await;
    Ok(())
}

pub(crate) async fn what_was_done_before_is_not_picked_again(shop: Shop) -> Result<()> {
    let id = shop.place_order().await?;
    let observer = shop.observe().await?;
    let message = observer.take(FULFILLMENT_QUEUE).await;
    observer.put(FULFILLMENT_QUEUE, &message.data, message.properties.clone()).await?;
    message.ack(Default::default()).await?;
    let worker = shop.worker(&[])?;
    shop.wait_for(&id, OrderStatus::Fulfilled).await;
    drop(worker);

    let forever = shop.worker(&["--picking-median", "1h"])?;
    // As a relay that dies between confirm and delete publishes it: nothing tells it from the first.
    observer.put(FULFILLMENT_QUEUE, &message.data, message.properties.clone()).await?;
    forever.wait_for_messages("duplicate", 1.0).await;
    Ok(())
}

pub(crate) async fn an_order_waits_for_an_order_api_that_is_away(mut shop: Shop) -> Result<()> {
    let id = shop.place_order().await?;
    shop.observe().await?.wait_for_ready(FULFILLMENT_QUEUE, 1).await;
    shop.stop_order_api().await?;
    let worker = shop.worker(&[])?;
    worker.wait_for_messages("retried", 1.0).await;
    assert_eq!(worker.messages("fulfilled").await, 0.0);

    shop.start_order_api().await;
    shop.wait_for(&id, OrderStatus::Fulfilled).await;
    worker.wait_for_messages("fulfilled", 1.0).await;
    assert_eq!(shop.observe().await?.ready(DEAD_LETTERS).await?, 0);
    Ok(())
}

pub(crate) async fn every_failed_try_waits_longer(mut shop: Shop) -> Result<()> {
    shop.place_order().await?;
    let observer = shop.observe().await?;
    observer.wait_for_ready(FULFILLMENT_QUEUE, 1).await;
    let announced = observer.take(FULFILLMENT_QUEUE).await;
    announced.nack(requeue()).await?;
    shop.stop_order_api().await?;

    let _worker = shop.worker(&[])?;
    // In the queue before that one it waits for a second only, which may pass unseen.
    observer.wait_for_ready(RETRIES[1].name, 1).await;
    let waiting = observer.take(RETRIES[2].name).await;
    assert_eq!(header(&waiting, ATTEMPTS_HEADER), Some(&AMQPValue::LongInt(3)));
    assert_eq!(waiting.data, announced.data);
    assert_eq!(waiting.properties.message_id(), announced.properties.message_id());
    assert_eq!(waiting.properties.correlation_id(), announced.properties.correlation_id());
    assert_eq!(waiting.properties.delivery_mode(), &Some(2));
    Ok(())
}

pub(crate) async fn after_the_last_try_a_message_is_given_up(mut shop: Shop) -> Result<()> {
    let id = shop.place_order().await?;
    let observer = shop.observe().await?;
    let message = observer.take(FULFILLMENT_QUEUE).await;
    shop.stop_order_api().await?;
    let tried = AMQPValue::LongInt(i32::try_from(TRIES - 1)?);
    let mut headers = FieldTable::default();
    headers.insert(ATTEMPTS_HEADER.into(), tried.clone());
    let properties = message.properties.clone().with_headers(headers);
    observer.put(FULFILLMENT_QUEUE, &message.data, properties).await?;
    message.ack(Default::default()).await?;

    let worker = shop.worker(&[])?;
    let parked = observer.take(DEAD_LETTERS).await;
    assert_eq!(header(&parked, REASON_HEADER), Some(&text("tries_exhausted")));
    assert_eq!(header(&parked, ATTEMPTS_HEADER), Some(&tried));
    worker.wait_for("fulfillment_dead_lettered_total{reason=\"tries_exhausted\"}", 1.0).await;
    worker.wait_for_messages("parked", 1.0).await;
    assert_eq!(worker.messages("parked").await, 1.0);
    shop.start_order_api().await;
    assert_eq!(shop.status(&id).await?, OrderStatus::Placed);
    Ok(())
}

pub(crate) async fn what_is_not_an_order_is_given_up_at_once(shop: Shop) -> Result<()> {
    let worker = shop.worker(&[])?;
    let observer = shop.observe().await?;
    let properties = BasicProperties::default().with_correlation_id("checkout-7".into());
    observer.put(FULFILLMENT_QUEUE, b"{\"order_id\":", properties).await?;

    let parked = observer.take(DEAD_LETTERS).await;
    assert_eq!(header(&parked, REASON_HEADER), Some(&text("malformed")));
    assert_eq!(parked.data, b"{\"order_id\":");
    assert_eq!(parked.properties.correlation_id(), &Some("checkout-7".into()));

    let id = shop.place_order().await?;
    shop.wait_for(&id, OrderStatus::Fulfilled).await;
    worker.wait_for_messages("parked", 1.0).await;
    assert_eq!(worker.messages("parked").await, 1.0);
    Ok(())
}

pub(crate) async fn an_order_that_nobody_knows_is_given_up_at_once(shop: Shop) -> Result<()> {
    let worker = shop.worker(&[])?;
    let observer = shop.observe().await?;
    let order = OrderPlaced {
        order_id: uuid::Uuid::now_v7(),
        customer_id: "ada".to_owned(),
        items: vec![PlacedItem { sku: "TEA-01".to_owned(), quantity: 1 }],
        total_minor: 450,
        currency: "EUR".to_owned(),
        placed_at: chrono::Utc::now(),
    };
    let body = serde_json::to_vec(&order)?;
    observer.put(FULFILLMENT_QUEUE, &body, BasicProperties::default()).await?;

    let parked = observer.take(DEAD_LETTERS).await;
    assert_eq!(header(&parked, REASON_HEADER), Some(&text("unknown_order")));
    worker.wait_for_messages("parked", 1.0).await;
    assert_eq!(worker.messages("retried").await, 0.0);
    Ok(())
}

pub(crate) async fn an_order_whose_goods_are_missing_fails_and_its_stock_is_back(
    shop: Shop,
) -> Result<()> {
    let (_, before) = shop.stock().await?;
    let id = shop.place_order().await?;
    assert_eq!(shop.stock().await?.1, before - i64::from(QUANTITY));

    let worker = shop.worker(&["--goods-missing-rate", "1"])?;
    shop.wait_for(&id, OrderStatus::Refunded).await;
    assert_eq!(shop.stock().await?.1, before);
    worker.wait_for_messages("failed", 1.0).await;
    Ok(())
}

pub(crate) async fn what_a_killed_worker_had_in_hand_is_fulfilled_once(shop: Shop) -> Result<()> {
    let (_, before) = shop.stock().await?;
    let slow = shop.worker(&["--picking-median", "1h"])?;
    let ids = shop.place_orders(3).await?;
    slow.wait_for(IN_FLIGHT, 3.0).await;
    slow.kill()?;

    let worker = shop.worker(&[])?;
    shop.wait_until_fulfilled(&ids).await;
    worker.wait_for_messages("fulfilled", 3.0).await;
    assert_eq!(worker.metric("fulfillment_redeliveries_total").await, Some(3.0));
    assert_eq!(worker.messages("fulfilled").await, 3.0);
    assert_eq!(shop.stock().await?.1, before - 3 * i64::from(QUANTITY));
    Ok(())
}

pub(crate) async fn a_broker_that_goes_away_and_comes_back_costs_nothing(
    mut shop: Shop,
) -> Result<()> {
    let mut ids = shop.place_orders(8).await?;
    let worker = shop.worker(&["--picking-median", "700ms", "--prefetch", "4"])?;
    worker.wait_for(IN_FLIGHT, 4.0).await;
    shop.broker.crash().await?;
    ids.extend(shop.place_orders(4).await?);

    shop.wait_until_fulfilled(&ids).await;
    worker.wait_for_messages("fulfilled", 12.0).await;
    assert_eq!(worker.messages("fulfilled").await, 12.0);
    assert_eq!(worker.messages("parked").await, 0.0);
    let observer = shop.observe().await?;
    observer.wait_for_ready(FULFILLMENT_QUEUE, 0).await;
    assert_eq!(observer.ready(DEAD_LETTERS).await?, 0);
    Ok(())
}

pub(crate) async fn no_more_is_in_hand_than_the_prefetch(shop: Shop) -> Result<()> {
    let ids = shop.place_orders(8).await?;
    let worker = shop.worker(&["--prefetch", "2", "--picking-median", "500ms"])?;
    let mut most = 0.0_f64;
    eventually(PATIENCE, "all are fulfilled", async || {
        most = most.max(worker.metric(IN_FLIGHT).await.unwrap_or_default());
        let fulfilled = "fulfillment_messages_total{outcome=\"fulfilled\"}";
        worker.metric(fulfilled).await.filter(|count| *count >= 8.0)
    })
    .await;
    assert_eq!(most, 2.0);
    assert_eq!(worker.metric("fulfillment_prefetch").await, Some(2.0));
    shop.wait_until_fulfilled(&ids).await;
    Ok(())
}

pub(crate) async fn a_worker_that_is_asked_to_stop_finishes_what_it_has_in_hand(
    shop: Shop,
) -> Result<()> {
    let ids = shop.place_orders(3).await?;
    shop.observe().await?.wait_for_ready(FULFILLMENT_QUEUE, 3).await;
    let worker = shop.worker(&["--picking-median", "900ms", "--prefetch", "3"])?;
    // All three are taken; the first may be done by then.
    worker.wait_for("fulfillment_message_age_seconds_count", 3.0).await;
    let ended = worker.stop().await?;

    assert!(ended.success(), "{ended}");
    for id in &ids {
        assert_eq!(shop.status(id).await?, OrderStatus::Fulfilled);
    }
    assert_eq!(shop.observe().await?.ready(FULFILLMENT_QUEUE).await?, 0);
    Ok(())
}

pub(crate) async fn work_that_takes_too_long_goes_back_when_the_worker_stops(
    shop: Shop,
) -> Result<()> {
    let worker = shop.worker(&["--picking-median", "1h"])?;
    shop.place_orders(2).await?;
    worker.wait_for(IN_FLIGHT, 2.0).await;
    let ended = worker.stop().await?;

    assert!(ended.success(), "{ended}");
    shop.observe().await?.wait_for_ready(FULFILLMENT_QUEUE, 2).await;
    Ok(())
}

pub(crate) async fn a_worker_is_ready_when_it_has_a_queue_and_order_api(
    mut shop: Shop,
) -> Result<()> {
    let worker = shop.worker(&[])?;
    let wait_for = async |wanted: bool, words: &str| {
        eventually(PATIENCE, &format!("ready: {wanted}, {words}"), async || {
            let (ready, report) = worker.ready().await?;
            (ready == wanted && report.contains(words)).then_some(())
        })
        .await;
    };
    wait_for(true, r#"{"name":"queue","met":true}"#).await;
    shop.stop_order_api().await?;
    wait_for(false, r#"{"name":"order-api","met":false}"#).await;
    shop.start_order_api().await;
    wait_for(true, r#"{"name":"order-api","met":true}"#).await;
    Ok(())
}

fn requeue() -> lapin::options::BasicNackOptions {
    lapin::options::BasicNackOptions { requeue: true, ..Default::default() }
}

fn header<'a>(delivery: &'a Delivery, name: &str) -> Option<&'a AMQPValue> {
    delivery.properties.headers().as_ref()?.inner().get(name)
}

fn text(text: &str) -> AMQPValue {
    AMQPValue::LongString(text.into())
}
