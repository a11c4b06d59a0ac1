//! A lab of its own for trials, with Prometheus and customers, on free ports.

use std::{
    collections::BTreeMap,
    fs,
    net::TcpListener,
    process::{Child, Command, Stdio},
    sync::Mutex,
    time::Duration,
};

use anyhow::{Context as _, bail, ensure};
use faults::{Fault, Needs, Repair, contract::Sql};
use order_api::config::DatabaseUrl;
use reqwest::Client;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;
use testbed::{Postgres, RabbitMq};
use tokio::time::{Instant, sleep};

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
/// Traces that are looked at step by step for what they give away: so many that failed, and so many.
const TOLD_WHOLE: usize = 50;
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

/// The log files of the services, and that of order-api's second replica.
const LOGS: [&str; 4] =
    ["web-gateway.log", "order-api.log", "fulfillment-worker.log", "order-api-canary.log"];

/// What labs use of others.
#[derive(Clone, Debug)]
pub(super) enum Servers {
    /// These, or what is embedded.
    At { database: Option<String>, broker: Option<String> },
    /// A private Postgres and RabbitMQ for each that needs them; else what is embedded.
    AsNeeded,
    /// The same for each.
    Private,
    /// There is a lab already, and this is its database.
    Running { desk: String, prometheus: String, database: Option<String> },
}

/// What there must be in a lab for some faults, and not for others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Kind {
    /// order-api runs twice.
    canary: bool,
    /// It has a private Postgres and RabbitMQ.
    private: bool,
}

