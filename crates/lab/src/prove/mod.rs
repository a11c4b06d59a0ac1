//! Proves faults: each is turned on in a lab of its own, held to its contract, and healed.
//!
//! - [`stage`]: a lab of its own, with Prometheus and customers.
//! - [`eyes`]: whether a sign of a contract can be seen.
//! - [`variation`]: what is other from seed to seed, beside the customers.
//! - [`trial`]: one fault, from quiet to quiet, and what was seen.
//! - [`recording`]: numbers that everybody records, for those who do not know the contracts.
//! - [`matrix`]: which contracts hold for which fault, and what a simple learner makes of the
//!   recordings.
//! - [`gates`]: whether the matrix says that they are told apart.
//! - [`report`]: what is printed, and what is written to `docs/`.
//! - [`picture`]: heat maps.

mod eyes;
mod gates;
mod matrix;
mod picture;
mod recording;
mod report;
mod stage;
mod trial;
mod variation;

use std::{
    collections::{BTreeMap, VecDeque},
    path::PathBuf,
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use anyhow::{Context as _, bail, ensure};
use faults::{FAULTS, Fault, Needs};
use futures_util::future::join_all;
use order_api::config::DatabaseUrl;
use testbed::{Postgres, RabbitMq};
use tokio::{sync::Mutex, time::Instant};

use self::{
    stage::{Kind, Servers, Stage},
    trial::Trial,
};
use crate::{client::BAD_INPUT, desk::database, doctor, proxy};

/// Hold faults to their contracts, in labs of their own.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Prove {
    /// The faults; all of them if none is named.
    names: Vec<String>,

    /// How often each is proven, each time with other customers.
    #[arg(long, default_value_t = 1, value_name = "COUNT", value_parser = clap::value_parser!(u64).range(1..=1000))]
    seeds: u64,

    /// Labs side by side; with a database or a broker of yours there can be only one.
    #[arg(long, default_value_t = 2, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..=16))]
    lanes: u32,

    /// A private Postgres and a private RabbitMQ for every lab instead of what is embedded; they must be
    /// installed. Without it, a fault that needs a Postgres has them alone.
    #[arg(long, conflicts_with_all = ["database_url", "amqp_url"])]
    real: bool,

    /// Use this Postgres instead of an embedded SQLite.
    #[arg(long, env = "LAB_DATABASE_URL", value_name = "URL", hide_env_values = true)]
    database_url: Option<String>,

    /// Use this RabbitMQ instead of the embedded broker.
    #[arg(long, env = "LAB_AMQP_URL", value_name = "URL", hide_env_values = true)]
    amqp_url: Option<String>,

    /// Hold them in a lab that runs, by its control desk, such as http://localhost:4000: compose, say.
    /// A witness in the database needs `--database-url`.
    #[arg(long, value_name = "URL", requires = "prometheus_url", conflicts_with_all = ["real", "amqp_url"])]
    desk: Option<String>,

    /// The Prometheus of that lab.
    #[arg(long, value_name = "URL", requires = "desk")]
    prometheus_url: Option<String>,

    /// End each fault as operators do, where they can, and have the desk see that it is repaired.
    #[arg(long)]
    repair: bool,

    /// Write what was found into this folder: `proof.md`, and `proof/` with pictures and numbers.
    #[arg(long, value_name = "FOLDER")]
    write: Option<PathBuf>,

    /// Hold nothing, and write again what was found before: the page and the pictures of these numbers,
    /// such as `docs/proof/proof.json`.
    #[arg(long, value_name = "FILE", requires = "write", conflicts_with_all = ["names", "real", "database_url", "amqp_url", "desk", "repair"])]
    from: Option<PathBuf>,
}

/// A fault that is yet to be proven.
#[derive(Clone, Copy, Debug)]
struct Task {
    fault: &'static Fault,
    seed: u64,
}

/// What is to be proven, by all lanes together.
#[derive(Debug)]
struct Agenda {
    waiting: Mutex<Waiting>,
    done: AtomicUsize,
    of: usize,
    /// Whether each is ended as operators do.
    repairs: bool,
}

/// What is waiting, by the kind of lab that it needs.
#[derive(Debug, Default)]
struct Waiting(BTreeMap<Kind, Queue>);

#[derive(Debug, Default)]
struct Queue {
    tasks: VecDeque<Task>,
    /// How many labs there are for them.
    labs: usize,
}

