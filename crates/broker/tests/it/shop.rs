//! The topology that the services declare, and an order's way through it.

use anyhow::Result;
use lapin::options::*;
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Confirmation};

use crate::world::*;

/// The names of one shop, so that tests do not meet.
struct Shop {
    orders_exchange: String,
    retry_exchange: String,
    dead_exchange: String,
    orders: String,
    retries: Vec<(String, i64)>,
    dead: String,
}

impl Shop {
    async fn open(client: &Client) -> Result<Self> {
        let shop = fresh("shop");
        let shop = Self {
            orders_exchange: format!("{shop}.orders"),
            retry_exchange: format!("{shop}.retry"),
            dead_exchange: format!("{shop}.fulfillment.dead"),
            orders: format!("{shop}.fulfillment.orders"),
            retries: [50, 100]
                .map(|delay| (format!("{shop}.fulfillment.retry.{delay}ms"), delay))
                .into(),
            dead: format!("{shop}.fulfillment.dead"),
        };
        shop.declare(client).await?;
        Ok(shop)
    }

    async fn declare(&self, client: &Client) -> Result<()> {
        client.exchange(&self.orders_exchange, "topic").await?;
        client.exchange(&self.retry_exchange, "direct").await?;
        client.exchange(&self.dead_exchange, "fanout").await?;
        client.queue(&self.dead, table([("x-queue-type", text("classic"))])).await?;
        client.bind(&self.dead, &self.dead_exchange, "").await?;

        let mut arguments = safe_quorum(&self.dead_exchange);
        arguments.insert("x-delivery-limit".into(), number(20));
        client.queue(&self.orders, arguments).await?;
        client.bind(&self.orders, &self.orders_exchange, "order.placed").await?;
        client.bind(&self.orders, &self.retry_exchange, &self.orders).await?;
        for (retry, delay) in &self.retries {
            let mut arguments = safe_quorum(&self.retry_exchange);
            arguments.insert("x-dead-letter-routing-key".into(), text(&self.orders));
            arguments.insert("x-message-ttl".into(), number(*delay));
            client.queue(retry, arguments).await?;
        }
        Ok(())
    }
}

fn safe_quorum(dead_letter_exchange: &str) -> FieldTable {
    quorum([
        ("x-dead-letter-exchange", text(dead_letter_exchange)),
        ("x-dead-letter-strategy", text("at-least-once")),
        ("x-overflow", text("reject-publish")),
    ])
}

pub(crate) async fn the_shop_declares_its_topology_twice(world: &World) -> Result<()> {
    let shop = Shop::open(&world.client().await?).await?;
    shop.declare(&world.client().await?).await
}

pub(crate) async fn an_order_is_retried_and_then_parked(world: &World) -> Result<()> {
    let client = world.client().await?;
    let shop = Shop::open(&client).await?;
    client.prefetch(10).await?;
    let mut consumer = client.consume(&shop.orders).await?;

    let order = BasicProperties::default()
        .with_message_id("order-1".into())
        .with_headers(table([("attempt", number(0))]));
    let sent = client.publish_with(&shop.orders_exchange, "order.placed", b"{}", order).await?;
    assert_eq!(sent, Confirmation::Ack(None));

    for (attempt, (retry, _)) in (1..).zip(&shop.retries) {
        let delivery = next(&mut consumer).await?;
        assert_eq!(header(&delivery, "attempt"), Some(&number(attempt - 1)));
        let again = delivery.properties.clone().with_headers(table([("attempt", number(attempt))]));
        let moved = client.publish_with("", retry, &delivery.data, again).await?;
        assert_eq!(moved, Confirmation::Ack(None));
        delivery.acker.ack(BasicAckOptions::default()).await?;
    }

    let last = next(&mut consumer).await?;
    assert_eq!(last.exchange.as_str(), shop.retry_exchange);
    assert_eq!(last.routing_key.as_str(), shop.orders);
    assert_eq!(header(&last, "attempt"), Some(&number(2)));
    assert_eq!(header(&last, "x-first-death-reason"), Some(&text("expired")));
    last.acker.reject(BasicRejectOptions { requeue: false }).await?;

    let parked = client.take(&shop.dead).await?;
    assert_eq!(body(&parked), "{}");
    assert_eq!(parked.properties.message_id().as_ref().map(|id| id.as_str()), Some("order-1"));
    let Some(AMQPValue::FieldArray(deaths)) = header(&parked, "x-death") else {
        panic!("{parked:?}");
    };
    let latest = deaths.as_slice()[0].as_field_table().expect("a table");
    assert_eq!(latest.inner().get("reason"), Some(&text("rejected")));
    assert_eq!(latest.inner().get("queue"), Some(&text(&shop.orders)));
    Ok(())
}
