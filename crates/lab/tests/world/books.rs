//! Whether all adds up in the end: every accepted order at its end exactly once, charged for what it
//! came to, and its goods gone from the stock.

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    time::Duration,
};

use serde::Deserialize;
use serde_json::Value;
use testbed::eventually;
use tokio::time::Instant;
use uuid::Uuid;

use crate::{lab::World, ledger::Ledger};

/// Longer than all the waits of a message that failed five times.
pub(crate) const PEACE: Duration = Duration::from_secs(420);

/// What was in stock in the beginning.
pub(crate) struct Books {
    stock: BTreeMap<String, i64>,
}

/// What the orders of a shop came to.
pub(crate) struct Ends {
    orders: HashMap<Uuid, Order>,
    /// How long it took until nothing was left to be done.
    pub(crate) settled: Duration,
}

/// What an order came to, in the shop's books.
struct Order {
    status: String,
    total_minor: i64,
}

/// What the payment provider has on record for one order.
#[derive(Debug, Deserialize)]
struct Charged {
    number: u64,
    reference: Uuid,
    amount_minor: i64,
    state: String,
    captures: u32,
    refunds: u32,
}

#[derive(Deserialize)]
struct Page {
    entries: Vec<Charged>,
    next: Option<u64>,
}

impl Books {
    pub(crate) async fn open(world: &World) -> Self {
        Self { stock: Ledger::open(world).await.stock().await }
    }

    /// Waits until every order has come to its end, the accepted ones among them, and compares the
    /// shop's books with the provider's, with the worker's log and with the stock.
    pub(crate) async fn add_up(&self, world: &World, accepted: &[String]) -> Ends {
        let peace = Instant::now();
        // The old pool's connections may have died with the database.
        let ledger = Ledger::open(world).await;
        let orders = ended(&ledger, accepted).await;
        let announced = async || (ledger.outbox().await == 0).then_some(());
        eventually(PEACE, "all is announced", announced).await;
        assert_eq!(queued(world).await, 0);
        let settled = peace.elapsed();
        works_once(world, &ledger, &orders).await;
        let ordered = ledger.ordered().await;
        for (sku, stock) in ledger.stock().await {
            let sold = ordered.get(&sku).copied().unwrap_or_default();
            assert_eq!(self.stock[&sku] - sold, stock, "stock of {sku}");
        }
        money_adds_up(&orders, &charged(world).await);
        Ends { orders, settled }
    }
}

impl fmt::Display for Ends {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = |end: &str| self.orders.values().filter(|order| order.status == end).count();
        write!(
            f,
            "{} fulfilled, {} declined, {} refunded; 0 lost, 0 charged twice; all at their end {:.0} s \
             after",
            count("fulfilled"),
            count("declined"),
            count("refunded"),
            self.settled.as_secs_f64(),
        )
    }
}

/// All orders, once each has come to an end and nothing is left to be done for any.
async fn ended(ledger: &Ledger, accepted: &[String]) -> HashMap<Uuid, Order> {
    eventually(PEACE, "every order has come to its end", || async {
        (ledger.due().await == 0).then_some(())?;
        let orders: HashMap<_, _> = ledger.prices().await.into_iter().map(order).collect();
        let is_end =
            |order: &Order| ["fulfilled", "declined", "refunded"].contains(&&*order.status);
        for id in accepted {
            let id: Uuid = id.parse().expect("an order's id");
            let order = orders.get(&id).unwrap_or_else(|| panic!("order {id} is lost"));
            is_end(order).then_some(())?;
        }
        orders.values().all(is_end).then_some(orders)
    })
    .await
}

fn order((id, status, total_minor): (Uuid, String, i64)) -> (Uuid, Order) {
    (id, Order { status, total_minor })
}

/// Each order is fulfilled at most once, by the worker's own account and by the books.
async fn works_once(world: &World, ledger: &Ledger, orders: &HashMap<Uuid, Order>) {
    let worked = orders.values().filter(|order| order.status != "declined").count();
    assert_eq!(usize::try_from(ledger.fulfillments().await), Ok(worked));
    let log = world.lab.log("fulfillment-worker");
    let mut told: HashMap<Uuid, u32> = HashMap::new();
    for line in log.lines().filter(|line| line.contains("order fulfilled")) {
        let line: Value = serde_json::from_str(line).expect("a line of JSON");
        let id = line["order_id"].as_str().and_then(|id| id.parse().ok()).expect("an order's id");
        *told.entry(id).or_default() += 1;
    }
    for (id, times) in told {
        assert_eq!(times, 1, "the worker has fulfilled {id} {times} times");
    }
}

/// The provider's books, to their end.
async fn charged(world: &World) -> HashMap<Uuid, Charged> {
    let mut charged = HashMap::new();
    let mut since = 0;
    loop {
        let url =
            format!("http://127.0.0.1:{}/ledger?since={since}&limit=1000", world.lab.provider_port);
        let page: Page =
            reqwest::get(url).await.expect("an answer").json().await.expect("a page of entries");
        for entry in page.entries {
            let (reference, number) = (entry.reference, entry.number);
            let twice = charged.insert(reference, entry);
            assert!(twice.is_none(), "{reference} is charged twice, last by entry {number}");
        }
        match page.next {
            Some(next) => since = next,
            None => return charged,
        }
    }
}

/// Every order is charged for what it came to, and nothing else is.
fn money_adds_up(orders: &HashMap<Uuid, Order>, charged: &HashMap<Uuid, Charged>) {
    for (id, order) in orders {
        let charged = charged.get(id).unwrap_or_else(|| panic!("{id} was never paid"));
        assert_eq!(charged.amount_minor, order.total_minor, "{id}: {charged:?}");
        let expected = match order.status.as_str() {
            "fulfilled" => {
                charged.state == "captured" && (charged.captures, charged.refunds) == (1, 0)
            }
            "declined" => {
                charged.state == "declined" && (charged.captures, charged.refunds) == (0, 0)
            }
            _ => match charged.state.as_str() {
                "refunded" => (charged.captures, charged.refunds) == (1, 1),
                state => state == "voided" && charged.captures == 0,
            },
        };
        assert!(expected, "{id} is {}: {charged:?}", order.status);
    }
    for id in charged.keys() {
        assert!(orders.contains_key(id), "{id} was charged and is no order");
    }
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
