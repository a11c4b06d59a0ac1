//! What is other from seed to seed, beside the customers: when a fault is turned on, and how strong it is.

use std::borrow::Cow;

use faults::Fault;
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use serde::{Deserialize, Serialize};

/// A fault is turned on so many seconds later, at most: within two scrapes, so that it falls anywhere
/// between them.
const LATEST_S: f64 = 10.0;
/// By what share of their defaults, and of their ranges, its parameters differ at most.
const SPREAD: f64 = 0.1;

/// How one trial differs from others of the same fault.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Variation {
    /// How many seconds it is waited at rest.
    pub(super) onset_s: f64,
    /// What is set of the fault; what is not set is as by default.
    pub(super) settings: Vec<(Cow<'static, str>, String)>,
}

impl Variation {
    /// The first seed sets nothing: it proves what a learner gets.
    pub(super) fn of(fault: &Fault, seed: u64) -> Self {
        let named =
            fault.name.bytes().fold(seed, |hash, byte| hash.wrapping_mul(31) ^ u64::from(byte));
        let mut chance = StdRng::seed_from_u64(named);
        let onset_s = (chance.random::<f64>() * LATEST_S * 10.0).round() / 10.0;
        // Nine in ten of what is all of them by default is something else.
        let parameters = fault.parameters.iter().filter(|known| known.default < known.max);
        let settings = parameters
            .filter(|_| seed > 1)
            .map(|known| {
                let spread = SPREAD * known.default.min(known.max - known.min);
                let other = known.default + spread * (2.0 * chance.random::<f64>() - 1.0);
                let value = other.clamp(known.min, known.max);
                // Whatever counts something is a whole number.
                let counts = known.default.fract() == 0.0 && known.default > 1.0;
                (known.name, if counts { value.round() } else { (value * 1e4).round() / 1e4 })
            })
            .map(|(name, value)| (name.into(), value.to_string()))
            .collect();
        Self { onset_s, settings }
    }
}

#[cfg(test)]
mod tests {
    use faults::FAULTS;

    use super::*;

    #[test]
    fn every_seed_is_another_and_the_same_each_time_and_possible() {
        let mut others = 0;
        for fault in FAULTS {
            let [first, second, third] = [1, 2, 3].map(|seed| Variation::of(fault, seed));
            assert_eq!(first.settings, []);
            assert_eq!(second, Variation::of(fault, 2));
            assert_ne!(second.onset_s, third.onset_s, "{}", fault.name);
            others += usize::from(second.settings != third.settings);
            for seed in 1..50 {
                let Variation { onset_s, settings } = Variation::of(fault, seed);
                assert!((0.0..=LATEST_S).contains(&onset_s));
                let given = settings.iter().map(|(name, value)| (&**name, value.as_str()));
                assert!(fault.settings(given).is_ok(), "{}: {settings:?}", fault.name);
            }
        }
        assert!(others > 10, "parameters differ");
    }
}
