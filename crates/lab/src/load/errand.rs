//! What is asked of the shop, drawn at random; the same again for the same seed and answers, but for
//! the keys: an order of a second run is not one of the first, sent again.

use std::{collections::VecDeque, sync::Arc};

use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use serde::Serialize;
use uuid::Uuid;

/// Of so many orders the last are remembered, to be looked at and sent again.
const MEMORY: usize = 1000;
/// The token of a card that the payment provider always declines.
const DECLINED_CARD: &str = "card-declined";

/// What kind of request it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// List the products.
    Browse,
    /// Place an order.
    Place,
    /// Send an order that was placed once more, under the same key.
    Repeat,
    /// Look at an order.
    Look,
    /// List orders.
    List,
}

/// How often each kind is asked.
#[derive(Clone, Copy, Debug)]
pub struct Mix {
    /// The kinds with their weights.
    pub weights: &'static [(Kind, u32)],
    /// Of a hundred new orders, so many are paid with a card that is declined.
    pub declined: u32,
}

/// An order as it is sent.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Order {
    /// What.
    pub items: Vec<Item>,
    /// What it is paid with, if that is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payment_method: Option<&'static str>,
    /// Its name, by which it is placed once however often it is sent.
    #[serde(skip)]
    pub key: String,
}

/// One line of it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Item {
    sku: String,
    quantity: u32,
}

/// An order that the shop has accepted.
#[derive(Clone, Debug)]
pub struct Placed {
    /// The order.
    pub order: Arc<Order>,
    /// The shop's name for it.
    pub id: Uuid,
}

/// One request yet to be sent.
#[derive(Clone, Debug)]
pub enum Errand {
    /// List the products.
    Browse,
    /// Place this order.
    Place(Arc<Order>),
    /// Send this one again.
    Repeat(Placed),
    /// Look at this order.
    Look(Uuid),
    /// List the newest orders of whoever asks.
    List,
}

/// Whoever thinks of errands.
#[derive(Debug)]
pub struct Shopper {
    rng: StdRng,
    mix: Mix,
    skus: Vec<String>,
    placed: VecDeque<Placed>,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 5] = [Self::Browse, Self::Place, Self::Repeat, Self::Look, Self::List];

    /// The request's name: method and route.
    pub fn name(self) -> &'static str {
        match self {
            Self::Browse => "GET /products",
            Self::Place => "POST /orders",
            Self::Repeat => "POST /orders again",
            Self::Look => "GET /orders/{id}",
            Self::List => "GET /orders",
        }
    }
}

impl Errand {
    /// Its kind.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Browse => Kind::Browse,
            Self::Place(_) => Kind::Place,
            Self::Repeat(_) => Kind::Repeat,
            Self::Look(_) => Kind::Look,
            Self::List => Kind::List,
        }
    }
}

impl Shopper {
    /// One who buys these products.
    pub fn new(seed: u64, mix: Mix, skus: Vec<String>) -> Self {
        Self { rng: StdRng::seed_from_u64(seed), mix, skus, placed: VecDeque::new() }
    }

    /// The next errand. While there is no order to look at or to send again, it is a new one.
    pub fn draw(&mut self) -> Errand {
        match (self.kind(), self.remembered()) {
            (Kind::Browse, _) => Errand::Browse,
            (Kind::List, _) => Errand::List,
            (Kind::Repeat, Some(placed)) => Errand::Repeat(placed),
            (Kind::Look, Some(placed)) => Errand::Look(placed.id),
            (Kind::Place, _) | (Kind::Repeat | Kind::Look, None) => {
                Errand::Place(Arc::new(self.order()))
            }
        }
    }

    /// Remembers an order that the shop has accepted.
    pub fn remember(&mut self, placed: Placed) {
        if self.placed.len() == MEMORY {
            self.placed.pop_front();
        }
        self.placed.push_back(placed);
    }

