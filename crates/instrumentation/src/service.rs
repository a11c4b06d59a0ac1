//! A service's `main`: parse, start, run, finish.

use std::{
    ffi::OsString,
    future::Future,
    io::{Read as _, Write as _},
    net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream},
    process::ExitCode,
    time::Duration,
};

use clap::Args;
use tokio::runtime;
use tokio_util::sync::CancellationToken;

use crate::{config, export, logs, process, shutdown};

/// The settings of a service.
pub trait Config: Args {
    /// The service's name.
    const SERVICE: &'static str;
    /// What it does, for `--help`.
    const ABOUT: &'static str;

    /// The settings that every service has.
    fn instrumentation(&self) -> &config::Config;

    /// Where its side port listens.
    fn side_listen(&self) -> SocketAddr;
}

/// Runs a service with the arguments of a command line, the first of which is the program.
///
/// Exits with 0 after a graceful stop, 1 if the service failed, 2 if the arguments are wrong.
/// `healthcheck` instead of settings asks a running one whether it is ready: 0 yes, 1 no.
pub fn main<C, F, R>(arguments: impl IntoIterator<Item = OsString>, run: F) -> ExitCode
where
    C: Config,
    F: FnOnce(C, CancellationToken) -> R,
    R: Future<Output = anyhow::Result<()>>,
{
    process::refuse_huge_pages();
    let matches = command::<C>().get_matches_from(arguments);
    let config = C::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    if matches.subcommand_name() == Some("healthcheck") {
        return healthcheck(config.side_listen());
    }
    let settings = config.instrumentation().clone();
    let export = export::start(
        C::SERVICE,
        &settings.service_version,
        &settings.environment,
        &settings.export,
    );
    let _written = logs::start(C::SERVICE, &settings, &export);
    let runtime = runtime::Builder::new_multi_thread()
        .worker_threads(settings.worker_threads.into())
        .enable_all()
        .build()
        .expect("the operating system grants a few threads");
    let outcome = runtime.block_on(async { run(config, shutdown::on_signal()).await });
    // A task stuck in a blocking call must not keep a stopped service alive.
    runtime.shutdown_timeout(Duration::from_secs(1));
    let code = finish(outcome);
    export.finish();
    code
}

/// The command line of a service.
pub fn command<C: Config>() -> clap::Command {
    let healthcheck = clap::Command::new("healthcheck")
        .about("Ask the running service whether it is ready: exit 0 if it is, 1 if not");
    let command = clap::Command::new(C::SERVICE).version(crate::VERSION).about(C::ABOUT);
    C::augment_args(command).subcommand(healthcheck)
}

fn finish(outcome: anyhow::Result<()>) -> ExitCode {
    match outcome {
        Ok(()) => {
            tracing::info!("stopped");
            ExitCode::SUCCESS
        }
        Err(error) => {
            tracing::error!(error = format!("{error:#}"), "stopped");
            ExitCode::FAILURE
        }
    }
}

fn healthcheck(side: SocketAddr) -> ExitCode {
    let host = if side.ip().is_unspecified() { IpAddr::V4(Ipv4Addr::LOCALHOST) } else { side.ip() };
    match ask(SocketAddr::new(host, side.port())) {
        Ok(answer) if answer.starts_with("HTTP/1.1 200") || answer.starts_with("HTTP/1.0 200") => {
            ExitCode::SUCCESS
        }
        Ok(answer) => {
            println!("{}", answer.lines().last().unwrap_or_default());
            ExitCode::FAILURE
        }
        Err(error) => {
            println!("no answer on {side}: {error}");
            ExitCode::FAILURE
        }
    }
}

/// An HTTP client of a few lines: the image has no other, and a health check must be cheap.
fn ask(side: SocketAddr) -> std::io::Result<String> {
    let patience = Duration::from_secs(2);
    let mut stream = TcpStream::connect_timeout(&side, patience)?;
    stream.set_read_timeout(Some(patience))?;
    stream.write_all(b"GET /ready HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}
