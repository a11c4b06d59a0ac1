//! Consumers, their limits and their turns.

use anyhow::Result;
use futures_util::StreamExt as _;
use lapin::options::*;
use tokio::time::timeout;

use crate::world::*;

pub(crate) async fn messages_arrive_in_order(world: &World) -> Result<()> {
    let client = world.client().await?;
    let queue = client.fresh_queue(table([])).await?;
    client.fill(&queue, &["a", "b"]).await?;
    let mut consumer = client.consume(&queue).await?;
    client.fill(&queue, &["c", "d"]).await?;
    for expected in ["a", "b", "c", "d"] {
        let delivery = next(&mut consumer).await?;
        assert_eq!(body(&delivery), expected);
        assert!(!delivery.redelivered);
        delivery.acker.ack(BasicAckOptions::default()).await?;
    }
    Ok(())
}

pub(crate) async fn prefetch_limits_each_consumer(world: &World) -> Result<()> {
    let client = world.client().await?;
    let queue = client.fresh_queue(table([])).await?;
    client.fill(&queue, &["1", "2", "3", "4", "5"]).await?;
    client.prefetch(2).await?;
    let mut consumer = client.consume(&queue).await?;
    let first = next(&mut consumer).await?;
    next(&mut consumer).await?;
    is_quiet(&mut consumer).await;
    first.acker.ack(BasicAckOptions::default()).await?;
    assert_eq!(body(&next(&mut consumer).await?), "3");
    is_quiet(&mut consumer).await;

    let mut other = client.consume(&queue).await?;
    assert_eq!(body(&next(&mut other).await?), "4", "the limit is of each consumer");
    Ok(())
}

pub(crate) async fn global_prefetch_limits_the_channel(world: &World) -> Result<()> {
    let client = world.client().await?;
    let queue = client.fresh_queue(table([])).await?;
    client.fill(&queue, &["1", "2", "3", "4"]).await?;
    client.channel.basic_qos(3, BasicQosOptions { global: true }).await?;
    let mut one = client.consume(&queue).await?;
    for _ in 0..3 {
        next(&mut one).await?;
    }
    let mut two = client.consume(&queue).await?;
    is_quiet(&mut one).await;
    is_quiet(&mut two).await;
    Ok(())
}

pub(crate) async fn consumers_take_turns(world: &World) -> Result<()> {
    let client = world.client().await?;
    let queue = client.fresh_queue(table([])).await?;
    let mut one = client.consume(&queue).await?;
    let mut two = client.consume(&queue).await?;
    client.fill(&queue, &["1", "2", "3", "4"]).await?;
    let mut shares = Vec::new();
    for consumer in [&mut one, &mut two] {
        shares.push([body(&next(consumer).await?), body(&next(consumer).await?)]);
        is_quiet(consumer).await;
    }
    shares.sort();
    assert_eq!(shares, [["1", "3"], ["2", "4"]]);
    Ok(())
}

pub(crate) async fn no_ack_needs_no_ack(world: &World) -> Result<()> {
    let client = world.client().await?;
    let queue = client.fresh_queue(table([])).await?;
    client.fill(&queue, &["1", "2", "3"]).await?;
    client.prefetch(1).await?;
    let options = BasicConsumeOptions { no_ack: true, ..Default::default() };
    let mut consumer = client.consume_as(&queue, "", options).await?;
    for expected in ["1", "2", "3"] {
        assert_eq!(body(&next(&mut consumer).await?), expected);
    }
    client.connection.close(200, "bye".into()).await?;
    assert_eq!(world.client().await?.ready(&queue).await?, 0);
    Ok(())
}

pub(crate) async fn an_exclusive_consumer_is_alone(world: &World) -> Result<()> {
    let mut client = world.client().await?;
    let queue = client.fresh_queue(table([])).await?;
    let exclusive = BasicConsumeOptions { exclusive: true, ..Default::default() };
    let other = world.client().await?;
    let _consumer = other.consume_as(&queue, "", exclusive).await?;
    let text = "ACCESS_REFUSED - queue";
    assert_refused(client.consume(&queue).await, 403, text);
    client.open().await?;

    let queue = client.fresh_queue(table([])).await?;
    let _consumer = client.consume(&queue).await?;
    assert_refused(other.consume_as(&queue, "", exclusive).await, 403, text);
    Ok(())
}

pub(crate) async fn a_canceled_consumer_gets_nothing_more(world: &World) -> Result<()> {
    let client = world.client().await?;
    let queue = client.fresh_queue(table([])).await?;
    client.fill(&queue, &["1"]).await?;
    let mut consumer = client.consume(&queue).await?;
    let held = next(&mut consumer).await?;
    client.channel.basic_cancel(consumer.tag(), BasicCancelOptions::default()).await?;
    client.fill(&queue, &["2"]).await?;
    assert_eq!(client.ready(&queue).await?, 1);
    held.acker.ack(BasicAckOptions::default()).await?;
    assert_eq!(body(&client.take(&queue).await?), "2");
    Ok(())
}

pub(crate) async fn a_consumer_hears_that_its_queue_is_deleted(world: &World) -> Result<()> {
    let client = world.client().await?;
    let queue = client.fresh_queue(table([])).await?;
    let mut consumer = client.consume(&queue).await?;
    let other = world.client().await?;
    other.channel.queue_delete(queue.into(), QueueDeleteOptions::default()).await?;
    let end = timeout(PATIENCE, consumer.next()).await?;
    assert!(end.is_none(), "{end:?}");
    assert!(client.channel.status().connected(), "only the consumer ends");
    Ok(())
}

pub(crate) async fn a_consumer_tag_is_used_once(world: &World) -> Result<()> {
    let client = world.client().await?;
    let queue = client.fresh_queue(table([])).await?;
    let consumer = client.consume_as(&queue, "me", BasicConsumeOptions::default()).await?;
    assert_eq!(consumer.tag().as_str(), "me");
    let again = client.consume_as(&queue, "me", BasicConsumeOptions::default()).await;
    assert_refused(again, 530, "attempt to reuse consumer tag 'me'");
    Ok(())
}

pub(crate) async fn getting_takes_one_message_at_a_time(world: &World) -> Result<()> {
    let client = world.client().await?;
    let queue = client.fresh_queue(table([])).await?;
    assert!(client.get(&queue).await?.is_none());
    client.fill(&queue, &["1", "2"]).await?;
    let first = client.get(&queue).await?.expect("a message");
    assert_eq!((body(&first.delivery), first.message_count), ("1".to_owned(), 1));
    let requeue = BasicRejectOptions { requeue: true };
    first.delivery.acker.reject(requeue).await?;
    let again = client.take(&queue).await?;
    assert_eq!((body(&again), again.redelivered), ("1".to_owned(), true));

    let options = BasicGetOptions { no_ack: true };
    let second = client.channel.basic_get(queue.as_str().into(), options).await?;
    assert_eq!(body(&second.expect("a message").delivery), "2");
    assert!(client.get(&queue).await?.is_none());
    Ok(())
}
