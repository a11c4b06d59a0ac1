//! Nothing is lost: whatever is killed, every accepted order comes to its end exactly once, and is
//! charged for what it came to.

use std::time::Duration;

use rand::{RngExt as _, SeedableRng as _, rngs::StdRng, seq::SliceRandom as _};
use tokio::time::{Instant, sleep};

use crate::{books::Books, lab::World, number, trading::Trading};

/// How often each part is killed, unless it is to go on for longer.
const ROUNDS: usize = 3;
/// The fewest orders that make the test worth its name.
const ENOUGH: usize = 500;
/// How long after the last answer the last order may come to its end, in a run that was asked for. One of
/// every day has no such limit, for it runs beside other tests.
const SETTLED: Duration = Duration::from_secs(60);
/// A shop in which every end that an order can come to is common.
const SETTINGS: [(&str, &str); 2] =
    [("LAB_PROVIDER_DECLINE_RATE", "0.05"), ("FULFILLMENT_WORKER_GOODS_MISSING_RATE", "0.05")];

mod embedded {
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn whatever_is_killed_every_accepted_order_comes_to_its_end_exactly_once() {
        super::survives(super::World::embedded_with(&super::SETTINGS).await).await;
    }
}

mod real {
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn whatever_is_killed_every_accepted_order_comes_to_its_end_exactly_once() {
        if let Some(world) = super::World::real_set(&super::SETTINGS).await {
            super::survives(world).await;
        }
    }
}

/// `MISHAP_KILL_SECONDS=300 MISHAP_ORDERS_PER_SECOND=50` makes it longer and faster.
async fn survives(mut world: World) {
    let books = Books::open(&world).await;
    let trading = Trading::start(world.shop());
    kill_at_random(&mut world).await;
    trading.at_least(ENOUGH).await;
    let accepted = trading.stop().await;
    assert!(accepted.len() >= ENOUGH, "only {} orders were accepted", accepted.len());
    let ends = books.add_up(&world, &accepted).await;
    eprintln!("{} orders accepted while parts were killed: {ends}", accepted.len());
    let was_asked_for = number("MISHAP_KILL_SECONDS").is_some();
    assert!(!was_asked_for || ends.settled <= SETTLED, "not within {SETTLED:?}: {ends}");
}

/// Kills every part in turn, in an order and at moments of chance.
async fn kill_at_random(world: &mut World) {
    let lasts = number("MISHAP_KILL_SECONDS").map(Duration::from_secs);
    let seed = number("MISHAP_SEED").unwrap_or_else(|| rand::rng().random());
    eprintln!("MISHAP_SEED={seed}");
    let (mut rng, begun) = (StdRng::seed_from_u64(seed), Instant::now());
    let mut parts = ["web-gateway", "order-api", "fulfillment-worker", "postgres", "rabbitmq"];
    for round in 0.. {
        let over = lasts.map_or(round == ROUNDS, |lasts| begun.elapsed() >= lasts);
        if over {
            return world.lab.ready().await;
        }
        parts.shuffle(&mut rng);
        for part in parts {
            sleep(Duration::from_millis(rng.random_range(100..2000))).await;
            kill(world, part).await;
        }
    }
}

/// Kills one part, if it runs here, and brings it back.
async fn kill(world: &mut World, part: &str) {
    match part {
        "postgres" => {
            if let Some(postgres) = &mut world.postgres {
                postgres.kill();
                postgres.restart().await.expect("Postgres starts on the same data");
            }
        }
        "rabbitmq" => {
            if let Some(rabbitmq) = &mut world.rabbitmq {
                rabbitmq.kill();
                rabbitmq.restart().await.expect("RabbitMQ starts on the same data");
            }
        }
        service => world.lab.kill(service).await,
    }
}
