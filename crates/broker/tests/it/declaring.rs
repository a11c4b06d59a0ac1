//! Declaring and deleting queues and exchanges.

use anyhow::Result;
use lapin::options::*;

use crate::world::*;

pub(crate) async fn a_queue_is_declared_again_only_as_it_is(world: &World) -> Result<()> {
    let mut client = world.client().await?;
    let arguments = [("x-message-ttl", number(60_000)), ("x-max-length", number(5))];
    let queue = client.fresh_queue(table(arguments.clone())).await?;
    client.queue(&queue, table(arguments)).await?;
    client.fill(&queue, &["kept"]).await?;
    assert_eq!(client.ready(&queue).await?, 1);

    let other = table([("x-message-ttl", number(1)), ("x-max-length", number(5))]);
    assert_refused(client.queue(&queue, other).await, 406, "inequivalent arg 'x-message-ttl'");
    client.open().await?;
    let fewer = table([("x-message-ttl", number(60_000))]);
    assert_refused(client.queue(&queue, fewer).await, 406, "inequivalent arg 'x-max-length'");
    client.open().await?;
    let options = QueueDeclareOptions::default();
    let transient = client.channel.queue_declare(queue.into(), options, table([])).await;
    assert_refused(transient, 406, "inequivalent arg 'durable'");
    Ok(())
}

pub(crate) async fn a_missing_queue_is_not_found(world: &World) -> Result<()> {
    let mut client = world.client().await?;
    let text = "NOT_FOUND - no queue 'missing' in vhost '/'";
    assert_refused(client.ready("missing").await, 404, text);
    client.open().await?;
    assert_refused(client.consume("missing").await, 404, text);
    client.open().await?;
    assert_refused(client.get("missing").await, 404, text);
    client.open().await?;
    let purged = client.channel.queue_purge("missing".into(), QueuePurgeOptions::default()).await;
    assert_refused(purged, 404, text);
    Ok(())
}

pub(crate) async fn an_exchange_is_declared_again_only_as_it_is(world: &World) -> Result<()> {
    let mut client = world.client().await?;
    let exchange = fresh("exchange");
    client.exchange(&exchange, "topic").await?;
    client.exchange(&exchange, "topic").await?;
    assert_refused(client.exchange(&exchange, "direct").await, 406, "inequivalent arg 'type'");
    client.open().await?;
    let transient = client.exchange_as(&exchange, "topic", ExchangeDeclareOptions::default()).await;
    assert_refused(transient, 406, "inequivalent arg 'durable'");
    Ok(())
}

pub(crate) async fn a_missing_exchange_is_not_found(world: &World) -> Result<()> {
    let client = world.client().await?;
    let options = ExchangeDeclareOptions { passive: true, ..Default::default() };
    let declared = client.exchange_as("missing", "direct", options).await;
    assert_refused(declared, 404, "NOT_FOUND - no exchange 'missing' in vhost '/'");
    Ok(())
}

/// RabbitMQ 4 closes only the channel, with another code; the common ground is the refusal.
pub(crate) async fn an_unknown_exchange_type_closes_the_connection(world: &World) -> Result<()> {
    let client = world.client().await?;
    let (code, _) = refusal(client.exchange(&fresh("exchange"), "imaginary").await);
    assert!([503, 406].contains(&code), "{code}");
    Ok(())
}

pub(crate) async fn reserved_names_and_the_default_exchange_are_refused(
    world: &World,
) -> Result<()> {
    let mut client = world.client().await?;
    assert_refused(client.queue("amq.mine", table([])).await, 403, "reserved prefix 'amq.*'");
    client.open().await?;
    assert_refused(client.exchange("amq.mine", "direct").await, 403, "reserved prefix 'amq.*'");
    client.open().await?;
    let queue = client.fresh_queue(table([])).await?;
    assert_refused(client.bind(&queue, "", "key").await, 403, "default exchange");
    client.open().await?;
    let options = ExchangeDeleteOptions::default();
    let deleted = client.channel.exchange_delete("amq.topic".into(), options).await;
    assert_refused(deleted, 403, "amq.topic");
    Ok(())
}

