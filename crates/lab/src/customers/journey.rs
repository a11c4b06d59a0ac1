//! What a customer does, step by step.

use std::{collections::HashSet, sync::Arc, time::Duration};

use axum::http::Method;
use instrumentation::trace::{Context, KeyValue, Span, SpanKind, attribute};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng, seq::SliceRandom as _};
use reqwest::RequestBuilder;
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep_until};
use uuid::Uuid;

use super::{
    Demand,
    shop::{Served, Shop, Unserved, Wanted},
    visit::{Visit, Wish},
};
use crate::metrics::Journey;

/// How often a customer sends the same order before giving up.
const TRIES: u32 = 4;
/// The wait before the second try; doubled for each one after it.
const FIRST_BACKOFF: Duration = Duration::from_millis(250);
/// A customer does not wait longer than this, whatever the shop asks for.
const LONGEST_BACKOFF: Duration = Duration::from_secs(5);
/// Of so many customers one has an application that sends no idempotency key.
const ONE_WITHOUT_KEY_OF: u64 = 10;
/// How often a customer looks whether an order is fulfilled.
const LOOKS: u32 = 5;
/// The wait before the first look; doubled for each one after it.
const FIRST_LOOK: Duration = Duration::from_millis(400);

/// One customer in the shop.
struct Customer {
    shop: Arc<Shop>,
    id: String,
    journey: Journey,
    rng: StdRng,
    /// Whether orders have an idempotency key: those without are not sent again, or there may be two.
    keyed: bool,
    /// When the next step is wanted: steps follow each other by thinking, not by waiting.
    next: Instant,
}

#[derive(Deserialize)]
struct Products {
    products: Vec<Product>,
}

#[derive(Deserialize)]
struct Product {
    sku: String,
    stock: i64,
}

/// It is of whoever sends it.
#[derive(Serialize)]
struct NewOrder<'a> {
    items: &'a [Line],
}

#[derive(Debug, PartialEq, Serialize)]
struct Line {
    sku: String,
    quantity: u32,
}

#[derive(Deserialize)]
struct Order {
    id: Uuid,
    status: String,
}

/// Does what a customer has come for; it was to begin at `due`.
pub(crate) async fn walk(shop: Arc<Shop>, visit: Visit, demand: Demand, due: Instant) {
    let Visit { customer_id, journey, wishes, seed, .. } = visit;
    let rng = StdRng::seed_from_u64(seed);
    let keyed = !seed.is_multiple_of(ONE_WITHOUT_KEY_OF);
    let mut customer = Customer { shop, id: customer_id, journey, rng, keyed, next: due };
    match journey {
        Journey::Browse => customer.browse().await,
        Journey::Order => customer.order(&wishes, demand).await,
        Journey::List => customer.list().await,
    }
}

impl Customer {
    async fn browse(&mut self) {
        while self.products().await.is_some() && self.rng.random_bool(0.4) {
            self.think(Duration::from_millis(800)).await;
        }
    }

    async fn order(&mut self, wishes: &[Wish], demand: Demand) {
        let Some(products) = self.products().await else { return };
        let items = match self.has_come_for(demand) {
            true => self.fill_with(demand.skus),
            false => fill_cart(&products, wishes),
        };
        if items.is_empty() {
            return;
        }
        self.think(Duration::from_millis(600)).await;
        if let Some(order) = self.place(items).await {
            self.watch(order).await;
        }
    }

    /// Draws only if there is something to draw: the customers are else the same for the same seed.
    fn has_come_for(&mut self, demand: Demand) -> bool {
        demand.share > 0.0 && self.rng.random_bool(demand.share.min(1.0))
    }

    /// One of each, in any order.
    fn fill_with(&mut self, skus: &[&str]) -> Vec<Line> {
        let lines = skus.iter().map(|sku| Line { sku: (*sku).to_owned(), quantity: 1 });
        let mut lines: Vec<_> = lines.collect();
        lines.shuffle(&mut self.rng);
        lines
    }

    async fn list(&mut self) {
        let request = self.request(Method::GET, "/orders", &new_id()).query(&[("limit", "10")]);
        // There is nothing to do with the list but to have seen it.
        let _ = self.shop.ask("GET /orders", self.wanted(false), request).await;
    }

    async fn products(&mut self) -> Option<Vec<Product>> {
        let request = self.request(Method::GET, "/products", &new_id());
        let served = self.shop.ask("GET /products", self.wanted(false), request).await.ok()?;
        self.next = Instant::now();
        Some(served.read::<Products>()?.products)
    }

