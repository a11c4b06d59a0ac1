//! A private Postgres server.

use std::fs;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use rustix::process::{Signal, getuid};
use tempfile::TempDir;
use tokio::time::sleep;

use crate::process::Process;
use crate::{free_port, program};

const DIRECTORIES: [&str; 3] = [
    "/usr/lib/postgresql/*/bin",
    "/opt/homebrew/opt/postgresql*/bin",
    "/usr/local/opt/postgresql*/bin",
];
const PATIENCE: Duration = Duration::from_secs(60);
/// The pause before a server that did not start is started again.
const RETRY: Duration = Duration::from_millis(300);
const DATABASE: &str = "testbed";

/// Fast, but nothing a client was told is committed is lost when the processes are killed:
/// without fsync the data is in the page cache, which outlives them. It would not survive the
/// machine losing power, which no test does.
const SETTINGS: &str = "
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
max_connections = 100
shared_buffers = '32MB'
fsync = off
full_page_writes = off
max_wal_size = '256MB'
";

/// A running Postgres with a data directory of its own; dropping it kills and removes it.
#[derive(Debug)]
pub struct Postgres {
    // Before the directory, so that the process has ended when that is removed.
    process: Option<Process>,
    programs: PathBuf,
    account: Option<String>,
    port: u16,
    directory: TempDir,
}

impl Postgres {
    /// # Errors
    /// A sentence that says how to install Postgres, when it is missing.
    pub fn available() -> Result<(), String> {
        programs().map(drop).ok_or_else(|| program::missing("postgres", "postgresql", "postgresql"))
    }

    /// Makes a data directory, starts a server on it and waits until it answers.
    ///
    /// # Errors
    /// When Postgres is missing or does not start; the error holds the end of its log.
    pub async fn start() -> Result<Self> {
        let Some(programs) = programs() else { bail!("cannot find initdb and postgres") };
        let directory = tempfile::Builder::new().prefix("testbed-postgres-").tempdir()?;
        let account = account(directory.path())?;
        let mut postgres = Self { process: None, programs, account, port: free_port(), directory };
        postgres.initialize().context("cannot make a Postgres data directory")?;
        postgres.restart().await?;
        postgres.create_database(DATABASE)?;
        Ok(postgres)
    }

    /// The URL of a database that was empty at the start.
    #[must_use]
    pub fn url(&self) -> String {
        self.url_of(DATABASE)
    }

    /// Creates one more empty database and returns its URL.
    ///
    /// # Errors
    /// When the name is taken or the server is not running.
    pub fn create_database(&self, name: &str) -> Result<String> {
        program::run(
            Command::new(self.programs.join("createdb"))
                .args(["-h", "127.0.0.1", "-U", "postgres", "-p", &self.port.to_string()])
                .arg(name),
        )?;
        Ok(self.url_of(name))
    }

    /// Kills every process of the server, as a crash would.
    pub fn kill(&mut self) {
        self.process = None;
    }

    /// Stops the server in an orderly way, without waiting for clients to leave.
    pub async fn stop(&mut self) {
        if let Some(process) = self.process.take() {
            // SIGINT is Postgres's fast shutdown; SIGTERM would wait for the clients.
            process.stop(Signal::INT, PATIENCE).await;
        }
    }

    /// Starts the server again on the same data and port, killing it first if it runs.
    ///
    /// # Errors
    /// When it does not start; the error holds the end of its log.
    pub async fn restart(&mut self) -> Result<()> {
        self.kill();
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self.launch().await {
                // Backends that were killed too may hold the shared memory for a moment longer.
                Err(_) if Instant::now() < deadline => sleep(RETRY).await,
                outcome => return outcome.context("cannot start Postgres"),
            }
        }
    }

    async fn launch(&mut self) -> Result<()> {
        let mut command = self.command("postgres");
        command.arg("-D").arg(self.data());
        let process = Process::start(&mut command, self.directory.path(), "log")?;
        let (ready, port) = (self.programs.join("pg_isready"), self.port.to_string());
        let process = self.process.insert(process);
        process
            .wait_until(PATIENCE, async || {
                Command::new(&ready)
                    .args(["-q", "-h", "127.0.0.1", "-p", &port])
                    .status()
                    .is_ok_and(|status| status.success())
            })
            .await
    }

    fn initialize(&self) -> Result<()> {
        let mut initdb = self.command("initdb");
        initdb
            .args(["--auth=trust", "--username=postgres", "--encoding=UTF8", "--no-sync"])
            .arg("--pgdata")
            .arg(self.data());
        program::run(&mut initdb)?;
        let preload = if self.has_statement_statistics() {
            "shared_preload_libraries = 'pg_stat_statements'\n"
        } else {
            ""
        };
        let file = self.data().join("postgresql.auto.conf");
        fs::write(file, format!("{SETTINGS}port = {}\n{preload}", self.port))?;
        Ok(())
    }

    /// Whether the contrib module is installed; without its file the server would not start.
    fn has_statement_statistics(&self) -> bool {
        let directory =
            program::run(Command::new(self.programs.join("pg_config")).arg("--pkglibdir"))
                .map(|output| PathBuf::from(String::from_utf8_lossy(&output.stdout).trim()))
                .unwrap_or_else(|_| self.programs.join("../lib"));
        ["so", "dylib"]
            .iter()
            .any(|kind| directory.join("pg_stat_statements").with_extension(kind).is_file())
    }

    /// A program of the server, run as somebody it accepts: Postgres refuses root.
    fn command(&self, program: &str) -> Command {
        let program = self.programs.join(program);
        let mut command = match &self.account {
            Some(account) => {
                let mut setpriv = Command::new("setpriv");
                setpriv
                    .args(["--reuid", account, "--regid", account, "--clear-groups"])
                    .arg(program);
                setpriv
            }
            None => Command::new(program),
        };
        // Without a locale of its own, Postgres on macOS starts a thread and then refuses to run.
        command.env("LC_ALL", "C").current_dir(self.directory.path());
        command
    }

    fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    fn url_of(&self, database: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{database}", self.port)
    }
}

/// The directory of the server's programs.
fn programs() -> Option<PathBuf> {
    let initdb = program::find("initdb", &DIRECTORIES)?;
    // Debian keeps the small programs beside the real one, not beside a link to it.
    let directory = initdb.canonicalize().ok()?.parent()?.to_owned();
    directory.join("postgres").is_file().then_some(directory)
}

/// The account that runs the server in place of root, which then owns `directory`.
fn account(directory: &Path) -> Result<Option<String>> {
    if !getuid().is_root() {
        return Ok(None);
    }
    for account in ["postgres", "nobody"] {
        if let (Ok(user), Ok(group)) = (id("-u", account), id("-g", account)) {
            chown(directory, Some(user), Some(group))?;
            return Ok(Some(account.to_owned()));
        }
    }
    bail!("Postgres refuses to run as root, and there is no user postgres or nobody")
}

fn id(kind: &str, account: &str) -> Result<u32> {
    let output = program::run(Command::new("id").args([kind, account]))?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().parse()?)
}
