//! A private RabbitMQ node.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use rustix::process::Signal;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use crate::process::Process;
use crate::{free_port, program};

/// The directories of the plain script; the one on Debian's `PATH` insists on its own user.
const DIRECTORIES: [&str; 3] = [
    "/usr/lib/rabbitmq/lib/rabbitmq_server-*/sbin",
    "/opt/homebrew/opt/rabbitmq/sbin",
    "/usr/local/opt/rabbitmq/sbin",
];
const PATIENCE: Duration = Duration::from_secs(120);
/// The pause before a node that did not start is started again.
const RETRY: Duration = Duration::from_millis(300);

/// A running RabbitMQ node with its own data, cookie and port mapper; dropping it kills and
/// removes it. Its Prometheus plugin is on.
#[derive(Debug)]
pub struct RabbitMq {
    // Before the directory, so that the processes have ended when that is removed.
    node: Option<Process>,
    _port_mapper: Process,
    ports: Ports,
    directory: TempDir,
}

#[derive(Debug)]
struct Ports {
    amqp: u16,
    distribution: u16,
    mapper: u16,
    metrics: u16,
}

impl RabbitMq {
    /// # Errors
    /// A sentence that says how to install RabbitMQ, when it is missing.
    pub fn available() -> Result<(), String> {
        programs()
            .map(drop)
            .ok_or_else(|| program::missing("rabbitmq-server", "rabbitmq-server", "rabbitmq"))
    }

    /// Starts a node and waits until it accepts connections.
    ///
    /// # Errors
    /// When RabbitMQ is missing or does not start; the error holds the end of its log.
    pub async fn start() -> Result<Self> {
        let Some((_, epmd)) = programs() else { bail!("cannot find rabbitmq-server and epmd") };
        let directory = tempfile::Builder::new().prefix("testbed-rabbitmq-").tempdir()?;
        let ports = Ports {
            amqp: free_port(),
            distribution: free_port(),
            mapper: free_port(),
            metrics: free_port(),
        };
        // In the foreground and ours, so that no daemon outlives the node.
        let mut command = Command::new(epmd);
        command.args(["-address", "127.0.0.1", "-port", &ports.mapper.to_string()]);
        let port_mapper = Process::start(&mut command, directory.path(), "epmd.log")?;
        let mut rabbitmq = Self { node: None, _port_mapper: port_mapper, ports, directory };
        rabbitmq.configure()?;
        rabbitmq.restart().await?;
        Ok(rabbitmq)
    }

    /// The URL of the default vhost, as the default user.
    #[must_use]
    pub fn url(&self) -> String {
        format!("amqp://guest:guest@127.0.0.1:{}/%2f", self.ports.amqp)
    }

    /// Where the Prometheus plugin answers, without a path.
    #[must_use]
    pub fn metrics_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.ports.metrics)
    }

    /// Where its data and its log, `node.log`, are.
    #[must_use]
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Kills the node and its helpers, as a crash would.
    pub fn kill(&mut self) {
        self.node = None;
    }

    /// Stops the node in an orderly way.
    pub async fn stop(&mut self) {
        if let Some(node) = self.node.take() {
            node.stop(Signal::TERM, PATIENCE).await;
        }
    }

    /// Starts the node again on the same data and ports, killing it first if it runs.
    ///
    /// # Errors
    /// When it does not start; the error holds the end of its log.
    pub async fn restart(&mut self) -> Result<()> {
        self.kill();
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self.launch().await {
                // The name of a node that was killed may be taken for a moment longer.
                Err(_) if Instant::now() < deadline => sleep(RETRY).await,
                outcome => return outcome.context("cannot start RabbitMQ"),
            }
        }
    }

    async fn launch(&mut self) -> Result<()> {
        let node = Process::start(&mut self.command()?, self.directory.path(), "node.log")?;
        let port = self.ports.amqp;
        self.node.insert(node).wait_until(PATIENCE, async || greets(port).await).await
    }

    fn configure(&self) -> Result<()> {
        let settings = format!(
            "listeners.tcp.default = 127.0.0.1:{}\n\
             prometheus.tcp.ip = 127.0.0.1\n\
             prometheus.tcp.port = {}\n\
             disk_free_limit.absolute = 50MB\n",
            self.ports.amqp, self.ports.metrics
        );
        fs::write(self.path("rabbitmq.conf"), settings)?;
        fs::write(self.path("enabled_plugins"), "[rabbitmq_prometheus].\n")?;
        Ok(())
    }

    fn command(&self) -> Result<Command> {
        let (script, _) = programs().context("cannot find rabbitmq-server")?;
        let mut command = Command::new(script);
        command
            .current_dir(self.directory.path())
            // Makes the script become the node instead of waiting beside it, so that a signal
            // reaches the node.
            .env("RUNNING_UNDER_SYSTEMD", "true")
            .env("ERL_EPMD_PORT", self.ports.mapper.to_string())
            .env("ERL_EPMD_ADDRESS", "127.0.0.1")
            .env("RABBITMQ_DIST_PORT", self.ports.distribution.to_string())
            .env("RABBITMQ_NODENAME", format!("testbed-{}@localhost", self.ports.amqp))
            .env("RABBITMQ_LOGS", "-")
            // Schedulers that spin for work would starve a small machine.
            .env("RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS", "+S 2:2 +sbwt none +sbwtdcpu none");
        for (variable, file) in [
            ("HOME", "."),
            ("RABBITMQ_CONF_ENV_FILE", "rabbitmq-env.conf"),
            ("RABBITMQ_CONFIG_FILE", "rabbitmq.conf"),
            ("RABBITMQ_ADVANCED_CONFIG_FILE", "advanced.config"),
            ("RABBITMQ_GENERATED_CONFIG_DIR", "config"),
            ("RABBITMQ_SCHEMA_DIR", "schema"),
            ("RABBITMQ_ENABLED_PLUGINS_FILE", "enabled_plugins"),
            ("RABBITMQ_PLUGINS_EXPAND_DIR", "plugins"),
            ("RABBITMQ_MNESIA_BASE", "mnesia"),
            ("RABBITMQ_MNESIA_DIR", "mnesia/node"),
            ("RABBITMQ_FEATURE_FLAGS_FILE", "feature_flags"),
            ("RABBITMQ_PID_FILE", "node.pid"),
            ("RABBITMQ_LOG_BASE", "log"),
        ] {
            command.env(variable, self.path(file));
        }
        Ok(command)
    }

    fn path(&self, file: &str) -> PathBuf {
        self.directory.path().join(file)
    }
}

/// The server's script and the port mapper of Erlang.
fn programs() -> Option<(PathBuf, PathBuf)> {
    Some((program::find("rabbitmq-server", &DIRECTORIES)?, program::find("epmd", &[])?))
}

/// Whether a broker answers the protocol header; its port is open a moment before that.
async fn greets(port: u16) -> bool {
    let greeting = async {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
        stream.write_all(b"AMQP\0\0\x09\x01").await?;
        stream.read_u8().await
    };
    matches!(timeout(Duration::from_secs(2), greeting).await, Ok(Ok(1)))
}
