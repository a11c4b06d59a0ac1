//! A lab of its own for trials, with Prometheus and customers, on free ports.
//!
//! - [`servers`]: what it uses of others.
//! - `repair`: what operators do in it.
//! - `told`: what a learner can read in it.

mod repair;
mod servers;
mod told;

use std::{
    borrow::Cow,
    collections::BTreeMap,
    fs,
    process::{Child, Command, Stdio},
    sync::Mutex,
    time::Duration,
};

use anyhow::{Context as _, bail};
use faults::contract::Sql;
use order_api::config::DatabaseUrl;
use reqwest::Client;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;
use testbed::{Postgres, RabbitMq, free_port};
use tokio::time::{Instant, sleep};

use self::servers::Used;
pub(super) use self::servers::{Kind, Servers};
use crate::desk::database::Connection;

/// Journeys that customers begin per second: enough to see a ratio within half a minute.
pub(super) const RATE: f64 = 6.0;
/// How long a lab has to run before it knows what is usual: longer than the windows of its rates,
/// and than the past that a sign compares with.
const WARM: Duration = Duration::from_secs(150);
/// How long a lab may take to come up.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long it may take to end.
const DRAIN: Duration = Duration::from_secs(30);
/// How often it is looked whether it is up.
const LOOK: Duration = Duration::from_millis(200);

/// The ports that a lab needs, by the flags that set them.
const PORTS: [&str; 12] = [
    "--desk-port",
    "--prometheus-port",
    "--gateway-port",
    "--gateway-side-port",
    "--order-api-port",
    "--order-api-side-port",
    "--worker-side-port",
    "--provider-port",
    "--otlp-port",
    "--broker-port",
    "--order-api-canary-port",
    "--order-api-canary-side-port",
];

/// A lab that ends with its stage.
#[derive(Debug)]
struct Own {
    process: Child,
    /// Where it keeps its files.
    folder: TempDir,
}

/// A lab that runs.
#[derive(Debug)]
pub(super) struct Stage {
    /// None if it ran before.
    own: Option<Own>,
    pub(super) client: Client,
    pub(super) desk: String,
    pub(super) prometheus: String,
    sides: Vec<String>,
    /// The gateway, of a lab of its own.
    shop: Option<String>,
    /// None if it is the lab's own.
    database: Option<DatabaseUrl>,
    /// Servers that nobody else uses.
    _private: Option<(Postgres, RabbitMq)>,
    /// What numbers in the database were when they were first looked at, by their queries.
    numbers: Mutex<BTreeMap<&'static str, i64>>,
}

impl Stage {
    /// Starts a lab of this kind, and waits until it knows what is usual.
    pub(super) async fn open(seed: u64, servers: &Servers, kind: Kind) -> anyhow::Result<Self> {
        if let Servers::Running { desk, prometheus, database } = servers {
            return Self::join(desk, prometheus, database.as_deref()).await;
        }
        // A port that was free may be taken by whoever else looks for one.
        let stage = match Self::start(seed, servers, kind).await {
            Err(_) => Self::start(seed, servers, kind).await?,
            stage => stage?,
        };
        sleep(WARM).await;
        Ok(stage)
    }

    async fn start(seed: u64, servers: &Servers, kind: Kind) -> anyhow::Result<Self> {
        let canary = kind.canary;
        let used = Used::of(servers, kind).await?;
        let folder = tempfile::tempdir().context("cannot create a folder for a lab")?;
        let ports = PORTS.map(|_| free_port());
        let screen =
            fs::File::create(folder.path().join("screen")).context("cannot create a file")?;
        let process =
            Command::new(std::env::current_exe().context("cannot find the lab's program")?)
                .arg("up")
                .args(
                    PORTS
                        .iter()
                        .zip(ports)
                        .flat_map(|(flag, port)| [(*flag).to_owned(), port.to_string()]),
                )
                .args(canary.then_some("--canary"))
                .args(["--rate", &RATE.to_string(), "--seed", &seed.to_string()])
                .args(used.arguments())
                .env_remove("LAB_CANARY")
                .env("TMPDIR", folder.path())
                .env("LOG_FORMAT", "json")
                .stdin(Stdio::null())
                .stdout(screen.try_clone().context("cannot share a file")?)
                .stderr(screen)
                .spawn()
                .context("cannot start a lab")?;
        let at = |index: usize| format!("http://127.0.0.1:{}", ports[index]);
        let stage = Self {
            own: Some(Own { process, folder }),
            client: client()?,
            desk: at(0),
            prometheus: at(1),
            shop: Some(at(2)),
            sides: [at(3), at(5), at(6)].into_iter().chain(canary.then(|| at(11))).collect(),
            database: database(used.database.as_deref())?,
            _private: used.private,
            numbers: Mutex::default(),
        };
        stage.comes_up().await?;
        Ok(stage)
    }

    /// Uses the lab that runs there, with as many customers as in others.
    async fn join(desk: &str, prometheus: &str, url: Option<&str>) -> anyhow::Result<Self> {
        let stage = Self {
            own: None,
            client: client()?,
            desk: desk.trim_end_matches('/').to_owned(),
            prometheus: prometheus.trim_end_matches('/').to_owned(),
            sides: Vec::new(),
            shop: None,
            database: database(url)?,
            _private: None,
            numbers: Mutex::default(),
        };
        stage.get("/status", &[]).await.context("the control desk does not answer")?;
        let change = stage.client.put(format!("{}/load", stage.desk));
        let changed = change.body(format!("rate={RATE}")).send().await?.error_for_status();
        changed.context("cannot let customers come")?;
        sleep(WARM).await;
        Ok(stage)
    }