pub(crate) async fn the_broker_names_a_queue_without_a_name(world: &World) -> Result<()> {
    let client = world.client().await?;
    let options = QueueDeclareOptions::exclusive();
    let first = client.channel.queue_declare("".into(), options, table([])).await?;
    let second = client.channel.queue_declare("".into(), options, table([])).await?;
    assert!(first.name().as_str().starts_with("amq.gen-"));
    assert_ne!(first.name(), second.name());
    client.fill(first.name().as_str(), &["by name"]).await?;
    // The empty name means the queue declared last.
    client.fill(second.name().as_str(), &["by default"]).await?;
    assert_eq!(body(&client.take("").await?), "by default");
    Ok(())
}

pub(crate) async fn an_exclusive_queue_is_locked_for_others(world: &World) -> Result<()> {
    let owner = world.client().await?;
    let name = fresh("exclusive");
    let options = QueueDeclareOptions::exclusive();
    owner.channel.queue_declare(name.as_str().into(), options, table([])).await?;

    let mut other = world.client().await?;
    let text = "RESOURCE_LOCKED - cannot obtain exclusive access to locked queue";
    assert_refused(other.ready(&name).await, 405, text);
    other.open().await?;
    assert_refused(other.consume(&name).await, 405, text);
    other.open().await?;
    let declared = other.channel.queue_declare(name.into(), options, table([])).await;
    assert_refused(declared, 405, text);
    Ok(())
}

pub(crate) async fn an_auto_delete_queue_goes_with_its_last_consumer(world: &World) -> Result<()> {
    let mut client = world.client().await?;
    let name = fresh("auto-delete");
    let options = QueueDeclareOptions::durable().auto_delete();
    client.channel.queue_declare(name.as_str().into(), options, table([])).await?;
    let one = client.consume(&name).await?;
    let two = client.consume(&name).await?;
    client.channel.basic_cancel(one.tag(), BasicCancelOptions::default()).await?;
    client.ready(&name).await?;
    client.channel.basic_cancel(two.tag(), BasicCancelOptions::default()).await?;
    assert_refused(client.ready(&name).await, 404, &name);
    client.open().await
}

pub(crate) async fn an_auto_delete_exchange_goes_with_its_last_binding(
    world: &World,
) -> Result<()> {
    let client = world.client().await?;
    let exchange = fresh("auto-delete");
    let options = ExchangeDeclareOptions { auto_delete: true, durable: true, ..Default::default() };
    client.exchange_as(&exchange, "direct", options).await?;
    let queue = client.fresh_queue(table([])).await?;
    client.bind(&queue, &exchange, "key").await?;
    let deleted = client.channel.queue_delete(queue.into(), QueueDeleteOptions::default()).await?;
    assert_eq!(deleted, 0);
    assert_refused(client.publish(&exchange, "key", "late").await, 404, &exchange);
    Ok(())
}

pub(crate) async fn purging_leaves_unacked_messages(world: &World) -> Result<()> {
    let client = world.client().await?;
    let queue = client.fresh_queue(table([])).await?;
    client.fill(&queue, &["held", "purged", "purged"]).await?;
    let held = client.get(&queue).await?.expect("a message");
    let options = QueuePurgeOptions::default();
    assert_eq!(client.channel.queue_purge(queue.as_str().into(), options).await?, 2);
    let requeue = BasicNackOptions { requeue: true, ..Default::default() };
    held.delivery.acker.nack(requeue).await?;
    assert_eq!(body(&client.take(&queue).await?), "held");
    Ok(())
}

