//! One fault, from quiet to quiet: what was promised, and what was seen.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, SystemTime},
};

use anyhow::Context as _;
use faults::{
    FAULTS, Fault, Repair,
    contract::{Contract, Look, Sign, WITHIN},
};
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};

use super::{
    eyes::{self, alerts, sees, sees_all, still_sees},
    recording::{self, Numbers},
    stage::Stage,
    variation::Variation,
};

/// How often it is looked.
const TICK: Duration = Duration::from_secs(3);
/// How long a lab may take to be quiet before a trial.
const CALM: Duration = Duration::from_secs(420);
/// How long a fault stays on after all was seen: for the recordings, and to see what else holds.
const ENOUGH: usize = 4;
/// How often what is seen is held against every contract, which asks a lot.
const COMPARED_EVERY: Duration = Duration::from_secs(9);
/// How long a control is watched, which has nothing to show.
const WATCHED: Duration = Duration::from_secs(75);
/// How long after what began a fault has passed nothing that is seen can be of it.
const OVER: Duration = Duration::from_secs(30);
/// How long the desk may take to see that all is well: a minute without a break, and another for the
/// windows of what it looks at.
const NOTICED: Duration = Duration::from_secs(120);
/// Recordings while it is on, at the least.
const RECORDED: usize = 4;
/// Recordings at rest, before it is turned on.
const RESTING: usize = 5;

/// The name of a fault, which the catalogue has: read from elsewhere, it is looked up there.
type Name = &'static str;

/// What was seen of one fault.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Trial {
    #[serde(deserialize_with = "recording::known")]
    pub(super) fault: Name,
    /// Its place in the catalogue.
    pub(super) number: usize,
    pub(super) seed: u64,
    /// What was set of it, and how many seconds after all was known it was turned on.
    pub(super) variation: Variation,
    /// Whether it took hold: if not, nothing is said of its contract.
    pub(super) valid: bool,
    /// After so many seconds the first of its signs in the metrics could be seen.
    pub(super) visible_after: Option<f64>,
    /// After so many seconds all of them could.
    pub(super) shown_after: Option<f64>,
    /// After so many seconds its last alert fired, if it has any.
    pub(super) alerted_after: Option<f64>,
    /// After operators had done what is to be done about it, the desk took it for repaired within so
    /// many seconds.
    pub(super) repaired_after: Option<f64>,
    /// After healing, all was quiet within so many seconds.
    pub(super) quiet_after: Option<f64>,
    /// Each of its signs, and after how many seconds it could be seen first.
    pub(super) signs: Vec<(String, Option<f64>)>,
    /// Whether the promise was broken that it says it breaks; none if it says none.
    pub(super) impact: Option<bool>,
    /// Alerts that fired while it was on.
    pub(super) fired: BTreeSet<String>,
    /// Promises whose budget was spent before.
    #[serde(skip)]
    spent: BTreeSet<&'static str>,
    /// Alerts that cannot be of what was on before.
    #[serde(skip)]
    fired_now: BTreeSet<String>,
    /// What is wrong.
    pub(super) problems: Vec<String>,
    /// Whose contracts held while it was on.
    #[serde(deserialize_with = "recording::all_known")]
    pub(super) held: BTreeMap<Name, bool>,
    /// What was still seen, and what still fired, when it was last looked after healing.
    #[serde(skip)]
    left: BTreeSet<String>,
    /// How everything was at rest, and while it was on.
    #[serde(
        serialize_with = "recording::in_columns",
        deserialize_with = "recording::from_columns"
    )]
    pub(super) rest: Vec<Numbers>,
    #[serde(
        serialize_with = "recording::in_columns",
        deserialize_with = "recording::from_columns"
    )]
    pub(super) on: Vec<Numbers>,
}

impl Trial {
    /// Turns a fault on, looks, repairs what operators can if that is wanted, heals, and looks again.
    pub(super) async fn hold(
        stage: &Stage,
        fault: &'static Fault,
        seed: u64,
        repairs: bool,
    ) -> Self {
        let mut trial = Self::of(fault, seed);
        // A lab that does not answer is no proof of anything, and no reason to prove nothing else.
        if let Err(error) = trial.go_through(stage, fault, repairs).await {
            trial.problems.push(format!("{error:#}"));
            trial.quiet_after = None;
        }
        trial
    }