    /// Asks the desk.
    pub(super) async fn get(&self, path: &str, query: &[(&str, &str)]) -> anyhow::Result<Value> {
        let request = self.client.get(format!("{}{path}", self.desk)).query(query);
        let answer =
            request.header("accept", "application/json").send().await?.error_for_status()?;
        Ok(answer.json().await?)
    }

    /// From now on those customers come whom this seed decides.
    pub(super) async fn let_come(&self, seed: u64) -> anyhow::Result<()> {
        let request = self.client.put(format!("{}/load", self.desk)).body(format!("seed={seed}"));
        request.send().await?.error_for_status().context("cannot let other customers come")?;
        Ok(())
    }

    /// Turns a fault on, with these settings.
    pub(super) async fn arm(
        &self,
        name: &str,
        settings: &[(Cow<'static, str>, String)],
    ) -> anyhow::Result<()> {
        let request = self.client.post(format!("{}/chaos/{name}", self.desk)).query(settings);
        request.send().await?.error_for_status().context("cannot turn a fault on")?;
        self.forget_numbers();
        Ok(())
    }

    /// From now on numbers in the database grow from what they are.
    pub(super) fn forget_numbers(&self) {
        self.numbers.lock().expect("no holder of the lock panics").clear();
    }

    /// Whether a query to the shop's database has a row.
    pub(super) async fn has_row(&self, query: Sql) -> anyhow::Result<bool> {
        Ok(self.connect().await?.has_row(query).await?)
    }

    /// Whether a number in the database has grown since it was first looked at, after all were forgotten.
    pub(super) async fn has_grown(&self, query: Sql) -> anyhow::Result<bool> {
        let now = self.connect().await?.number(query).await?;
        let mut numbers = self.numbers.lock().expect("no holder of the lock panics");
        Ok(now > *numbers.entry(query.postgres).or_insert(now))
    }

    /// Connects to the shop's database as anybody could, and not by the desk.
    async fn connect(&self) -> anyhow::Result<Connection> {
        let url = match &self.database {
            Some(url) => url.clone(),
            None => {
                let own = self.own.as_ref().context("--database-url is missing")?;
                let file = walk(own.folder.path()).into_iter().find(|at| at.ends_with("shop.db"));
                let file = file.context("the lab has no database")?;
                let url = format!("sqlite://{}", file.display());
                url.parse().map_err(anyhow::Error::msg)?
            }
        };
        Connection::open(&url).await.context("cannot connect to the shop's database")
    }

    /// Whether operators have repaired this fault, as the desk sees it.
    pub(super) async fn is_repaired(&self, name: &str) -> anyhow::Result<bool> {
        let status = self.get("/chaos/status", &[]).await?;
        let armed = status["armed"].as_array().context("no list of what is on")?;
        Ok(!armed.iter().any(|armed| armed["name"] == name))
    }

    /// Turns everything off.
    pub(super) async fn heal(&self) -> anyhow::Result<()> {
        let request = self.client.delete(format!("{}/chaos", self.desk));
        request.send().await?.error_for_status().context("cannot heal")?;
        Ok(())
    }

    /// Has orders announced again that were announced in vain: the fix of a fault that loses them.
    pub(super) async fn announce_again(&self) -> anyhow::Result<()> {
        let request = self.client.post(format!("{}/announcements", self.desk));
        request.send().await?.error_for_status().context("cannot announce orders again")?;
        Ok(())
    }

    /// Ends it, while others go on.
    pub(super) async fn close(self) {
        // Only if it panics; then there is nothing to be done about it.
        let _ = tokio::task::spawn_blocking(move || drop(self)).await;
    }

    async fn comes_up(&self) -> anyhow::Result<()> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let status = self.get("/status", &[]).await;
            let ready = status.is_ok_and(|status| {
                let services = status["services"].as_array();
                services.is_some_and(|all| {
                    all.len() == self.sides.len()
                        && all.iter().all(|service| service["ready"] == true)
                })
            });
            let scraped = self.client.get(format!("{}/-/ready", self.prometheus)).send().await;
            if ready && scraped.is_ok_and(|answer| answer.status().is_success()) {
                return Ok(());
            }
            if Instant::now() > deadline {
                let screen = self.own.as_ref().map(|own| own.folder.path().join("screen"));
                let screen = screen.and_then(|screen| fs::read_to_string(screen).ok());
                bail!("the lab did not come up; it said:\n{}", screen.unwrap_or_default());
            }
            sleep(LOOK).await;
        }
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        // What has ended already needs no signal.
        let _ = kill_process(Pid::from_child(&self.process), Signal::INT);
        let deadline = Instant::now() + DRAIN;
        while matches!(self.process.try_wait(), Ok(None)) && Instant::now() < deadline {
            std::thread::sleep(LOOK);
        }
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn database(url: Option<&str>) -> anyhow::Result<Option<DatabaseUrl>> {
    let url = url.map(str::parse);
    url.transpose().map_err(|error: String| anyhow::anyhow!("--database-url: {error}"))
}

fn client() -> anyhow::Result<Client> {
    let client = Client::builder().no_proxy().timeout(Duration::from_secs(30)).build();
    client.context("cannot make an HTTP client")
}

fn walk(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .flat_map(|entry| match entry.path() {
            path if path.is_dir() => walk(&path),
            path => vec![path],
        })
        .collect()
}
