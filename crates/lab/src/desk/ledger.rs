//! Which faults are on: the truth, and nobody else has it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, MutexGuard},
    time::Duration,
};

use chrono::{DateTime, Utc};
use faults::{Action, Arming, Effect, Fault, Seam, Service, parameters::Settings};
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

/// The faults that are on, and what was done about them.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    entries: Mutex<Vec<Entry>>,
    /// What operators have set.
    wishes: Mutex<Configured>,
    /// What operators have repaired, the last one last.
    repaired: Mutex<Vec<&'static str>>,
}

/// What settings must be, by service and name.
type Configured = BTreeMap<(Service, String), String>;

/// A fault about which somebody has done something.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Touched {
    /// The same for as long as the fault is on: another one if it is turned on again.
    pub(crate) id: Uuid,
    pub(crate) fault: &'static Fault,
    /// Whether all of it was code, and was rolled back.
    pub(crate) rolled_back: bool,
}

#[derive(Debug)]
struct Entry {
    id: Uuid,
    fault: &'static Fault,
    since: Instant,
    settings: Settings,
    until: Instant,
    until_utc: DateTime<Utc>,
    effects: Vec<Suffering>,
    /// Whether somebody has done something that may help.
    touched: bool,
    /// What is to be done outside of the services, and undone.
    outside: Outside,
}

/// What a step suffers.
#[derive(Debug)]
struct Suffering {
    id: Uuid,
    seam: Seam,
    effect: Effect,
    until: Instant,
    /// Whether it does in the second replica of its service alone.
    canary_only: bool,
    /// The replicas, by whether they are the second one, that have started again without it.
    spared: BTreeSet<bool>,
}

/// What is on outside of the services, once for each fault.
pub(crate) type Outside = Vec<(Uuid, Action)>;

