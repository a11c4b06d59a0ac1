//! Load on the shop, to find out what it bears: five profiles, and one that asks too much of it.
//!
//! - [`profile`]: how many requests come when, and which.
//! - [`schedule`]: rates over time, turned into moments that no answer can shift.
//! - [`errand`]: what is asked.
//! - [`target`]: one request to the shop, measured from when it was due.
//! - [`generator`]: the open loop that sends them.
//! - [`outcome`]: how each ended.
//! - [`record`]: what came of all: [`tally`] counts, [`course`] does so second by second, and
//!   `notable` keeps those to look at.
//! - [`threshold`]: what a load has to keep to.
//! - [`results`]: what it came to; `summary` prints it, `report` and `chart` draw it.
//! - `progress`: where it stands, while it runs.
//! - [`overload`]: three times what the shop can do, and the recovery from it.

mod chart;
pub mod course;
pub mod errand;
pub mod generator;
mod notable;
pub mod outcome;
pub mod overload;
pub mod profile;
mod progress;
pub mod record;
mod report;
pub mod results;
pub mod schedule;
mod summary;
pub mod tally;
pub mod target;
pub mod threshold;
mod words;

use std::{
    io::{Write as _, stdout},
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
    time::Duration,
};

use anyhow::Context as _;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::client::BAD_INPUT;
use errand::{Mix, Shopper};
use generator::Plan;
use overload::Overload;
use profile::Profile;
use progress::Teller;
use results::{Results, Run};
use schedule::Spacing;
use target::{Address, Target};
use threshold::Threshold;

/// A load.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Ask a little of everything: does it work at all?
    Smoke(Settings),
    /// An ordinary busy day: up, steady, down
    #[command(name = "load")]
    Busy(Settings),
    /// More and more, step by step: where does it bend?
    Stress(Settings),
    /// Ten times as many within two seconds: does it recover?
    Spike(Settings),
    /// Everything that customers do, declined cards and orders sent twice among it
    Mixed(Settings),
    /// Find out what the shop can do, ask three times as much, and watch it recover
    Overload(Overload),
}

/// How a profile is run.
#[derive(Clone, Debug, clap::Args)]
pub struct Settings {
    #[command(flatten)]
    address: Address,

    #[command(flatten)]
    manner: Manner,

    /// The highest rate, in requests per second; the rest follows in proportion.
    #[arg(long, value_name = "RATE", value_parser = rate)]
    rate: Option<f64>,

    /// How long it takes; each stage follows in proportion.
    #[arg(long, value_parser = duration)]
    duration: Option<Duration>,

    /// Hold it against another bound: p95=800ms, p99=2s, errors=2%, success=90%.
    #[arg(long, value_name = "NAME=BOUND")]
    threshold: Vec<Threshold>,

    /// Draw a report.
    #[arg(long, value_name = "FILE.html")]
    report: Option<PathBuf>,

    /// Write the results as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// How requests are sent, whatever the load.
#[derive(Clone, Debug, clap::Args)]
pub struct Manner {
    /// How arrivals follow each other.
    #[arg(long, value_enum, default_value_t = Spacing::Poisson)]
    arrivals: Spacing,

    /// Decides when each arrives, and what it asks.
    #[arg(long, default_value_t = 1)]
    seed: u64,

    /// So many requests may be in flight; those that arrive beyond are dropped, and are errors.
    #[arg(long, default_value_t = 4096, value_name = "COUNT", value_parser = count)]
    in_flight: usize,

    /// How long a request may take, from when it was due.
    #[arg(long, default_value = "10s", value_name = "DURATION", value_parser = duration)]
    patience: Duration,

    /// Up to when a right answer is a good one.
    #[arg(long, default_value = "1s", value_name = "DURATION", value_parser = duration)]
    good_within: Duration,