    /// Sends an order, and again under the same key, if it has one, while the shop cannot say what became of it:
    /// one order is one trace, however often it is sent.
    async fn place(&mut self, items: Vec<Line>) -> Option<Order> {
        let attributes = vec![KeyValue::new(attribute::CUSTOMER_ID, self.id.clone())];
        let span = Span::begin(SpanKind::Internal, "place order", &Context::new(), attributes);
        span.scope(self.send(items)).await
    }

    async fn send(&mut self, items: Vec<Line>) -> Option<Order> {
        let (key, thread) = (new_id(), new_id());
        for tries in 1.. {
            match self.try_to_place(&items, &key, &thread).await {
                Ok(served) => {
                    self.next = Instant::now();
                    return served.read();
                }
                Err(unserved) if self.keyed && unserved.again && tries < TRIES => {
                    let wait = self.backoff(tries, unserved);
                    self.wait(wait).await;
                }
                Err(_) => return None,
            }
        }
        None
    }

    async fn try_to_place(
        &self,
        items: &[Line],
        key: &str,
        thread: &str,
    ) -> Result<Served, Unserved> {
        let mut request = self.request(Method::POST, "/orders", thread).json(&NewOrder { items });
        if self.keyed {
            request = request.header("idempotency-key", key);
        }
        self.shop.ask("POST /orders", self.wanted(true), request).await
    }

    /// Looks again, ever less often, until the order has come to its end.
    async fn watch(&mut self, order: Order) {
        let path = format!("/orders/{}", order.id);
        for look in 0..LOOKS {
            self.think(FIRST_LOOK * 2_u32.pow(look)).await;
            let request = self.request(Method::GET, &path, &new_id());
            let answer = self.shop.ask("GET /orders/{id}", self.wanted(false), request).await;
            let seen = answer.ok().and_then(|served| served.read::<Order>());
            match seen.as_ref().map(|order| order.status.as_str()) {
                Some("fulfilled") => return self.shop.fulfilled(),
                Some("declined" | "failed" | "refunded") => return,
                Some(_) | None => self.next = Instant::now(),
            }
        }
    }

    fn request(&self, method: Method, path: &str, thread: &str) -> RequestBuilder {
        self.shop.request(&self.id, method, path, thread)
    }

    fn wanted(&self, ordering: bool) -> Wanted {
        Wanted { journey: self.journey, ordering, at: self.next }
    }

    fn backoff(&mut self, tries: u32, unserved: Unserved) -> Duration {
        let grown = FIRST_BACKOFF * 2_u32.pow(tries - 1);
        let asked = unserved.after.unwrap_or_default();
        grown.max(asked).min(LONGEST_BACKOFF).mul_f64(self.rng.random_range(0.75..1.25))
    }

    /// Hesitates for about this long.
    async fn think(&mut self, about: Duration) {
        let wait = about.mul_f64(self.rng.random_range(0.5..1.5));
        self.wait(wait).await;
    }

    async fn wait(&mut self, wait: Duration) {
        self.next = Instant::now() + wait;
        sleep_until(self.next).await;
    }
}

/// The wishes as lines of products that are there, each product once.
fn fill_cart(products: &[Product], wishes: &[Wish]) -> Vec<Line> {
    let mut taken = HashSet::new();
    wishes
        .iter()
        .filter_map(|wish| {
            let index = (wish.place * products.len() as f64) as usize;
            let product = products.get(index)?;
            let there = product.stock >= i64::from(wish.quantity);
            (there && taken.insert(&product.sku))
                .then(|| Line { sku: product.sku.clone(), quantity: wish.quantity })
        })
        .collect()
}

fn new_id() -> String {
    Uuid::now_v7().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cart_has_each_product_once_and_nothing_that_is_sold_out() {
        let product = |sku: &str, stock| Product { sku: sku.to_owned(), stock };
        let products = [product("TEA", 9), product("CUP", 1), product("POT", 9)];
        let wish = |place, quantity| Wish { place, quantity };
        let wishes = [wish(0.0, 1), wish(0.1, 2), wish(0.5, 2), wish(0.99, 3)];
        let cart = fill_cart(&products, &wishes);
        let lines: Vec<_> = cart.iter().map(|line| (line.sku.as_str(), line.quantity)).collect();
        assert_eq!(lines, [("TEA", 1), ("POT", 3)]);
        assert_eq!(fill_cart(&[], &wishes), []);
    }
}