    async fn go_through(
        &mut self,
        stage: &Stage,
        fault: &'static Fault,
        repairs: bool,
    ) -> anyhow::Result<()> {
        // For this trial the same customers, whoever came before.
        stage.let_come(self.number as u64 * 1000 + self.seed).await?;
        self.rest(stage, fault).await.context("at rest")?;
        sleep(Duration::from_secs_f64(self.variation.onset_s)).await;
        let shown = async {
            stage.arm(fault.name, &self.variation.settings).await?;
            self.show(stage, fault).await.context("while it was on")?;
            self.spoil(stage).await?;
            match repairs {
                true => self.repair(stage, fault).await.context("while it was repaired"),
                false => Ok(()),
            }
        };
        let shown = shown.await;
        // It may be on, though nobody has confirmed it.
        stage.heal().await?;
        shown?;
        self.recover(stage, fault).await.context("after healing")?;
        self.spoil(stage).await?;
        self.judge(fault);
        Ok(())
    }

    fn of(fault: &Fault, seed: u64) -> Self {
        Self {
            fault: fault.name,
            number: FAULTS.iter().position(|known| known.name == fault.name).unwrap_or_default(),
            seed,
            variation: Variation::of(fault, seed),
            valid: false,
            visible_after: None,
            shown_after: None,
            alerted_after: None,
            repaired_after: None,
            quiet_after: None,
            signs: all_signs(&fault.contract).map(|sign| (sign.says.to_owned(), None)).collect(),
            impact: fault.contract.impact.map(|_| false),
            fired: BTreeSet::new(),
            spent: BTreeSet::new(),
            fired_now: BTreeSet::new(),
            problems: Vec::new(),
            held: BTreeMap::new(),
            left: BTreeSet::new(),
            rest: Vec::new(),
            on: Vec::new(),
        }
    }

    /// A trial for which there was no lab.
    pub(super) fn not_held(fault: &'static Fault, seed: u64, error: &anyhow::Error) -> Self {
        let told = format!("{error:#}");
        let first = told.lines().next().unwrap_or_default().trim_end_matches("; it said:");
        Self { problems: vec![first.to_owned()], ..Self::of(fault, seed) }
    }

    /// A trial of which nothing is known but how everything was.
    #[cfg(test)]
    pub(super) fn recorded(name: &str, seed: u64, rest: Vec<Numbers>, on: Vec<Numbers>) -> Self {
        let fault = faults::find(name).expect("the catalogue has it");
        Self { valid: true, rest, on, ..Self::of(fault, seed) }
    }

    /// Whether the fault did all that it promises.
    pub(super) fn is_proven(&self) -> bool {
        self.valid && self.problems.is_empty()
    }

    /// Waits until no alert fires and nothing of it is seen, and records that.
    async fn rest(&mut self, stage: &Stage, fault: &'static Fault) -> anyhow::Result<()> {
        let deadline = Instant::now() + CALM;
        let mut ticks = ticks();
        stage.forget_numbers();
        while self.rest.len() < RESTING {
            ticks.tick().await;
            let mut stirring = alerts(stage, &self.spent).await?.all;
            for sign in shown_by(fault) {
                if sees(stage, sign, SystemTime::now() - eyes::RECENT).await? {
                    stirring.insert(sign.says.to_owned());
                }
            }
            if stirring.is_empty() {
                self.rest.push(recording::take(stage).await?);
            } else {
                self.rest.clear();
            }
            if Instant::now() > deadline {
                self.problems.push(format!("before it was on: {}", list(&stirring)));
                break;
            }
        }
        self.spent = eyes::spent(stage).await?;
        Ok(())
    }

    /// Looks until everything was seen that is promised, or it is too late.
    async fn show(&mut self, stage: &Stage, fault: &'static Fault) -> anyhow::Result<()> {
        let (armed, since) = (Instant::now(), SystemTime::now());
        let contract = &fault.contract;
        let nothing = contract.signature.is_empty();
        let within = if nothing { WATCHED } else { WITHIN };
        let (mut ticks, mut enough, mut compared) = (ticks(), 0, None::<Instant>);
        // One that shows at once stays on until there is something recorded of it.
        while armed.elapsed() < within && (enough < ENOUGH || self.on.len() < RECORDED) {
            ticks.tick().await;
            let after = armed.elapsed().as_secs_f64();
            let alerts = alerts(stage, &self.spent).await?;
            self.fired.extend(alerts.all);
            self.fired_now.extend(alerts.of_now);
            self.look(stage, contract, since, after).await?;
            if after > 20.0 {
                self.on.push(recording::take(stage).await?);
            }
            let alerted = contract.fires.iter().all(|name| self.fired.contains(*name));
            if alerted && self.alerted_after.is_none() && !contract.fires.is_empty() {
                self.alerted_after = Some(after);
            }
            let hurt = self.impact != Some(false);
            if alerted && hurt && self.shown_after.is_some() && !nothing {
                enough += 1;
            }
            let is_due = compared.is_none_or(|at| at.elapsed() >= COMPARED_EVERY);
            if is_due && (self.shown_after.is_some() || nothing) {
                compared = Some(Instant::now());
                self.compare(stage, since).await?;
            }
        }
        if self.shown_after.is_none() {
            self.compare(stage, since).await?;
        }
        self.hold_alerts();
        Ok(())
    }

