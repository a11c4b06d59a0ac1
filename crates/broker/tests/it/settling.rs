//! Acks, nacks, rejects and recovery.
//!
//! A quorum queue of RabbitMQ takes messages back in its own time: hence the waiting.

use anyhow::Result;
use futures_util::StreamExt as _;
use lapin::message::Delivery;
use lapin::options::*;
use lapin::types::FieldTable;
use tokio::time::timeout;

use crate::world::*;

const REQUEUE: BasicNackOptions = BasicNackOptions { multiple: false, requeue: true };

/// A quorum queue of RabbitMQ 3 without a delivery limit takes messages back at its end; RabbitMQ 4
/// always has a limit, and with one they come back first.
fn limited_quorum() -> FieldTable {
    quorum([("x-delivery-limit", number(20))])
}

/// Fills a queue with `bodies` and takes them all as a consumer.
async fn deliveries(client: &Client, queue: &str, bodies: &[&str]) -> Result<Vec<Delivery>> {
    client.fill(queue, bodies).await?;
    let mut consumer = client.consume(queue).await?;
    let mut deliveries = Vec::new();
    for _ in bodies {
        deliveries.push(next(&mut consumer).await?);
    }
    // What is requeued stays in the queue then.
    client.channel.basic_cancel(consumer.tag(), BasicCancelOptions::default()).await?;
    Ok(deliveries)
}

pub(crate) async fn an_acknowledged_message_is_gone(world: &World) -> Result<()> {
    let client = world.client().await?;
    for arguments in [table([]), quorum([])] {
        let queue = client.fresh_queue(arguments).await?;
        client.fill(&queue, &["1"]).await?;
        client.take(&queue).await?;
        client.channel.basic_recover(BasicRecoverOptions { requeue: true }).await?;
        assert!(client.get(&queue).await?.is_none());
    }
    Ok(())
}

pub(crate) async fn acknowledging_multiple_settles_all_before(world: &World) -> Result<()> {
    let mut client = world.client().await?;
    for arguments in [table([]), quorum([])] {
        let queue = client.fresh_queue(arguments).await?;
        let deliveries = deliveries(&client, &queue, &["1", "2", "3"]).await?;
        deliveries[1].acker.ack(BasicAckOptions { multiple: true }).await?;
        client.channel.close(200, "bye".into()).await?;
        client.open().await?;
        assert_eq!(body(&client.take(&queue).await?), "3");
        assert!(client.get(&queue).await?.is_none());
    }
    Ok(())
}

/// RabbitMQ counts by tag, and would let the next consumer have one more in hand: hence it is asked
/// while nothing is in hand.
pub(crate) async fn a_tag_used_again_is_another_consumer(world: &World) -> Result<()> {
    let client = world.client().await?;
    for arguments in [table([]), quorum([])] {
        let queue = client.fresh_queue(arguments).await?;
        client.prefetch(1).await?;
        let options = BasicConsumeOptions::default();
        let mut consumer = client.consume_as(&queue, "me", options).await?;
        client.fill(&queue, &["before"]).await?;
        let before = next(&mut consumer).await?;
        client.channel.basic_cancel("me".into(), BasicCancelOptions::default()).await?;

        let mut consumer = client.consume_as(&queue, "me", options).await?;
        before.acker.ack(BasicAckOptions::default()).await?;
        client.fill(&queue, &["after"]).await?;
        assert_eq!(next_body(&mut consumer).await?, "after");
        client.channel.basic_cancel("me".into(), BasicCancelOptions::default()).await?;
    }
    Ok(())
}

