//! Dead letters, and what they tell of their death.

use anyhow::Result;
use lapin::BasicProperties;
use lapin::message::Delivery;
use lapin::options::*;
use lapin::types::{AMQPValue, FieldTable};

use crate::world::*;

/// A queue whose dead letters go to a queue of their own, by the default exchange.
async fn mortal_queue(client: &Client, mut arguments: FieldTable) -> Result<(String, String)> {
    let grave = client.fresh_queue(table([])).await?;
    arguments.insert("x-dead-letter-exchange".into(), text(""));
    arguments.insert("x-dead-letter-routing-key".into(), text(&grave));
    Ok((client.fresh_queue(arguments).await?, grave))
}

fn deaths(delivery: &Delivery) -> Vec<FieldTable> {
    let Some(AMQPValue::FieldArray(deaths)) = header(delivery, "x-death") else { return vec![] };
    deaths.as_slice().iter().filter_map(|death| death.as_field_table().cloned()).collect()
}

fn assert_death(delivery: &Delivery, queue: &str, reason: &str, count: i64) {
    let deaths = deaths(delivery);
    let death = deaths.first().expect("a death").inner();
    assert_eq!(death.get("queue"), Some(&text(queue)));
    assert_eq!(death.get("reason"), Some(&text(reason)));
    assert_eq!(death.get("count"), Some(&number(count)));
    assert_eq!(death.get("exchange"), Some(&text("")));
    let keys = AMQPValue::FieldArray(vec![text(queue)].into());
    assert_eq!(death.get("routing-keys"), Some(&keys));
    assert!(matches!(death.get("time"), Some(AMQPValue::Timestamp(_))), "{death:?}");
}

fn assert_first_death(delivery: &Delivery, queue: &str, reason: &str) {
    assert_eq!(header(delivery, "x-first-death-queue"), Some(&text(queue)));
    assert_eq!(header(delivery, "x-first-death-reason"), Some(&text(reason)));
    assert_eq!(header(delivery, "x-first-death-exchange"), Some(&text("")));
}

async fn reject_one(client: &Client, queue: &str) -> Result<()> {
    let got = testbed::eventually(PATIENCE, "a message to reject", async || {
        client.get(queue).await.expect("the queue can be asked")
    })
    .await;
    got.delivery.acker.reject(BasicRejectOptions { requeue: false }).await?;
    Ok(())
}

pub(crate) async fn a_rejected_message_carries_its_death(world: &World) -> Result<()> {
    let client = world.client().await?;
    for arguments in [table([]), quorum([])] {
        let (queue, grave) = mortal_queue(&client, arguments).await?;
        let properties = BasicProperties::default()
            .with_message_id("kept".into())
            .with_headers(table([("own", text("kept too"))]));
        client.publish_with("", &queue, b"body", properties).await?;
        reject_one(&client, &queue).await?;
        let letter = client.take(&grave).await?;
        assert_eq!(body(&letter), "body");
        assert_eq!(letter.routing_key.as_str(), grave);
        assert_eq!(letter.properties.message_id().as_ref().map(|id| id.as_str()), Some("kept"));
        assert_eq!(header(&letter, "own"), Some(&text("kept too")));
        assert_death(&letter, &queue, "rejected", 1);
        assert_first_death(&letter, &queue, "rejected");
    }
    Ok(())
}

pub(crate) async fn an_expired_message_carries_its_death(world: &World) -> Result<()> {
    let client = world.client().await?;
    for arguments in [table([]), quorum([])] {
        let (queue, grave) = mortal_queue(&client, arguments).await?;
        let properties = BasicProperties::default().with_expiration("50".into());
        client.publish_with("", &queue, b"body", properties).await?;
        let letter = client.take(&grave).await?;
        assert_death(&letter, &queue, "expired", 1);
        let death = &deaths(&letter)[0];
        assert_eq!(death.inner().get("original-expiration"), Some(&text("50")));
        assert_eq!(*letter.properties.expiration(), None, "it would expire again");
    }
    Ok(())
}

