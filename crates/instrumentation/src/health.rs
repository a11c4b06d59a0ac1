//! Alive, and ready: what a service waits for, by name.

use std::sync::{Arc, RwLock};

/// What a service needs before it can do its work, each with its present state.
#[derive(Clone, Debug, Default)]
pub struct Readiness(Arc<RwLock<Vec<Need>>>);

#[derive(Clone, Debug, serde::Serialize)]
struct Need {
    name: &'static str,
    met: bool,
}

/// One need, held by whoever knows whether it is met.
#[derive(Clone, Debug)]
pub struct Check {
    readiness: Readiness,
    index: usize,
}

/// The answer of `/ready`.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Report {
    /// True if every need is met.
    pub ready: bool,
    needs: Vec<Need>,
}

impl Readiness {
    /// Adds a need that is not yet met.
    pub fn needs(&self, name: &'static str) -> Check {
        let mut needs = self.0.write().expect("no holder of the lock panics");
        needs.push(Need { name, met: false });
        Check { readiness: self.clone(), index: needs.len() - 1 }
    }

    /// How things stand.
    pub fn report(&self) -> Report {
        let needs = self.0.read().expect("no holder of the lock panics").clone();
        Report { ready: needs.iter().all(|need| need.met), needs }
    }
}

impl Check {
    /// Says whether the need is met, and logs a change.
    pub fn set(&self, met: bool) {
        let mut needs = self.readiness.0.write().expect("no holder of the lock panics");
        let need = &mut needs[self.index];
        if need.met == met {
            return;
        }
        need.met = met;
        match met {
            true => tracing::info!(need = need.name, "available"),
            false => tracing::warn!(need = need.name, "unavailable"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_is_ready_when_every_need_is_met() {
        let readiness = Readiness::default();
        assert!(readiness.report().ready);
        let (store, queue) = (readiness.needs("store"), readiness.needs("queue"));
        store.set(true);
        assert!(!readiness.report().ready);
        queue.set(true);
        assert!(readiness.report().ready);
        store.set(false);
        assert!(!readiness.report().ready);
    }
}
