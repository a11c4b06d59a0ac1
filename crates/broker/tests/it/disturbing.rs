//! What only the embedded broker can do: be watched, disturbed and limited from its process.

use std::time::Duration;

use anyhow::Result;
use broker::{Broker, Config, QueueStats};
use futures_util::StreamExt as _;
use lapin::options::*;
use lapin::{Confirmation, Event};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::world::*;

pub(crate) async fn the_statistics_count_what_happens() -> Result<()> {
    let world = World::embedded().await?;
    let handle = world.handle.as_ref().expect("the embedded broker");
    let client = world.client().await?;
    let queue = client.fresh_queue(table([])).await?;
    client.fill(&queue, &["1", "2", "3", "4"]).await?;
    client.publish("", "nowhere", "lost").await?;
    client.prefetch(2).await?;
    let mut consumer = client.consume(&queue).await?;
    next_body(&mut consumer).await?;
    let requeue = BasicNackOptions { requeue: true, ..Default::default() };
    next(&mut consumer).await?.acker.nack(requeue).await?;
    next(&mut consumer).await?.acker.reject(BasicRejectOptions { requeue: false }).await?;

    let expected = QueueStats {
        name: queue,
        ready: 0,
        unacked: 2,
        consumers: 1,
        published: 4,
        delivered: 5,
        redelivered: 1,
        acked: 1,
        dead_lettered: 1,
    };
    testbed::eventually(PATIENCE, "the expected statistics", async || {
        (handle.queue_stats() == [expected.clone()]).then_some(())
    })
    .await;
    let stats = handle.stats();
    assert_eq!((stats.connections, stats.unroutable, stats.refused), (1, 1, 0));
    Ok(())
}

pub(crate) async fn a_cut_connection_is_noticed_and_its_messages_return() -> Result<()> {
    let world = World::embedded().await?;
    let client = world.client().await?;
    let queue = client.fresh_queue(table([])).await?;
    client.fill(&queue, &["held"]).await?;
    let mut consumer = client.consume(&queue).await?;
    next(&mut consumer).await?;
    assert_eq!(world.handle.as_ref().expect("the embedded broker").close_connections(), 1);
    assert!(timeout(PATIENCE, consumer.next()).await?.is_none_or(|next| next.is_err()));
    assert!(world.client().await?.take(&queue).await?.redelivered);
    Ok(())
}

/// RabbitMQ goes by the tag, and lets the next consumer have one more in hand.
pub(crate) async fn an_ack_makes_room_for_the_consumer_who_had_the_message() -> Result<()> {
    let world = World::embedded().await?;
    let client = world.client().await?;
    let queue = client.fresh_queue(table([])).await?;
    client.fill(&queue, &["1", "2", "3"]).await?;
    client.prefetch(1).await?;
    let mut consumer = client.consume_as(&queue, "me", BasicConsumeOptions::default()).await?;
    let before = next(&mut consumer).await?;
    client.channel.basic_cancel("me".into(), BasicCancelOptions::default()).await?;

    let mut consumer = client.consume_as(&queue, "me", BasicConsumeOptions::default()).await?;
    let after = next(&mut consumer).await?;
    before.acker.ack(BasicAckOptions::default()).await?;
    is_quiet(&mut consumer).await;
    after.acker.ack(BasicAckOptions::default()).await?;
    assert_eq!(next_body(&mut consumer).await?, "3");
    Ok(())
}

pub(crate) async fn a_blocked_publisher_waits_and_is_told() -> Result<()> {
    let world = World::embedded().await?;
    let handle = world.handle.as_ref().expect("the embedded broker");
    let client = world.client().await?;
    let mut events = client.connection.events_listener();
    let queue = client.fresh_queue(table([])).await?;
    let consuming = world.client().await?;
    let mut consumer = consuming.consume(&queue).await?;

    handle.block("low on memory");
    client.publish("", &queue, "met the block").await?;
    let blocked = timeout(PATIENCE, events.next()).await?;
    assert!(
        matches!(blocked, Some(Event::ConnectionBlocked(ref reason)) if reason == "low on memory")
    );
    assert_eq!(next_body(&mut consumer).await?, "met the block");

    let options = BasicPublishOptions::default();
    let properties = Default::default();
    let key = queue.as_str().into();
    let waiting = client.channel.basic_publish("".into(), key, options, b"waits", properties);
    let waiting = async { waiting.await?.await };
    tokio::pin!(waiting);
    assert!(timeout(QUIET, &mut waiting).await.is_err(), "no confirm while blocked");
    handle.unblock();
    assert_eq!(timeout(PATIENCE, waiting).await??, Confirmation::Ack(None));
    assert_eq!(next_body(&mut consumer).await?, "waits");
    Ok(())
}

pub(crate) async fn a_full_broker_refuses_until_there_is_room() -> Result<()> {
    let config = Config { memory_limit: 10_000, ..Config::default() };
    let world = World::embedded_with(config).await?;
    let handle = world.handle.as_ref().expect("the embedded broker");
    let client = world.client().await?;
    let queue = client.fresh_queue(table([])).await?;
    let body = "x".repeat(6_000);
    client.fill(&queue, &[&body]).await?;
    assert!(!handle.stats().full);
    client.fill(&queue, &[&body]).await?;
    assert_eq!(client.publish("", &queue, &body).await?, Confirmation::Nack(None));
    let stats = handle.stats();
    assert_eq!((stats.refused, stats.full), (1, true));
    client.take(&queue).await?;
    client.fill(&queue, &[&body]).await?;
    client.channel.queue_purge(queue.into(), QueuePurgeOptions::default()).await?;
    assert_eq!(handle.stats().memory, 0);
    Ok(())
}

