//! Too much: what the shop can do, what it still does when three times as much is asked of it, and
//! how soon it is well again.
//!
//! - `table`: what came of it, as text, as CSV and as a picture.
//! - `memory`: what the services hold meanwhile.

mod memory;
mod table;

use std::{
    io::{Write as _, stdout},
    path::PathBuf,
    process::ExitCode,
    sync::Arc,
    time::Duration,
};

use tokio_util::sync::CancellationToken;

use super::{
    Manner, duration,
    errand::Shopper,
    generator,
    outcome::{Class, Outcome},
    profile::ORDERING,
    rate,
    record::Record,
    schedule::{Schedule, Stage},
    target::{Address, Target},
    words, write,
};
use crate::client::BAD_INPUT;
use memory::{Memory, Side};
use table::Table;

/// What is offered, as multiples of what the shop can do.
const FACTORS: [f64; 5] = [0.5, 1.0, 1.5, 2.0, 3.0];
/// By how much each rate of the search is above the one before.
const GROWTH: f64 = 1.25;
/// The search ends where less than this share of what is offered is good, twice in a row.
const KEEPS_UP: f64 = 0.9;
/// The search ends there anyhow.
const HIGHEST_RATE: f64 = 20_000.0;
/// Seconds at the beginning of a load that do not count: connections are made, queues fill.
const WARM_UP: usize = 2;
/// What is offered while the shop recovers, as a share of what it can do.
const AFTERWARDS: f64 = 0.3;
/// How long is waited for the recovery.
const RECOVERY: Duration = Duration::from_secs(60);
/// So many seconds in a row have to be normal.
const NORMAL_FOR: usize = 3;

/// How a shop is overloaded.
#[derive(Clone, Debug, clap::Args)]
pub struct Overload {
    #[command(flatten)]
    address: Address,

    #[command(flatten)]
    manner: Manner,

    /// The rate at which the search for what the shop can do begins, in requests per second.
    #[arg(long, default_value = "40", value_name = "RATE", value_parser = rate)]
    from: f64,

    /// How long each rate of the search lasts.
    #[arg(long, default_value = "8s", value_name = "DURATION", value_parser = duration)]
    step: Duration,

    /// How long each load lasts.
    #[arg(long, default_value = "25s", value_name = "DURATION", value_parser = duration)]
    hold: Duration,

    /// Whose memory is watched: a name, and where its metrics are.
    #[arg(long, value_name = "NAME=URL", default_values = [
        "web-gateway=http://127.0.0.1:3000/metrics",
        "order-api=http://127.0.0.1:8000/metrics",
        "fulfillment-worker=http://127.0.0.1:2112/metrics",
    ])]
    memory: Vec<Side>,

    /// Write the numbers.
    #[arg(long, value_name = "FILE.csv")]
    csv: Option<PathBuf>,

    /// Draw goodput over offered load.
    #[arg(long, value_name = "FILE.svg")]
    plot: Option<PathBuf>,
}

/// One load, and what came of it. Rates are per second.
#[derive(Clone, Debug)]
pub(crate) struct Held {
    /// Which multiple of what the shop can do.
    factor: f64,
    offered: f64,
    answered: f64,
    good: f64,
    shed: f64,
    errors: f64,
    /// Of the errors, those that the generator itself did not send: the shop was spared them.
    dropped: f64,
    p95: Option<Duration>,
    p99: Option<Duration>,
    /// How long after its end everything was normal; none if it was not in time.
    recovered: Option<Duration>,
    /// The most that each service held, in bytes; none if it did not say.
    memory: Vec<Option<f64>>,
}

/// A shop, and whoever overloads it.
struct Lab<'a> {
    settings: &'a Overload,
    target: Arc<Target>,
    shopper: Shopper,
    stop: CancellationToken,
}

