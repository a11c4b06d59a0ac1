//! Which faults are on: the truth, and nobody else has it.

use std::{
    sync::{Mutex, MutexGuard},
    time::Duration,
};

use chrono::{DateTime, Utc};
use faults::{Arming, Effect, Fault, Seam, Service, parameters::Settings};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;
use uuid::Uuid;

/// A fault that is on, for those who ask.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ArmedFault {
    /// The fault.
    pub name: String,
    /// What was set of it, as in `ms=800 p=0.5 for=10m`.
    pub settings: String,
    /// When it ends by itself.
    pub until: DateTime<Utc>,
    /// How much longer that is, in seconds.
    pub remaining_seconds: u64,
}

/// The faults that are on.
#[derive(Debug, Default)]
pub(crate) struct Ledger(Mutex<Vec<Entry>>);

#[derive(Debug)]
struct Entry {
    fault: &'static Fault,
    settings: Settings,
    until: Instant,
    until_utc: DateTime<Utc>,
    effects: Vec<(Uuid, Seam, Effect)>,
}

impl Ledger {
    /// Turns a fault on; if it is on already, what was set of it is replaced.
    pub(crate) fn arm(&self, fault: &'static Fault, settings: Settings) -> ArmedFault {
        let effects = (fault.effects)(&settings).into_iter();
        let entry = Entry {
            fault,
            until: Instant::now() + settings.lasts,
            until_utc: Utc::now() + settings.lasts,
            effects: effects.map(|(seam, effect)| (Uuid::new_v4(), seam, effect)).collect(),
            settings,
        };
        let armed = entry.shown(Instant::now());
        let mut entries = self.entries();
        entries.retain(|entry| entry.fault.name != fault.name);
        entries.push(entry);
        armed
    }

    /// Turns a fault off; says whether it was on.
    pub(crate) fn heal(&self, fault: &Fault) -> bool {
        let mut entries = self.entries();
        let before = entries.len();
        entries.retain(|entry| entry.fault.name != fault.name);
        entries.len() < before
    }

    /// Turns everything off; says what was on.
    pub(crate) fn heal_all(&self) -> Vec<ArmedFault> {
        let now = Instant::now();
        self.entries().drain(..).map(|entry| entry.shown(now)).collect()
    }

    /// What is on.
    pub(crate) fn on(&self) -> Vec<ArmedFault> {
        let now = Instant::now();
        self.entries().iter().map(|entry| entry.shown(now)).collect()
    }

    /// Whether this fault is on.
    pub(crate) fn is_on(&self, fault: &Fault) -> bool {
        self.entries().iter().any(|entry| entry.fault.name == fault.name)
    }

    /// What the switchboard of `service` must hold.
    pub(crate) fn armings(&self, service: Service) -> Vec<Arming> {
        let now = Instant::now();
        let entries = self.entries();
        let armings = entries.iter().flat_map(|entry| entry.armings(now));
        armings.filter(|arming| arming.seam.service() == service).collect()
    }

    /// The entries without those that have ended by themselves.
    fn entries(&self) -> MutexGuard<'_, Vec<Entry>> {
        let mut entries = self.0.lock().expect("no holder of the lock panics");
        let now = Instant::now();
        entries.retain(|entry| entry.until > now);
        entries
    }
}

impl Entry {
    fn shown(&self, now: Instant) -> ArmedFault {
        ArmedFault {
            name: self.fault.name.to_owned(),
            settings: self.settings.to_string(),
            until: self.until_utc,
            remaining_seconds: self.remaining(now).as_secs_f64().round() as u64,
        }
    }

    fn armings(&self, now: Instant) -> impl Iterator<Item = Arming> {
        let remaining_ms = u64::try_from(self.remaining(now).as_millis()).unwrap_or(u64::MAX);
        self.effects.iter().map(move |(id, seam, effect)| Arming {
            id: *id,
            seam: *seam,
            effect: effect.clone(),
            remaining_ms,
        })
    }

    fn remaining(&self, now: Instant) -> Duration {
        self.until.saturating_duration_since(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn latency() -> &'static Fault {
        faults::find("latency").expect("the catalogue has it")
    }

    fn arm(ledger: &Ledger, given: [(&str, &str); 2]) -> ArmedFault {
        ledger.arm(latency(), latency().settings(given).unwrap())
    }

    #[tokio::test(start_paused = true)]
    async fn arming_again_replaces_and_the_effects_are_new_ones() {
        let ledger = Ledger::default();
        arm(&ledger, [("ms", "100"), ("for", "5m")]);
        let first = ledger.armings(Service::OrderApi);
        arm(&ledger, [("ms", "200"), ("for", "5m")]);
        let second = ledger.armings(Service::OrderApi);
        assert_eq!((first.len(), second.len(), ledger.on().len()), (1, 1, 1));
        assert_ne!(first[0].id, second[0].id);
        assert_eq!(second[0].effect, Effect::Delay { median_ms: 200.0, share: 0.5 });
        assert_eq!(ledger.armings(Service::WebGateway), []);
    }

    #[tokio::test(start_paused = true)]
    async fn a_fault_ends_by_itself() {
        let ledger = Ledger::default();
        let armed = arm(&ledger, [("p", "1"), ("for", "90s")]);
        assert_eq!(armed.remaining_seconds, 90);
        assert_eq!(armed.settings, "ms=800 p=1 for=1m 30s");

        tokio::time::advance(Duration::from_secs(60)).await;
        assert_eq!(ledger.armings(Service::OrderApi)[0].remaining_ms, 30_000);
        tokio::time::advance(Duration::from_secs(30)).await;
        assert!(!ledger.is_on(latency()));
        assert_eq!(ledger.armings(Service::OrderApi), []);
        assert!(!ledger.heal(latency()));
    }
}
