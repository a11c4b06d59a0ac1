//! Publishing, confirms and returns.

use anyhow::Result;
use futures_util::future::try_join_all;
use lapin::options::*;
use lapin::{BasicProperties, Confirmation};

use crate::world::*;

pub(crate) async fn every_publish_is_confirmed(world: &World) -> Result<()> {
    let client = world.client().await?;
    let queue = client.fresh_queue(table([])).await?;
    let mut confirms = Vec::new();
    for index in 0..500_u32 {
        let (options, properties) = (BasicPublishOptions::default(), BasicProperties::default());
        let body = index.to_string();
        let confirm = client
            .channel
            .basic_publish("".into(), queue.as_str().into(), options, body.as_bytes(), properties)
            .await?;
        confirms.push(confirm);
    }
    let confirmations = try_join_all(confirms).await?;
    assert!(confirmations.iter().all(|confirmation| *confirmation == Confirmation::Ack(None)));
    assert_eq!(client.ready(&queue).await?, 500);
    Ok(())
}

pub(crate) async fn an_unroutable_mandatory_message_is_returned_before_its_confirm(
    world: &World,
) -> Result<()> {
    let client = world.client().await?;
    let confirmation = client.publish("amq.topic", "to.nobody", "hello").await?;
    let Confirmation::Ack(Some(returned)) = confirmation else { panic!("{confirmation:?}") };
    assert_eq!(returned.reply_code, 312);
    assert_eq!(returned.reply_text.as_str(), "NO_ROUTE");
    assert_eq!(returned.delivery.exchange.as_str(), "amq.topic");
    assert_eq!(returned.delivery.routing_key.as_str(), "to.nobody");
    assert_eq!(body(&returned.delivery), "hello");

    let (options, properties) = (BasicPublishOptions::default(), BasicProperties::default());
    let (exchange, key) = ("amq.topic".into(), "to.nobody".into());
    let confirm = client.channel.basic_publish(exchange, key, options, b"", properties).await?;
    assert_eq!(confirm.await?, Confirmation::Ack(None), "nobody asked for it back");
    Ok(())
}

pub(crate) async fn publishing_to_an_unknown_exchange_closes_the_channel(
    world: &World,
) -> Result<()> {
    let mut client = world.client().await?;
    let queue = client.fresh_queue(table([])).await?;
    let published = client.publish("missing", "key", "lost").await;
    assert_refused(published, 404, "NOT_FOUND - no exchange 'missing' in vhost '/'");
    client.open().await?;
    client.fill(&queue, &["the connection lives"]).await
}

pub(crate) async fn an_internal_exchange_takes_no_messages(world: &World) -> Result<()> {
    let client = world.client().await?;
    let exchange = fresh("internal");
    let options = ExchangeDeclareOptions { internal: true, durable: true, ..Default::default() };
    client.exchange_as(&exchange, "fanout", options).await?;
    let published = client.publish(&exchange, "key", "refused").await;
    assert_refused(published, 403, "ACCESS_REFUSED - cannot publish to internal exchange");
    Ok(())
}

pub(crate) async fn bodies_of_all_sizes_arrive_whole(world: &World) -> Result<()> {
    let client = world.client().await?;
    let queue = client.fresh_queue(table([])).await?;
    // The frame size is 131,072 with 8 bytes around the body.
    for size in [0, 1, 131_063, 131_064, 131_065, 1 << 20] {
        let body: Vec<u8> = (0..size).map(|index: usize| (index % 251) as u8).collect();
        client.publish_with("", &queue, &body, BasicProperties::default()).await?;
        let delivery = client.take(&queue).await?;
        assert!(delivery.data == body, "a body of {size} bytes");
    }
    Ok(())
}

pub(crate) async fn all_properties_arrive(world: &World) -> Result<()> {
    let client = world.client().await?;
    let queue = client.fresh_queue(table([])).await?;
    let sent = BasicProperties::default()
        .with_content_type("application/json".into())
        .with_content_encoding("utf-8".into())
        .with_headers(table([("traceparent", text("00-0af7-b7ad-01")), ("attempt", number(2))]))
        .with_delivery_mode(2)
        .with_priority(3)
        .with_correlation_id("correlation".into())
        .with_reply_to("somebody".into())
        .with_expiration("60000".into())
        .with_message_id("message".into())
        .with_timestamp(1_700_000_000)
        .with_type("OrderPlaced".into())
        .with_user_id("guest".into())
        .with_app_id("order-api".into());
    client.publish_with("", &queue, b"all", sent.clone()).await?;
    assert_eq!(client.take(&queue).await?.properties, sent);
    Ok(())
}

pub(crate) async fn an_invalid_expiration_is_refused(world: &World) -> Result<()> {
    let client = world.client().await?;
    let queue = client.fresh_queue(table([])).await?;
    let properties = BasicProperties::default().with_expiration("soon".into());
    let published = client.publish_with("", &queue, b"never", properties).await;
    assert_refused(published, 406, "invalid expiration");
    Ok(())
}