pub(crate) async fn an_unknown_delivery_tag_is_refused(world: &World) -> Result<()> {
    let mut client = world.client().await?;
    let queue = client.fresh_queue(table([])).await?;
    for multiple in [false, true] {
        let mut consumer = client.consume(&queue).await?;
        client.channel.basic_ack(7, BasicAckOptions { multiple }).await?;
        let end = timeout(PATIENCE, consumer.next()).await?.expect("the reason of the end");
        assert_refused(end, 406, "PRECONDITION_FAILED - unknown delivery tag 7");
        client.open().await?;
    }
    client.fill(&queue, &["once"]).await?;
    let mut consumer = client.consume(&queue).await?;
    let tag = next(&mut consumer).await?.delivery_tag;
    client.channel.basic_ack(tag, BasicAckOptions::default()).await?;
    client.channel.basic_ack(tag, BasicAckOptions::default()).await?;
    let end = timeout(PATIENCE, consumer.next()).await?.expect("the reason of the end");
    assert_refused(end, 406, "unknown delivery tag 1");
    Ok(())
}

pub(crate) async fn a_requeued_message_is_redelivered_first(world: &World) -> Result<()> {
    let client = world.client().await?;
    for arguments in [table([]), limited_quorum()] {
        let queue = client.fresh_queue(arguments).await?;
        client.fill(&queue, &["1", "2"]).await?;
        let first = client.get(&queue).await?.expect("a message");
        first.delivery.acker.nack(REQUEUE).await?;
        client.wait_for_ready(&queue, 2).await;
        let again = client.take(&queue).await?;
        assert_eq!((body(&again), again.redelivered), ("1".to_owned(), true));
        let second = client.take(&queue).await?;
        assert_eq!((body(&second), second.redelivered), ("2".to_owned(), false));
    }
    Ok(())
}

pub(crate) async fn requeued_messages_keep_their_order(world: &World) -> Result<()> {
    let client = world.client().await?;
    for arguments in [table([]), limited_quorum()] {
        let queue = client.fresh_queue(arguments).await?;
        let deliveries = deliveries(&client, &queue, &["1", "2", "3"]).await?;
        client.fill(&queue, &["4"]).await?;
        let all = BasicNackOptions { multiple: true, requeue: true };
        deliveries[2].acker.nack(all).await?;
        client.wait_for_ready(&queue, 4).await;
        for expected in ["1", "2", "3", "4"] {
            assert_eq!(body(&client.take(&queue).await?), expected);
        }
    }
    // One by one, a classic queue has each in its place; a quorum queue as they came back.
    for (arguments, expected) in [(table([]), ["1", "2", "3"]), (limited_quorum(), ["2", "1", "3"])]
    {
        let queue = client.fresh_queue(arguments).await?;
        let deliveries = deliveries(&client, &queue, &["1", "2"]).await?;
        client.fill(&queue, &["3"]).await?;
        deliveries[1].acker.nack(REQUEUE).await?;
        deliveries[0].acker.nack(REQUEUE).await?;
        client.wait_for_ready(&queue, 3).await;
        for expected in expected {
            assert_eq!(body(&client.take(&queue).await?), expected);
        }
    }
    Ok(())
}

pub(crate) async fn a_rejected_message_is_gone(world: &World) -> Result<()> {
    let client = world.client().await?;
    for arguments in [table([]), quorum([])] {
        let queue = client.fresh_queue(arguments).await?;
        let deliveries = deliveries(&client, &queue, &["1", "2"]).await?;
        deliveries[0].acker.reject(BasicRejectOptions { requeue: false }).await?;
        deliveries[1].acker.nack(BasicNackOptions::default()).await?;
        client.channel.basic_recover(BasicRecoverOptions { requeue: true }).await?;
        assert!(client.get(&queue).await?.is_none());
    }
    Ok(())
}

pub(crate) async fn recovering_requeues_everything(world: &World) -> Result<()> {
    let client = world.client().await?;
    let queue = client.fresh_queue(table([])).await?;
    deliveries(&client, &queue, &["1", "2"]).await?;
    client.channel.basic_recover(BasicRecoverOptions { requeue: true }).await?;
    for expected in ["1", "2"] {
        let again = client.take(&queue).await?;
        assert_eq!((body(&again), again.redelivered), (expected.to_owned(), true));
    }
    Ok(())
}