impl Ledger {
    /// Turns a fault on; if it is on already, what was set of it is replaced.
    pub(crate) fn arm(&self, fault: &'static Fault, settings: Settings) -> ArmedFault {
        let (mut effects, mut outside) = (Vec::new(), Vec::new());
        let now = Instant::now();
        for action in (fault.mechanism)(&settings) {
            let mut suffers = |seam, effect, lasts, canary_only| {
                let (id, until) = (Uuid::new_v4(), now + settings.lasts.min(lasts));
                let spared = BTreeSet::new();
                effects.push(Suffering { id, seam, effect, until, canary_only, spared });
            };
            match action {
                Action::Strike(seam, effect) => suffers(seam, effect, Duration::MAX, false),
                Action::StrikeCanary(seam, effect) => suffers(seam, effect, Duration::MAX, true),
                Action::Briefly(seam, effect, lasts) => suffers(seam, effect, lasts, false),
                action => outside.push((Uuid::new_v4(), action)),
            }
        }
        let entry = Entry {
            id: Uuid::new_v4(),
            fault,
            since: now,
            until: now + settings.lasts,
            until_utc: Utc::now() + settings.lasts,
            effects,
            touched: false,
            outside,
            settings,
        };
        // The last change wins: what was set before does not hold against it.
        let mut wishes = self.wishes.lock().expect("no holder of the lock panics");
        for (_, action) in &entry.outside {
            if let Action::Set(service, name, _) = action {
                wishes.remove(&(*service, (*name).to_owned()));
            }
        }
        drop(wishes);
        let armed = entry.shown(now);
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

    /// Turns a fault off that operators have repaired, if nobody has turned it on again meanwhile.
    pub(crate) fn repaired(&self, touched: Touched) {
        let mut entries = self.entries();
        let before = entries.len();
        entries.retain(|entry| entry.id != touched.id);
        if entries.len() < before {
            drop(entries);
            let mut repaired = self.repaired.lock().expect("no holder of the lock panics");
            repaired.push(touched.fault.name);
        }
    }

    /// What operators have repaired, the last one last.
    pub(crate) fn all_repaired(&self) -> Vec<&'static str> {
        self.repaired.lock().expect("no holder of the lock panics").clone()
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

    /// What the switchboard of `service` must hold, or that of its second replica.
    pub(crate) fn armings(&self, service: Service, canary: bool) -> Vec<Arming> {
        let now = Instant::now();
        let entries = self.entries();
        let armings = entries.iter().flat_map(|entry| entry.armings(now, canary));
        armings.filter(|arming| arming.seam.service() == service).collect()
    }

    /// What must be so outside of the services.
    pub(crate) fn outside(&self) -> Outside {
        self.entries().iter().flat_map(|entry| entry.outside.clone()).collect()
    }

    /// What settings of `service` must be: what operators have set, or what a fault has.
    pub(crate) fn settings(&self, service: Service) -> BTreeMap<String, String> {
        let mut settings = BTreeMap::new();
        for (_, action) in self.outside() {
            if let Action::Set(of, name, value) = action
                && of == service
            {
                settings.insert(name.to_owned(), value);
            }
        }
        let wishes = self.wishes.lock().expect("no holder of the lock panics");
        let wished = wishes.iter().filter(|((of, _), _)| *of == service);
        settings.extend(wished.map(|((_, name), value)| (name.clone(), value.clone())));
        settings
    }

    /// An operator has set this.
    pub(crate) fn wish(&self, service: Service, name: &str, value: &str) {
        let mut wishes = self.wishes.lock().expect("no holder of the lock panics");
        wishes.insert((service, name.to_owned()), value.to_owned());
        drop(wishes);
        self.touch(
            |_, action| matches!(action, Action::Set(of, set, _) if *of == service && *set == name),
        );
    }

    /// An operator has gone back to the release before: what came with the last one is gone.
    pub(crate) fn roll_back(&self, service: Service) {
        for entry in self.entries().iter_mut() {
            let came = |suffering: &Suffering| {
                suffering.seam.service() == service && suffering.effect.is_code()
            };
            let before = entry.effects.len();
            entry.effects.retain(|suffering| !came(suffering));
            entry.touched |= entry.effects.len() < before;
        }
    }

    /// A service has started again that was told these, or its second replica has: what was a state of
    /// the process is gone.
    ///
    /// What is code is not, and to start again is nothing that was done about it.
    pub(crate) fn started_again(&self, service: Service, canary: bool, told: &BTreeSet<Uuid>) {
        for entry in self.entries().iter_mut() {
            for suffering in &mut entry.effects {
                let is_gone = suffering.seam.service() == service
                    && told.contains(&suffering.id)
                    && suffering.effect.is_code()
                    && suffering.seam.dies_with_its_process();
                if is_gone && suffering.spared.insert(canary) {
                    entry.touched = true;
                }
            }
        }
    }

    /// An operator has set these of the payment provider: no fault that is on bends them any more.
    ///
    /// Where code is at fault too, that only hides what it does.
    pub(crate) fn provider_set(&self, names: &BTreeSet<&str>) {
        for entry in self.entries().iter_mut() {
            let is_code = entry.effects.iter().any(|suffering| {
                suffering.effect.is_code() && !suffering.seam.dies_with_its_process()
            });
            for (_, action) in &mut entry.outside {
                let Action::Provider(settings) = action else { continue };
                let before = settings.len();
                settings.retain(|(name, _)| !names.contains(name));
                entry.touched |= settings.len() < before && !is_code;
            }
        }
    }

    /// An operator has set how many customers come: no fault that is on multiplies them any more.
    pub(crate) fn rate_set(&self) {
        for entry in self.entries().iter_mut() {
            entry.outside.retain(|(_, action)| !matches!(action, Action::Traffic(_)));
        }
    }

    /// An operator has had orders announced again.
    pub(crate) fn announced(&self) {
        self.touch(|_, action| *action == Action::Unbind);
    }

    /// The exchange has its queue again, and not because the fault is over.
    pub(crate) fn bound_again(&self) {
        self.touch(|_, action| *action == Action::Unbind);
    }

    /// An operator has put dead letters back.
    pub(crate) fn replayed(&self) {
        self.touch(|_, action| matches!(action, Action::Publish(_)));
    }

    /// Somebody else has undone what was done outside of the services.
    pub(crate) fn undone(&self, id: Uuid) {
        self.touch(|outside, _| outside == id);
    }

    /// Somebody has done something about what these actions did.
    fn touch(&self, about: impl Fn(Uuid, &Action) -> bool) {
        for entry in self.entries().iter_mut() {
            entry.touched |= entry.outside.iter().any(|(id, action)| about(*id, action));
        }
    }

    /// Faults about which somebody has done something.
    pub(crate) fn touched(&self) -> Vec<Touched> {
        let entries = self.entries();
        let touched = entries.iter().filter(|entry| entry.touched);
        touched
            .map(|Entry { id, fault, effects, outside, .. }| Touched {
                id: *id,
                fault,
                rolled_back: effects.is_empty() && outside.is_empty(),
            })
            .collect()
    }

    /// Whether the exchange has lost its queue for at least so long, and nobody has done anything.
    pub(crate) fn is_unbound_for(&self, time: Duration) -> bool {
        self.entries().iter().any(|entry| {
            let unbound = entry.outside.iter().any(|(_, action)| *action == Action::Unbind);
            unbound && !entry.touched && entry.since.elapsed() >= time
        })
    }

    /// The entries without those that have ended by themselves.
    fn entries(&self) -> MutexGuard<'_, Vec<Entry>> {
        let mut entries = self.entries.lock().expect("no holder of the lock panics");
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

    fn armings(&self, now: Instant, canary: bool) -> impl Iterator<Item = Arming> {
        let felt = self.effects.iter().filter(move |suffering| {
            suffering.until > now
                && (canary || !suffering.canary_only)
                && !suffering.spared.contains(&canary)
        });
        felt.map(move |Suffering { id, seam, effect, until, .. }| Arming {
            id: *id,
            seam: *seam,
            effect: effect.clone(),
            remaining_ms: milliseconds(*until - now),
        })
    }

    fn remaining(&self, now: Instant) -> Duration {
        self.until.saturating_duration_since(now)
    }
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use faults::Repair;

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
        let first = ledger.armings(Service::OrderApi, false);
        arm(&ledger, [("ms", "200"), ("for", "5m")]);
        let second = ledger.armings(Service::OrderApi, false);
        assert_eq!((first.len(), second.len(), ledger.on().len()), (1, 1, 1));
        assert_ne!(first[0].id, second[0].id);
        assert_eq!(second[0].effect, Effect::Delay { median_ms: 200.0, share: 0.5 });
        assert_eq!(ledger.armings(Service::WebGateway, false), []);
    }

