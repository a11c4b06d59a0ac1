//! Who comes, when, and for what; the same again for the same seed.

use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use rand_distr::{Distribution as _, Exp1, Zipf};

use crate::metrics::Journey;

/// How unequal they are: 1 is the classic law, by which the second comes half as often as the first.
const INEQUALITY: f64 = 0.8;
/// Of a hundred customers, so many come for each journey.
const WEIGHTS: [(Journey, u32); 3] =
    [(Journey::Browse, 50), (Journey::Order, 35), (Journey::List, 15)];
/// Of a hundred orders, so many have at least 2, 3 and 4 lines.
const MORE_LINES: [u32; 3] = [55, 25, 10];

/// One customer who comes.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Visit {
    /// The time since the one before, in mean gaps.
    pub(crate) gap: f64,
    /// Who; empty if there is nobody to be.
    pub(crate) customer_id: String,
    /// For what.
    pub(crate) journey: Journey,
    /// What they would put into the cart.
    pub(crate) wishes: Vec<Wish>,
    /// Decides how long they hesitate between steps.
    pub(crate) seed: u64,
}

/// One line that a customer would order.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Wish {
    /// Which product, as its place in the list: 0 is its beginning, 1 its end.
    pub(crate) place: f64,
    /// How many.
    pub(crate) quantity: u32,
}

/// The customers, in the order in which they come.
#[derive(Debug)]
pub(crate) struct Visits {
    rng: StdRng,
    /// Whoever comes first in it comes most often.
    customers: Vec<String>,
    ranks: Zipf<f64>,
}

impl Visits {
    pub(crate) fn new(seed: u64, customers: Vec<String>) -> Self {
        let ranks = Zipf::new(customers.len().max(1) as f64, INEQUALITY)
            .expect("there is one rank at least, and the inequality is a constant");
        Self { rng: StdRng::seed_from_u64(seed), customers, ranks }
    }

    /// From now on they come as this seed decides.
    pub(crate) fn begin_again(&mut self, seed: u64) {
        self.rng = StdRng::seed_from_u64(seed);
    }

    /// The next one.
    pub(crate) fn draw(&mut self) -> Visit {
        let gap = Exp1.sample(&mut self.rng);
        let customer_id = self.customer();
        let journey = self.journey();
        let wishes = match journey {
            Journey::Order => self.wishes(),
            Journey::Browse | Journey::List => Vec::new(),
        };
        Visit { gap, customer_id, journey, wishes, seed: self.rng.random() }
    }

    fn customer(&mut self) -> String {
        let rank = self.ranks.sample(&mut self.rng) as usize - 1;
        self.customers.get(rank).cloned().unwrap_or_default()
    }

    fn journey(&mut self) -> Journey {
        let mut ticket = self.rng.random_range(0..WEIGHTS.iter().map(|(_, weight)| weight).sum());
        for (journey, weight) in WEIGHTS {
            match u32::checked_sub(ticket, weight) {
                Some(left) => ticket = left,
                None => return journey,
            }
        }
        unreachable!("a ticket is less than the weights together")
    }

    fn wishes(&mut self) -> Vec<Wish> {
        let draw = self.rng.random_range(0..100);
        let lines = 1 + MORE_LINES.iter().filter(|share| draw < **share).count();
        (0..lines).map(|_| self.wish()).collect()
    }

    /// What stands at the beginning of the list is bought most.
    fn wish(&mut self) -> Wish {
        let place: f64 = self.rng.random();
        let quantity = if self.rng.random_bool(0.7) { 1 } else { self.rng.random_range(2..=4) };
        Wish { place: place * place, quantity }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    fn visits(seed: u64, count: usize) -> Vec<Visit> {
        let customers = ["ada", "grace", "linus", "margaret"].map(str::to_owned);
        let mut visits = Visits::new(seed, customers.into());
        (0..count).map(|_| visits.draw()).collect()
    }

    #[test]
    fn the_same_seed_brings_the_same_customers_and_another_one_others() {
        assert_eq!(visits(7, 500), visits(7, 500));
        assert_ne!(visits(7, 500), visits(8, 500));
    }

    #[test]
    fn who_begins_again_brings_the_customers_of_that_seed() {
        let mut others =
            Visits::new(8, ["ada", "grace", "linus", "margaret"].map(str::to_owned).into());
        (0..50).for_each(|_| drop(others.draw()));
        others.begin_again(7);
        let again: Vec<_> = (0..500).map(|_| others.draw()).collect();
        assert_eq!(again, visits(7, 500));
    }

    #[test]
    fn arrivals_are_a_poisson_process() {
        let gaps: Vec<_> = visits(1, 10_000).into_iter().map(|visit| visit.gap).collect();
        let mean = gaps.iter().sum::<f64>() / 10_000.0;
        let variance = gaps.iter().map(|gap| (gap - mean).powi(2)).sum::<f64>() / 10_000.0;
        assert!((0.95..1.05).contains(&mean), "mean {mean}");
        assert!((0.9..1.1).contains(&variance), "variance {variance}");
    }

    #[test]
    fn journeys_come_by_their_weights_and_orders_have_one_to_four_lines() {
        let visits = visits(1, 10_000);
        for (journey, weight) in WEIGHTS {
            let share = visits.iter().filter(|visit| visit.journey == journey).count() as f64;
            assert!((share / 100.0 - f64::from(weight)).abs() < 2.0, "{journey:?}: {share}");
        }
        for visit in visits.iter().filter(|visit| visit.journey == Journey::Order) {
            assert!((1..=4).contains(&visit.wishes.len()));
            assert!(visit.wishes.iter().all(|wish| (1..=4).contains(&wish.quantity)));
        }
    }

    #[test]
    fn some_customers_come_more_often_than_others_and_all_come() {
        let mut times = HashMap::new();
        for visit in visits(1, 10_000) {
            *times.entry(visit.customer_id).or_insert(0) += 1;
        }
        let times = ["ada", "grace", "linus", "margaret"].map(|name| times[name]);
        assert!(times.is_sorted_by(|more, less| more > less), "{times:?}");
        assert!(times[0] > 2 * times[3] && times[3] > 1000, "{times:?}");
        assert_eq!(Visits::new(1, Vec::new()).draw().customer_id, "");
    }
}
