//! The command line of `lab`.

use std::{ffi::OsString, process::ExitCode};

use anyhow::Context as _;
use axum::http::Method;
use clap::{Args, Parser, Subcommand};
use tokio::runtime::Builder;

use crate::{client, desk, doctor, load, observe, prove, proxy, service, token, up};

/// An observability lab: a shop that misbehaves on demand.
///
/// Without a command: `lab up`.
#[derive(Parser)]
#[command(name = "lab", version = instrumentation::VERSION, args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,

    #[command(flatten)]
    up: up::Args,
}

#[derive(Subcommand)]
enum Command {
    /// Run the whole lab on this machine, with nothing installed
    Up(up::Args),
    /// Check beforehand whether `lab up` will run
    Doctor(doctor::Args),
    /// Show how everything is
    Status(client::Desk),
    /// Show the alerts that fire, and those that were resolved
    Alerts(client::Desk),
    /// List the faults, or turn one on: `lab chaos latency ms=800 p=0.5 for=5m`
    Chaos(Chaos),
    /// Show where to look for the cause of a fault, in three steps: `lab hint latency 2`
    Hint(Hint),
    /// Tell all about a fault: what happens, what ends it, and what only looks like the cause
    Story(Story),
    /// Turn one fault off, or all of them
    Heal(Heal),
    /// Hold faults to their contracts, in labs of their own: `lab prove pool-leak`
    Prove(prove::Prove),
    /// Show or change how many customers come, or measure what the shop bears: `lab load smoke`
    Load(Load),
    /// Show the payment provider, or change it: `lab provider set capacity=4 median_ms=50`
    Provider(Provider),
    /// Show what the services work with, or change it: `lab set web-gateway request-deadline=5s`
    Set(Set),
    /// Let a service run the release before its last one: `lab rollback order-api`
    Rollback(Rollback),
    /// Look at the orders that were given up, or put them back
    Dlq(Dlq),
    /// Announce orders again that were placed 30 seconds ago or more, and that nobody has fulfilled
    Announce(Announce),
    /// Sign in, and print a token: `curl -H "authorization: Bearer $(lab token --user ada)"`
    Token(token::Token),
    /// Draw one trace: `lab trace 4bf92f3577b34da6a3ce929d0e0e4736`
    Trace(observe::Trace),
    /// List the last traces
    Traces(observe::Traces),
    /// List the last log lines of all services, or follow them
    Logs(observe::Logs),
    /// Run the control desk and the customers only, as compose does
    Desk(Box<Desk>),
    /// Stand in the path to the database, as compose does
    Proxy(Proxy),
    /// Ask a running control desk whether it is alive: exit 0 if it is, 1 if not
    Healthcheck(client::Desk),
    /// Run one service in this process
    #[command(hide = true)]
    Service(service::Args),
    /// Run a program that ends when standard input closes
    #[command(hide = true, disable_help_flag = true)]
    Guard(Guard),
}

#[derive(Debug, Args)]
#[command(after_help = known_faults())]
struct Chaos {
    #[command(flatten)]
    desk: client::Desk,
    /// The fault; `status` for what is on; nothing for the list.
    name: Option<String>,
    /// What to set of it, such as `ms=800` and `for=5m`.
    #[arg(value_name = "NAME=VALUE", value_parser = setting)]
    settings: Vec<(String, String)>,
}

#[derive(Debug, Args)]
#[command(after_help = known_faults())]
struct Hint {
    #[command(flatten)]
    desk: client::Desk,
    /// The fault.
    name: String,
    /// How much to give away.
    #[arg(default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=3))]
    step: u8,
}

#[derive(Debug, Args)]
#[command(after_help = known_faults())]
struct Story {
    #[command(flatten)]
    desk: client::Desk,
    /// The fault.
    name: String,
}

#[derive(Debug, Args)]
#[command(after_help = known_faults())]
struct Heal {
    #[command(flatten)]
    desk: client::Desk,
    /// The fault; nothing for all of them.
    name: Option<String>,
}

#[derive(Debug, Args)]
struct Load {
    #[command(flatten)]
    desk: client::Desk,
    #[command(subcommand)]
    change: Option<LoadChange>,
}

#[derive(Debug, Subcommand)]
enum LoadChange {
    /// Show how many customers come
    Show,
    /// Let so many journeys begin per second
    Rate {
        /// Journeys per second.
        #[arg(allow_negative_numbers = true)]
        rate: String,
    },
    /// Let no customers come
    Off,
    /// Let customers come again
    On,
    #[command(flatten)]
    Measure(Box<load::Command>),
}

