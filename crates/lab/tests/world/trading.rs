//! Customers who order all the time, and insist on an answer.

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
    books::PEACE,
    number,
    shop::{Shop, cart},
};

/// The pause between orders; the customers do not wait for answers.
const ORDER_EVERY: Duration = Duration::from_millis(40);
/// The pause before an order is repeated.
const PAUSE: Duration = Duration::from_millis(200);

/// Customers who order all the time, until they are told to stop.
pub(crate) struct Trading {
    open: Arc<AtomicBool>,
    placed: Arc<AtomicUsize>,
    customers: JoinHandle<Vec<String>>,
}

impl Trading {
    pub(crate) fn start(shop: Shop) -> Self {
        let open = Arc::new(AtomicBool::new(true));
        let placed = Arc::default();
        let customers = tokio::spawn(trade(shop, Arc::clone(&open), Arc::clone(&placed)));
        Self { open, placed, customers }
    }

    pub(crate) async fn at_least(&self, orders: usize) {
        eventually(PEACE, "enough orders are placed", || async {
            (self.placed.load(Ordering::Relaxed) >= orders).then_some(())
        })
        .await;
    }

    /// The ids of all orders that a customer was told are accepted.
    pub(crate) async fn stop(self) -> Vec<String> {
        self.open.store(false, Ordering::Relaxed);
        self.customers.await.expect("every customer got an answer")
    }
}

async fn trade(shop: Shop, open: Arc<AtomicBool>, placed: Arc<AtomicUsize>) -> Vec<String> {
    let every = number("MISHAP_ORDERS_PER_SECOND").map(|rate| Duration::from_secs(1) / rate as u32);
    let mut ticks = interval(every.unwrap_or(ORDER_EVERY));
    let mut orders = JoinSet::new();
    for number in 0.. {
        ticks.tick().await;
        if !open.load(Ordering::Relaxed) {
            break;
        }
        let (shop, placed) = (shop.clone(), Arc::clone(&placed));
        orders.spawn(async move {
            match insist(&shop, &basket(number)).await {
                Answer::Accepted(id) => {
                    placed.fetch_add(1, Ordering::Relaxed);
                    Some(id)
                }
                Answer::Declined => None,
            }
        });
    }
    orders.join_all().await.into_iter().flatten().collect()
}

/// What the shop says at last to an order.
enum Answer {
    /// It is accepted under this id.
    Accepted(String),
    /// It is not paid.
    Declined,
}

/// Repeats an order with its key until the shop has answered.
async fn insist(shop: &Shop, cart: &Value) -> Answer {
    let (key, deadline) = (Uuid::now_v7().to_string(), Instant::now() + PEACE);
    while Instant::now() < deadline {
        if let Some(answer) = answer(shop, cart, &key).await {
            return answer;
        }
        sleep(PAUSE).await;
    }
    panic!("an order has no answer after {PEACE:?}");
}

async fn answer(shop: &Shop, cart: &Value, key: &str) -> Option<Answer> {
    let answer = shop.post(cart, key).await.ok()?;
    match answer.status() {
        StatusCode::CREATED | StatusCode::ACCEPTED => {
            let order: Value = answer.json().await.ok()?;
            order["id"].as_str().map(str::to_owned).map(Answer::Accepted)
        }
        StatusCode::PAYMENT_REQUIRED => Some(Answer::Declined),
        StatusCode::TOO_MANY_REQUESTS => None,
        status if status.is_server_error() => None,
        status => panic!("{status}: {}", answer.text().await.unwrap_or_default()),
    }
}

fn basket(number: usize) -> Value {
    match number % 3 {
        0 => cart("TEA-001", 1),
        1 => cart("TEA-002", 2),
        _ => json!({"items": [
            {"sku": "TEA-002", "quantity": 1},
            {"sku": "TEA-001", "quantity": 3},
        ]}),
    }
}
