//! How many requests may be tried again, as a share of all of them.
//!
//! A retry helps against a failure of chance. Against a dependency that is overloaded it is one
//! more request: without a limit, three tries of everything make three times the load at the very
//! moment when there is too much of it. With a budget the load grows by its share at most, however
//! much fails.

use std::{
    sync::{Arc, RwLock},
    time::Duration,
};

use instrumentation::settings::{self, Live};
use tower::retry::budget::{Budget as _, TpsBudget};

use crate::setting;

/// For how long a request allows a retry.
const MEMORY: Duration = Duration::from_secs(10);
/// Retries a second that are allowed however few requests there are: at three requests a second
/// a share of them would be none.
const RESERVE: u32 = 1;

/// What is tried again, and how much of it.
#[derive(Clone, Copy, Debug, PartialEq, clap::Args)]
#[group(skip)]
pub struct Settings {
    /// How often a request is tried again at most; 0 for never.
    #[arg(
        id = "retry_limit",
        long = "retry-limit",
        env = "RETRY_LIMIT",
        default_value_t = 2,
        value_name = "COUNT"
    )]
    pub limit: usize,

    /// So many retries for each request, 0 to 10, are allowed, beside one a second: 0.2 is one for five
    /// of them, 10 is no limit. Below 1 it is one for a whole number of requests.
    #[arg(id = "retry_budget", long = "retry-budget", env = "RETRY_BUDGET", default_value_t = 0.2,
          value_name = "SHARE", value_parser = setting::budget)]
    pub share: f64,
}

impl Default for Settings {
    fn default() -> Self {
        Self { limit: 2, share: 0.2 }
    }
}

instrumentation::metrics! {
    /// What a retry budget measures.
    pub struct Metrics {
        /// Requests that were not tried again because the retry budget was used up.
        retry_budget_exhausted_total: Counter<()>, Count;
    }
}

impl Settings {
    /// Adds what can be changed of it while a service runs.
    pub fn offer(live: &Live<Self>, settings: settings::Settings) -> settings::Settings {
        settings
            .with_part(
                "retry-limit",
                live,
                setting::limit,
                |all| all.limit,
                |all, limit| all.limit = limit,
            )
            .with_part(
                "retry-budget",
                live,
                setting::budget,
                |all| all.share,
                |all, share| all.share = share,
            )
    }
}

/// A budget of retries; its clones are the same one.
#[derive(Clone, Debug)]
pub struct RetryBudget {
    settings: Live<Settings>,
    /// The budget, and the share it was made for.
    budget: Arc<RwLock<(f64, TpsBudget)>>,
    metrics: Metrics,
}

impl RetryBudget {
    /// A budget that allows this share of the requests of the last ten seconds to be tried again,
    /// and one a second beside.
    ///
    /// Another share begins with an empty budget.
    pub fn new(settings: &Live<Settings>, metrics: Metrics) -> Self {
        let budget = Arc::new(RwLock::new(of(settings.get().share)));
        Self { settings: settings.clone(), budget, metrics }
    }

    /// How often a request is tried again at most.
    pub fn limit(&self) -> usize {
        self.settings.get().limit
    }

    /// Notes a request, which is not a retry.
    pub fn note(&self) {
        self.with(TpsBudget::deposit);
    }

    /// Takes a retry out of the budget; false if there is none left.
    #[must_use = "without it nothing may be tried again"]
    pub fn take(&self) -> bool {
        let left = self.with(TpsBudget::withdraw);
        if !left {
            self.metrics.retry_budget_exhausted_total.increment(1);
        }
        left
    }

    fn with<T>(&self, act: impl FnOnce(&TpsBudget) -> T) -> T {
        let share = self.settings.get().share;
        let current = self.budget.read().expect("no holder of the lock panics");
        if current.0 == share {
            return act(&current.1);
        }
        drop(current);
        let mut current = self.budget.write().expect("no holder of the lock panics");
        *current = of(share);
        act(&current.1)
    }
}

fn of(share: f64) -> (f64, TpsBudget) {
    // It counts whole requests for a retry, and must not lose one by how the share is rounded.
    (share, TpsBudget::new(MEMORY, RESERVE, (share * (1.0 - 1e-4)) as f32))
}

#[cfg(test)]
mod tests {
    use instrumentation::metrics::Registry;

    use super::*;

    fn budget(share: f64) -> RetryBudget {
        let registry = Registry::new("test", &[Metrics::CATALOGUE]);
        let settings = Live::new(Settings { share, ..Settings::default() });
        RetryBudget::new(&settings, Metrics::register(&registry))
    }

    fn taken(budget: &RetryBudget) -> usize {
        (0..10_000).take_while(|_| budget.take()).count()
    }

    #[tokio::test(start_paused = true)]
    async fn retries_are_a_share_of_the_requests_and_one_a_second() {
        let budget = budget(0.2);
        assert_eq!(taken(&budget), 10, "one a second, for ten seconds");
        (0..500).for_each(|_| budget.note());
        assert_eq!(taken(&budget), 100, "a fifth of the requests");
        assert!(!budget.take());
    }

    #[tokio::test(start_paused = true)]
    async fn one_for_a_whole_number_of_requests_is_one_for_so_many() {
        for many in [2, 3, 4, 5, 7, 10, 20] {
            let budget = budget(1.0 / f64::from(many));
            (0..420 * many).for_each(|_| budget.note());
            assert_eq!(taken(&budget), 430, "one for {many}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_not_used_is_forgotten() {
        let budget = budget(0.2);
        (0..500).for_each(|_| budget.note());
        tokio::time::advance(2 * MEMORY).await;
        assert_eq!(taken(&budget), 10);
    }

    #[tokio::test(start_paused = true)]
    async fn another_share_holds_at_once() {
        let budget = budget(0.0);
        assert_eq!(taken(&budget), 10);
        budget.settings.change(|all| all.share = 10.0);
        (0..100).for_each(|_| budget.note());
        assert_eq!(taken(&budget), 1010, "ten for each, and the reserve");
    }

    #[tokio::test(start_paused = true)]
    async fn a_share_of_nothing_leaves_the_reserve() {
        let budget = budget(0.0);
        (0..500).for_each(|_| budget.note());
        assert_eq!(taken(&budget), 10);
    }
}
