//! Which queues a message reaches.

use anyhow::Result;
use lapin::options::*;
use lapin::types::FieldTable;
use lapin::{BasicProperties, Confirmation};

use crate::world::*;

/// The bodies in a queue, taken out.
async fn bodies(client: &Client, queue: &str) -> Result<Vec<String>> {
    let mut bodies = Vec::new();
    while let Some(got) = client.get(queue).await? {
        got.delivery.acker.ack(BasicAckOptions::default()).await?;
        bodies.push(body(&got.delivery));
    }
    Ok(bodies)
}

/// Publishes each key as a message whose body is the key.
async fn publish_keys(client: &Client, exchange: &str, keys: &[&str]) -> Result<()> {
    for key in keys {
        client.publish(exchange, key, key).await?;
    }
    Ok(())
}

pub(crate) async fn the_default_exchange_routes_by_queue_name(world: &World) -> Result<()> {
    let client = world.client().await?;
    let queue = client.fresh_queue(table([])).await?;
    client.fill(&queue, &["one"]).await?;
    let delivery = client.take(&queue).await?;
    assert_eq!(delivery.exchange.as_str(), "");
    assert_eq!(delivery.routing_key.as_str(), queue);
    Ok(())
}

pub(crate) async fn a_direct_exchange_routes_by_key(world: &World) -> Result<()> {
    let client = world.client().await?;
    let (exchange, queue) = (fresh("direct"), client.fresh_queue(table([])).await?);
    client.exchange(&exchange, "direct").await?;
    client.bind(&queue, &exchange, "wanted").await?;
    publish_keys(&client, &exchange, &["wanted", "unwanted", "wanted.more"]).await?;
    assert_eq!(bodies(&client, &queue).await?, ["wanted"]);
    Ok(())
}

pub(crate) async fn a_fanout_exchange_routes_to_all(world: &World) -> Result<()> {
    let client = world.client().await?;
    let exchange = fresh("fanout");
    client.exchange(&exchange, "fanout").await?;
    let queues = [client.fresh_queue(table([])).await?, client.fresh_queue(quorum([])).await?];
    for queue in &queues {
        client.bind(queue, &exchange, "ignored").await?;
    }
    publish_keys(&client, &exchange, &["any"]).await?;
    for queue in &queues {
        assert_eq!(body(&client.take(queue).await?), "any");
    }
    Ok(())
}

pub(crate) async fn a_topic_exchange_routes_by_pattern(world: &World) -> Result<()> {
    let client = world.client().await?;
    let exchange = fresh("topic");
    client.exchange(&exchange, "topic").await?;
    let keys = ["", "order", "order.placed", "order.placed.late", "order..late", "parcel.placed"];
    let cases: [(&str, &[&str]); 7] = [
        ("order.placed", &["order.placed"]),
        ("order.*", &["order.placed"]),
        ("order.#", &["order", "order.placed", "order.placed.late", "order..late"]),
        ("#", &keys),
        ("*", &["order"]),
        ("*.placed.#", &["order.placed", "order.placed.late", "parcel.placed"]),
        ("#.late", &["order.placed.late", "order..late"]),
    ];
    let mut queues = Vec::new();
    for (pattern, _) in cases {
        let queue = client.fresh_queue(table([])).await?;
        client.bind(&queue, &exchange, pattern).await?;
        queues.push(queue);
    }
    publish_keys(&client, &exchange, &keys).await?;
    for ((pattern, expected), queue) in cases.iter().zip(queues) {
        assert_eq!(bodies(&client, &queue).await?, *expected, "for {pattern}");
    }
    Ok(())
}