    async fn look(
        &mut self,
        stage: &Stage,
        contract: &'static Contract,
        since: SystemTime,
        after: f64,
    ) -> anyhow::Result<()> {
        if self.visible_after.is_none() {
            for sign in in_metrics(contract) {
                if sees(stage, sign, since).await? {
                    self.visible_after = Some(after);
                }
            }
        }
        if after < (contract.outlives + OVER).as_secs_f64() && !contract.outlives.is_zero() {
            return Ok(());
        }
        let witnessed = sees(stage, &contract.witness, since).await?;
        self.valid |= witnessed;
        if let (Some(slo), Some(false)) = (contract.impact, self.impact) {
            self.impact = Some(eyes::value(stage, &slo.is_broken()).await?.is_some());
        }
        if self.shown_after.is_some() {
            return Ok(());
        }
        let mut all = witnessed;
        for (sign, (_, seen)) in all_signs(contract).zip(&mut self.signs) {
            let sees = sees(stage, sign, since).await?;
            if sees && seen.is_none() {
                *seen = Some(after);
            }
            all &= sees;
        }
        if all {
            self.shown_after = Some(after);
        }
        Ok(())
    }

    /// Holds the signs that there are to see against every contract.
    async fn compare(&mut self, stage: &Stage, since: SystemTime) -> anyhow::Result<()> {
        for other in FAULTS.iter().filter(|other| !other.contract.signature.is_empty()) {
            let held = self.held.entry(other.name).or_default();
            // Its own were all seen at that time.
            *held |= other.name == self.fault && self.shown_after.is_some();
            if !*held {
                // What Prometheus is asked is answered soonest, and most often in the negative.
                let quick = |sign: &&Sign| matches!(sign.look, Look::Metrics(_));
                let (quick, slow): (Vec<_>, Vec<_>) = all_signs(&other.contract).partition(quick);
                *held = sees_all(stage, quick.into_iter().chain(slow), since).await?;
            }
        }
        Ok(())
    }

    /// A contract whose signs were seen holds if those alerts have fired that must, and none that must not.
    fn hold_alerts(&mut self) {
        for other in FAULTS.iter().filter(|other| !other.contract.signature.is_empty()) {
            let Contract { fires, silent, .. } = other.contract;
            let holds = fires.iter().all(|name| self.fired.contains(*name))
                && !silent.iter().any(|name| self.fired_now.contains(*name));
            *self.held.entry(other.name).or_default() &= holds;
        }
        let quiet = self.fired_now.is_empty() && !self.held.values().any(|holds| *holds);
        self.held.insert("nothing", quiet);
    }

    /// Does what operators can about it, and waits until the desk sees that it has helped. Nothing else
    /// turns it off meanwhile: it is on for much longer.
    async fn repair(&mut self, stage: &Stage, fault: &'static Fault) -> anyhow::Result<()> {
        if fault.repairs.is_empty() {
            return Ok(());
        }
        for repair in fault.repairs {
            stage.repair(repair).await?;
        }
        let (done, mut ticks) = (Instant::now(), ticks());
        while done.elapsed() < fault.contract.recovers_within + NOTICED {
            ticks.tick().await;
            // Until nobody waits for one any more.
            if fault.repairs.iter().any(|repair| matches!(repair, Repair::Announce)) {
                stage.announce_again().await?;
            }
            if stage.is_repaired(fault.name).await? {
                self.repaired_after = Some(done.elapsed().as_secs_f64());
                return Ok(());
            }
        }
        self.problems.push("what operators did about it did not count".to_owned());
        Ok(())
    }

