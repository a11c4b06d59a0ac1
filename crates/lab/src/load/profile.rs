//! The profiles: how many requests come when, and which.

use std::time::Duration;

use super::{
    errand::{Kind, Mix},
    schedule::{Schedule, Stage},
};

/// A kind of load.
#[derive(Clone, Copy, Debug)]
pub struct Profile {
    /// What it is called, on the command line and in k6.
    pub name: &'static str,
    /// What it shows.
    pub shows: &'static str,
    /// Seconds, and the rates in requests per second between which they lead.
    stages: &'static [(u64, f64, f64)],
    /// What is asked.
    pub mix: Mix,
}

/// Does it work at all?
pub const SMOKE: Profile = Profile {
    name: "smoke",
    shows: "that everything works, with hardly any load",
    stages: &[(30, 5.0, 5.0)],
    mix: SHOPPING,
};

/// An ordinary busy day.
pub const LOAD: Profile = Profile {
    name: "load",
    shows: "an ordinary busy day: up, steady, down",
    stages: &[(30, 0.0, 60.0), (120, 60.0, 60.0), (30, 60.0, 0.0)],
    mix: SHOPPING,
};

/// More and more.
pub const STRESS: Profile = Profile {
    name: "stress",
    shows: "more and more, step by step: where it begins to bend",
    stages: &[
        (10, 0.0, 50.0),
        (30, 50.0, 50.0),
        (10, 50.0, 100.0),
        (30, 100.0, 100.0),
        (10, 100.0, 200.0),
        (30, 200.0, 200.0),
        (20, 200.0, 0.0),
    ],
    mix: ORDERING,
};

/// Ten times as many within two seconds.
pub const SPIKE: Profile = Profile {
    name: "spike",
    shows: "ten times as many within two seconds, and whether it recovers",
    stages: &[
        (20, 20.0, 20.0),
        (2, 20.0, 200.0),
        (20, 200.0, 200.0),
        (2, 200.0, 20.0),
        (30, 20.0, 20.0),
    ],
    mix: ORDERING,
};

/// Everything that customers do.
pub const MIXED: Profile = Profile {
    name: "mixed",
    shows: "everything customers do: also cards that are declined and orders sent twice",
    stages: &[(20, 0.0, 50.0), (100, 50.0, 50.0), (10, 50.0, 0.0)],
    mix: EVERYTHING,
};

/// Every profile, from the gentlest on.
pub const PROFILES: [&Profile; 5] = [&SMOKE, &LOAD, &STRESS, &SPIKE, &MIXED];

const SHOPPING: Mix = Mix {
    weights: &[(Kind::Browse, 40), (Kind::Place, 30), (Kind::Look, 20), (Kind::List, 10)],
    declined: 0,
};

/// What costs the shop most.
pub(crate) const ORDERING: Mix =
    Mix { weights: &[(Kind::Browse, 20), (Kind::Place, 60), (Kind::Look, 20)], declined: 0 };

const EVERYTHING: Mix = Mix {
    weights: &[
        (Kind::Browse, 30),
        (Kind::Place, 35),
        (Kind::Repeat, 5),
        (Kind::Look, 20),
        (Kind::List, 10),
    ],
    declined: 5,
};

impl Profile {
    /// Its rates over time.
    pub fn schedule(&self) -> Schedule {
        let stage = |&(seconds, from, to): &(u64, f64, f64)| Stage {
            lasts: Duration::from_secs(seconds),
            from,
            to,
        };
        Schedule::new(self.stages.iter().map(stage).collect::<Vec<_>>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_profile_jumps_and_each_orders_something() {
        for profile in PROFILES {
            let joints = profile.stages.windows(2);
            for joint in joints {
                assert_eq!(joint[0].2, joint[1].1, "{} jumps", profile.name);
            }
            let orders = profile.mix.weights.iter().any(|(kind, _)| *kind == Kind::Place);
            assert!(orders, "{} orders nothing", profile.name);
            assert!(profile.schedule().peak() > 0.0);
        }
    }
}
