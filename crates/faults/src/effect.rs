//! What can go wrong at a seam.

use std::time::Duration;

use rand::RngExt as _;
use rand_distr::{Distribution as _, LogNormal};
use serde::{Deserialize, Serialize};

/// The spread of a [`Effect::Delay`]: with it p90 is about twice and p99 about three times the
/// median, the shape of a dependency that is slow rather than stopped.
const DELAY_SIGMA: f64 = 0.5;
/// No delay is longer than this many medians, so that one unlucky draw does not become an outage.
const DELAY_CEILING: f64 = 4.0;

/// What happens to a step that an effect strikes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// The step takes longer, by a log-normal time.
    Delay {
        /// Half of the struck steps are delayed by less than this, in milliseconds.
        median_ms: f64,
        /// The share of steps that are struck, 0 to 1.
        share: f64,
    },
    /// The step fails as if what it needs had dropped the connection.
    Fail {
        /// The share of steps that are struck, 0 to 1.
        share: f64,
    },
}

/// What one step has to suffer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Blow {
    Nothing,
    Wait(Duration),
    Fail,
}

impl Effect {
    /// Draws what happens to one step.
    pub(crate) fn draw(&self) -> Blow {
        let mut rng = rand::rng();
        match *self {
            Self::Delay { median_ms, share } if rng.random_bool(share.clamp(0.0, 1.0)) => {
                let shape = LogNormal::new(0.0, DELAY_SIGMA).expect("the spread is a constant");
                let factor: f64 = shape.sample(&mut rng);
                let millis = median_ms.max(0.0) * factor.min(DELAY_CEILING);
                Blow::Wait(Duration::from_secs_f64(millis / 1000.0))
            }
            Self::Fail { share } if rng.random_bool(share.clamp(0.0, 1.0)) => Blow::Fail,
            Self::Delay { .. } | Self::Fail { .. } => Blow::Nothing,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_have_the_shape_of_a_slow_dependency() {
        let effect = Effect::Delay { median_ms: 100.0, share: 1.0 };
        let mut waits: Vec<_> = (0..4000)
            .map(|_| match effect.draw() {
                Blow::Wait(wait) => wait.as_secs_f64(),
                other => panic!("drew {other:?}"),
            })
            .collect();
        waits.sort_by(f64::total_cmp);
        let quantile = |q: f64| waits[(q * 4000.0) as usize];
        assert!((0.09..0.11).contains(&quantile(0.5)), "p50 {}", quantile(0.5));
        assert!((0.16..0.22).contains(&quantile(0.9)), "p90 {}", quantile(0.9));
        assert!((0.26..0.40).contains(&quantile(0.99)), "p99 {}", quantile(0.99));
    }

    #[test]
    fn a_share_strikes_that_share_of_steps() {
        let effect = Effect::Fail { share: 0.25 };
        let struck = (0..4000).filter(|_| effect.draw() == Blow::Fail).count();
        assert!((850..1150).contains(&struck), "{struck} of 4000");
    }
}