    /// Waits until all is quiet again.
    async fn recover(&mut self, stage: &Stage, fault: &'static Fault) -> anyhow::Result<()> {
        let healed = Instant::now();
        let contract = &fault.contract;
        let mut ticks = ticks();
        while healed.elapsed() < contract.recovers_within {
            ticks.tick().await;
            if fault.loses_announcements() {
                stage.announce_again().await?;
            }
            let firing = alerts(stage, &self.spent).await?.all;
            self.left = firing;
            for sign in shown_by(fault) {
                if still_sees(stage, sign).await? {
                    self.left.insert(sign.says.to_owned());
                }
            }
            if self.left.is_empty() {
                self.quiet_after = Some(healed.elapsed().as_secs_f64());
                return Ok(());
            }
        }
        Ok(())
    }

    /// Looks for words that give the answer away.
    async fn spoil(&mut self, stage: &Stage) -> anyhow::Result<()> {
        let told = stage.told().await?.to_lowercase();
        let words: BTreeSet<&str> = told.split(|letter: char| !letter.is_alphanumeric()).collect();
        let hints = [
            "fault",
            "faults",
            "chaos",
            "inject",
            "injected",
            "injection",
            "seam",
            "seams",
            "switchboard",
            "detour",
            "detours",
            "arming",
            "armed",
        ];
        let names = FAULTS.iter().map(|fault| fault.name).filter(|name| name.contains('-'));
        let named = names.flat_map(|name| [name.to_owned(), name.replace('-', "_")]);
        let named = named.filter(|name| told.contains(name.as_str()));
        let hinted =
            hints.iter().filter(|word| words.contains(*word)).map(|word| (*word).to_owned());
        for word in named.chain(hinted) {
            let problem = format!("what the shop tells has {word:?} in it");
            if !self.problems.contains(&problem) {
                self.problems.push(problem);
            }
        }
        Ok(())
    }

    fn judge(&mut self, fault: &Fault) {
        let contract = &fault.contract;
        let mut problems = Vec::new();
        if !self.valid {
            problems.push(format!("it did not take hold: not seen that {}", contract.witness.says));
        } else if self.shown_after.is_none() && !contract.signature.is_empty() {
            let never: Vec<_> = self.signs.iter().filter(|(_, seen)| seen.is_none()).collect();
            match never.as_slice() {
                [] => problems.push("its signs were not seen at the same time".to_owned()),
                never => problems.extend(never.iter().map(|(says, _)| format!("not seen: {says}"))),
            }
        }
        for name in contract.fires.iter().filter(|name| !self.fired.contains(**name)) {
            problems.push(format!("{name} did not fire"));
        }
        // Where there is nothing, nothing may fire.
        let nothing = contract.signature.is_empty();
        let barred = |name: &&String| nothing || contract.silent.contains(&name.as_str());
        for name in self.fired_now.iter().filter(barred) {
            problems.push(format!("{name} fired"));
        }
        if let (Some(slo), Some(false)) = (contract.impact, self.impact) {
            problems.push(format!("no harm was done to {}", slo.name()));
        }
        if self.quiet_after.is_none() {
            let left = list(&self.left);
            problems.push(format!("it was not quiet in time after healing: {left}"));
        }
        self.problems.extend(problems);
    }
}

fn all_signs(contract: &Contract) -> impl Iterator<Item = &'static Sign> {
    contract.signature.iter().chain(contract.tells.iter().map(|tell| &tell.sign))
}

/// What is seen of it alone, without what tells it from others.
fn of_its_own(contract: &'static Contract) -> impl Iterator<Item = &'static Sign> {
    contract.signature.iter().chain([&contract.witness])
}

/// What is there only while it is on; of a control nothing is.
fn shown_by(fault: &'static Fault) -> impl Iterator<Item = &'static Sign> {
    of_its_own(&fault.contract).filter(|_| !fault.is_control())
}

/// The signs that a panel would show.
fn in_metrics(contract: &'static Contract) -> impl Iterator<Item = &'static Sign> {
    // Where there is nothing, there is nothing to be seen but what is usual.
    let something = !contract.signature.is_empty();
    of_its_own(contract).filter(move |sign| something && matches!(sign.look, Look::Metrics(_)))
}

fn ticks() -> tokio::time::Interval {
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

fn list(names: &BTreeSet<String>) -> String {
    names.iter().map(String::as_str).collect::<Vec<_>>().join(", ")
}