/// Whether all are proven, and told apart if there are enough seeds to say so.
fn outcome(trials: &[Trial]) -> ExitCode {
    let proven = trials.iter().all(Trial::is_proven);
    let seeds = trials.iter().map(|trial| trial.seed).max().unwrap_or_default();
    // A cell of fewer trials says too little.
    let told_apart = seeds < ENOUGH_SEEDS || gates::told_apart(trials);
    if proven && told_apart { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

impl Prove {
    /// Proves them. Exits with 0 if all are proven, and told apart if there are enough seeds to say so; with
    /// 1 if not, with 2 if that cannot be.
    pub(crate) async fn run(self) -> anyhow::Result<ExitCode> {
        if let (Some(from), Some(folder)) = (&self.from, &self.write) {
            let trials = report::write_again(from, folder)?;
            return Ok(outcome(&trials));
        }
        let faults = match self.faults() {
            Ok(faults) => faults,
            Err(problem) => {
                eprintln!("{problem}");
                return Ok(ExitCode::from(BAD_INPUT));
            }
        };
        let prometheus = doctor::find("prometheus");
        ensure!(
            prometheus.is_some() || self.desk.is_some(),
            "a proof needs Prometheus; install it (prometheus.io/download)"
        );
        if self.real {
            installed()
                .map_err(anyhow::Error::msg)
                .context("a proof on real servers needs them")?;
        }
        let own = self.database_url.is_some() || self.amqp_url.is_some() || self.desk.is_some();
        ensure!(!own || self.lanes == 1, "labs side by side would share them; add --lanes 1");

        // Hours later there may be another.
        let (started, revision) = (Instant::now(), report::revision());
        let tasks =
            (1..=self.seeds).flat_map(|seed| faults.iter().map(move |fault| Task { fault, seed }));
        let tasks: Vec<_> = tasks.collect();
        println!("{} to hold, {} at a time", report::counted(tasks.len(), "trial"), self.lanes);
        let stop = instrumentation::shutdown::on_signal();
        let Some(trials) = stop.run_until_cancelled(self.prove(tasks)).await else {
            bail!("stopped; nothing is written");
        };
        report::print(&trials, started.elapsed());
        if let Some(folder) = &self.write {
            report::write(folder, &self.command(), &revision, &trials)
                .context("cannot write what was found")?;
        }
        Ok(outcome(&trials))
    }

    /// Those that are named, or all that can be turned on here.
    fn faults(&self) -> Result<Vec<&'static Fault>, String> {
        let (here, elsewhere): (Vec<_>, Vec<_>) =
            FAULTS.iter().copied().partition(|fault| fault.needs() <= self.offers());
        if !self.names.is_empty() {
            return self.names.iter().map(|name| find(name, &elsewhere)).collect();
        }
        if !elsewhere.is_empty() {
            let names: Vec<_> = elsewhere.iter().map(|fault| fault.name).collect();
            println!("left out, for want of {MISSING}: {}", names.join(", "));
        }
        Ok(here)
    }

    /// What a lab of its own offers: with nothing given, what is installed here.
    fn offers(&self) -> Needs {
        match &self.database_url {
            _ if self.real || self.desk.is_some() => Needs::Proxy,
            None if self.amqp_url.is_some() || installed().is_err() => Needs::Database,
            None => Needs::Proxy,
            Some(url) => match database::offers(url.parse::<DatabaseUrl>().ok().as_ref()) {
                Needs::Postgres if proxy::server_of(url).is_some() => Needs::Proxy,
                offers => offers,
            },
        }
    }

    /// How somebody else does the same.
    fn command(&self) -> String {
        let which = match (&self.desk, self.real) {
            (Some(_), _) => " --desk URL --prometheus-url URL --database-url URL",
            (None, true) => " --real",
            (None, false) => "",
        };
        let repair = if self.repair { " --repair" } else { "" };
        let Self { names, seeds, lanes, .. } = self;
        let names: String = names.iter().map(|name| format!(" {name}")).collect();
        format!("lab prove{names} --seeds {seeds} --lanes {lanes}{which}{repair} --write FOLDER")
    }

    /// Lets each lane take one task after the other.
    async fn prove(&self, tasks: Vec<Task>) -> Vec<Trial> {
        let lanes = (self.lanes as usize).min(tasks.len());
        let database = self.database_url.clone();
        let servers = match (&self.desk, &self.prometheus_url) {
            (Some(desk), Some(prometheus)) => {
                Servers::Running { desk: desk.clone(), prometheus: prometheus.clone(), database }
            }
            _ if self.real => Servers::Private,
            _ if database.is_none() && self.amqp_url.is_none() => Servers::AsNeeded,
            _ => Servers::At { database, broker: self.amqp_url.clone() },
        };
        let agenda = Arc::new(Agenda {
            of: tasks.len(),
            waiting: Mutex::new(Waiting::new(tasks, &servers)),
            done: AtomicUsize::new(0),
            repairs: self.repair,
        });
        let lanes = (0..lanes).map(|number| lane(number, Arc::clone(&agenda), servers.clone()));
        let mut trials: Vec<_> = join_all(lanes).await.into_iter().flatten().collect();
        trials.sort_by_key(|trial| (trial.number, trial.seed));
        trials
    }
}

/// From so many seeds on, the matrix of contracts has to pass its gates.
const ENOUGH_SEEDS: u64 = 5;
/// What is missing where a fault cannot be turned on.
const MISSING: &str = "a Postgres (install Postgres and RabbitMQ, or give --database-url \
                       postgres://user:password@host/database)";

/// Whether there are servers to start, or which is missing.
fn installed() -> Result<(), String> {
    Postgres::available().and(RabbitMq::available())
}

fn find(name: &str, elsewhere: &[&'static Fault]) -> Result<&'static Fault, String> {
    let Some(fault) = faults::find(name) else {
        let possible: String = FAULTS
            .iter()
            .map(|fault| format!("\n  {:<20}{}", fault.name, fault.summary()))
            .collect();
        return Err(format!("there is no fault {name:?}; possible:{possible}"));
    };
    match elsewhere.iter().any(|other| other.name == name) {
        true => Err(format!("{name} needs {MISSING}")),
        false => Ok(fault),
    }
}

impl Waiting {
    fn new(tasks: Vec<Task>, servers: &Servers) -> Self {
        let mut waiting = Self::default();
        for task in tasks {
            waiting.0.entry(servers.kind(task.fault)).or_default().tasks.push_back(task);
        }
        waiting
    }

    /// The next task for whoever has a lab of this kind: one for which it need not be left, or else one of
    /// the kind for which most is to be done in each lab.
    fn next(&mut self, kind: Option<Kind>) -> Option<(Kind, Task)> {
        if let Some(kind) = kind
            && let Some(queue) = self.0.get_mut(&kind)
        {
            if let Some(task) = queue.tasks.pop_front() {
                return Some((kind, task));
            }
            queue.labs -= 1;
        }
        let waiting = self.0.iter_mut().filter(|(_, queue)| !queue.tasks.is_empty());
        let left =
            |kind: &Kind, queue: &Queue| kind.weight() * queue.tasks.len() / (queue.labs + 1);
        let (kind, queue) = waiting.max_by_key(|(kind, queue)| left(kind, queue))?;
        queue.labs += 1;
        Some((*kind, queue.tasks.pop_front()?))
    }
}

/// One lab after the other, for as long as there is something to prove: a lab is used again if it is
/// quiet again, and something still needs its kind.
async fn lane(number: usize, agenda: Arc<Agenda>, servers: Servers) -> Vec<Trial> {
    let (mut trials, mut kind, mut stage) = (Vec::new(), None, None::<Stage>);
    loop {
        let task = agenda.waiting.lock().await.next(kind);
        let next = task.map(|(needed, _)| needed);
        if (next.is_none() || kind != next)
            && let Some(stage) = stage.take()
        {
            stage.close().await;
        }
        let Some((needed, Task { fault, seed })) = task else { return trials };
        kind = Some(needed);
        let opened = match stage.take() {
            Some(stage) => Ok(stage),
            None => Stage::open(number as u64 * 1000 + seed, &servers, needed).await,
        };
        let trial = match opened {
            Ok(here) => {
                let trial = Trial::hold(&here, fault, seed, agenda.repairs).await;
                // One that was not quiet in time may have left something behind.
                match trial.quiet_after {
                    Some(_) => stage = Some(here),
                    None => here.close().await,
                }
                trial
            }
            // No proof of anything, and no reason to prove nothing else.
            Err(error) => {
                eprintln!("{error:#}");
                Trial::not_held(fault, seed, &error)
            }
        };
        report::line(&trial, agenda.done.fetch_add(1, Ordering::Relaxed) + 1, agenda.of);
        trials.push(trial);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_lab_is_kept_for_as_long_as_its_kind_is_needed() {
        let tasks = FAULTS.iter().map(|fault| Task { fault, seed: 1 }).collect();
        let mut waiting = Waiting::new(tasks, &Servers::AsNeeded);
        let kinds = waiting.0.len();
        assert_eq!(kinds, 3, "plain, with a canary, with servers");
        let mut lanes = [None; 8];
        let (mut taken, mut opened) = (0, 0);
        for turn in 0.. {
            let lane = &mut lanes[turn % 8];
            let Some((needed, task)) = waiting.next(*lane) else { break };
            assert_eq!(Servers::AsNeeded.kind(task.fault), needed);
            opened += usize::from(lane.replace(needed) != Some(needed));
            taken += 1;
        }
        assert_eq!(taken, FAULTS.len());
        assert!(opened <= 8 + kinds, "{opened} labs were opened");
    }
}