pub(crate) async fn a_headers_exchange_routes_by_headers(world: &World) -> Result<()> {
    let mut client = world.client().await?;
    let exchange = fresh("headers");
    client.exchange(&exchange, "headers").await?;
    let cases: [(FieldTable, &[&str]); 4] = [
        (table([("kind", text("order")), ("size", number(1))]), &["both"]),
        (table([("x-match", text("all")), ("kind", text("order"))]), &["both", "kind"]),
        (
            table([("x-match", text("any")), ("kind", text("order")), ("size", number(1))]),
            &["both", "kind", "size"],
        ),
        (table([("x-match", text("any")), ("x-secret", text("ignored"))]), &[]),
    ];
    let mut queues = Vec::new();
    for (arguments, _) in &cases {
        let queue = client.fresh_queue(table([])).await?;
        let (options, arguments) = (QueueBindOptions::default(), arguments.clone());
        client
            .channel
            .queue_bind(
                queue.as_str().into(),
                exchange.as_str().into(),
                "".into(),
                options,
                arguments,
            )
            .await?;
        queues.push(queue);
    }
    let secret = ("x-secret", text("ignored"));
    for (body, headers) in [
        ("both", table([("kind", text("order")), ("size", number(1)), secret])),
        ("kind", table([("kind", text("order"))])),
        ("size", table([("size", number(1)), ("kind", text("parcel"))])),
        ("none", table([])),
    ] {
        let properties = BasicProperties::default().with_headers(headers);
        client.publish_with(&exchange, "", body.as_bytes(), properties).await?;
    }
    for ((arguments, expected), queue) in cases.iter().zip(&queues) {
        assert_eq!(bodies(&client, queue).await?, *expected, "for {arguments:?}");
    }
    let (options, wrong) = (QueueBindOptions::default(), table([("x-match", text("some"))]));
    let queue = queues[0].as_str();
    let bound =
        client.channel.queue_bind(queue.into(), exchange.into(), "".into(), options, wrong).await;
    assert_refused(bound, 406, "x-match");
    client.open().await
}

pub(crate) async fn exchanges_are_bound_to_exchanges(world: &World) -> Result<()> {
    let client = world.client().await?;
    let (outer, inner) = (fresh("outer"), fresh("inner"));
    client.exchange(&outer, "topic").await?;
    client.exchange(&inner, "fanout").await?;
    let queue = client.fresh_queue(table([])).await?;
    client.bind(&queue, &inner, "").await?;
    let names = || (inner.as_str().into(), outer.as_str().into(), "order.*".into());
    let (destination, source, key) = names();
    let options = ExchangeBindOptions::default();
    client.channel.exchange_bind(destination, source, key, options, table([])).await?;
    publish_keys(&client, &outer, &["order.placed", "parcel.placed"]).await?;
    assert_eq!(bodies(&client, &queue).await?, ["order.placed"]);

    let (destination, source, key) = names();
    let options = ExchangeUnbindOptions::default();
    client.channel.exchange_unbind(destination, source, key, options, table([])).await?;
    let confirmation = client.publish(&outer, "order.placed", "late").await?;
    assert!(matches!(confirmation, Confirmation::Ack(Some(_))), "{confirmation:?}");
    Ok(())
}

pub(crate) async fn a_queue_gets_a_message_once(world: &World) -> Result<()> {
    let client = world.client().await?;
    let (exchange, queue) = (fresh("topic"), client.fresh_queue(table([])).await?);
    client.exchange(&exchange, "topic").await?;
    for pattern in ["#", "order.*", "order.placed", "order.placed"] {
        client.bind(&queue, &exchange, pattern).await?;
    }
    publish_keys(&client, &exchange, &["order.placed"]).await?;
    assert_eq!(bodies(&client, &queue).await?, ["order.placed"]);
    Ok(())
}

pub(crate) async fn an_unbound_queue_gets_nothing(world: &World) -> Result<()> {
    let client = world.client().await?;
    let (exchange, queue) = (fresh("direct"), client.fresh_queue(table([])).await?);
    client.exchange(&exchange, "direct").await?;
    client.bind(&queue, &exchange, "key").await?;
    client
        .channel
        .queue_unbind(queue.as_str().into(), exchange.as_str().into(), "key".into(), table([]))
        .await?;
    let confirmation = client.publish(&exchange, "key", "late").await?;
    assert!(matches!(confirmation, Confirmation::Ack(Some(_))), "{confirmation:?}");
    assert_eq!(client.ready(&queue).await?, 0);
    Ok(())
}

pub(crate) async fn binding_what_is_not_there_is_not_found(world: &World) -> Result<()> {
    let mut client = world.client().await?;
    let queue = client.fresh_queue(table([])).await?;
    assert_refused(client.bind(&queue, "missing", "key").await, 404, "no exchange 'missing'");
    client.open().await?;
    assert_refused(client.bind("missing", "amq.topic", "key").await, 404, "no queue 'missing'");
    Ok(())
}
