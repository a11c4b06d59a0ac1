//! The other ways that steps of the worker can take: what is wrong with each, and that it ends.

use std::time::{Duration, Instant};

use anyhow::Result;
use contract::topology::{DEAD_LETTERS, DELIVERY_LIMIT, FULFILLMENT_QUEUE};
use faults::{Effect, Seam};
use lapin::{
    BasicProperties,
    types::{AMQPValue, FieldTable},
};
use testbed::eventually;

use crate::shop::{PATIENCE, Shop};

const OTHER_WAY: Effect = Effect::Detour { share: 1.0 };
const IN_FLIGHT: &str = "fulfillment_messages_in_flight";
const REDELIVERIES: &str = "fulfillment_redeliveries_total";
/// What is no order.
const NONSENSE: &[u8] = b"{\"order_id\":";

pub(crate) async fn a_worker_that_takes_nothing_any_more_seems_well(shop: Shop) -> Result<()> {
    let worker = shop.worker(&[])?;
    let observer = shop.observe().await?;
    observer.wait_for_consumers(FULFILLMENT_QUEUE, 1).await;
    worker.arm([(Seam::TakeMessage, OTHER_WAY)]).await?;
    let ids = shop.place_orders(3).await?;
    observer.wait_for_consumers(FULFILLMENT_QUEUE, 0).await;
    observer.wait_for_ready(FULFILLMENT_QUEUE, 3).await;
    assert_eq!(worker.metric("fulfillment_connected").await, Some(1.0));
    assert!(worker.ready().await.is_some_and(|(ready, _)| ready));
    assert_eq!(worker.messages("fulfilled").await, 0.0);

    worker.arm([]).await?;
    shop.wait_until_fulfilled(&ids).await;
    observer.wait_for_consumers(FULFILLMENT_QUEUE, 1).await;
    observer.wait_for_ready(FULFILLMENT_QUEUE, 0).await;
    Ok(())
}

pub(crate) async fn a_worker_that_takes_nothing_any_more_stops_when_asked(
    shop: Shop,
) -> Result<()> {
    let worker = shop.worker(&[])?;
    worker.arm([(Seam::TakeMessage, OTHER_WAY)]).await?;
    shop.place_order().await?;
    let observer = shop.observe().await?;
    observer.wait_for_consumers(FULFILLMENT_QUEUE, 0).await;
    observer.wait_for_ready(FULFILLMENT_QUEUE, 1).await;
    assert!(worker.stop().await?.success());
    Ok(())
}

pub(crate) async fn a_message_is_worked_on_in_a_trace_of_its_own(shop: Shop) -> Result<()> {
    let worker = shop.worker(&[])?;
    let observer = shop.observe().await?;
    let send = async |trace_id: &str| {
        let parent = format!("00-{trace_id}-b7ad6b7169203331-01");
        let mut headers = FieldTable::default();
        headers.insert("traceparent".into(), AMQPValue::LongString(parent.into()));
        let properties =
            BasicProperties::default().with_correlation_id(trace_id.into()).with_headers(headers);
        observer.put(FULFILLMENT_QUEUE, NONSENSE, properties).await
    };
    let (lost, found) = ("0af7651916cd43dd8448eb211c80319c", "1af7651916cd43dd8448eb211c80319c");
    worker.arm([(Seam::ContinueTrace, OTHER_WAY)]).await?;
    send(lost).await?;
    worker.wait_for_messages("parked", 1.0).await;
    worker.arm([]).await?;
    send(found).await?;
    worker.wait_for_messages("parked", 2.0).await;

    let log = worker.log()?;
    let says = |field: &str, value: &str| log.contains(&format!("\"{field}\":\"{value}\""));
    assert!(says("correlation_id", lost) && !says("trace_id", lost), "{log}");
    assert!(says("correlation_id", found) && says("trace_id", found), "{log}");
    Ok(())
}

pub(crate) async fn what_is_not_an_order_comes_again_and_again(shop: Shop) -> Result<()> {
    let worker = shop.worker(&[])?;
    let observer = shop.observe().await?;
    worker.arm([(Seam::ParkMessage, OTHER_WAY)]).await?;
    let properties = BasicProperties::default().with_message_id("m-1".into());
    observer.put(FULFILLMENT_QUEUE, NONSENSE, properties).await?;
    // More often than the broker would bear, and no faster than it is held.
    let started = Instant::now();
    worker.wait_for_messages("returned", 30.0).await;
    assert!(started.elapsed() > Duration::from_secs(10), "{:?}", started.elapsed());
    assert_eq!(observer.ready(DEAD_LETTERS).await?, 0);
    assert_eq!(worker.messages("parked").await, 0.0);

    worker.arm([]).await?;
    let parked = observer.take(DEAD_LETTERS).await;
    assert_eq!(parked.data, NONSENSE);
    assert_eq!(parked.properties.message_id(), &Some("m-1".into()));
    let returned = worker.messages("returned").await;
    observer.wait_for_ready(FULFILLMENT_QUEUE, 0).await;
    assert_eq!(worker.messages("returned").await, returned);
    Ok(())
}

