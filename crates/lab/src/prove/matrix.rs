//! What was seen, fault against fault.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::{
    recording::{Numbers, Pillar, median},
    trial::Trial,
};

/// A z of more says no more than this.
const HIGHEST_Z: f64 = 8.0;
/// 95%, for Wilson's interval.
const Z95: f64 = 1.96;

/// Shares of trials: rows are what was on, columns what it was taken for.
#[derive(Debug, Default, Serialize)]
pub(super) struct Matrix {
    pub(super) names: Vec<&'static str>,
    /// None where there was no trial.
    pub(super) cells: Vec<Vec<Option<f64>>>,
}

/// How often a learner was right, who knows nothing but recordings.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Accuracy {
    pub(super) right: usize,
    pub(super) of: usize,
    /// Wilson's interval of 95%.
    pub(super) low: f64,
    pub(super) high: f64,
    /// How often whoever guesses is right.
    pub(super) chance: f64,
}

/// What a learner made of the recordings.
#[derive(Debug, Serialize)]
pub(super) struct Blind {
    pub(super) matrix: Matrix,
    pub(super) accuracy: Accuracy,
}

/// Which contracts held in which trials.
pub(super) fn contracts(trials: &[Trial]) -> Matrix {
    count(trials, |trial| {
        trial.held.iter().filter(|(_, held)| **held).map(|(name, _)| *name).collect()
    })
}

/// What a nearest-centroid learner takes each trial for who has seen all others but those of the same
/// seed; none if there are too few. It may look at these pillars.
pub(super) fn blind(trials: &[Trial], pillars: &[Pillar]) -> Option<Blind> {
    let valid: Vec<_> = trials.iter().filter(|trial| trial.valid && !trial.on.is_empty()).collect();
    let seeds: BTreeSet<_> = valid.iter().map(|trial| trial.seed).collect();
    if seeds.len() < 2 {
        return None;
    }
    let known: Vec<_> = valid.iter().map(|trial| (*trial, deviation(trial, pillars))).collect();
    let taken_for: BTreeMap<_, _> = known
        .iter()
        .filter_map(|(trial, seen)| {
            let others = known.iter().filter(|(other, _)| other.seed != trial.seed);
            nearest(seen, others).map(|name| ((trial.fault, trial.seed), name))
        })
        .collect();
    let right = taken_for.iter().filter(|((fault, _), taken)| fault == *taken).count();
    let faults: BTreeSet<_> = valid.iter().map(|trial| trial.fault).collect();
    let accuracy = Accuracy::new(right, taken_for.len(), 1.0 / faults.len() as f64);
    let matrix = count(trials, |trial| {
        taken_for.get(&(trial.fault, trial.seed)).copied().into_iter().collect()
    });
    Some(Blind { matrix, accuracy })
}

impl Accuracy {
    fn new(right: usize, of: usize, chance: f64) -> Self {
        let (n, share) = (of.max(1) as f64, right as f64 / of.max(1) as f64);
        let middle = share + Z95 * Z95 / (2.0 * n);
        let margin = Z95 * (share * (1.0 - share) / n + Z95 * Z95 / (4.0 * n * n)).sqrt();
        let scale = 1.0 + Z95 * Z95 / n;
        let (low, high) = ((middle - margin) / scale, (middle + margin) / scale);
        Self { right, of, low: low.max(0.0), high: high.min(1.0), chance }
    }
}

fn count<'a>(trials: &'a [Trial], taken_for: impl Fn(&'a Trial) -> Vec<&'static str>) -> Matrix {
    let mut names: Vec<_> = trials.iter().map(|trial| (trial.number, trial.fault)).collect();
    names.sort_unstable();
    names.dedup();
    let names: Vec<_> = names.into_iter().map(|(_, name)| name).collect();
    let row = |row: &&'static str| {
        let such: Vec<_> =
            trials.iter().filter(|trial| trial.fault == *row && trial.valid).collect();
        let cell = |column: &&'static str| {
            let hits = such.iter().filter(|trial| taken_for(trial).contains(column)).count();
            (!such.is_empty()).then(|| hits as f64 / such.len() as f64)
        };
        names.iter().map(cell).collect()
    };
    let cells = names.iter().map(row).collect();
    Matrix { names, cells }
}

/// By how much each number is other than at rest, in units of how it varies there.
fn deviation(trial: &Trial, pillars: &[Pillar]) -> Numbers {
    let names: BTreeSet<_> = trial.rest.iter().chain(&trial.on).flat_map(BTreeMap::keys).collect();
    let names = names.into_iter().filter(|name| pillars.contains(&Pillar::of(name)));
    names
        .map(|name| {
            let all = |of: &[Numbers]| -> Vec<f64> {
                of.iter().filter_map(|numbers| numbers.get(name).copied()).collect()
            };
            let rest = all(&trial.rest);
            let usual = median(rest.clone());
            let spread = median(rest.iter().map(|value| (value - usual).abs()).collect());
            let unit = 1.4826 * spread + 0.1 * usual.abs() + 0.02;
            let z = (median(all(&trial.on)) - usual) / unit;
            (name.clone(), z.clamp(-HIGHEST_Z, HIGHEST_Z))
        })
        .collect()
}

/// Whose mean is nearest.
fn nearest<'a>(
    seen: &Numbers,
    others: impl Iterator<Item = &'a (&'a Trial, Numbers)>,
) -> Option<&'static str> {
    let mut classes: BTreeMap<&'static str, Vec<&Numbers>> = BTreeMap::new();
    for (trial, numbers) in others {
        classes.entry(trial.fault).or_default().push(numbers);
    }
    let distance = |members: &[&Numbers]| -> f64 {
        seen.iter()
            .map(|(name, value)| {
                let sum: f64 = members.iter().filter_map(|member| member.get(name)).sum();
                (value - sum / members.len() as f64).powi(2)
            })
            .sum()
    };
    classes
        .into_iter()
        .min_by(|(_, one), (_, other)| distance(one).total_cmp(&distance(other)))
        .map(|(name, _)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trial(fault: &str, seed: u64, value: f64) -> Trial {
        let numbers =
            |value: f64| Numbers::from([("a".to_owned(), value), ("logs:b".to_owned(), 1.0)]);
        Trial::recorded(fault, seed, vec![numbers(1.0); 3], vec![numbers(value); 3])
    }

    #[test]
    fn who_is_alike_is_taken_for_each_other_and_one_seed_teaches_nothing() {
        let trials = [
            trial("latency", 1, 3.0),
            trial("errors", 1, 0.1),
            trial("latency", 2, 3.1),
            trial("errors", 2, 0.2),
        ];
        let blind = blind(&trials, &[Pillar::Metrics]).unwrap();
        assert_eq!((blind.accuracy.right, blind.accuracy.of, blind.accuracy.chance), (4, 4, 0.5));
        assert_eq!(blind.matrix.cells, [[Some(1.0), Some(0.0)], [Some(0.0), Some(1.0)]]);
        assert!(super::blind(&trials[..2], &[Pillar::Metrics]).is_none());
        let logs = super::blind(&trials, &[Pillar::Logs]).unwrap();
        assert_eq!(logs.accuracy.right, 2, "the logs say the same of all");
    }

    #[test]
    fn an_interval_is_wilsons() {
        let accuracy = Accuracy::new(9, 10, 0.1);
        assert!((accuracy.low - 0.596).abs() < 0.001 && (accuracy.high - 0.982).abs() < 0.001);
    }
}