    #[tokio::test(start_paused = true)]
    async fn what_strikes_one_replica_spares_the_other_and_what_strikes_a_service_strikes_both() {
        let ledger = Ledger::default();
        let held = |canary| -> Vec<_> {
            let armings = ledger.armings(Service::OrderApi, canary);
            armings.into_iter().map(|arming| arming.seam).collect()
        };
        let gray = faults::find("gray-replica").unwrap();
        ledger.arm(gray, gray.settings([]).unwrap());
        assert_eq!((held(false), held(true)), (vec![], vec![Seam::ReceiveCall]));
        arm(&ledger, [("p", "1"), ("for", "5m")]);
        let both = vec![Seam::ReceiveCall, Seam::StoreOrder];
        assert_eq!((held(false), held(true)), (vec![Seam::StoreOrder], both));
    }

    #[tokio::test(start_paused = true)]
    async fn a_fault_ends_by_itself() {
        let ledger = Ledger::default();
        let armed = arm(&ledger, [("p", "1"), ("for", "90s")]);
        assert_eq!(armed.remaining_seconds, 90);
        assert_eq!(armed.settings, "ms=800 p=1 for=1m 30s");

        tokio::time::advance(Duration::from_secs(60)).await;
        assert_eq!(ledger.armings(Service::OrderApi, false)[0].remaining_ms, 30_000);
        tokio::time::advance(Duration::from_secs(30)).await;
        assert!(!ledger.is_on(latency()));
        assert_eq!(ledger.armings(Service::OrderApi, false), []);
        assert!(!ledger.heal(latency()));
    }

    fn turn_on(ledger: &Ledger, name: &str) {
        let fault = faults::find(name).expect("the catalogue has it");
        ledger.arm(fault, fault.settings([]).unwrap());
    }