pub(crate) async fn what_is_done_and_not_acknowledged_comes_again_in_the_end(
    shop: Shop,
) -> Result<()> {
    let worker = shop.worker(&["--prefetch", "4"])?;
    let observer = shop.observe().await?;
    worker.arm([(Seam::AcknowledgeMessage, OTHER_WAY)]).await?;
    let ids = shop.place_orders(6).await?;
    worker.wait_for_messages("fulfilled", 4.0).await;
    // The broker waits for four, and hands out no more to a worker that has nothing to do.
    observer.wait_for_ready(FULFILLMENT_QUEUE, 2).await;
    assert_eq!(worker.metric(IN_FLIGHT).await, Some(0.0));
    assert_eq!(worker.messages("fulfilled").await, 4.0);

    worker.arm([]).await?;
    shop.wait_until_fulfilled(&ids).await;
    worker.wait_for_messages("duplicate", 4.0).await;
    assert_eq!(worker.metric(REDELIVERIES).await, Some(4.0));
    observer.wait_for_ready(FULFILLMENT_QUEUE, 0).await;
    worker.wait_for_messages("fulfilled", 6.0).await;
    assert_eq!(worker.messages("fulfilled").await, 6.0);
    drop(worker);
    // Nothing comes back from a worker that is gone.
    observer.wait_for_consumers(FULFILLMENT_QUEUE, 0).await;
    assert_eq!(observer.ready(FULFILLMENT_QUEUE).await?, 0);
    Ok(())
}

pub(crate) async fn one_order_at_a_time_is_read_over_and_over(shop: Shop) -> Result<()> {
    let worker = shop.worker(&["--picking-median", "1h"])?;
    let reads = "grpc_client_attempts_total{method=\"GetOrder\",status=\"OK\"}";
    worker.arm([(Seam::FulfillOrder, OTHER_WAY)]).await?;
    shop.place_orders(3).await?;
    worker.wait_for(IN_FLIGHT, 3.0).await;
    // Once each, and five times the one whose turn it is.
    worker.wait_for(reads, 8.0).await;

    worker.arm([]).await?;
    let worked_on_before = worker.metric(reads).await;
    assert_eq!(worked_on_before, Some(8.0));
    shop.place_order().await?;
    worker.wait_for(reads, 9.0).await;
    assert_eq!(worker.metric(reads).await, Some(9.0), "the others still wait");
    Ok(())
}

pub(crate) async fn orders_that_wait_for_their_turn_are_fulfilled_in_the_end(
    shop: Shop,
) -> Result<()> {
    let worker = shop.worker(&[])?;
    worker.arm([(Seam::FulfillOrder, OTHER_WAY)]).await?;
    let ids = shop.place_orders(4).await?;
    shop.wait_until_fulfilled(&ids).await;
    worker.wait_for_messages("fulfilled", 4.0).await;
    let reads = "grpc_client_attempts_total{method=\"GetOrder\",status=\"OK\"}";
    eventually(PATIENCE, "six reads for each", async || {
        (worker.metric(reads).await == Some(24.0)).then_some(())
    })
    .await;
    Ok(())
}

pub(crate) async fn what_is_done_when_the_connection_is_lost_is_done_again(
    shop: Shop,
) -> Result<()> {
    let worker = shop.worker(&["--prefetch", "1"])?;
    let observer = shop.observe().await?;
    worker.arm([(Seam::SettleMessage, OTHER_WAY), (Seam::AskOrder, OTHER_WAY)]).await?;
    let id = shop.place_order().await?;
    shop.wait_until_fulfilled(&[id]).await;
    // It is packed again each time, and order-api says that it was before.
    worker.wait_for(REDELIVERIES, 2.0).await;
    worker.wait_for_messages("duplicate", 2.0).await;
    let reads = "grpc_client_attempts_total{method=\"GetOrder\",status=\"OK\"}";
    assert_eq!(worker.metric(reads).await, Some(0.0), "nobody asks whether it is done");

    worker.arm([]).await?;
    observer.wait_for_ready(FULFILLMENT_QUEUE, 0).await;
    eventually(PATIENCE, "nothing is in hand", async || {
        (worker.metric(IN_FLIGHT).await == Some(0.0)).then_some(())
    })
    .await;
    assert_eq!(worker.messages("fulfilled").await, 1.0);
    Ok(())
}

/// Who takes messages and gives them back untouched uses up how often they may come back.
pub(crate) async fn a_message_comes_back_only_after_it_was_worked_on(shop: Shop) -> Result<()> {
    let worker = shop.worker(&[])?;
    let observer = shop.observe().await?;
    worker.arm([(Seam::SettleMessage, OTHER_WAY)]).await?;
    shop.place_orders(2).await?;
    observer.wait_for_ready(DEAD_LETTERS, 2).await;
    let worked_on = worker.messages("fulfilled").await + worker.messages("duplicate").await;
    // One of them may be on its way when the connection of the other is lost.
    assert!(worked_on >= 1.6 * DELIVERY_LIMIT as f64, "{worked_on}");
    Ok(())
}
