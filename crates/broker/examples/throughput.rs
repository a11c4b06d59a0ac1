//! Measures how many messages a second go through the broker, as lapin sees it.
//!
//! `cargo run --release -p broker --example throughput`

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use broker::{Broker, Config};
use futures_util::StreamExt as _;
use futures_util::future::try_join_all;
use lapin::options::*;
use lapin::types::FieldTable;
use lapin::{BasicProperties, Channel, Confirmation, Connection, ConnectionProperties, Consumer};
use tokio_util::sync::CancellationToken;

const QUEUE: &str = "throughput";
const MESSAGES: usize = 50_000;
const BATCH: usize = 500;
const SERIAL: u32 = 2_000;
const BODY: [u8; 256] = [7; 256];

#[tokio::main]
async fn main() -> Result<()> {
    let broker = Broker::bind(Config::default()).await?;
    let url = format!("amqp://guest:guest@{}/%2f", broker.local_addr());
    let shutdown = CancellationToken::new();
    let running = tokio::spawn(broker.run(shutdown.clone()));
    let publisher = open(&url).await?;
    let consumer = consume(&open(&url).await?).await?;

    let started = Instant::now();
    let consuming = tokio::spawn(acknowledge_all(consumer));
    publish_in_batches(&publisher).await?;
    report("published and confirmed", started.elapsed());
    consuming.await??;
    report("published, consumed and acknowledged", started.elapsed());

    let started = Instant::now();
    for _ in 0..SERIAL {
        publish(&publisher, "nowhere").await?.await?;
    }
    println!("one publish and its confirm take {:?}", started.elapsed() / SERIAL);

    shutdown.cancel();
    running.await?;
    Ok(())
}

async fn open(url: &str) -> Result<Channel> {
    let connection = Connection::connect(url, ConnectionProperties::default()).await?;
    let channel = connection.create_channel().await?;
    channel.confirm_select(ConfirmSelectOptions::default()).await?;
    Ok(channel)
}

async fn consume(channel: &Channel) -> Result<Consumer> {
    let (options, arguments) = (QueueDeclareOptions::durable(), FieldTable::default());
    channel.queue_declare(QUEUE.into(), options, arguments.clone()).await?;
    channel.basic_qos(200, BasicQosOptions::default()).await?;
    let options = BasicConsumeOptions::default();
    Ok(channel.basic_consume(QUEUE.into(), "".into(), options, arguments).await?)
}

async fn acknowledge_all(mut consumer: Consumer) -> Result<()> {
    for _ in 0..MESSAGES {
        let delivery = consumer.next().await.context("the consumer has ended")??;
        delivery.ack(BasicAckOptions::default()).await?;
    }
    Ok(())
}

async fn publish_in_batches(channel: &Channel) -> Result<()> {
    for _ in 0..MESSAGES / BATCH {
        let mut confirms = Vec::with_capacity(BATCH);
        for _ in 0..BATCH {
            confirms.push(publish(channel, QUEUE).await?);
        }
        let confirmations = try_join_all(confirms).await?;
        ensure!(confirmations.iter().all(|confirmation| *confirmation == Confirmation::Ack(None)));
    }
    Ok(())
}

async fn publish(channel: &Channel, key: &str) -> lapin::Result<lapin::PublisherConfirm> {
    let (options, properties) = (BasicPublishOptions::default(), BasicProperties::default());
    channel.basic_publish("".into(), key.into(), options, &BODY, properties).await
}

fn report(what: &str, elapsed: Duration) {
    println!("{:.0} messages a second {what}", MESSAGES as f64 / elapsed.as_secs_f64());
}
