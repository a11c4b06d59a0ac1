//! When each request is due: rates over time, turned into moments that no answer can shift.

use std::time::Duration;

use rand::{SeedableRng as _, rngs::StdRng};
use rand_distr::{Distribution as _, Exp1};

/// A while in which the rate goes evenly from one number to another, in requests per second.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stage {
    /// How long it lasts.
    pub lasts: Duration,
    /// The rate at its beginning.
    pub from: f64,
    /// The rate at its end.
    pub to: f64,
}

/// How arrivals follow each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Spacing {
    /// At random, as many independent customers come
    Poisson,
    /// Evenly, as a machine sends
    Fixed,
}

/// Stages, one after the other.
#[derive(Clone, Debug, PartialEq)]
pub struct Schedule(Vec<Stage>);

/// The moments at which requests are due, from the beginning on.
#[derive(Debug)]
pub struct Arrivals {
    stages: Vec<Stage>,
    /// The stage in hand, when it began, and how many have arrived in it: a fraction, because the
    /// gap in hand may have begun in the stage before.
    stage: usize,
    begun: Duration,
    arrived: f64,
    gaps: Gaps,
}

/// The gaps between arrivals, counted in arrivals: 1 on average.
#[derive(Debug)]
enum Gaps {
    Random(Box<StdRng>),
    Even,
}

impl Schedule {
    /// These stages.
    pub fn new(stages: impl Into<Vec<Stage>>) -> Self {
        Self(stages.into())
    }

    /// One rate for a while.
    pub fn steady(rate: f64, lasts: Duration) -> Self {
        Self::new([Stage { lasts, from: rate, to: rate }])
    }

    /// The stages.
    pub fn stages(&self) -> &[Stage] {
        &self.0
    }

    /// How long all of it lasts.
    pub fn lasts(&self) -> Duration {
        self.0.iter().map(|stage| stage.lasts).sum()
    }

    /// The highest rate.
    pub fn peak(&self) -> f64 {
        self.0.iter().flat_map(|stage| [stage.from, stage.to]).fold(0.0, f64::max)
    }

    /// The same shape with another highest rate.
    pub fn with_peak(self, rate: f64) -> Self {
        let factor = rate / self.peak();
        let scaled =
            |stage: Stage| Stage { from: stage.from * factor, to: stage.to * factor, ..stage };
        Self(self.0.into_iter().map(scaled).collect())
    }

    /// The same shape in another time.
    pub fn lasting(self, lasts: Duration) -> Self {
        let factor = lasts.as_secs_f64() / self.lasts().as_secs_f64();
        let scaled = |stage: Stage| Stage { lasts: stage.lasts.mul_f64(factor), ..stage };
        Self(self.0.into_iter().map(scaled).collect())
    }

    /// The moments; the same again for the same seed.
    pub fn arrivals(&self, spacing: Spacing, seed: u64) -> Arrivals {
        let gaps = match spacing {
            Spacing::Poisson => Gaps::Random(Box::new(StdRng::seed_from_u64(seed))),
            Spacing::Fixed => Gaps::Even,
        };
        let (stages, begun) = (self.0.clone(), Duration::ZERO);
        Arrivals { stages, stage: 0, begun, arrived: 0.0, gaps }
    }
}

impl Stage {
    /// How many arrive in it, on average.
    fn count(self) -> f64 {
        (self.from + self.to) / 2.0 * self.lasts.as_secs_f64()
    }

    /// When so many have arrived: the rate's integral, solved for time in the form that divides by
    /// nothing small when the rate hardly changes.
    fn when(self, arrived: f64) -> Duration {
        if arrived <= 0.0 {
            return Duration::ZERO;
        }
        let growth = (self.to - self.from) / self.lasts.as_secs_f64();
        let root = (self.from.powi(2) + 2.0 * arrived * growth).max(0.0).sqrt();
        let seconds = 2.0 * arrived / (self.from + root);
        Duration::try_from_secs_f64(seconds).map_or(self.lasts, |when| when.min(self.lasts))
    }
}

impl Iterator for Arrivals {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        let mut gap = self.gaps.draw();
        loop {
            let stage = *self.stages.get(self.stage)?;
            let left = stage.count() - self.arrived;
            if gap <= left {
                self.arrived += gap;
                return Some(self.begun + stage.when(self.arrived));
            }
            gap -= left;
            self.begun += stage.lasts;
            self.stage += 1;
            self.arrived = 0.0;
        }
    }
}

impl Gaps {
    fn draw(&mut self) -> f64 {
        match self {
            Self::Random(rng) => Exp1.sample(rng),
            Self::Even => 1.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stage(seconds: u64, from: f64, to: f64) -> Stage {
        Stage { lasts: Duration::from_secs(seconds), from, to }
    }

    fn even(schedule: &Schedule) -> Vec<f64> {
        schedule.arrivals(Spacing::Fixed, 1).map(|due| due.as_secs_f64()).collect()
    }

    #[test]
    fn a_steady_rate_is_even() {
        let dues = even(&Schedule::steady(4.0, Duration::from_secs(2)));
        assert_eq!(dues, [0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 1.75, 2.0]);
    }

    #[test]
    fn a_rate_that_rises_from_nothing_brings_half_as_many_ever_denser() {
        let dues = even(&Schedule::new([stage(10, 0.0, 10.0)]));
        assert_eq!(dues.len(), 50);
        // At time t so many have arrived: t squared, halved.
        for (index, due) in dues.iter().enumerate() {
            assert!((due * due / 2.0 - (index + 1) as f64).abs() < 1e-6, "{index}: {due}");
        }
    }

    #[test]
    fn a_gap_goes_on_from_one_stage_into_the_next() {
        let schedule = Schedule::new([stage(1, 0.5, 0.5), stage(10, 0.0, 0.0), stage(1, 2.0, 2.0)]);
        assert_eq!(even(&schedule), [11.25, 11.75]);
    }

    #[test]
    fn random_arrivals_follow_the_rate_and_come_again_for_the_same_seed() {
        let schedule = Schedule::new([stage(10, 100.0, 300.0), stage(10, 300.0, 300.0)]);
        let dues = |seed| schedule.arrivals(Spacing::Poisson, seed).collect::<Vec<_>>();
        assert_eq!(dues(7), dues(7));
        assert_ne!(dues(7), dues(8));
        let count = dues(7).len();
        assert!((4700..=5300).contains(&count), "{count}");
        assert!(dues(7).is_sorted());
        assert!(dues(7).last().is_some_and(|last| *last <= schedule.lasts()));
    }

    #[test]
    fn a_shape_keeps_its_form_at_another_rate_and_in_another_time() {
        let schedule = Schedule::new([stage(30, 0.0, 50.0), stage(60, 50.0, 50.0)]);
        let small = schedule.with_peak(10.0).lasting(Duration::from_secs(9));
        assert_eq!(small, Schedule::new([stage(3, 0.0, 10.0), stage(6, 10.0, 10.0)]));
        assert_eq!((small.peak(), small.lasts()), (10.0, Duration::from_secs(9)));
    }
}
