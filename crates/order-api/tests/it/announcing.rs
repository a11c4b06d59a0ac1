//! Orders reach the queue, whatever happens to the broker.

use std::time::Instant;

use contract::{
    event::{ORDER_PLACED, OrderPlaced},
    topology::{FULFILLMENT_QUEUE, ORDER_PLACED_KEY, ORDERS_EXCHANGE},
};
use faults::{Effect, Seam};
use lapin::types::FieldTable;
use testbed::eventually;
use uuid::Uuid;

use crate::shop::{SOON, Shop, cart, in_thread, next_message};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_is_announced_with_its_properties() {
    let shop = Shop::start().await;
    let amqp = shop.amqp().await;
    let request = in_thread("thread-7", cart("ada", &[("TEA-001", 2)]));
    let order = shop.calls.clone().place_order(request).await.unwrap().into_inner().order.unwrap();
    let message = next_message(&amqp).await.delivery;

    let properties = &message.properties;
    let text = |value: &Option<lapin::types::ShortString>| value.as_ref().unwrap().to_string();
    let id = Uuid::parse_str(&text(properties.message_id())).unwrap();
    assert_eq!(id.get_version_num(), 7);
    assert_eq!(text(properties.kind()), ORDER_PLACED);
    assert_eq!(text(properties.content_type()), "application/json");
    assert_eq!(text(properties.correlation_id()), "thread-7");
    assert_eq!(*properties.delivery_mode(), Some(2));
    // When it was paid for: that is what is announced.
    let at = order.updated_at.unwrap().seconds;
    assert_eq!(*properties.timestamp(), Some(u64::try_from(at).unwrap()));
    assert_eq!(message.routing_key.as_str(), ORDER_PLACED_KEY);
    let body: OrderPlaced = serde_json::from_slice(&message.data).unwrap();
    assert_eq!((body.order_id.to_string(), body.total_minor), (order.id, 1180));

    shop.metric_is("outbox_publishes_total{result=\"confirmed\"}", 1.0).await;
    shop.metric_is("outbox_delay_seconds_count", 1.0).await;
    shop.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_is_announced_as_soon_as_it_is_placed() {
    let shop = Shop::start().await;
    let amqp = shop.amqp().await;
    let announce = async || {
        let started = Instant::now();
        shop.place(&[("TEA-001", 1)]).await.unwrap();
        next_message(&amqp).await;
        started.elapsed()
    };
    // From here on, a relay that only polls has just looked, and looks again after 250 ms at the
    // soonest: however often this is tried, it never is as fast.
    announce().await;
    eventually(SOON, "an order that is announced at once", async || {
        (announce().await.as_millis() < 200).then_some(())
    })
    .await;
    shop.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_placed_while_the_broker_is_away_is_announced_when_it_returns() {
    let mut shop = Shop::start_without_broker().await;
    for _ in 0..5 {
        shop.place(&[("TEA-001", 1)]).await.unwrap();
    }
    shop.metric_is("outbox_depth", 5.0).await;
    shop.metric_exceeds("outbox_oldest_age_seconds", 0.0).await;
    shop.start_broker().await;
    shop.metric_is("outbox_publishes_total{result=\"confirmed\"}", 5.0).await;

    // Gone with all that it held: exchanges and queues have to be declared anew.
    shop.stop_broker().await;
    shop.metric_is("outbox_broker_connected", 0.0).await;
    let order = shop.place(&[("TEA-001", 1)]).await.unwrap();
    shop.becomes_ready(true).await;
    shop.start_broker().await;
    shop.metric_is("outbox_broker_connected", 1.0).await;
    let message = next_message(&shop.amqp().await).await.delivery;
    let body: OrderPlaced = serde_json::from_slice(&message.data).unwrap();
    assert_eq!(body.order_id.to_string(), order.id);
    shop.metric_is("outbox_depth", 0.0).await;
    shop.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_that_no_queue_takes_waits_for_one() {
    let shop = Shop::start().await;
    let amqp = shop.amqp().await;
    let (queue, exchange, key) = (FULFILLMENT_QUEUE, ORDERS_EXCHANGE, ORDER_PLACED_KEY);
    let arguments = FieldTable::default;
    amqp.queue_unbind(queue.into(), exchange.into(), key.into(), arguments()).await.unwrap();
    shop.place(&[("TEA-001", 1)]).await.unwrap();
    shop.metric_exceeds("outbox_publishes_total{result=\"returned\"}", 1.0).await;
    shop.metric_is("outbox_depth", 1.0).await;
    assert_eq!(shop.metrics().await["outbox_publishes_total{result=\"confirmed\"}"], 0.0);

    let options = lapin::options::QueueBindOptions::default();
    amqp.queue_bind(queue.into(), exchange.into(), key.into(), options, arguments()).await.unwrap();
    next_message(&amqp).await;
    shop.metric_is("outbox_depth", 0.0).await;
    shop.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_whose_publishing_fails_is_published_later() {
    let shop = Shop::start().await;
    shop.arm(Some((Seam::PublishEvent, Effect::Fail { share: 1.0 }))).await;
    shop.place(&[("TEA-001", 1)]).await.unwrap();
    shop.metric_exceeds("outbox_publishes_total{result=\"failed\"}", 0.0).await;
    shop.arm(None).await;
    next_message(&shop.amqp().await).await;
    shop.metric_is("outbox_publishes_total{result=\"confirmed\"}", 1.0).await;
    shop.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_placed_last_is_announced_before_the_service_stops() {
    let shop = Shop::start().await;
    let amqp = shop.amqp().await;
    for _ in 0..20 {
        shop.place(&[("TEA-001", 1)]).await.unwrap();
    }
    shop.stop.cancel();
    for _ in 0..20 {
        next_message(&amqp).await;
    }
    shop.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_that_blocks_publishers_is_waited_for_on_one_connection() {
    let shop = Shop::start().await;
    let broker = shop.broker.as_ref().unwrap().handle.clone();
    broker.block("low on memory");
    // The first that is sent tells the relay; the others wait in the outbox.
    shop.place(&[("TEA-001", 1)]).await.unwrap();
    shop.metric_is("outbox_publishes_total{result=\"confirmed\"}", 1.0).await;
    for _ in 0..5 {
        shop.place(&[("TEA-001", 1)]).await.unwrap();
    }
    shop.metric_is("outbox_depth", 5.0).await;
    shop.metric_exceeds("outbox_oldest_age_seconds", 6.0).await;
    assert_eq!(broker.stats().connections, 1);

    broker.unblock();
    shop.metric_is("outbox_publishes_total{result=\"confirmed\"}", 6.0).await;
    shop.metric_is("outbox_publishes_total{result=\"timed_out\"}", 0.0).await;
    shop.metric_is("outbox_depth", 0.0).await;
    shop.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_that_is_away_for_long_costs_no_tasks() {
    let mut shop = Shop::start().await;
    shop.stop_broker().await;
    shop.metric_is("outbox_broker_connected", 0.0).await;
    shop.place(&[("TEA-001", 1)]).await.unwrap();
    shop.metric_exceeds("outbox_oldest_age_seconds", 2.0).await;
    let alive = async || shop.metrics().await["runtime_tasks_alive"];
    let before = alive().await;
    // Four tries later at least; each used to leave two, which stay.
    shop.metric_exceeds("outbox_oldest_age_seconds", 14.0).await;
    eventually(SOON, &format!("{before} tasks, as before"), async || {
        (alive().await <= before + 1.0).then_some(())
    })
    .await;
    shop.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_announces_what_is_older_than_anything() {
    let shop = Shop::start_without_broker().await;
    for seconds in [0, 60, 86_400] {
        assert_eq!(shop.announce_again(seconds).await, 200, "{seconds}");
    }
    for seconds in [10_000_000_000, i64::MAX as u64, u64::MAX] {
        assert_eq!(shop.announce_again(seconds).await, 422, "{seconds}");
    }
    shop.finish().await;
}
