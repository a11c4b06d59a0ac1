//! Nothing is lost: whatever is killed, every accepted order is fulfilled, exactly once.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use reqwest::StatusCode;
use serde_json::{Value, json};
use testbed::eventually;
use tokio::{
    task::{JoinHandle, JoinSet},
    time::{Instant, interval, sleep},
};
use uuid::Uuid;

use crate::{
    in_both_worlds,
    lab::World,
    ledger::Ledger,
    shop::{Shop, cart},
};

/// How often each part is killed.
const ROUNDS: usize = 3;
/// The pause between orders; the customers do not wait for answers.
const ORDER_EVERY: Duration = Duration::from_millis(40);
/// The pause before an order is repeated.
const PAUSE: Duration = Duration::from_millis(200);
/// The fewest orders that make the test worth its name.
const ENOUGH: usize = 500;
/// Longer than the longest wait of a message that failed four times.
const PEACE: Duration = Duration::from_secs(240);

in_both_worlds!(whatever_is_killed_every_accepted_order_is_fulfilled_exactly_once);

async fn whatever_is_killed_every_accepted_order_is_fulfilled_exactly_once(mut world: World) {
    let ledger = Ledger::open(&world).await;
    let stock_before = ledger.stock().await;
    let trading = Trading::start(world.shop());

    for _ in 0..ROUNDS {
        for service in ["web-gateway", "order-api", "fulfillment-worker"] {
            world.lab.kill(service).await;
            world.lab.ready().await;
        }
        kill_servers(&mut world).await;
    }
    trading.at_least(ENOUGH).await;
    let accepted = trading.stop().await;
    assert!(accepted.len() >= ENOUGH, "only {} orders were accepted", accepted.len());

    for id in &accepted {
        fulfilled(&world.shop(), id).await;
    }
    // The old pool's connections died with the database.
    let ledger = Ledger::open(&world).await;
    let count = i64::try_from(accepted.len()).expect("a few hundred");
    let orders = ledger.orders().await;
    assert_eq!(orders, [("fulfilled".to_owned(), count)].into(), "{count} were accepted");
    assert_eq!(ledger.fulfillments().await, count);
    assert_eq!(ledger.outbox().await, 0);
    assert_eq!(queued(&world).await, 0);

    let log = world.lab.log("fulfillment-worker");
    for id in &accepted {
        let lines =
            log.lines().filter(|line| line.contains("order fulfilled") && line.contains(id));
        assert!(lines.count() <= 1, "the worker has fulfilled {id} twice");
    }
    let ordered = ledger.ordered().await;
    for (sku, stock) in ledger.stock().await {
        let sold = ordered.get(&sku).copied().unwrap_or_default();
        assert_eq!(stock_before[&sku] - sold, stock, "stock of {sku}");
    }
    eprintln!("{count} orders accepted while parts were killed: 0 lost, 0 twice");
}

/// Kills database and broker, where they are servers of their own.
async fn kill_servers(world: &mut World) {
    if let Some(postgres) = &mut world.postgres {
        postgres.kill();
        postgres.restart().await.expect("Postgres starts on the same data");
        world.lab.ready().await;
    }
    if let Some(rabbitmq) = &mut world.rabbitmq {
        rabbitmq.kill();
        rabbitmq.restart().await.expect("RabbitMQ starts on the same data");
        world.lab.ready().await;
    }
}

/// Customers who order all the time, until they are told to stop.
struct Trading {
    open: Arc<AtomicBool>,
    placed: Arc<AtomicUsize>,
    customers: JoinHandle<Vec<String>>,
}

impl Trading {
    fn start(shop: Shop) -> Self {
        let open = Arc::new(AtomicBool::new(true));
        let placed = Arc::default();
        let customers = tokio::spawn(trade(shop, Arc::clone(&open), Arc::clone(&placed)));
        Self { open, placed, customers }
    }

    async fn at_least(&self, orders: usize) {
        eventually(PEACE, "enough orders are placed", || async {
            (self.placed.load(Ordering::Relaxed) >= orders).then_some(())
        })
        .await;
    }

    /// The ids of all orders that a customer was told are accepted.
    async fn stop(self) -> Vec<String> {
        self.open.store(false, Ordering::Relaxed);
        self.customers.await.expect("every customer got an answer")
    }
}

async fn trade(shop: Shop, open: Arc<AtomicBool>, placed: Arc<AtomicUsize>) -> Vec<String> {
    let mut ticks = interval(ORDER_EVERY);
    let mut orders = JoinSet::new();
    for number in 0.. {
        ticks.tick().await;
        if !open.load(Ordering::Relaxed) {
            break;
        }
        let (shop, placed) = (shop.clone(), Arc::clone(&placed));
        orders.spawn(async move {
            let id = insist(&shop, &basket(number)).await;
            placed.fetch_add(1, Ordering::Relaxed);
            id
        });
    }
    orders.join_all().await
}

/// Repeats an order with its key until the shop has answered; the id it is accepted under.
async fn insist(shop: &Shop, cart: &Value) -> String {
    let (key, deadline) = (Uuid::now_v7().to_string(), Instant::now() + PEACE);
    while Instant::now() < deadline {
        if let Some(id) = accepted(shop, cart, &key).await {
            return id;
        }
        sleep(PAUSE).await;
    }
    panic!("an order has no answer after {PEACE:?}");
}

async fn accepted(shop: &Shop, cart: &Value, key: &str) -> Option<String> {
    let answer = shop.post(cart, key).await.ok()?;
    match answer.status() {
        StatusCode::CREATED => {
            let order: Value = answer.json().await.ok()?;
            order["id"].as_str().map(str::to_owned)
        }
        status if status.is_server_error() => None,
        status => panic!("{status}: {}", answer.text().await.unwrap_or_default()),
    }
}

fn basket(number: usize) -> Value {
    match number % 3 {
        0 => cart("TEA-001", 1),
        1 => cart("TEA-002", 2),
        _ => json!({"customer_id": format!("customer-{}", number % 7), "items": [
            {"sku": "TEA-002", "quantity": 1},
            {"sku": "TEA-001", "quantity": 3},
        ]}),
    }
}

async fn fulfilled(shop: &Shop, id: &str) {
    eventually(PEACE, &format!("order {id} is fulfilled"), || async {
        let order = shop.get(&format!("/orders/{id}")).await?;
        (order["status"] == "fulfilled").then_some(())
    })
    .await;
}

/// Messages in all queues, as the desk counts them.
async fn queued(world: &World) -> i64 {
    let url = format!("http://127.0.0.1:{}/status", world.lab.desk_port);
    eventually(PEACE, "the queues are empty", || async {
        let request = reqwest::Client::new().get(&url).header("accept", "application/json");
        let status: Value = request.send().await.ok()?.json().await.ok()?;
        let waiting = status["queue"]["waiting"].as_i64()?;
        let retrying = status["queue"]["retrying"].as_i64()?;
        let dead = status["queue"]["dead"].as_i64()?;
        (waiting + retrying + dead == 0).then_some(0)
    })
    .await
}
