//! Dead letters, looked at and put back, on the embedded broker and on a real one.

use chrono::{DateTime, Utc};
use contract::{
    event::{ORDER_PLACED, OrderPlaced},
    topology::{self, ATTEMPTS_HEADER, DEAD_LETTERS, FULFILLMENT_QUEUE, REASON_HEADER},
};
use faults::Service;
use lab::desk::{DeadLetters, Replayed};
use lapin::{
    BasicProperties, Channel, Connection, ConnectionProperties,
    message::Delivery,
    options::{
        BasicAckOptions, BasicGetOptions, BasicPublishOptions, ConfirmSelectOptions,
        QueueDeleteOptions,
    },
    types::{AMQPValue, FieldTable},
};
use reqwest::{Method, StatusCode};
use testbed::RabbitMq;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{
    desk::{DeskFixture, World},
    repairs,
};

const ANNOUNCED: i64 = 1_789_000_000;

/// A desk and a client on the same broker.
struct Scene {
    desk: DeskFixture,
    channel: Channel,
}

#[tokio::test]
async fn they_are_put_back_and_nothing_is_lost_embedded() {
    let broker = broker::Broker::bind(broker::Config::default()).await.expect("a broker");
    let url = format!("amqp://guest:guest@{}/%2f", broker.local_addr());
    tokio::spawn(broker.run(CancellationToken::new()));
    they_are_put_back_and_nothing_is_lost(url).await;
}

#[tokio::test]
async fn they_are_put_back_and_nothing_is_lost_rabbitmq() {
    if testbed::left_out(RabbitMq::available()) {
        return;
    }
    let rabbitmq = RabbitMq::start().await.expect("a broker");
    they_are_put_back_and_nothing_is_lost(rabbitmq.url()).await;
}

#[tokio::test]
async fn without_a_broker_the_desk_says_so() {
    let desk = World::empty().desk().await;
    for (method, path) in [(Method::GET, "/dlq"), (Method::POST, "/dlq/replay")] {
        let (status, text) = desk.text(method, path, "").await;
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
        assert!(text.starts_with("cannot reach the broker"), "{text}");
    }
}

#[tokio::test]
async fn what_was_sent_unreadable_is_taken_away_again_and_nothing_else() {
    let broker = broker::Broker::bind(broker::Config::default()).await.expect("a broker");
    let url = format!("amqp://guest:guest@{}/%2f", broker.local_addr());
    tokio::spawn(broker.run(CancellationToken::new()));
    let world = World { amqp_url: url, ..World::empty() };
    let _worker = world.side(Service::FulfillmentWorker).await;
    let scene = Scene::of(&world).await;
    repairs::on(&scene.desk, "poison-message", "messages=1000&for=1h").await;
    let mut bodies = Vec::new();
    testbed::eventually(crate::desk::PATIENCE, "all have come", async || {
        while let Some(message) = scene.take().await {
            bodies.push(message.data);
        }
        (bodies.len() == 1000).then_some(())
    })
    .await;
    for body in &bodies {
        scene.give_up(body, "malformed").await;
    }
    let order = Uuid::now_v7();
    scene.give_up(&event(order), "tries_exhausted").await;
    scene.give_up(b"not an order", "unreadable").await;
    let first = "1002 dead letters: 1000 malformed, 1 tries_exhausted, 1 unreadable\n  message";
    testbed::eventually(crate::desk::PATIENCE, "all can be looked at in time", async || {
        let (_, text) = scene.desk.text(Method::GET, "/dlq", "").await;
        (text.starts_with(first) && text.contains("and 901 more")).then_some(())?;
        (scene.look().await.letters[0].order_id == Some(order)).then_some(())
    })
    .await;

    let (status, text) = scene.desk.text(Method::DELETE, "/chaos", "").await;
    assert_eq!(status, StatusCode::OK, "{text}");
    let only_others_are_left = async || {
        testbed::eventually(crate::desk::PATIENCE, "all are taken away", async || {
            (scene.look().await.total == 2).then_some(())
        })
        .await;
        let left = scene.look().await.letters;
        assert_eq!((left[0].order_id, left[1].order_id), (Some(order), None));
    };
    only_others_are_left().await;
    // A worker whose connection was lost gives one up for the second time, and the third.
    for _ in 0..2 {
        scene.give_up(&bodies[0], "malformed").await;
        only_others_are_left().await;
    }
}

async fn they_are_put_back_and_nothing_is_lost(url: String) {
    let scene = Scene::open(url).await;
    assert_eq!(scene.look().await.total, 0, "the desk declares what it needs");
    let orders: Vec<_> = (0..3).map(|_| Uuid::now_v7()).collect();
    for order in &orders {
        scene.give_up(&event(*order), "tries_exhausted").await;
    }
    scene.give_up(b"not an order", "unreadable").await;

    for _ in 0..2 {
        let seen = scene.look().await;
        assert_eq!(seen.total, 4, "looking takes nothing away");
        let ids: Vec<_> = seen.letters.iter().map(|letter| letter.order_id).collect();
        assert_eq!(ids, [Some(orders[0]), Some(orders[1]), Some(orders[2]), None]);
        let first = &seen.letters[0];
        assert_eq!((first.reason.as_str(), first.attempts), ("tries_exhausted", 5));
        assert_eq!(first.message_id.as_deref(), Some("message-of-tries_exhausted"));
        assert_eq!(first.since, DateTime::<Utc>::from_timestamp(ANNOUNCED, 0));
    }
    let (_, text) = scene.desk.text(Method::GET, "/dlq", "").await;
    assert!(text.contains("unreadable after 5 failed tries, since 2026-09-1"), "{text}");

    assert_eq!(scene.replay("limit=2").await, Replayed { replayed: 2, left: 2 });
    for order in &orders[..2] {
        scene.assert_is_as_new(*order).await;
    }
    assert_eq!(scene.take().await, None, "no more than was asked for");
    assert_eq!(scene.replay("").await, Replayed { replayed: 2, left: 0 });
    assert_eq!(scene.replay("").await, Replayed { replayed: 0, left: 0 });
    assert_eq!(scene.look().await.total, 0);
    scene.what_no_queue_takes_stays().await;
}

