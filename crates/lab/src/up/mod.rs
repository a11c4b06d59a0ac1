//! `lab up`: the whole lab in one command, on embedded defaults.
//!
//! The services run as child processes, so that a crash, a leak or a stuck runtime is that
//! service's own. The outside world, the customers, the payment provider, the control desk and the
//! embedded broker, is this process.

mod child;
mod embedded;
mod guard;
mod log_file;
mod plan;
mod ports;
mod prometheus;
mod screen;

use std::{net::SocketAddr, process::ExitCode};

use anyhow::Context as _;
use identity::{demo::DemoUsers, hushed::Hushed, secret::Secret};
use instrumentation::export;
use tempfile::TempDir;
use tokio::task::{JoinHandle, JoinSet};
use tokio_util::sync::CancellationToken;

pub use guard::run as guard;
pub use ports::{Ports, Taken, Use, local};

use crate::{
    desk::{self, Desk},
    doctor,
    proxy::{self, Proxy},
};
use embedded::Embedded;
use plan::Plan;

/// What `lab up` runs, and with what.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// The ports.
    #[command(flatten)]
    pub ports: Ports,

    /// Use this Postgres instead of an embedded SQLite: `postgres://user:password@host/database`.
    #[arg(long, env = "LAB_DATABASE_URL", value_name = "URL", hide_env_values = true)]
    pub database_url: Option<String>,

    /// Let order-api go to the Postgres directly, without a proxy in the path; there is nothing then
    /// that can become slow between them.
    #[arg(long, env = "LAB_NO_DATABASE_PROXY")]
    pub no_database_proxy: bool,

    /// Use this RabbitMQ instead of the embedded broker: `amqp://user:password@host:5672/%2f`.
    #[arg(long, env = "LAB_AMQP_URL", value_name = "URL", hide_env_values = true)]
    pub amqp_url: Option<String>,

    /// Where the RabbitMQ of `--amqp-url` shows its metrics (its Prometheus plugin, port 15692); without
    /// it, Prometheus knows nothing of its queues.
    #[arg(long, env = "LAB_RABBITMQ_METRICS", value_name = "ADDRESS", requires = "amqp_url")]
    pub rabbitmq_metrics: Option<SocketAddr>,

    /// Run a second replica of order-api, which reports a newer version.
    #[arg(long, env = "LAB_CANARY")]
    pub canary: bool,

    /// The payment provider.
    #[command(flatten)]
    pub provider: desk::ProviderSettings,

    /// Traces and logs; sent to the lab itself unless there is another endpoint.
    #[command(flatten)]
    pub export: export::Config,

    /// Do not start Prometheus, even if it is installed.
    #[arg(long)]
    pub no_prometheus: bool,

    /// Journeys of customers per second.
    #[arg(long, env = "LAB_RATE", default_value = "3", value_name = "RATE", value_parser = desk::rate)]
    pub rate: f64,

    /// Seed of the customers' choices and arrivals.
    #[arg(long, env = "LAB_SEED", default_value_t = 1, value_name = "NUMBER")]
    pub seed: u64,

    /// Signs and verifies tokens; unless it is said, one that nobody knows, and another each time.
    #[arg(long, env = "JWT_SECRET", hide_env_values = true, value_name = "SECRET",
          value_parser = Hushed::<Secret>::new())]
    pub jwt_secret: Option<Secret>,

    /// Users that can sign in, as `name:role:password` with commas between.
    #[arg(long, env = "DEMO_USERS", hide_env_values = true, default_value = DemoUsers::DEFAULT,
          value_name = "USERS", value_parser = Hushed::<DemoUsers>::new())]
    pub demo_users: DemoUsers,
}

/// Runs the lab until Ctrl-C or SIGTERM.
pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let prometheus = doctor::find("prometheus").filter(|_| !args.no_prometheus);
    let (otlp, broker) = (args.export.otlp_endpoint.is_none(), args.amqp_url.is_none());
    let uses = args.ports.uses(otlp, broker, prometheus.is_some(), args.canary);
    let taken: Vec<_> = uses.into_iter().filter_map(|port| port.check().err()).collect();
    if !taken.is_empty() {
        taken.iter().for_each(|taken| eprintln!("lab: {taken}"));
        return Ok(ExitCode::FAILURE);
    }

    let stop = instrumentation::shutdown::on_signal();
    let world = World::start(&args).await?;
    let plan = Plan::new(&args, &world, prometheus)?;
    let desk = Desk::open(plan.desk()).await?;
    // The customers' own spans.
    let export = export::start("lab", instrumentation::VERSION, "lab", &plan.export);
    let mut desk = tokio::spawn(desk.serve(world.stop.child_token()));
    let mut children = JoinSet::new();
    for program in plan.programs() {
        children.spawn(program.supervise(stop.child_token()));
    }

    screen::greet(&plan);
    let watch = tokio::spawn(screen::watch(plan.desk_url(), stop.clone()));
    let outcome = first_failure(&mut children, &mut desk, &stop).await;
    stop.cancel();
    watch.await.context("the screen has failed")?;
    while let Some(ended) = children.join_next().await {
        ended.context("a supervisor has failed")??;
    }
    // Sent while there is someone to take it.
    tokio::task::block_in_place(|| export.finish());
    world.end(desk).await?;
    outcome.map(|()| ExitCode::SUCCESS)
}

/// Waits for the end of the lab; an error if a supervisor has to give up before.
async fn first_failure(
    children: &mut JoinSet<anyhow::Result<()>>,
    desk: &mut JoinHandle<anyhow::Result<()>>,
    stop: &CancellationToken,
) -> anyhow::Result<()> {
    tokio::select! {
        () = stop.cancelled() => Ok(()),
        ended = desk => {
            ended.context("the control desk has failed")??;
            anyhow::bail!("the control desk has ended");
        }
        Some(ended) = children.join_next() => ended.context("a supervisor has failed")?,
    }
}

/// What outlives the services at the end, because they still need it while they drain.
pub(crate) struct World {
    /// Holds the store, the logs and Prometheus's data; removed at the end.
    folder: TempDir,
    /// None if a real one is used.
    broker: Option<Embedded>,
    /// None if nobody stands in the path to the database.
    proxy: Option<Proxy>,
    stop: CancellationToken,
}

impl World {
    async fn start(args: &Args) -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new().prefix("mishap-").tempdir();
        let folder = folder.context("cannot create a folder for the lab")?;
        let stop = CancellationToken::new();
        let broker = match args.amqp_url {
            Some(_) => None,
            None => Some(Embedded::start(args.ports.broker_port, stop.child_token()).await?),
        };
        let proxy = match args.database_url.as_deref().and_then(proxy::server_of) {
            Some(to) if !args.no_database_proxy => {
                let (listen, control_listen) = (local(args.ports.database_proxy_port), local(0));
                let config = proxy::Config { listen, to, control_listen };
                Some(Proxy::start(config, stop.child_token()).await?)
            }
            _ => None,
        };
        Ok(Self { folder, broker, proxy, stop })
    }

    async fn end(self, desk: JoinHandle<anyhow::Result<()>>) -> anyhow::Result<()> {
        self.stop.cancel();
        if !desk.is_finished() {
            desk.await.context("the control desk has failed")??;
        }
        if let Some(broker) = self.broker {
            broker.ended().await?;
        }
        if let Some(proxy) = self.proxy {
            proxy.ended().await?;
        }
        self.folder.close().context("cannot remove the lab's folder")
    }
}
