//! The faults: one file each, and its line in [`FAULTS`].

mod bad_canary;
mod bad_timeout;
mod blocked_runtime;
mod broken_trace;
mod cache_stampede;
mod cardinality;
mod cpu_burn;
mod deadlock;
mod duplicate_delivery;
mod errors;
mod flapping_breaker;
mod gray_replica;
mod hot_row;
mod latency;
mod lock_convoy;
mod log_flood;
mod lost_publish;
mod lying_metric;
mod memory_leak;
mod migration_lock;
mod missing_index;
mod n_plus_one;
mod nothing;
mod one_sku;
mod poison_message;
mod pool_leak;
mod retry_storm;
mod slow_consumer;
mod slow_link;
mod slow_provider;
mod token_expiry;
mod traffic_spike;
mod unacked_pileup;
mod zombie_consumer;

use crate::{
    action::{Action, Needs},
    contract::Contract,
    effect::Effect,
    parameters::{Parameter, Rejected, Settings},
    repair::Repair,
    seam::{Seam, Service},
};

/// Every fault, in the order in which they are listed; the controls come last.
pub const FAULTS: &[&Fault] = &[
    &latency::FAULT,
    &errors::FAULT,
    &bad_timeout::FAULT,
    &bad_canary::FAULT,
    &pool_leak::FAULT,
    &n_plus_one::FAULT,
    &missing_index::FAULT,
    &migration_lock::FAULT,
    &slow_link::FAULT,
    &hot_row::FAULT,
    &deadlock::FAULT,
    &one_sku::FAULT,
    &lock_convoy::FAULT,
    &blocked_runtime::FAULT,
    &cpu_burn::FAULT,
    &memory_leak::FAULT,
    &gray_replica::FAULT,
    &cache_stampede::FAULT,
    &retry_storm::FAULT,
    &slow_provider::FAULT,
    &token_expiry::FAULT,
    &flapping_breaker::FAULT,
    &poison_message::FAULT,
    &unacked_pileup::FAULT,
    &slow_consumer::FAULT,
    &zombie_consumer::FAULT,
    &lost_publish::FAULT,
    &duplicate_delivery::FAULT,
    &broken_trace::FAULT,
    &cardinality::FAULT,
    &lying_metric::FAULT,
    &log_flood::FAULT,
    &traffic_spike::FAULT,
    &nothing::FAULT,
];

/// The version that the second replica of order-api reports.
pub const CANARY_VERSION: &str = "0.2.0";

/// One way for the shop to misbehave.
#[derive(Debug)]
pub struct Fault {
    /// What it is called in `just chaos NAME`.
    pub name: &'static str,
    /// Its own source file: the `//!` comment is its documentation.
    pub source: &'static str,
    /// Where in the system it sits.
    pub layer: Layer,
    /// What it is confused with.
    pub family: Family,
    /// What can be set of it, beside `for`.
    pub parameters: &'static [Parameter],
    /// What turning it on does.
    pub mechanism: fn(&Settings) -> Vec<Action>,
    /// How it shows, what it hurts and how it ends.
    pub contract: Contract,
    /// Where to look first; where then; what it must be.
    pub hints: [&'static str; 3],
    /// What looks like the cause and is not.
    pub red_herring: &'static str,
    /// What ends it in a real shop.
    pub fix: &'static str,
    /// What operators can do about it in the lab, all of it together; nothing about what comes from
    /// elsewhere. `lab prove --repair` holds it to that.
    pub repairs: &'static [Repair],
    /// When it happened to others.
    pub incident: Incident,
}

/// A failure of this kind that was published.
#[derive(Clone, Copy, Debug)]
pub struct Incident {
    /// What happened.
    pub what: &'static str,
    /// Where it is told.
    pub url: &'static str,
}

/// Where in the system a fault sits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layer {
    /// The database, and the way to it.
    Database,
    /// The processes and what they run on.
    Runtime,
    /// The broker and its consumers.
    Queue,
    /// Others, on whom the shop depends.
    Dependency,
    /// How requests and retries add up.
    Load,
    /// What tells how the system is.
    Telemetry,
}

/// Faults that look alike at first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// The database seems slow.
    SlowDatabase,
    /// One process seems slow.
    SlowProcess,
    /// Orders are not fulfilled.
    Unfulfilled,
    /// There is more work than customers.
    MoreWork,
    /// Payments fail.
    Payments,
    /// Some requests fail.
    SomeErrors,
    /// Something grows, and will end badly.
    Growth,
    /// The telemetry disagrees with itself.
    Telemetry,
}