impl Scene {
    async fn open(amqp_url: String) -> Self {
        Self::of(&World { amqp_url, ..World::empty() }).await
    }

    async fn of(world: &World) -> Self {
        let connection = Connection::connect(&world.amqp_url, ConnectionProperties::default());
        let channel =
            connection.await.expect("a broker").create_channel().await.expect("a channel");
        channel.confirm_select(ConfirmSelectOptions::default()).await.expect("confirms");
        Self { desk: world.desk().await, channel }
    }

    /// Publishes as fulfillment-worker does when it gives a message up after five tries.
    async fn give_up(&self, body: &[u8], reason: &str) {
        let mut headers = FieldTable::default();
        headers.insert(ATTEMPTS_HEADER.into(), AMQPValue::LongInt(5));
        headers.insert(REASON_HEADER.into(), AMQPValue::LongString(reason.into()));
        headers.insert("traceparent".into(), AMQPValue::LongString("00-aa-bb-01".into()));
        let properties = BasicProperties::default()
            .with_message_id(format!("message-of-{reason}").into())
            .with_correlation_id("thread".into())
            .with_type(ORDER_PLACED.into())
            .with_delivery_mode(2)
            .with_timestamp(ANNOUNCED.cast_unsigned())
            .with_headers(headers);
        let options = BasicPublishOptions { mandatory: true, ..Default::default() };
        let published =
            self.channel.basic_publish(DEAD_LETTERS.into(), "".into(), options, body, properties);
        let confirmation = published.await.expect("published").await.expect("confirmed");
        assert!(confirmation.is_ack(), "{confirmation:?}");
    }

    async fn look(&self) -> DeadLetters {
        let (status, json) = self.desk.json(Method::GET, "/dlq", "").await;
        assert_eq!(status, StatusCode::OK, "{json}");
        serde_json::from_value(json).expect("dead letters")
    }

    async fn replay(&self, form: &str) -> Replayed {
        let (status, json) = self.desk.json(Method::POST, "/dlq/replay", form).await;
        assert_eq!(status, StatusCode::OK, "{json}");
        serde_json::from_value(json).expect("what was replayed")
    }

    /// Takes the next message that the worker would get.
    async fn take(&self) -> Option<Delivery> {
        let taken = self.channel.basic_get(FULFILLMENT_QUEUE.into(), BasicGetOptions::default());
        let delivery = taken.await.expect("the queue is there")?.delivery;
        delivery.ack(BasicAckOptions::default()).await.expect("acknowledged");
        Some(delivery)
    }

    async fn assert_is_as_new(&self, order: Uuid) {
        let message = self.take().await.expect("it is in the queue again");
        assert_eq!(message.data, event(order));
        let names: Vec<_> = message
            .properties
            .headers()
            .iter()
            .flat_map(FieldTable::inner)
            .map(|(name, _)| name.to_string())
            .filter(|name| name != "x-delivery-count")
            .collect();
        assert_eq!(names, ["traceparent"], "nothing of the past counts against it");
        let properties = message.properties;
        assert_eq!(properties.correlation_id().as_ref().map(|id| id.as_str()), Some("thread"));
        assert_eq!(properties.delivery_mode(), &Some(2));
        assert_eq!(properties.timestamp(), &Some(ANNOUNCED.cast_unsigned()));
    }

    async fn what_no_queue_takes_stays(self) {
        self.give_up(b"still here", "unreadable").await;
        let options = QueueDeleteOptions::default();
        self.channel.queue_delete(FULFILLMENT_QUEUE.into(), options).await.expect("deleted");
        let (status, text) = self.desk.text(Method::POST, "/dlq/replay", "").await;
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{text}");
        assert!(text.contains("it stays a dead letter"), "{text}");
        topology::declare(&self.channel).await.expect("declared");
        let left = testbed::eventually(crate::desk::PATIENCE, "it is back", async || {
            Some(self.look().await).filter(|letters| letters.total == 1)
        });
        assert_eq!(left.await.letters[0].reason, "unreadable");
    }
}

fn event(order_id: Uuid) -> Vec<u8> {
    let event = OrderPlaced {
        order_id,
        customer_id: "ada".to_owned(),
        items: Vec::new(),
        total_minor: 0,
        currency: contract::CURRENCY.to_owned(),
        placed_at: DateTime::UNIX_EPOCH,
    };
    serde_json::to_vec(&event).expect("it is plain data")
}
