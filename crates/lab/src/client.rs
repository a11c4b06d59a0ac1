//! The control desk, asked from the command line.

use std::{
    io::{self, Write},
    process::ExitCode,
    time::Duration,
};

use anyhow::Context as _;
use axum::http::{Method, StatusCode, header::ACCEPT};
use reqwest::{Client, ClientBuilder};

use crate::desk::Status;

/// How long the desk may take; a replay of many dead letters takes its time.
const PATIENCE: Duration = Duration::from_secs(120);

/// The exit code for what is not possible.
pub const BAD_INPUT: u8 = 2;

/// Where the control desk is.
#[derive(Clone, Debug, clap::Args)]
pub struct Desk {
    /// The control desk.
    #[arg(
        long = "desk",
        env = "LAB_DESK_URL",
        default_value = "http://127.0.0.1:4000",
        value_name = "URL"
    )]
    url: String,
}

impl Desk {
    /// Asks, prints the answer, and says by its exit code how it went: 0 well, 1 not, 2 because
    /// that is not possible.
    pub async fn ask(
        &self,
        method: Method,
        path: &str,
        settings: &[(String, String)],
    ) -> anyhow::Result<ExitCode> {
        self.print(Client::builder().timeout(PATIENCE), method, path, settings).await
    }

    /// Asks for what has no end, and prints it as it comes.
    pub async fn follow(
        &self,
        path: &str,
        settings: &[(String, String)],
    ) -> anyhow::Result<ExitCode> {
        let patient = Client::builder().connect_timeout(PATIENCE);
        self.print(patient, Method::GET, path, settings).await
    }

    async fn print(
        &self,
        client: ClientBuilder,
        method: Method,
        path: &str,
        settings: &[(String, String)],
    ) -> anyhow::Result<ExitCode> {
        let url = format!("{}{path}", self.url.trim_end_matches('/'));
        let request = client.no_proxy().build()?.request(method.clone(), &url);
        let request = match method {
            _ if settings.is_empty() => request,
            Method::GET => request.query(settings),
            _ => request.form(settings),
        };
        let mut answer = match request.send().await {
            Err(error) if error.is_connect() => {
                eprintln!("there is no control desk at {}", self.url);
                eprintln!("start the lab: cargo run, or docker compose up -d --wait");
                return Ok(ExitCode::FAILURE);
            }
            answer => answer.with_context(|| format!("cannot ask {url}"))?,
        };
        let status = answer.status();
        let mut out: Box<dyn Write> = match status.is_success() {
            true => Box::new(io::stdout()),
            false => Box::new(io::stderr()),
        };
        while let Some(part) = answer.chunk().await.with_context(|| format!("cannot ask {url}"))? {
            // A reader that has seen enough, such as `head`, is no failure.
            if out.write_all(&part).and_then(|()| out.flush()).is_err() {
                break;
            }
        }
        Ok(exit_code(status))
    }
}

/// How everything is, from the desk at `url`.
pub async fn status(client: &Client, url: &str) -> anyhow::Result<Status> {
    let request = client.get(format!("{url}/status")).header(ACCEPT, "application/json");
    let answer = request.send().await.and_then(reqwest::Response::error_for_status);
    answer.context("cannot ask the desk")?.json().await.context("cannot read the desk's answer")
}

fn exit_code(status: StatusCode) -> ExitCode {
    if status.is_success() {
        ExitCode::SUCCESS
    } else if status.is_client_error() {
        ExitCode::from(BAD_INPUT)
    } else {
        ExitCode::FAILURE
    }
}