    fn kind(&mut self) -> Kind {
        let mut ticket = self.rng.random_range(0..self.mix.weights.iter().map(|each| each.1).sum());
        for (kind, weight) in self.mix.weights {
            match u32::checked_sub(ticket, *weight) {
                Some(left) => ticket = left,
                None => return *kind,
            }
        }
        unreachable!("a ticket is less than the weights together")
    }

    fn remembered(&mut self) -> Option<Placed> {
        let index = self.rng.random_range(0..self.placed.len().max(1));
        self.placed.get(index).cloned()
    }

    fn order(&mut self) -> Order {
        let lines = self.rng.random_range(1..=3.min(self.skus.len()));
        let first = self.rng.random_range(0..self.skus.len());
        let items = (0..lines).map(|line| Item {
            sku: self.skus[(first + line) % self.skus.len()].clone(),
            quantity: self.rng.random_range(1..=3),
        });
        let items = items.collect();
        let declined = self.rng.random_range(0..100) < self.mix.declined;
        let payment_method = declined.then_some(DECLINED_CARD);
        Order { items, payment_method, key: Uuid::now_v7().to_string() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIX: Mix =
        Mix { weights: &[(Kind::Place, 50), (Kind::Look, 30), (Kind::Repeat, 20)], declined: 10 };

    fn shopper(seed: u64) -> Shopper {
        Shopper::new(seed, MIX, vec!["TEA".to_owned(), "CUP".to_owned()])
    }

    fn draw_and_remember(shopper: &mut Shopper) -> Errand {
        let errand = shopper.draw();
        if let Errand::Place(order) = &errand {
            shopper.remember(Placed { order: Arc::clone(order), id: Uuid::from_u128(7) });
        }
        errand
    }

    fn without_key(errand: &Errand) -> String {
        match errand {
            Errand::Place(order) => serde_json::to_string(order).unwrap(),
            Errand::Repeat(placed) => serde_json::to_string(&placed.order).unwrap(),
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn kinds_come_by_their_weights_and_cards_are_declined_by_theirs() {
        let mut shopper = shopper(1);
        let errands: Vec<_> = (0..10_000).map(|_| draw_and_remember(&mut shopper)).collect();
        let share = |kind| errands.iter().filter(|errand| errand.kind() == kind).count() as f64;
        for (kind, weight) in MIX.weights {
            let seen = share(*kind) / 100.0;
            assert!((seen - f64::from(*weight)).abs() < 2.0, "{kind:?}: {seen} %");
        }
        let declined = errands.iter().filter(
            |errand| matches!(errand, Errand::Place(order) if order.payment_method.is_some()),
        );
        let declined = declined.count() as f64 / share(Kind::Place);
        assert!((0.08..0.12).contains(&declined), "{declined}");
    }

    #[test]
    fn an_order_has_each_product_once_and_a_key_of_its_own() {
        let mut shopper = shopper(1);
        let mut keys = std::collections::HashSet::new();
        for _ in 0..1000 {
            let order = shopper.order();
            let skus: std::collections::HashSet<_> =
                order.items.iter().map(|item| &item.sku).collect();
            assert_eq!(skus.len(), order.items.len(), "{order:?}");
            assert!(keys.insert(order.key), "a key came twice");
        }
    }

    #[test]
    fn the_same_seed_asks_the_same_and_nothing_is_looked_at_before_it_is_placed() {
        let draws = |seed| {
            let mut shopper = shopper(seed);
            let errands = (0..100).map(|_| draw_and_remember(&mut shopper));
            errands.map(|errand| without_key(&errand)).collect::<Vec<_>>()
        };
        assert_eq!(draws(7), draws(7));
        assert_ne!(draws(7), draws(8));
        assert!(matches!(shopper(3).draw(), Errand::Place(_)));
    }

    #[test]
    fn only_the_last_orders_are_remembered() {
        let mut shopper = shopper(1);
        for number in 0..2 * MEMORY {
            let order = Arc::new(shopper.order());
            shopper.remember(Placed { order, id: Uuid::from_u128(number as u128) });
        }
        assert_eq!(shopper.placed.len(), MEMORY);
        assert_eq!(shopper.placed[0].id, Uuid::from_u128(MEMORY as u128));
    }
}