impl Layer {
    /// In a word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Database => "database",
            Self::Runtime => "runtime",
            Self::Queue => "queue",
            Self::Dependency => "dependency",
            Self::Load => "load",
            Self::Telemetry => "telemetry",
        }
    }
}

impl Family {
    /// Every family.
    pub const ALL: [Self; 8] = [
        Self::SlowDatabase,
        Self::SlowProcess,
        Self::Unfulfilled,
        Self::MoreWork,
        Self::Payments,
        Self::SomeErrors,
        Self::Growth,
        Self::Telemetry,
    ];

    /// In words.
    pub fn name(self) -> &'static str {
        match self {
            Self::SlowDatabase => "the database seems slow",
            Self::SlowProcess => "one process seems slow",
            Self::Unfulfilled => "orders are not fulfilled",
            Self::MoreWork => "more work than customers",
            Self::Payments => "payments fail",
            Self::SomeErrors => "some requests fail",
            Self::Growth => "something grows",
            Self::Telemetry => "the telemetry disagrees",
        }
    }

    /// What tells its members apart.
    pub fn question(self) -> &'static str {
        match self {
            Self::SlowDatabase => {
                "Is the time spent waiting for a connection, in a statement, between statements or \
                 in ever more statements?"
            }
            Self::SlowProcess => {
                "Is it late with everything, and does it compute or wait meanwhile?"
            }
            Self::Unfulfilled => {
                "Does the message reach the queue, does somebody take it, does it come again, and \
                 is it acknowledged?"
            }
            Self::MoreWork => "How many calls, statements or deliveries does one request make?",
            Self::Payments => "At which stage does it fail, and with which status?",
            Self::SomeErrors => "What do the requests that fail have in common?",
            Self::Growth => "What grows, and with what: time, requests or errors?",
            Self::Telemetry => "Does a second source, that does not know of the first, agree?",
        }
    }
}

impl Fault {
    /// What it is, in a sentence.
    pub fn summary(&self) -> &'static str {
        self.source.lines().next().and_then(|line| line.strip_prefix("//! ")).unwrap_or_default()
    }

    /// What happens and how it shows, in paragraphs.
    pub fn story(&self) -> String {
        let comment = self.source.lines().map_while(|line| line.strip_prefix("//!"));
        let lines: Vec<_> = comment.skip(2).map(str::trim_start).collect();
        lines.join("\n")
    }

    /// The file that it is.
    pub fn file(&self) -> String {
        format!("crates/faults/src/catalogue/{}.rs", self.name.replace('-', "_"))
    }

    /// Whether it is no fault: the shop is well, however it looks.
    pub fn is_control(&self) -> bool {
        ["traffic-spike", "nothing"].contains(&self.name)
    }

    /// Reads what was set of it.
    pub fn settings<'a>(
        &self,
        given: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Settings, Rejected> {
        Settings::parse(self.parameters, given)
    }

    /// Whether orders are announced in vain meanwhile: to heal it does not bring them back.
    pub fn loses_announcements(&self) -> bool {
        self.actions().contains(&Action::Unbind)
    }

    /// Whether it needs a second replica of order-api.
    pub fn needs_canary(&self) -> bool {
        self.actions().iter().any(|action| matches!(action, Action::StrikeCanary(..)))
    }

    /// What it needs to be one.
    pub fn needs(&self) -> Needs {
        self.actions().iter().map(Action::needs).max().unwrap_or(Needs::Nothing)
    }

    /// What turning it on does, with nothing set.
    pub fn actions(&self) -> Vec<Action> {
        let settings = Settings::parse(self.parameters, []).expect("defaults are possible");
        (self.mechanism)(&settings)
    }

    /// The steps that suffer, with nothing set.
    pub fn seams(&self) -> Vec<Seam> {
        let strikes = self.actions().into_iter().filter_map(|action| match action {
            Action::Strike(seam, _) | Action::Briefly(seam, ..) | Action::StrikeCanary(seam, _) => {
                Some(seam)
            }
            _ => None,
        });
        strikes.collect()
    }

    /// The services whose steps suffer, or that work with another setting.
    pub fn services(&self) -> Vec<Service> {
        let actions = self.actions();
        let of = |action: &Action| match action {
            Action::Strike(seam, _) | Action::Briefly(seam, ..) | Action::StrikeCanary(seam, _) => {
                Some(seam.service())
            }
            Action::Set(service, ..) => Some(*service),
            _ => None,
        };
        let suffers = |service: &Service| actions.iter().any(|action| of(action) == Some(*service));
        Service::ALL.into_iter().filter(suffers).collect()
    }
}