impl Overload {
    /// Finds out, asks too much, and says what came of it.
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        let Some((target, shopper)) = self.manner.open(&self.address, ORDERING).await? else {
            return Ok(ExitCode::from(BAD_INPUT));
        };
        let stop = instrumentation::shutdown::on_signal();
        let mut lab = Lab { settings: &self, target, shopper, stop };
        let capacity = lab.capacity().await;
        let mut held = Vec::new();
        for factor in FACTORS {
            held.push(lab.hold(factor, capacity).await);
        }
        if lab.stop.is_cancelled() {
            eprintln!("lab: stopped before the end, so there is nothing to say");
            return Ok(ExitCode::FAILURE);
        }
        let services = self.memory.iter().map(|side| side.name.clone()).collect();
        let table = Table { capacity, services, held };
        let _ = writeln!(stdout(), "{table}");
        if let Some(file) = &self.csv {
            write(file, &table.csv())?;
        }
        if let Some(file) = &self.plot {
            write(file, &table.plot())?;
        }
        Ok(if table.kept() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    fn say(&self, text: &str) {
        if !self.manner.quiet {
            eprintln!("{text}");
        }
    }
}

impl Lab<'_> {
    /// What the shop can do: the most good answers per second, while ever more is asked.
    async fn capacity(&mut self) -> f64 {
        let (mut best, mut behind, mut rate) = (0.0_f64, 0, self.settings.from);
        while behind < 2 && rate < HIGHEST_RATE && !self.stop.is_cancelled() {
            let schedule = Schedule::steady(rate, self.settings.step);
            let record = self.offer(schedule, &self.stop.clone(), |_| ()).await;
            let slice = record.during(WARM_UP, self.settings.step.as_secs() as usize);
            let (offered, good) = (slice.rate(slice.offered), slice.rate(slice.good));
            let (said, kept) = (words::rate(offered), words::rate(good));
            self.settings.say(&format!("searching: {said} offered, {kept} good"));
            best = best.max(good);
            behind = if good < KEEPS_UP * offered { behind + 1 } else { 0 };
            rate *= GROWTH;
        }
        best
    }

    /// Offers a multiple of what the shop can do, and then little until everything is normal.
    async fn hold(&mut self, factor: f64, capacity: f64) -> Held {
        let (hold, calm) = (self.settings.hold, capacity * AFTERWARDS);
        let schedule = Schedule::new([
            Stage { lasts: hold, from: factor * capacity, to: factor * capacity },
            Stage { lasts: RECOVERY, from: calm, to: calm },
        ]);
        let end = hold.as_secs() as usize;
        let over = self.stop.child_token();
        let sides = self.settings.memory.clone();
        let mut memory = Memory::new(sides, hold);
        let record = tokio::select! {
            never = memory.watch() => match never {},
            record = self.offer(schedule, &over, |record| {
                if normal_from(record, end).is_some() {
                    over.cancel();
                }
            }) => record,
        };
        let held = Held::of(factor, &record, end, memory.highest());
        let (good, late) = (words::rate(held.good), words::time(record.latest));
        self.settings.say(&format!("{factor} times: {good} good; sent late by {late} at most"));
        held
    }

    async fn offer(
        &mut self,
        schedule: Schedule,
        stop: &CancellationToken,
        mut look: impl FnMut(&Record),
    ) -> Record {
        let plan = self.settings.manner.plan(schedule);
        let watch = |progress: generator::Progress<'_>| look(progress.record);
        generator::run(&plan, &self.target, &mut self.shopper, stop, watch).await
    }
}

impl Held {
    fn of(factor: f64, record: &Record, end: usize, memory: Vec<Option<f64>>) -> Self {
        let slice = record.during(WARM_UP.min(end - 1), end);
        Self {
            factor,
            offered: slice.rate(slice.offered),
            answered: slice.rate(slice.ended.answered()),
            good: slice.rate(slice.good),
            shed: slice.ended.share(Class::Shed).unwrap_or_default(),
            errors: slice.ended.share(Class::Error).unwrap_or_default(),
            dropped: slice.ended.of(Outcome::Dropped) as f64 / slice.ended.total().max(1) as f64,
            p95: slice.quantile(0.95),
            p99: slice.quantile(0.99),
            recovered: normal_from(record, end).map(|second| Duration::from_secs(second as u64)),
            memory,
        }
    }
}

/// How many seconds after the load's end everything was normal, and stayed so for a while.
fn normal_from(record: &Record, end: usize) -> Option<usize> {
    let after = record.seconds.get(end..)?;
    after.windows(NORMAL_FOR).position(|seconds| seconds.iter().all(|second| second.is_normal()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::outcome::{Ended, served};

    fn record(outcomes: &[(u64, Outcome)]) -> Record {
        let second = Duration::from_secs(1);
        let mut record = Record::new(6 * second, second);
        for (due, outcome) in outcomes {
            let due = Duration::from_secs(*due);
            record.offer(due, 1);
            let took = Duration::from_millis(20);
            record.end(&Ended { due, outcome: *outcome, ..served(took) });
        }
        record
    }

    #[test]
    fn it_has_recovered_when_it_stays_normal() {
        use Outcome::{Served, Shed};
        let (ok, no) = (|second| (second, Served), |second| (second, Shed));
        assert_eq!(normal_from(&record(&[ok(2), ok(3), ok(4)]), 2), Some(0));
        assert_eq!(normal_from(&record(&[ok(2), no(2), ok(3), ok(4), ok(5)]), 2), Some(1));
        assert_eq!(normal_from(&record(&[ok(2), no(3), ok(4), ok(5)]), 2), None, "not yet");
        assert_eq!(normal_from(&record(&[]), 2), None, "nobody asked");
    }
}
