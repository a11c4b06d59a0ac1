//! What faults bend of the payment provider and of the customers, and what operators set of them
//! meanwhile: all of it at once, and at hand.

use ::provider::{Behaviour, Provider};
use faults::Action;
use uuid::Uuid;

use super::{ledger::Ledger, load, provider};
use crate::customers::{Customers, Demand, HIGHEST_RATE, Load};

/// What is bent, and at once.
#[derive(Debug, Default)]
pub(crate) struct Bends {
    provider: Bent<Behaviour>,
    rate: Bent<f64>,
    demand: Bent<Demand>,
}

/// Something that several faults may bend at a time, and what it was before the first of them, or what
/// an operator has set since.
#[derive(Debug)]
struct Bent<T> {
    by: Vec<Uuid>,
    before: Option<T>,
}

impl Bends {
    /// An operator changes the provider in what these names say. That is so from now on, whatever is on
    /// or comes to its end: the last change wins.
    pub(crate) fn change_provider<'a>(
        &mut self,
        ledger: &Ledger,
        provider: &Provider,
        given: impl Iterator<Item = (&'a str, &'a str)> + Clone,
    ) -> Result<(), String> {
        let behaviour = given.clone().try_fold(provider.behaviour(), provider::set)?;
        if let Some(before) = &mut self.provider.before {
            *before = given.clone().try_fold(*before, provider::set)?;
        }
        ledger.provider_set(&given.map(|(name, _)| name).collect());
        provider.set_behaviour(behaviour);
        Ok(())
    }

    /// An operator changes how many customers come; so it stays, too.
    pub(crate) fn change_load<'a>(
        &mut self,
        ledger: &Ledger,
        customers: &Customers,
        given: impl Iterator<Item = (&'a str, &'a str)> + Clone,
    ) -> Result<Load, String> {
        let load = given.clone().try_fold(customers.load(), load::set)?;
        if given.into_iter().any(|(name, _)| name == "rate") {
            ledger.rate_set();
            self.rate = Bent::default();
        }
        customers.set_load(load);
        Ok(load)
    }

    /// Lets the provider and the customers be as all that is on wants them, one upon the other.
    pub(crate) fn bend(&mut self, ledger: &Ledger, provider: &Provider, customers: &Customers) {
        let wanted = ledger.outside();
        let of = |bends: fn(&Action) -> bool| -> Vec<Uuid> {
            wanted.iter().filter(|(_, action)| bends(action)).map(|(id, _)| *id).collect()
        };
        let by = of(|action| matches!(action, Action::Provider(_)));
        if let Some(before) = self.provider.change(by, || provider.behaviour()) {
            provider
                .set_behaviour(wanted.iter().fold(before, |now, (_, action)| bent(now, action)));
        }
        let by = of(|action| matches!(action, Action::Traffic(_)));
        if let Some(before) = self.rate.change(by, || customers.load().rate) {
            let times: f64 = wanted.iter().map(|(_, action)| times(action)).product();
            customers.set_rate((before * times).min(HIGHEST_RATE));
        }
        let by = of(|action| matches!(action, Action::Demand(..)));
        if let Some(before) = self.demand.change(by, || customers.demand()) {
            customers.set_demand(wanted.iter().fold(before, |now, (_, action)| match action {
                Action::Demand(skus, share) => Demand { skus, share: *share },
                _ => now,
            }));
        }
    }
}

impl<T: Copy> Bent<T> {
    /// If others bend it now than before: what it was before the first of them.
    fn change(&mut self, by: Vec<Uuid>, now: impl FnOnce() -> T) -> Option<T> {
        if self.by == by {
            return None;
        }
        let before = *self.before.get_or_insert_with(now);
        if by.is_empty() {
            self.before = None;
        }
        self.by = by;
        Some(before)
    }
}

impl<T> Default for Bent<T> {
    fn default() -> Self {
        Self { by: Vec::new(), before: None }
    }
}

fn bent(now: Behaviour, action: &Action) -> Behaviour {
    let Action::Provider(settings) = action else { return now };
    let given = settings.iter().map(|(name, value)| (*name, value.as_str()));
    given.into_iter().try_fold(now, provider::set).expect("the catalogue sets what is possible")
}

fn times(action: &Action) -> f64 {
    if let Action::Traffic(times) = action { *times } else { 1.0 }
}