pub(crate) async fn a_body_beyond_the_limit_closes_the_channel() -> Result<()> {
    let world = World::embedded_with(Config { max_body: 1_000, ..Config::default() }).await?;
    let client = world.client().await?;
    let queue = client.fresh_queue(table([])).await?;
    client.fill(&queue, &[&"x".repeat(1_000)]).await?;
    let published = client.publish("", &queue, &"x".repeat(1_001)).await;
    assert_refused(published, 406, "message size 1001 is larger than");
    Ok(())
}

pub(crate) async fn what_a_client_does_not_read_stays_in_its_queue() -> Result<()> {
    let world = World::embedded().await?;
    let handle = world.handle.as_ref().expect("the embedded broker");
    let client = world.client().await?;
    let queue = client.fresh_queue(table([])).await?;
    let mut stream = TcpStream::connect(world.address()).await?;
    // It does not read: it cannot know whether the broker is alive, and does not ask.
    stream.write_all(&login(0)).await?;
    stream.write_all(&method(1, b"\x00\x14\x00\x0a\x00")).await?;
    let queue_length = [u8::try_from(queue.len())?];
    let consume = [
        b"\x00\x3c\x00\x14\x00\x00",
        &queue_length[..],
        queue.as_bytes(),
        b"\x00\x02\x00\x00\x00\x00",
    ];
    stream.write_all(&method(1, &consume.concat())).await?;

    // Far more than what two socket buffers hold.
    let body = "x".repeat(500_000);
    for _ in 0..60 {
        client.fill(&queue, &[&body]).await?;
    }
    assert!(handle.queue_stats()[0].ready > 0, "{:?}", handle.queue_stats());
    let reading =
        tokio::spawn(async move { tokio::io::copy(&mut stream, &mut tokio::io::sink()).await });
    client.wait_for_ready(&queue, 0).await;
    reading.abort();
    Ok(())
}

pub(crate) async fn a_stop_closes_connections_with_320_and_ends() -> Result<()> {
    let broker = Broker::bind(Config::default()).await?;
    let url = format!("amqp://guest:guest@{}", broker.local_addr());
    let shutdown = CancellationToken::new();
    let running = tokio::spawn(broker.run(shutdown.clone()));
    let world = World { url, handle: None };
    let client = world.client().await?;
    let mut consumer = client.consume(&client.fresh_queue(table([])).await?).await?;
    shutdown.cancel();
    let end = timeout(PATIENCE, consumer.next()).await?.expect("the reason of the end");
    assert_refused(end, 320, "CONNECTION_FORCED");
    timeout(PATIENCE, running).await??;
    Ok(())
}

pub(crate) async fn a_silent_client_is_dropped_after_two_heartbeats() -> Result<()> {
    let config = Config { heartbeat: Duration::from_secs(1), ..Config::default() };
    let world = World::embedded_with(config).await?;
    let handle = world.handle.clone().expect("the embedded broker");
    let mut stream = TcpStream::connect(world.address()).await?;
    stream.write_all(&login(1)).await?;
    testbed::eventually(PATIENCE, "the connection", async || {
        (handle.stats().connections == 1).then_some(())
    })
    .await;
    let mut said = Vec::new();
    timeout(PATIENCE, stream.read_to_end(&mut said)).await??;
    let heartbeat = [8, 0, 0, 0, 0, 0, 0, 0xce];
    assert!(said.windows(8).any(|bytes| bytes == heartbeat), "the broker itself was not silent");
    assert_eq!(handle.stats().connections, 0);
    Ok(())
}

/// The bytes with which a client logs in and promises a heartbeat each so many seconds, or with 0
/// none: the protocol header, start-ok, tune-ok and open.
fn login(heartbeat: u8) -> Vec<u8> {
    let credentials =
        b"\x00\x0a\x00\x0b\x00\x00\x00\x00\x05PLAIN\x00\x00\x00\x0c\x00guest\x00guest\x05en_US";
    [
        b"AMQP\x00\x00\x09\x01".to_vec(),
        method(0, credentials),
        method(0, &[b"\x00\x0a\x00\x1f\x07\xff\x00\x02\x00\x00\x00", &[heartbeat][..]].concat()),
        method(0, b"\x00\x0a\x00\x28\x01/\x00\x00"),
    ]
    .concat()
}

fn method(channel: u8, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("short").to_be_bytes();
    [&[1, 0, channel], &length[..], payload, &[0xce]].concat()
}

pub(crate) async fn other_protocols_are_told_which_one_is_spoken() -> Result<()> {
    let world = World::embedded().await?;
    let mut stream = TcpStream::connect(world.address()).await?;
    stream.write_all(b"GET / HTTP/1.1\r\n\r\n").await?;
    let mut said = Vec::new();
    timeout(PATIENCE, stream.read_to_end(&mut said)).await??;
    assert_eq!(said, b"AMQP\x00\x00\x09\x01");
    Ok(())
}