#[derive(Debug, Args)]
struct Provider {
    #[command(flatten)]
    desk: client::Desk,
    #[command(subcommand)]
    change: Option<ProviderChange>,
}

#[derive(Debug, Subcommand)]
enum ProviderChange {
    /// Show how it is, and what its books add up to
    Show,
    /// Change how well it works
    Set {
        /// What to set of it, such as `capacity=4` and `available=false`.
        #[arg(value_name = "NAME=VALUE", value_parser = setting, required = true)]
        settings: Vec<(String, String)>,
    },
}

#[derive(Debug, Args)]
struct Set {
    #[command(flatten)]
    desk: client::Desk,
    /// The service; nothing to show all of them.
    #[arg(requires = "settings")]
    service: Option<String>,
    /// What to set of it, by the name of the flag; `default` for what it was started with.
    #[arg(value_name = "NAME=VALUE", value_parser = setting)]
    settings: Vec<(String, String)>,
}

#[derive(Debug, Args)]
struct Rollback {
    #[command(flatten)]
    desk: client::Desk,
    /// The service.
    service: String,
}

#[derive(Debug, Args)]
struct Dlq {
    #[command(flatten)]
    desk: client::Desk,
    #[command(subcommand)]
    action: Option<DlqAction>,
}

#[derive(Debug, Subcommand)]
enum DlqAction {
    /// Look at the orders that were given up
    List,
    /// Put them back to be tried again, oldest first
    Replay {
        /// How many at most.
        #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
        limit: Option<u32>,
    },
}

#[derive(Debug, Args)]
struct Announce {
    #[command(flatten)]
    desk: client::Desk,
    /// Those that were placed longer ago than so many seconds.
    #[arg(long, value_name = "SECONDS")]
    longer_ago_s: Option<u64>,
}

#[derive(Args)]
struct Desk {
    #[command(flatten)]
    desk: desk::Config,
    #[command(flatten)]
    instrumentation: instrumentation::config::Config,
}

#[derive(Args)]
struct Proxy {
    #[command(flatten)]
    proxy: proxy::Config,
    #[command(flatten)]
    instrumentation: instrumentation::config::Config,
}

#[derive(Debug, Args)]
struct Guard {
    /// The program.
    program: OsString,
    /// Its arguments.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<OsString>,
}

/// Runs `lab` with the arguments of a command line.
///
/// Exits with 0 if it went well, 1 if it did not or the control desk is not there, 2 if what was
/// asked for is not possible.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    instrumentation::process::refuse_huge_pages();
    let Cli { command, up } = Cli::parse_from(arguments);
    run(command.unwrap_or(Command::Up(up))).unwrap_or_else(|error| {
        eprintln!("lab: {error:#}");
        ExitCode::FAILURE
    })
}

fn run(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Up(args) => wait(up::run(args)),
        Command::Doctor(args) => Ok(doctor::run(&args)),
        Command::Status(desk) => wait(desk.ask(Method::GET, "/status", &[])),
        Command::Alerts(desk) => wait(desk.ask(Method::GET, "/alerts", &[])),
        Command::Chaos(args) => wait(chaos(args)),
        Command::Hint(Hint { desk, name, step }) => {
            wait(desk.ask(Method::GET, &format!("/chaos/{name}/hint/{step}"), &[]))
        }
        Command::Story(Story { desk, name }) => {
            wait(desk.ask(Method::GET, &format!("/chaos/{name}"), &[]))
        }
        Command::Heal(Heal { desk, name }) => {
            let path = name.map_or("/chaos".to_owned(), |name| format!("/chaos/{name}"));
            wait(desk.ask(Method::DELETE, &path, &[]))
        }
        Command::Prove(args) => wait(args.run()),
        Command::Load(args) => wait(change_load(args)),
        Command::Provider(args) => wait(provider(args)),
        Command::Set(Set { desk, service: None, .. }) => {
            wait(desk.ask(Method::GET, "/settings", &[]))
        }
        Command::Set(Set { desk, service: Some(service), settings }) => {
            wait(desk.ask(Method::PUT, &format!("/settings/{service}"), &settings))
        }
        Command::Rollback(Rollback { desk, service }) => {
            wait(desk.ask(Method::POST, &format!("/releases/{service}/rollback"), &[]))
        }
        Command::Dlq(args) => wait(dlq(args)),
        Command::Announce(Announce { desk, longer_ago_s }) => {
            let settings: Vec<_> = longer_ago_s
                .iter()
                .map(|seconds| ("longer_ago_s".to_owned(), seconds.to_string()))
                .collect();
            wait(desk.ask(Method::POST, "/announcements", &settings))
        }
        Command::Token(args) => wait(args.show()),
        Command::Trace(args) => wait(args.show()),
        Command::Traces(args) => wait(args.show()),
        Command::Logs(args) => wait(args.show()),
        Command::Desk(args) => run_desk(*args),
        Command::Proxy(args) => run_proxy(args),
        Command::Healthcheck(desk) => wait(desk.ask(Method::GET, "/health", &[])),
        Command::Service(args) => Ok(service::run(args)),
        Command::Guard(args) => up::guard(&args.program, &args.arguments),
    }
}

