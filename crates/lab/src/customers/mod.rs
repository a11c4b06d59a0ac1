//! The customers: they come at random, at a rate that does not wait for answers.
//!
//! - [`visit`]: who comes, when, and for what; the same again for the same seed.
//! - [`clock`]: when the next one is due, also while the rate changes.
//! - [`journey`]: what a customer does, step by step.
//! - [`shop`]: one request, measured from when it was wanted, so that a shop that answers late
//!   cannot hide it by being asked less.
//! - [`wallet`]: the accounts that they sign in with.
//! - [`tally`]: what they saw in the last seconds and in all.

mod clock;
mod journey;
mod shop;
mod tally;
mod visit;
mod wallet;
mod window;

use std::{sync::Arc, time::Duration};

use anyhow::Context as _;
use identity::{Role, demo::DemoUsers};
use serde::{Deserialize, Serialize};
use tokio::{
    sync::watch,
    task::{JoinHandle, JoinSet},
    time::{Instant, sleep_until},
};

pub use tally::Snapshot;
pub use window::Percentiles;

use crate::metrics::Metrics;
use clock::Clock;
use shop::Shop;
use tally::Tally;
use visit::Visits;

/// The highest rate, in journeys per second.
pub const HIGHEST_RATE: f64 = 1000.0;

/// Where the customers go, how many and which.
#[derive(Clone, Debug)]
pub struct Config {
    /// The shop's front door, such as `http://127.0.0.1:3000`.
    pub gateway_url: String,
    /// Journeys that begin per second, on average: 0 to [`HIGHEST_RATE`].
    pub rate: f64,
    /// Decides who comes, when, and for what.
    pub seed: u64,
    /// Whom they come as: those of these who are customers, or nobody whom the shop knows.
    pub users: DemoUsers,
}

/// How many customers come, and which.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Load {
    /// Whether any come.
    pub enabled: bool,
    /// Journeys that begin per second, if they do.
    pub rate: f64,
    /// Decides who comes, when, and for what, from when it was set.
    pub seed: u64,
}

/// What customers want more than other things.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Demand {
    /// Who wants it, wants one of each of these, in any order.
    pub skus: &'static [&'static str],
    /// The share of orders that are for it.
    pub share: f64,
}

/// The customers; they leave when this is dropped.
#[derive(Debug)]
pub struct Customers {
    load: watch::Sender<Load>,
    demand: watch::Sender<Demand>,
    tally: Arc<Tally>,
    metrics: Metrics,
    arrivals: JoinHandle<()>,
}

impl Customers {
    /// Lets them come, from now on. A shop that is not open yet is no error of the shop's: nothing
    /// counts before the first request that it serves.
    ///
    /// Must be called on a runtime. Fails if `gateway_url` is not a URL.
    pub fn start(config: Config, metrics: Metrics) -> anyhow::Result<Self> {
        let tally = Arc::new(Tally::new(metrics.clone()));
        let shop = Shop::new(&config.gateway_url, &config.users, Arc::clone(&tally))
            .with_context(|| format!("cannot send customers to {}", config.gateway_url))?;
        let (load, changes) =
            watch::channel(Load { enabled: true, rate: config.rate, seed: config.seed });
        let names = config.users.of(Role::Customer).map(|user| user.name.to_string());
        let visits = Visits::new(config.seed, names.collect());
        let (demand, wanted) = watch::channel(Demand::default());
        let arrivals = tokio::spawn(arrive(visits, Arc::new(shop), changes, wanted));
        metrics.lab_load_rate.set(config.rate);
        Ok(Self { load, demand, tally, metrics, arrivals })
    }

    /// How many are told to come.
    pub fn load(&self) -> Load {
        *self.load.borrow()
    }

    /// Changes how many come, at once, and which, if the seed is another; a rate beyond what is possible
    /// becomes the nearest that is.
    pub fn set_load(&self, load: Load) {
        let load = Load { rate: load.rate.clamp(0.0, HIGHEST_RATE), ..load };
        self.load.send_replace(load);
        self.metrics.lab_load_rate.set(load.effective_rate());
    }

    /// Changes the rate, and leaves alone whether any come.
    pub fn set_rate(&self, rate: f64) {
        self.set_load(Load { rate, ..self.load() });
    }

    /// What they want more than other things.
    pub fn demand(&self) -> Demand {
        *self.demand.borrow()
    }

    /// Changes what they want more than other things; who is in the shop already, wants what they
    /// wanted.
    pub fn set_demand(&self, demand: Demand) {
        self.demand.send_replace(demand);
    }

    /// What they saw in the last ten seconds, and in all.
    pub fn snapshot(&self) -> Snapshot {
        self.tally.snapshot()
    }
}

impl Drop for Customers {
    fn drop(&mut self) {
        self.arrivals.abort();
    }
}

impl Load {
    fn effective_rate(self) -> f64 {
        if self.enabled { self.rate } else { 0.0 }
    }
}

/// Begins each journey when it is due, however the earlier ones fare.
async fn arrive(
    mut visits: Visits,
    shop: Arc<Shop>,
    mut load: watch::Receiver<Load>,
    demand: watch::Receiver<Demand>,
) {
    // Dropped, and its journeys with it, when this task is.
    let mut journeys = JoinSet::new();
    let mut visit = visits.draw();
    let mut seed = load.borrow().seed;
    let mut clock = Clock::new(visit.gap, load.borrow().effective_rate(), Instant::now());
    loop {
        tokio::select! {
            () = until(clock.due()) => {
                let due = clock.due().expect("it has just come");
                let next = visits.draw();
                clock.next(next.gap);
                let arrived = std::mem::replace(&mut visit, next);
                let demand = *demand.borrow();
                journeys.spawn(journey::walk(Arc::clone(&shop), arrived, demand, due));
            }
            changed = load.changed() => {
                if changed.is_err() {
                    return;
                }
                let load = *load.borrow_and_update();
                clock.set_rate(load.effective_rate(), Instant::now());
                if std::mem::replace(&mut seed, load.seed) != load.seed {
                    visits.begin_again(load.seed);
                    visit = visits.draw();
                    clock = Clock::new(visit.gap, load.effective_rate(), Instant::now());
                }
            }
            Some(_) = journeys.join_next() => {}
        }
    }
}

async fn until(due: Option<Instant>) {
    match due {
        Some(due) => sleep_until(due).await,
        None => std::future::pending().await,
    }
}

/// How long a customer waits for an answer.
const PATIENCE: Duration = Duration::from_secs(10);