    /// Say nothing while it runs.
    #[arg(long, short)]
    quiet: bool,
}

/// Runs a load.
///
/// Exits with 0 if it kept to its thresholds, 1 if not, 2 if there is no shop to ask.
///
/// # Errors
/// If the results cannot be written.
pub async fn run(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Smoke(settings) => settings.run(&profile::SMOKE).await,
        Command::Busy(settings) => settings.run(&profile::LOAD).await,
        Command::Stress(settings) => settings.run(&profile::STRESS).await,
        Command::Spike(settings) => settings.run(&profile::SPIKE).await,
        Command::Mixed(settings) => settings.run(&profile::MIXED).await,
        Command::Overload(overload) => overload.run().await,
    }
}

impl Settings {
    async fn run(self, profile: &Profile) -> anyhow::Result<ExitCode> {
        let Some((target, mut shopper)) = self.manner.open(&self.address, profile.mix).await?
        else {
            return Ok(ExitCode::from(BAD_INPUT));
        };
        let schedule = profile.schedule();
        let schedule = match self.rate {
            Some(rate) => schedule.with_peak(rate),
            None => schedule,
        };
        let schedule = match self.duration {
            Some(duration) => schedule.lasting(duration),
            None => schedule,
        };
        let plan = self.manner.plan(schedule);
        let mut teller = Teller::new(plan.schedule.lasts(), self.manner.quiet);
        let stop = instrumentation::shutdown::on_signal();
        let watch = |progress: generator::Progress<'_>| teller.tell(&progress);
        let record = generator::run(&plan, &target, &mut shopper, &stop, watch).await;
        teller.finish();

        let (profile, shows) = (profile.name, profile.shows);
        let run = Run { profile, shows, url: self.address.url.as_str(), plan: &plan };
        let results = Results::of(run, &record, &threshold::thresholds(&self.threshold));
        // A reader that has seen enough, such as `head`, is no failure.
        let _ = write!(stdout(), "{results}");
        self.keep(&results)?;
        Ok(if results.kept() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    fn keep(&self, results: &Results) -> anyhow::Result<()> {
        if let Some(file) = &self.report {
            write(file, &report::page(results))?;
        }
        if let Some(file) = &self.json {
            write(file, &serde_json::to_string_pretty(results)?)?;
        }
        Ok(())
    }
}

impl Manner {
    /// The shop, and whoever thinks of what to ask of it; none, and said so, if there is no shop.
    async fn open(
        &self,
        address: &Address,
        mix: Mix,
    ) -> anyhow::Result<Option<(Arc<Target>, Shopper)>> {
        allow_many_files();
        let target = Target::new(address.clone(), self.patience)?;
        match target.skus().await {
            Ok(skus) => Ok(Some((Arc::new(target), Shopper::new(self.seed, mix, skus)))),
            Err(error) => {
                eprintln!("lab: {error:#}");
                Ok(None)
            }
        }
    }

    fn plan(&self, schedule: schedule::Schedule) -> Plan {
        Plan {
            schedule,
            spacing: self.arrivals,
            seed: self.seed,
            in_flight: self.in_flight,
            good_within: self.good_within,
        }
    }
}

/// Each request in flight has a connection, and shells allow fewer than the system does.
fn allow_many_files() {
    let limit = getrlimit(Resource::Nofile);
    // Where that is not allowed, requests beyond find no connection, and are counted so.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
}

fn write(file: &Path, text: &str) -> anyhow::Result<()> {
    std::fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))
}

fn rate(text: &str) -> Result<f64, String> {
    let rate = text.parse().ok().filter(|rate: &f64| rate.is_finite() && *rate > 0.0);
    rate.ok_or_else(|| "must be a number above 0".to_owned())
}

fn duration(text: &str) -> Result<Duration, String> {
    let duration = humantime::parse_duration(text).ok().filter(|duration| !duration.is_zero());
    duration.ok_or_else(|| "must be a time such as 90s or 5m".to_owned())
}

fn count(text: &str) -> Result<usize, String> {
    let count = text.parse().ok().filter(|count| *count > 0);
    count.ok_or_else(|| "must be a whole number above 0".to_owned())
}