pub(crate) async fn deleting_can_ask_for_unused_and_empty(world: &World) -> Result<()> {
    let mut client = world.client().await?;
    let queue = client.fresh_queue(table([])).await?;
    client.fill(&queue, &["one"]).await?;
    let if_empty = QueueDeleteOptions { if_empty: true, ..Default::default() };
    let deleted = client.channel.queue_delete(queue.as_str().into(), if_empty).await;
    assert_refused(deleted, 406, "not empty");
    client.open().await?;

    let mut consumer = client.consume(&queue).await?;
    next_body(&mut consumer).await?;
    let if_unused = QueueDeleteOptions { if_unused: true, ..Default::default() };
    let deleted = client.channel.queue_delete(queue.as_str().into(), if_unused).await;
    assert_refused(deleted, 406, "in use");
    client.open().await?;
    client.channel.queue_delete(queue.as_str().into(), if_unused).await?;
    assert_refused(client.ready(&queue).await, 404, &queue);
    client.open().await?;

    let exchange = fresh("exchange");
    client.exchange(&exchange, "direct").await?;
    let queue = client.fresh_queue(table([])).await?;
    client.bind(&queue, &exchange, "key").await?;
    let if_unused = ExchangeDeleteOptions { if_unused: true, ..Default::default() };
    let deleted = client.channel.exchange_delete(exchange.as_str().into(), if_unused).await;
    assert_refused(deleted, 406, "in use");
    Ok(())
}

pub(crate) async fn deleting_what_is_not_there_succeeds(world: &World) -> Result<()> {
    let client = world.client().await?;
    let options = QueueDeleteOptions::default();
    assert_eq!(client.channel.queue_delete("missing".into(), options).await?, 0);
    let options = ExchangeDeleteOptions::default();
    client.channel.exchange_delete("missing".into(), options).await?;
    let queue = client.fresh_queue(table([])).await?;
    let exchange = fresh("exchange");
    client.exchange(&exchange, "direct").await?;
    client.channel.queue_unbind(queue.into(), exchange.into(), "key".into(), table([])).await?;
    Ok(())
}

pub(crate) async fn invalid_arguments_are_refused(world: &World) -> Result<()> {
    let mut client = world.client().await?;
    for (name, value) in [
        ("x-message-ttl", number(-1)),
        ("x-message-ttl", text("soon")),
        ("x-expires", number(0)),
        ("x-max-length", number(-1)),
        ("x-dead-letter-exchange", number(1)),
        ("x-dead-letter-routing-key", text("without an exchange")),
        ("x-overflow", text("imaginary")),
        ("x-queue-type", text("imaginary")),
    ] {
        let declared = client.queue(&fresh("queue"), table([(name, value)])).await;
        assert_refused(declared, 406, name);
        client.open().await?;
    }
    Ok(())
}

pub(crate) async fn a_quorum_queue_is_there_to_stay(world: &World) -> Result<()> {
    let mut client = world.client().await?;
    for options in [
        QueueDeclareOptions::default(),
        QueueDeclareOptions::durable().auto_delete(),
        QueueDeclareOptions { exclusive: true, ..QueueDeclareOptions::durable() },
    ] {
        let name = fresh("quorum");
        let declared = client.channel.queue_declare(name.into(), options, quorum([])).await;
        assert_refused(declared, 406, "invalid property");
        client.open().await?;
    }
    let queue = client.fresh_queue(quorum([])).await?;
    assert_refused(client.queue(&queue, table([])).await, 406, "x-queue-type");
    Ok(())
}

pub(crate) async fn an_unused_queue_expires(world: &World) -> Result<()> {
    let mut client = world.client().await?;
    let queue = client.fresh_queue(table([("x-expires", number(2_000))])).await?;
    let consumer = client.consume(&queue).await?;
    // When one that nobody uses for twice as long has gone, the one in use would have, too.
    ended(&client, &client.fresh_queue(table([("x-expires", number(4_000))])).await?).await;
    client.fill(&queue, &["still here"]).await?;
    client.channel.basic_cancel(consumer.tag(), BasicCancelOptions::default()).await?;
    ended(&client, &queue).await;
    assert_refused(client.ready(&queue).await, 404, &queue);
    client.open().await
}

/// Waits until a queue has gone, by publishing to it: a declaration, even a passive one, is use.
async fn ended(client: &Client, queue: &str) {
    testbed::eventually(PATIENCE, &format!("the end of {queue}"), async || {
        let confirmation = client.publish("", queue, "knock").await.expect("a confirm");
        matches!(confirmation, lapin::Confirmation::Ack(Some(_))).then_some(())
    })
    .await;
}
