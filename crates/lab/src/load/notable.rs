//! The requests worth a closer look: the slowest, and some of those that failed.

use super::outcome::{Class, Ended};

/// So many of each are kept.
const KEPT: usize = 5;

/// The requests worth a closer look.
#[derive(Clone, Debug, Default)]
pub struct Notables {
    /// The slowest that were answered, slowest first.
    pub slowest: Vec<Ended>,
    /// The first that failed, and at least one of each way to fail as far as there is room.
    pub failed: Vec<Ended>,
}

impl Notables {
    /// Keeps it if it is worth it.
    pub fn consider(&mut self, ended: &Ended) {
        match ended.outcome.class() {
            Class::Success => self.consider_slow(ended),
            Class::Error => self.consider_failed(ended),
            Class::Shed => {}
        }
    }

    fn consider_slow(&mut self, ended: &Ended) {
        let place = self.slowest.partition_point(|other| other.took >= ended.took);
        if place < KEPT {
            self.slowest.insert(place, ended.clone());
            self.slowest.truncate(KEPT);
        }
    }

    /// Many that failed alike teach less than one of each: such a one makes room.
    fn consider_failed(&mut self, ended: &Ended) {
        let alike = |other: &Ended| (other.outcome, other.status) == (ended.outcome, ended.status);
        if self.failed.len() < KEPT {
            self.failed.push(ended.clone());
        } else if !self.failed.iter().any(alike) {
            let spare = (0..KEPT).rev().find(|&index| self.is_spare(index));
            if let Some(index) = spare {
                self.failed[index] = ended.clone();
            }
        }
    }

    /// Whether one before it failed in the same way.
    fn is_spare(&self, index: usize) -> bool {
        let way = |ended: &Ended| (ended.outcome, ended.status);
        self.failed[..index].iter().any(|before| way(before) == way(&self.failed[index]))
    }
}

impl Ended {
    /// The command that shows what happened to it.
    pub fn look(&self) -> String {
        match self.trace {
            Some(trace) => format!("lab trace {trace}"),
            None => format!("lab logs --correlation {}", self.correlation_id),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::load::outcome::{Outcome, served};

    fn ended(took_ms: u64, outcome: Outcome) -> Ended {
        let took = Duration::from_millis(took_ms);
        let correlation_id = format!("load-1-{took_ms}");
        Ended { outcome, correlation_id, ..served(took) }
    }

    #[test]
    fn the_slowest_are_kept_slowest_first() {
        let mut notables = Notables::default();
        for took in [3, 9, 1, 7, 5, 8, 2, 4, 6] {
            notables.consider(&ended(took, Outcome::Served));
        }
        let kept: Vec<_> = notables.slowest.iter().map(|each| each.took.as_millis()).collect();
        assert_eq!(kept, [9, 8, 7, 6, 5]);
        assert!(notables.failed.is_empty());
    }

    #[test]
    fn a_new_way_to_fail_finds_room_among_many_that_failed_alike() {
        let mut notables = Notables::default();
        (0..9).for_each(|number| notables.consider(&ended(number, Outcome::TimedOut)));
        notables.consider(&ended(100, Outcome::Unreachable));
        notables.consider(&ended(101, Outcome::Failed));
        let ways: Vec<_> = notables.failed.iter().map(|each| each.outcome).collect();
        let of = |outcome| ways.iter().filter(|way| **way == outcome).count();
        assert_eq!(
            (of(Outcome::TimedOut), of(Outcome::Unreachable), of(Outcome::Failed)),
            (3, 1, 1)
        );
        assert_eq!(notables.failed[0].look(), "lab logs --correlation load-1-0");
    }
}
