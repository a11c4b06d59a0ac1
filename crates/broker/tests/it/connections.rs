//! Getting in, and what becomes of things when a connection or a channel ends.

use anyhow::Result;
use lapin::options::*;
use lapin::{Connection, ConnectionProperties};

use crate::world::*;

pub(crate) async fn a_wrong_password_is_refused_with_403(world: &World) -> Result<()> {
    let url = world.url.replace("guest:guest", "guest:wrong");
    let result = Connection::connect(&url, ConnectionProperties::default()).await;
    assert_refused(result, 403, "ACCESS_REFUSED - Login was refused");
    let url = world.url.replace("guest:guest", "nobody:guest");
    let result = Connection::connect(&url, ConnectionProperties::default()).await;
    assert_refused(result, 403, "ACCESS_REFUSED - Login was refused");
    Ok(())
}

pub(crate) async fn an_unknown_vhost_is_refused_with_530(world: &World) -> Result<()> {
    let url = format!("{}/nowhere", world.url);
    let result = Connection::connect(&url, ConnectionProperties::default()).await;
    assert_refused(result, 530, "vhost nowhere not found");
    Ok(())
}

pub(crate) async fn unacked_messages_of_a_closed_connection_are_redelivered(
    world: &World,
) -> Result<()> {
    let stays = world.client().await?;
    let queue = stays.fresh_queue(table([])).await?;
    stays.fill(&queue, &["first", "second"]).await?;

    let goes = world.client().await?;
    let mut consumer = goes.consume(&queue).await?;
    assert!(!next(&mut consumer).await?.redelivered);
    next(&mut consumer).await?;
    goes.connection.close(200, "bye".into()).await?;

    let mut consumer = stays.consume(&queue).await?;
    for expected in ["first", "second"] {
        let delivery = next(&mut consumer).await?;
        assert_eq!(body(&delivery), expected);
        assert!(delivery.redelivered);
    }
    Ok(())
}

pub(crate) async fn exclusive_queues_end_with_their_connection(world: &World) -> Result<()> {
    let goes = world.client().await?;
    let name = fresh("exclusive");
    let options = QueueDeclareOptions::exclusive();
    goes.channel.queue_declare(name.as_str().into(), options, table([])).await?;
    goes.connection.close(200, "bye".into()).await?;

    let mut stays = world.client().await?;
    assert_refused(stays.ready(&name).await, 404, &name);
    stays.open().await
}

pub(crate) async fn closing_a_channel_gives_its_messages_back(world: &World) -> Result<()> {
    let mut client = world.client().await?;
    let queue = client.fresh_queue(table([])).await?;
    client.fill(&queue, &["one"]).await?;
    let mut consumer = client.consume(&queue).await?;
    next(&mut consumer).await?;
    client.channel.close(200, "bye".into()).await?;

    client.open().await?;
    assert!(client.take(&queue).await?.redelivered);
    Ok(())
}

pub(crate) async fn a_channel_can_be_opened_again_after_its_error(world: &World) -> Result<()> {
    let mut client = world.client().await?;
    let queue = client.fresh_queue(table([])).await?;
    for _ in 0..3 {
        assert_refused(client.ready("missing").await, 404, "no queue 'missing' in vhost '/'");
        client.open().await?;
    }
    client.fill(&queue, &["fine"]).await
}