/// What one lab uses of others.
#[derive(Debug, Default)]
struct Used {
    database: Option<String>,
    broker: Option<String>,
    rabbitmq_metrics: Option<String>,
    /// Those that are nobody else's; they end with the lab.
    private: Option<(Postgres, RabbitMq)>,
}

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
        let ports = free_ports().context("cannot find free ports")?;
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
    pub(super) async fn arm(&self, name: &str, settings: &[(&str, String)]) -> anyhow::Result<()> {
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

    /// Does something about a fault as a learner does.
    pub(super) async fn repair(&self, repair: &Repair) -> anyhow::Result<()> {
        let desk = &self.desk;
        let form = |settings: Vec<(&str, &str)>| {
            let settings = settings.iter().map(|(name, value)| format!("{name}={value}"));
            settings.collect::<Vec<_>>().join("&")
        };
        let request = match repair {
            Repair::Reset(service, names) => {
                let given = names.iter().map(|name| (*name, "default")).collect();
                self.client.put(format!("{desk}/settings/{}", service.name())).body(form(given))
            }
            Repair::RollBack(service) => {
                self.client.post(format!("{desk}/releases/{}/rollback", service.name()))
            }
            Repair::Provider(settings) => {
                self.client.put(format!("{desk}/provider")).body(form(settings.to_vec()))
            }
            Repair::Announce => return self.announce_again().await,
            Repair::Restart(service) => return self.restart(service.name()),
            Repair::Run(Sql { postgres, sqlite }) => {
                let there = |sql: &'static str| Some(sql).filter(|sql| !sql.is_empty());
                let (postgres, sqlite) = (there(postgres), there(sqlite));
                let mut connection = self.connect().await?;
                connection.run(postgres.as_slice(), sqlite.as_slice()).await?;
                return Ok(());
            }
        };
        request.send().await?.error_for_status().with_context(|| format!("cannot do: {repair}"))?;
        Ok(())
    }

    /// Ends a service of a lab of its own, which starts it again.
    fn restart(&self, service: &str) -> anyhow::Result<()> {
        let own =
            self.own.as_ref().context("a service can be restarted in a lab of its own alone")?;
        let parent = own.process.id().to_string();
        let ended = Command::new("pkill").args(["-P", &parent, "-f", service]).status();
        ensure!(ended.context("cannot run pkill")?.success(), "there is no {service} to restart");
        Ok(())
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

    /// Everything that a learner can read: metrics, logs, traces, and what the shop answers.
    pub(super) async fn told(&self) -> anyhow::Result<String> {
        let mut told = String::new();
        for side in &self.sides {
            told += &self.client.get(format!("{side}/metrics")).send().await?.text().await?;
        }
        told += &self.get("/logs", &[("limit", "10000")]).await?.to_string();
        let traces = self.get("/traces", &[("limit", "10000")]).await?;
        told += &traces.to_string();
        // Those that failed, and the last ones, with all their steps.
        let all = traces["traces"].as_array().map_or(&[][..], Vec::as_slice);
        let failed = all.iter().filter(|trace| trace["error"] == true).take(TOLD_WHOLE);
        for trace in failed.chain(all.iter().take(TOLD_WHOLE)) {
            let id = trace["trace_id"].as_str().unwrap_or_default();
            // The oldest may have made room since.
            if let Ok(trace) = self.get(&format!("/traces/{id}"), &[]).await {
                told += &trace.to_string();
            }
        }
        if let Some(shop) = &self.shop {
            let orders = format!("{shop}/orders");
            let asked = [
                self.client.get(format!("{shop}/products")),
                self.client.get(&orders),
                self.client.get(format!("{orders}/none")),
                self.client.post(&orders).body("{}").header("content-type", "application/json"),
            ];
            for request in asked {
                let answer = request.send().await?;
                told += &format!("{:?}", answer.headers());
                told += &answer.text().await?;
            }
        }
        let files = self.own.iter().flat_map(|own| walk(own.folder.path()));
        for entry in files {
            if LOGS.iter().any(|name| entry.ends_with(name)) {
                told += &fs::read_to_string(entry).unwrap_or_default();
            }
        }
        Ok(told)
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

impl Kind {
    /// How long a trial in such a lab takes, in some unit: what waits in Postgres is slow to recover.
    pub(super) fn weight(self) -> usize {
        if self.private { 2000 } else { 1000 }
    }
}

impl Servers {
    /// The kind of lab in which this fault can be turned on.
    pub(super) fn kind(&self, fault: &Fault) -> Kind {
        let canary = fault.needs_canary();
        match self {
            Self::At { .. } => Kind { canary, private: false },
            Self::AsNeeded => Kind { canary, private: fault.needs() > Needs::Database },
            Self::Private => Kind { canary, private: true },
            // It is what it is.
            Self::Running { .. } => Kind::default(),
        }
    }
}

impl Used {
    async fn of(servers: &Servers, kind: Kind) -> anyhow::Result<Self> {
        match servers {
            Servers::At { database, broker } => {
                Ok(Self { database: database.clone(), broker: broker.clone(), ..Self::default() })
            }
            // It has what it uses.
            Servers::Running { .. } => Ok(Self::default()),
            Servers::AsNeeded | Servers::Private if !kind.private => Ok(Self::default()),
            Servers::AsNeeded | Servers::Private => {
                let postgres = Postgres::start().await?;
                let rabbitmq = RabbitMq::start().await?;
                let metrics = rabbitmq.metrics_url();
                Ok(Self {
                    database: Some(postgres.url()),
                    broker: Some(rabbitmq.url()),
                    rabbitmq_metrics: metrics.strip_prefix("http://").map(str::to_owned),
                    private: Some((postgres, rabbitmq)),
                })
            }
        }
    }

    fn arguments(&self) -> impl Iterator<Item = &str> {
        let all = [
            ("--database-url", &self.database),
            ("--amqp-url", &self.broker),
            ("--rabbitmq-metrics", &self.rabbitmq_metrics),
        ];
        let given = all.into_iter().filter_map(|(flag, value)| Some([flag, value.as_deref()?]));
        given.flatten()
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

/// Ports that are free now, all of them found before one is let go.
fn free_ports() -> std::io::Result<[u16; PORTS.len()]> {
    let mut held = Vec::new();
    let mut ports = [0; PORTS.len()];
    for port in &mut ports {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        *port = listener.local_addr()?.port();
        held.push(listener);
    }
    Ok(ports)
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