/// The fault of this name.
pub fn find(name: &str) -> Option<&'static Fault> {
    FAULTS.iter().copied().find(|fault| fault.name == name)
}

/// A share of what is struck, as a parameter `p`.
const fn share(meaning: &'static str, default: f64) -> Parameter {
    Parameter { name: "p", meaning, default, min: 0.01, max: 1.0 }
}

/// The step takes its other way, for the share that is set as `p`.
fn detour(seam: Seam, settings: &Settings) -> Action {
    Action::Strike(seam, Effect::Detour { share: settings.get("p") })
}

#[cfg(test)]
mod tests {
    use std::{collections::HashSet, fs, path::Path};

    use super::*;

    #[test]
    fn every_fault_has_a_name_of_its_own_a_summary_and_a_story() {
        let mut names = HashSet::new();
        for fault in FAULTS {
            assert!(names.insert(fault.name), "{} is listed twice", fault.name);
            let plain = fault.name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-');
            assert!(plain, "{} is not kebab-case", fault.name);
            assert!(fault.summary().ends_with('.'), "{} has no summary", fault.name);
            assert!(fault.story().len() > 100, "{} has no story", fault.name);
            assert!(fault.incident.url.starts_with("https://"), "{} has no source", fault.name);
            for text in fault.hints.iter().chain([&fault.fix, &fault.red_herring]) {
                assert!(text.ends_with(['.', '?']), "{}: {text:?} is no sentence", fault.name);
            }
        }
    }

    #[test]
    fn every_file_of_the_catalogue_is_listed() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        for file in fs::read_dir(root.join("src/catalogue")).unwrap() {
            let file = file.unwrap().path();
            let source = fs::read_to_string(&file).unwrap();
            let listed = FAULTS.iter().any(|fault| fault.source == source);
            assert!(listed || file.ends_with("mod.rs"), "{} is not in FAULTS", file.display());
        }
        for fault in FAULTS {
            assert!(root.join("../..").join(fault.file()).exists(), "{}", fault.file());
        }
    }

    #[test]
    fn every_fault_breaks_a_promise_but_those_that_nobody_feels() {
        for fault in FAULTS {
            let unfelt = fault.layer == Layer::Telemetry || fault.is_control();
            // Until the process is killed, nobody feels that it grows.
            let felt = !unfelt && fault.name != "memory-leak";
            assert_eq!(fault.contract.impact.is_some(), felt, "{}", fault.name);
        }
    }

    #[test]
    fn every_default_is_within_its_range_and_does_something() {
        for fault in FAULTS {
            for known in fault.parameters {
                assert!((known.min..=known.max).contains(&known.default), "{}", known.name);
            }
            let settings = fault.settings([]).unwrap();
            let does = !(fault.mechanism)(&settings).is_empty();
            assert_eq!(does, fault.name != "nothing", "{}", fault.name);
        }
    }

    /// What it needs is derived from what it does, so it must not depend on what is set.
    #[test]
    fn a_fault_needs_the_database_if_it_is_in_there_and_postgres_if_locks_are() {
        let needing = |needs: Needs| -> Vec<_> {
            FAULTS.iter().filter(|fault| fault.needs() == needs).map(|fault| fault.name).collect()
        };
        assert_eq!(needing(Needs::Postgres), ["migration-lock", "hot-row", "deadlock"]);
        assert_eq!(needing(Needs::Database), ["missing-index", "one-sku"]);
        assert_eq!(needing(Needs::Proxy), ["slow-link"]);
    }

    #[test]
    fn every_fault_is_told_from_every_sibling_of_its_family() {
        for fault in FAULTS.iter().filter(|fault| !fault.is_control()) {
            let told: Vec<_> = fault.contract.tells.iter().map(|tell| tell.from).collect();
            for name in &told {
                assert!(find(name).is_some(), "{}: there is no {name}", fault.name);
                assert_ne!(*name, fault.name);
            }
            for other in FAULTS.iter().filter(|other| !other.is_control()) {
                let sibling = other.family == fault.family && other.name != fault.name;
                let tells = told.contains(&other.name);
                assert!(!sibling || tells, "nothing tells {} from {}", fault.name, other.name);
            }
        }
    }
}