pub(crate) async fn an_overflowing_message_is_a_dead_letter(world: &World) -> Result<()> {
    let client = world.client().await?;
    for mut arguments in [table([]), quorum([])] {
        arguments.insert("x-max-length".into(), number(1));
        let (queue, grave) = mortal_queue(&client, arguments).await?;
        client.fill(&queue, &["old", "new"]).await?;
        let letter = client.take(&grave).await?;
        assert_eq!(body(&letter), "old");
        assert_death(&letter, &queue, "maxlen", 1);
        assert_eq!(body(&client.take(&queue).await?), "new");
    }
    Ok(())
}

pub(crate) async fn a_quorum_queue_gives_up_after_its_delivery_limit(world: &World) -> Result<()> {
    let client = world.client().await?;
    let arguments = quorum([("x-delivery-limit", number(2))]);
    let (queue, grave) = mortal_queue(&client, arguments).await?;
    client.fill(&queue, &["stubborn"]).await?;
    let mut consumer = client.consume(&queue).await?;
    for returns in 0..3 {
        let delivery = next(&mut consumer).await?;
        let expected = (returns > 0).then(|| number(returns));
        assert_eq!(header(&delivery, "x-delivery-count").cloned(), expected);
        assert_eq!(delivery.redelivered, returns > 0);
        let requeue = BasicNackOptions { requeue: true, ..Default::default() };
        delivery.acker.nack(requeue).await?;
    }
    let letter = client.take(&grave).await?;
    assert_death(&letter, &queue, "delivery_limit", 1);
    is_quiet(&mut consumer).await;
    Ok(())
}

/// In a circle with a reject in it, so that the broker goes along. RabbitMQ 4 forgets deaths that
/// a client sends along, so the circle must be the broker's own.
pub(crate) async fn deaths_are_counted(world: &World) -> Result<()> {
    let client = world.client().await?;
    let (main, retry) = (fresh("main"), fresh("retry"));
    let to = |queue: &str| {
        [("x-dead-letter-exchange", text("")), ("x-dead-letter-routing-key", text(queue))]
    };
    client.queue(&main, table(to(&retry))).await?;
    let mut arguments = table(to(&main));
    arguments.insert("x-message-ttl".into(), number(20));
    client.queue(&retry, arguments).await?;

    client.fill(&main, &["again"]).await?;
    reject_one(&client, &main).await?;
    reject_one(&client, &main).await?;
    let letter = client.take(&main).await?;
    let told: Vec<_> = deaths(&letter)
        .iter()
        .map(|death| {
            let get = |name| death.inner().get(name).cloned();
            (get("queue"), get("reason"), get("count"))
        })
        .collect();
    let expected = |queue: &str, reason| (Some(text(queue)), Some(text(reason)), Some(number(2)));
    assert_eq!(told, [expected(&retry, "expired"), expected(&main, "rejected")]);
    assert_first_death(&letter, &main, "rejected");
    Ok(())
}

pub(crate) async fn a_letter_that_only_goes_round_is_dropped(world: &World) -> Result<()> {
    let client = world.client().await?;
    let queue = fresh("circle");
    let arguments = [
        ("x-message-ttl", number(20)),
        ("x-dead-letter-exchange", text("")),
        ("x-dead-letter-routing-key", text(&queue)),
    ];
    client.queue(&queue, table(arguments)).await?;
    client.fill(&queue, &["round"]).await?;
    client.wait_for_ready(&queue, 0).await;
    tokio::time::sleep(QUIET).await;
    assert_eq!(client.ready(&queue).await?, 0);
    Ok(())
}

pub(crate) async fn a_dead_letter_keeps_its_routing_key_unless_told(world: &World) -> Result<()> {
    let client = world.client().await?;
    let (exchange, grave) = (fresh("dead"), client.fresh_queue(table([])).await?);
    client.exchange(&exchange, "topic").await?;
    client.bind(&grave, &exchange, "#").await?;
    let arguments = table([("x-dead-letter-exchange", text(&exchange))]);
    let queue = client.fresh_queue(arguments).await?;
    client.fill(&queue, &["one"]).await?;
    reject_one(&client, &queue).await?;
    let letter = client.take(&grave).await?;
    assert_eq!(letter.exchange.as_str(), exchange);
    assert_eq!(letter.routing_key.as_str(), queue);
    Ok(())
}