    fn touched(ledger: &Ledger) -> Vec<&'static str> {
        ledger.touched().into_iter().map(|touched| touched.fault.name).collect()
    }

    /// And where it says nothing, nothing is there to be done.
    #[tokio::test(start_paused = true)]
    async fn what_the_catalogue_has_operators_do_counts() {
        for fault in faults::FAULTS {
            let ledger = Ledger::default();
            turn_on(&ledger, fault.name);
            let outside = ledger.outside();
            for repair in fault.repairs {
                match repair {
                    Repair::Reset(service, names) => {
                        names.iter().for_each(|name| ledger.wish(*service, name, "default"));
                    }
                    Repair::RollBack(service) => ledger.roll_back(*service),
                    Repair::Restart(service) => {
                        let armings = ledger.armings(*service, false);
                        let told = armings.into_iter().map(|arming| arming.id).collect();
                        ledger.started_again(*service, false, &told);
                    }
                    Repair::Provider(settings) => {
                        ledger.provider_set(&settings.iter().map(|(name, _)| *name).collect());
                    }
                    Repair::Run(_) => {
                        let mut deeds = outside.iter();
                        let deed = deeds.find(|(_, action)| matches!(action, Action::Database(_)));
                        ledger.undone(deed.expect("something is wrong in the database").0);
                    }
                    Repair::Announce => ledger.announced(),
                }
            }
            let of_no_use = touched(&ledger).is_empty();
            assert_eq!(of_no_use, fault.repairs.is_empty(), "{}", fault.name);
            let code =
                |action: &Action| matches!(action, Action::Strike(_, effect) if effect.is_code());
            let is_code = fault.actions().iter().any(code);
            assert!(!(of_no_use && is_code), "{} could be rolled back", fault.name);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_restart_ends_what_died_in_the_process_and_nothing_else() {
        let ledger = Ledger::default();
        for name in ["token-expiry", "memory-leak", "latency"] {
            turn_on(&ledger, name);
        }
        let seams = |canary| -> Vec<_> {
            let armings = ledger.armings(Service::OrderApi, canary);
            armings.into_iter().map(|arming| arming.seam).collect()
        };
        let told =
            ledger.armings(Service::OrderApi, false).iter().map(|arming| arming.id).collect();
        ledger.started_again(Service::FulfillmentWorker, false, &told);
        ledger.started_again(Service::OrderApi, false, &BTreeSet::new());
        assert_eq!(touched(&ledger), Vec::<&str>::new(), "it is not about them");
        let all = [Seam::RenewKey, Seam::ReadOrder, Seam::StoreOrder];
        assert_eq!(seams(false), all);
        ledger.started_again(Service::OrderApi, false, &told);
        assert_eq!(touched(&ledger), ["token-expiry"]);
        assert_eq!(seams(false), all[1..]);
        assert_eq!(seams(true), all, "the other replica has not started again");
    }

    /// With fewer declines the pool leaks slowly, and a restart empties it for a while.
    #[tokio::test(start_paused = true)]
    async fn a_leak_that_is_slowed_down_and_hidden_by_a_restart_is_still_there() {
        let ledger = Ledger::default();
        turn_on(&ledger, "pool-leak");
        let told =
            ledger.armings(Service::OrderApi, false).iter().map(|arming| arming.id).collect();
        ledger.provider_set(&["decline_rate"].into());
        ledger.started_again(Service::OrderApi, false, &told);
        assert_eq!(touched(&ledger), Vec::<&str>::new());
        ledger.roll_back(Service::OrderApi);
        assert_eq!(touched(&ledger), ["pool-leak"]);
    }

    #[tokio::test(start_paused = true)]
    async fn what_operators_do_is_done_about_the_faults_that_it_is_about() {
        type Deed = fn(&Ledger);
        let deeds: [(&[&str], Deed); 6] = [
            (&[], |ledger| ledger.provider_set(&["sigma"].into())),
            (&["slow-provider"], |ledger| ledger.provider_set(&["capacity"].into())),
            (&["token-expiry"], |ledger| ledger.provider_set(&["token_ttl_s"].into())),
            (&["poison-message"], Ledger::replayed),
            (&["lost-publish"], Ledger::bound_again),
            (&["broken-trace", "poison-message"], |ledger| {
                ledger.roll_back(Service::FulfillmentWorker);
            }),
        ];
        for (about, deed) in deeds {
            let ledger = Ledger::default();
            let all = ["broken-trace", "slow-provider", "token-expiry", "poison-message"];
            for name in all.into_iter().chain(["lost-publish", "latency", "traffic-spike"]) {
                turn_on(&ledger, name);
            }
            deed(&ledger);
            assert_eq!(touched(&ledger), about);
            for touched in ledger.touched() {
                assert_eq!(touched.rolled_back, touched.fault.name == "broken-trace");
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_turned_on_again_is_not_repaired_by_what_was_done_before() {
        let ledger = Ledger::default();
        turn_on(&ledger, "broken-trace");
        ledger.roll_back(Service::FulfillmentWorker);
        let before = ledger.touched()[0];
        turn_on(&ledger, "broken-trace");
        ledger.repaired(before);
        assert!(ledger.is_on(before.fault) && ledger.all_repaired().is_empty());
    }
}
