//! How well the provider works: what can be changed while it runs.

use std::{ops::RangeInclusive, time::Duration};

use rand::Rng;
use rand_distr::{Distribution as _, LogNormal};

/// No request takes longer, so that one unlucky draw does not keep a server for an hour.
const LONGEST: Duration = Duration::from_secs(60);

/// How well the provider works.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Behaviour {
    /// How many requests are served at a time; with 0, all wait.
    pub capacity: usize,
    /// Half of the requests are served within this time.
    pub median: Duration,
    /// How widely the time of service is spread: the sigma of a log-normal distribution.
    pub sigma: f64,
    /// The share of cards that are declined, 0 to 1.
    pub decline_rate: f64,
    /// The share of requests, 0 to 1, that are served and answered with an error all the same.
    pub error_rate: f64,
    /// How many requests may wait to be served.
    pub queue: usize,
    /// Whether requests are answered; if not, connections are taken and closed.
    pub available: bool,
    /// How long a token is valid from when it is issued, or from now if it was issued before and
    /// would be valid for longer.
    pub token_ttl: Duration,
}

impl Default for Behaviour {
    fn default() -> Self {
        Self {
            capacity: 16,
            median: Duration::from_millis(8),
            sigma: 0.4,
            decline_rate: 0.02,
            error_rate: 0.0,
            queue: 256,
            available: true,
            token_ttl: Duration::from_secs(300),
        }
    }
}

impl Behaviour {
    /// What [`Behaviour::capacity`] can be.
    pub const CAPACITIES: RangeInclusive<usize> = 0..=1000;
    /// What [`Behaviour::median`] can be.
    pub const MEDIANS: RangeInclusive<Duration> = Duration::ZERO..=Duration::from_secs(30);
    /// What [`Behaviour::sigma`] can be.
    pub const SIGMAS: RangeInclusive<f64> = 0.0..=2.0;
    /// What [`Behaviour::decline_rate`] can be.
    pub const DECLINE_RATES: RangeInclusive<f64> = 0.0..=1.0;
    /// What [`Behaviour::error_rate`] can be.
    pub const ERROR_RATES: RangeInclusive<f64> = 0.0..=1.0;
    /// What [`Behaviour::queue`] can be.
    pub const QUEUES: RangeInclusive<usize> = 0..=10_000;
    /// What [`Behaviour::token_ttl`] can be.
    pub const TOKEN_TTLS: RangeInclusive<Duration> =
        Duration::from_secs(1)..=Duration::from_secs(24 * 60 * 60);

    /// The nearest that is possible.
    pub(crate) fn possible(self) -> Self {
        Self {
            capacity: nearest(self.capacity, Self::CAPACITIES),
            median: nearest(self.median, Self::MEDIANS),
            sigma: nearest_number(self.sigma, Self::SIGMAS),
            decline_rate: nearest_number(self.decline_rate, Self::DECLINE_RATES),
            error_rate: nearest_number(self.error_rate, Self::ERROR_RATES),
            queue: nearest(self.queue, Self::QUEUES),
            available: self.available,
            token_ttl: nearest(self.token_ttl, Self::TOKEN_TTLS),
        }
    }

    /// Draws how long one request is served.
    pub(crate) fn service_time(&self, rng: &mut impl Rng) -> Duration {
        let shape = LogNormal::new(0.0, self.sigma).expect("the spread is within its limits");
        let factor: f64 = shape.sample(rng);
        let seconds = self.median.as_secs_f64() * factor;
        Duration::from_secs_f64(seconds.min(LONGEST.as_secs_f64()))
    }
}

fn nearest<T: Ord + Copy>(value: T, possible: RangeInclusive<T>) -> T {
    value.clamp(*possible.start(), *possible.end())
}

/// What is no number becomes the least.
fn nearest_number(value: f64, possible: RangeInclusive<f64>) -> f64 {
    value.max(*possible.start()).min(*possible.end())
}

#[cfg(test)]
mod tests {
    use rand::{SeedableRng as _, rngs::StdRng};

    use super::*;

    fn quantiles(behaviour: Behaviour, seed: u64) -> [Duration; 3] {
        let mut rng = StdRng::seed_from_u64(seed);
        let mut times: Vec<_> = (0..10_000).map(|_| behaviour.service_time(&mut rng)).collect();
        times.sort();
        [5000, 9000, 9999].map(|rank| times[rank])
    }

    #[test]
    fn times_are_log_normal_and_the_same_again_for_the_same_seed() {
        let behaviour = Behaviour { median: Duration::from_millis(100), ..Behaviour::default() };
        let [median, p90, longest] = quantiles(behaviour, 1).map(|time| time.as_secs_f64());
        assert!((0.098..0.102).contains(&median), "{median}");
        // exp(0.4 · 1.2816) = 1.67
        assert!((0.163..0.171).contains(&p90), "{p90}");
        assert!(longest < 0.8, "{longest}");
        assert_eq!(quantiles(behaviour, 1), quantiles(behaviour, 1));
        assert_ne!(quantiles(behaviour, 1), quantiles(behaviour, 2));
    }

    #[test]
    fn what_is_not_possible_becomes_the_nearest_that_is() {
        let beyond = Behaviour {
            capacity: usize::MAX,
            median: Duration::MAX,
            sigma: f64::NAN,
            decline_rate: 7.0,
            error_rate: -1.0,
            queue: usize::MAX,
            available: false,
            token_ttl: Duration::ZERO,
        };
        let possible = Behaviour {
            capacity: 1000,
            median: Duration::from_secs(30),
            sigma: 0.0,
            decline_rate: 1.0,
            error_rate: 0.0,
            queue: 10_000,
            available: false,
            token_ttl: Duration::from_secs(1),
        };
        assert_eq!(beyond.possible(), possible);
        assert_eq!(possible.possible(), possible);
        assert_eq!(Behaviour::default().possible(), Behaviour::default());
    }
}
