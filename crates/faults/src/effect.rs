//! What can go wrong at a seam.

use std::{fmt, hint::black_box, thread, time::Duration};

use rand::RngExt as _;
use rand_distr::{Distribution as _, LogNormal};
use serde::{Deserialize, Serialize};

use crate::{action::Percent, backtracking};

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
    /// The step makes a call that blocks: the thread of the runtime waits with it, and all that it
    /// would have done meanwhile.
    Block {
        /// For how long, in milliseconds.
        ms: f64,
        /// The share of steps that are struck, 0 to 1.
        share: f64,
    },
    /// The step matches a text against a pattern that backtracks without end.
    Match {
        /// The length of the text: two more take about three times as long.
        length: f64,
        /// The share of steps that are struck, 0 to 1.
        share: f64,
    },
    /// The step keeps something that nobody will ever ask for.
    Hoard {
        /// How much, in KiB.
        kib: f64,
        /// The share of steps that are struck, 0 to 1.
        share: f64,
    },
    /// The step takes another way: code that is in the service, and is wrong.
    Detour {
        /// The share of steps that are struck, 0 to 1.
        share: f64,
    },
}

impl fmt::Display for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Delay { median_ms, .. } => write!(f, "takes {median_ms} ms longer in the median"),
            Self::Fail { .. } => f.write_str("fails"),
            Self::Block { ms, .. } => write!(f, "blocks its thread for {ms} ms"),
            Self::Match { length, .. } => {
                write!(f, "matches a text of {length} letters against a pattern that backtracks")
            }
            Self::Hoard { kib, .. } => write!(f, "keeps {kib} KiB for ever"),
            Self::Detour { .. } => f.write_str("takes its other way"),
        }?;
        let (Self::Delay { share, .. }
        | Self::Fail { share }
        | Self::Block { share, .. }
        | Self::Match { share, .. }
        | Self::Hoard { share, .. }
        | Self::Detour { share }) = self;
        match *share {
            1.0 => Ok(()),
            share => write!(f, ", {} of the time", Percent(share)),
        }
    }
}

/// What one step has to suffer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Blow {
    Nothing,
    Wait(Duration),
    Fail,
    Block(Duration),
    Match(usize),
    Hoard(usize),
}

impl Effect {
    /// Whether it stands for code that came with a release, and goes with it; the others stand for
    /// trouble that comes from elsewhere.
    pub fn is_code(&self) -> bool {
        match self {
            Self::Block { .. } | Self::Match { .. } | Self::Hoard { .. } | Self::Detour { .. } => {
                true
            }
            Self::Delay { .. } | Self::Fail { .. } => false,
        }
    }

    /// Draws what happens to one step.
    pub(crate) fn draw(&self) -> Blow {
        if !self.is_struck() {
            return Blow::Nothing;
        }
        match *self {
            Self::Delay { median_ms, .. } => {
                let shape = LogNormal::new(0.0, DELAY_SIGMA).expect("the spread is a constant");
                let factor: f64 = shape.sample(&mut rand::rng());
                Blow::Wait(milliseconds(median_ms * factor.min(DELAY_CEILING)))
            }
            Self::Fail { .. } => Blow::Fail,
            Self::Block { ms, .. } => Blow::Block(milliseconds(ms)),
            Self::Match { length, .. } => Blow::Match(length.max(0.0) as usize),
            Self::Hoard { kib, .. } => Blow::Hoard((kib.max(0.0) * 1024.0) as usize),
            Self::Detour { .. } => Blow::Nothing,
        }
    }

    /// Draws whether one step takes the other way.
    pub(crate) fn detours(&self) -> bool {
        matches!(self, Self::Detour { .. }) && self.is_struck()
    }

    fn is_struck(&self) -> bool {
        let (Self::Delay { share, .. }
        | Self::Fail { share }
        | Self::Block { share, .. }
        | Self::Match { share, .. }
        | Self::Hoard { share, .. }
        | Self::Detour { share }) = *self;
        rand::rng().random_bool(share.clamp(0.0, 1.0))
    }
}

/// A call that blocks, as to a disk or a library that knows no `async`.
pub(crate) fn block(time: Duration) {
    thread::sleep(time);
}

/// Matches a text of this length, in vain.
pub(crate) fn match_text(length: usize) {
    let text = "x".repeat(length);
    black_box(backtracking::is_match(black_box(text.as_bytes())));
}

fn milliseconds(ms: f64) -> Duration {
    Duration::from_secs_f64(ms.max(0.0) / 1000.0)
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

    #[test]
    fn a_detour_is_nothing_that_a_step_suffers() {
        let effect = Effect::Detour { share: 1.0 };
        assert!(effect.detours());
        assert_eq!(effect.draw(), Blow::Nothing);
        assert!(!Effect::Fail { share: 1.0 }.detours());
        assert!(!Effect::Detour { share: 0.0 }.detours());
    }
}