/// The faults, a line each.
fn known_faults() -> String {
    let lines =
        faults::FAULTS.iter().map(|fault| format!("  {:<20}{}", fault.name, fault.summary()));
    format!("Faults:\n{}", lines.collect::<Vec<_>>().join("\n"))
}

fn wait(work: impl Future<Output = anyhow::Result<ExitCode>>) -> anyhow::Result<ExitCode> {
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.context("cannot start a runtime")?.block_on(work)
}

fn run_desk(args: Desk) -> anyhow::Result<ExitCode> {
    let settings = args.instrumentation;
    let version = &settings.service_version;
    let export =
        instrumentation::export::start("lab", version, &settings.environment, &settings.export);
    // Spans of the customers are sent, log lines are not: they name the fault that is turned on.
    let nowhere = instrumentation::export::Export::default();
    let _written = instrumentation::logs::start("lab", &settings, &nowhere);
    let outcome = wait(async {
        desk::run(args.desk, instrumentation::shutdown::on_signal()).await?;
        Ok(ExitCode::SUCCESS)
    });
    export.finish();
    outcome
}

fn run_proxy(args: Proxy) -> anyhow::Result<ExitCode> {
    let (settings, nowhere) = (args.instrumentation, instrumentation::export::Export::default());
    let _written = instrumentation::logs::start("database-proxy", &settings, &nowhere);
    wait(proxy::run(args.proxy))
}

async fn chaos(Chaos { desk, name, settings }: Chaos) -> anyhow::Result<ExitCode> {
    match name.as_deref() {
        None => desk.ask(Method::GET, "/chaos", &[]).await,
        Some("status") => desk.ask(Method::GET, "/chaos/status", &[]).await,
        Some(name) => desk.ask(Method::POST, &format!("/chaos/{name}"), &settings).await,
    }
}

async fn change_load(Load { desk, change }: Load) -> anyhow::Result<ExitCode> {
    let (name, value) = match change {
        None | Some(LoadChange::Show) => return desk.ask(Method::GET, "/load", &[]).await,
        Some(LoadChange::Rate { rate }) => ("rate", rate),
        Some(LoadChange::Off) => ("enabled", "false".to_owned()),
        Some(LoadChange::On) => ("enabled", "true".to_owned()),
        Some(LoadChange::Measure(command)) => return load::run(*command).await,
    };
    desk.ask(Method::PUT, "/load", &[(name.to_owned(), value)]).await
}

async fn provider(Provider { desk, change }: Provider) -> anyhow::Result<ExitCode> {
    match change {
        None | Some(ProviderChange::Show) => desk.ask(Method::GET, "/provider", &[]).await,
        Some(ProviderChange::Set { settings }) => {
            desk.ask(Method::PUT, "/provider", &settings).await
        }
    }
}

async fn dlq(Dlq { desk, action }: Dlq) -> anyhow::Result<ExitCode> {
    match action {
        None | Some(DlqAction::List) => desk.ask(Method::GET, "/dlq", &[]).await,
        Some(DlqAction::Replay { limit }) => {
            let settings: Vec<_> =
                limit.iter().map(|limit| ("limit".to_owned(), limit.to_string())).collect();
            desk.ask(Method::POST, "/dlq/replay", &settings).await
        }
    }
}

fn setting(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) => Ok((name.to_owned(), value.to_owned())),
        None => Err("settings look like ms=800".to_owned()),
    }
}
