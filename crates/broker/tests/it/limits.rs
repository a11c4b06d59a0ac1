//! How long messages live, and how many a queue takes.

use anyhow::Result;
use lapin::{BasicProperties, Confirmation};

use crate::world::*;

pub(crate) async fn a_message_expires_by_its_queue(world: &World) -> Result<()> {
    let client = world.client().await?;
    for mut arguments in [table([]), quorum([])] {
        arguments.insert("x-message-ttl".into(), number(100));
        let queue = client.fresh_queue(arguments).await?;
        client.fill(&queue, &["1", "2"]).await?;
        client.wait_for_ready(&queue, 0).await;
        assert!(client.get(&queue).await?.is_none());
    }
    Ok(())
}

pub(crate) async fn a_message_expires_by_itself(world: &World) -> Result<()> {
    let client = world.client().await?;
    for mut arguments in [table([]), quorum([])] {
        arguments.insert("x-message-ttl".into(), number(60_000));
        let queue = client.fresh_queue(arguments).await?;
        let properties = BasicProperties::default().with_expiration("100".into());
        client.publish_with("", &queue, b"short", properties).await?;
        client.fill(&queue, &["long"]).await?;
        client.wait_for_ready(&queue, 1).await;
        assert_eq!(body(&client.take(&queue).await?), "long");
    }
    Ok(())
}

pub(crate) async fn an_expired_message_waits_behind_a_lasting_one(world: &World) -> Result<()> {
    let client = world.client().await?;
    let queue = client.fresh_queue(table([])).await?;
    client.fill(&queue, &["lasting"]).await?;
    let properties = BasicProperties::default().with_expiration("20".into());
    client.publish_with("", &queue, b"short", properties).await?;
    tokio::time::sleep(QUIET).await;
    assert_eq!(client.ready(&queue).await?, 2);
    assert_eq!(body(&client.take(&queue).await?), "lasting");
    assert!(client.get(&queue).await?.is_none());
    Ok(())
}

pub(crate) async fn a_full_queue_drops_its_oldest(world: &World) -> Result<()> {
    let client = world.client().await?;
    for mut arguments in [table([]), quorum([])] {
        arguments.insert("x-max-length".into(), number(2));
        let queue = client.fresh_queue(arguments).await?;
        client.fill(&queue, &["1", "2", "3", "4"]).await?;
        client.wait_for_ready(&queue, 2).await;
        assert_eq!(body(&client.take(&queue).await?), "3");
        assert_eq!(body(&client.take(&queue).await?), "4");
    }
    Ok(())
}

/// A quorum queue of RabbitMQ may take a few more before it notices; only a classic one is exact.
pub(crate) async fn a_full_queue_refuses_when_told(world: &World) -> Result<()> {
    let client = world.client().await?;
    for mut arguments in [table([]), quorum([])] {
        arguments.insert("x-max-length".into(), number(2));
        arguments.insert("x-overflow".into(), text("reject-publish"));
        let queue = client.fresh_queue(arguments).await?;
        client.fill(&queue, &["1", "2"]).await?;
        testbed::eventually(PATIENCE, "a refusal", async || {
            let confirmation = client.publish("", &queue, "3").await.expect("an answer");
            matches!(confirmation, Confirmation::Nack(_)).then_some(())
        })
        .await;
        assert_eq!(body(&client.take(&queue).await?), "1");
        assert_eq!(body(&client.take(&queue).await?), "2");
    }
    Ok(())
}

pub(crate) async fn messages_to_a_waiting_consumer_outlive_a_ttl_of_zero(
    world: &World,
) -> Result<()> {
    let client = world.client().await?;
    let queue = client.fresh_queue(table([("x-message-ttl", number(0))])).await?;
    client.fill(&queue, &["nobody waits"]).await?;
    assert_eq!(client.ready(&queue).await?, 0);
    let mut consumer = client.consume(&queue).await?;
    client.fill(&queue, &["somebody waits"]).await?;
    assert_eq!(next_body(&mut consumer).await?, "somebody waits");
    Ok(())
}
