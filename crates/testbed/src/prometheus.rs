//! A private Prometheus server.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::process::Process;
use crate::{free_port, program};

const PATIENCE: Duration = Duration::from_secs(60);

/// A running Prometheus with a database of its own; dropping it kills and removes it.
#[derive(Debug)]
pub struct Prometheus {
    // Before the directory, so that the process has ended when that is removed.
    _process: Process,
    port: u16,
    _directory: TempDir,
}

impl Prometheus {
    /// # Errors
    /// A sentence that says how to install Prometheus, when it is missing.
    pub fn available() -> Result<(), String> {
        find().map(drop).ok_or_else(|| program::missing("prometheus", "prometheus", "prometheus"))
    }

    /// Starts a server on `config`, the text of a `prometheus.yml` whose paths are absolute, and
    /// waits until it answers queries.
    ///
    /// # Errors
    /// When Prometheus is missing or does not start; the error holds the end of its log.
    pub async fn start(config: &str) -> Result<Self> {
        let Some(program) = find() else { bail!("cannot find prometheus") };
        let directory = tempfile::Builder::new().prefix("testbed-prometheus-").tempdir()?;
        let file = directory.path().join("prometheus.yml");
        fs::write(&file, config)?;
        let port = free_port();
        let mut command = Command::new(program);
        command
            .arg(format!("--config.file={}", file.display()))
            .arg(format!("--storage.tsdb.path={}", directory.path().join("data").display()))
            .arg(format!("--web.listen-address=127.0.0.1:{port}"));
        let mut process = Process::start(&mut command, directory.path(), "log")?;
        process
            .wait_until(PATIENCE, async || is_ready(port).await)
            .await
            .context("cannot start Prometheus")?;
        Ok(Self { _process: process, port, _directory: directory })
    }

    /// Where it answers, without a path.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

fn find() -> Option<PathBuf> {
    program::find("prometheus", &["/opt/homebrew/bin"])
}

/// One request by hand: an HTTP client would be this crate's largest dependency.
async fn is_ready(port: u16) -> bool {
    let request = async {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
        stream.write_all(b"GET /-/ready HTTP/1.0\r\n\r\n").await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.map(|_| answer)
    };
    let answer = timeout(Duration::from_secs(2), request).await;
    matches!(answer, Ok(Ok(answer)) if answer.starts_with("HTTP/1.0 200"))
}
