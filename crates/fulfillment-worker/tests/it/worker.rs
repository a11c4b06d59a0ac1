//! The worker as a process: started with flags, watched through its side port, stopped or killed.

use std::{
    fs::File,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
};

use anyhow::{Context as _, Result};
use faults::{Arming, Effect, Seam};
use rustix::process::{Pid, Signal, kill_process};
use testbed::{eventually, free_port};
use uuid::Uuid;

use crate::shop::PATIENCE;

/// A worker that runs; dropping it kills it.
pub(crate) struct Worker {
    process: Child,
    side: String,
    log: PathBuf,
}

impl Worker {
    pub(crate) fn start(
        folder: &Path,
        amqp_url: &str,
        order_api_url: &str,
        flags: &[&str],
    ) -> Result<Self> {
        let port = free_port();
        let log = folder.join(format!("worker-{port}.log"));
        let process = Command::new(env!("CARGO_BIN_EXE_fulfillment-worker"))
            .args(["--side-listen", &format!("127.0.0.1:{port}")])
            .args(["--amqp-url", amqp_url, "--order-api-url", order_api_url])
            .args(flags)
            .stdin(Stdio::null())
            .stdout(File::create(&log)?)
            .stderr(Stdio::inherit())
            .spawn()
            .context("cannot start the worker")?;
        Ok(Self { process, side: format!("http://127.0.0.1:{port}"), log })
    }

    /// The value of a series, as `/metrics` has it: `name` or `name{label="value"}`.
    pub(crate) async fn metric(&self, series: &str) -> Option<f64> {
        let text = reqwest::get(format!("{}/metrics", self.side)).await.ok()?.text().await.ok()?;
        let value = |line: &str| line.strip_prefix(series)?.strip_prefix(' ')?.parse().ok();
        text.lines().find_map(value)
    }

    pub(crate) async fn messages(&self, outcome: &str) -> f64 {
        let series = format!("fulfillment_messages_total{{outcome=\"{outcome}\"}}");
        self.metric(&series).await.expect("every outcome has a series")
    }

    /// Waits until a series has reached a value.
    pub(crate) async fn wait_for(&self, series: &str, least: f64) {
        eventually(PATIENCE, &format!("{series} at {least}"), async || {
            self.metric(series).await.filter(|value| *value >= least)
        })
        .await;
    }

    pub(crate) async fn wait_for_messages(&self, outcome: &str, least: f64) {
        let series = format!("fulfillment_messages_total{{outcome=\"{outcome}\"}}");
        self.wait_for(&series, least).await;
    }

    /// Turns effects on at seams, as the lab would, and everything else off.
    pub(crate) async fn arm(&self, armed: impl IntoIterator<Item = (Seam, Effect)>) -> Result<()> {
        eventually(PATIENCE, "a side port", async || self.ready().await).await;
        let armings: Vec<_> = armed
            .into_iter()
            .map(|(seam, effect)| Arming { id: Uuid::nil(), seam, effect, remaining_ms: 60_000 })
            .collect();
        let url = format!("{}{}", self.side, faults::control::PATH);
        let answer = reqwest::Client::new().put(url).json(&armings).send().await?;
        answer.error_for_status()?;
        Ok(())
    }

    /// All that it has logged.
    pub(crate) fn log(&self) -> Result<String> {
        Ok(std::fs::read_to_string(&self.log)?)
    }

    /// What `/ready` answers: whether all is well, and the words.
    pub(crate) async fn ready(&self) -> Option<(bool, String)> {
        let answer = reqwest::get(format!("{}/ready", self.side)).await.ok()?;
        Some((answer.status().is_success(), answer.text().await.ok()?))
    }

    /// SIGKILL.
    pub(crate) fn kill(mut self) -> Result<()> {
        self.process.kill()?;
        self.process.wait()?;
        Ok(())
    }

    /// SIGTERM; returns when it has ended.
    pub(crate) async fn stop(mut self) -> Result<ExitStatus> {
        let process = Pid::from_child(&self.process);
        kill_process(process, Signal::TERM)?;
        let ended = eventually(PATIENCE, "the worker's end", async || {
            self.process.try_wait().expect("it is our child")
        });
        Ok(ended.await)
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = std::fs::read_to_string(&self.log).unwrap_or_default();
            eprintln!("the worker's log:\n{log}");
        }
        // It may have ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
