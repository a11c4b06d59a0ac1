//! A child process: started, logged, restarted when it dies, stopped with the lab.

use std::{
    io,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    time::Duration,
};

use anyhow::Context as _;
use tokio::{
    io::AsyncReadExt as _,
    net::unix::pipe::Receiver,
    process::{Child, ChildStdin, Command},
    time::{Instant, timeout},
};
use tokio_util::sync::CancellationToken;

use super::log_file::LogFile;

/// The wait before the first restart; doubled with each one that follows soon.
const FIRST_WAIT: Duration = Duration::from_millis(200);
/// The longest wait before a restart.
const LONGEST_WAIT: Duration = Duration::from_secs(5);
/// A child that has lived this long starts with a short wait again.
const SETTLED: Duration = Duration::from_secs(10);
/// How long a child may take to stop before it is killed.
const GRACE: Duration = Duration::from_secs(16);

/// How to run one child.
#[derive(Clone, Debug)]
pub(crate) struct Program {
    /// What it is called, on the screen and as the name of its log file.
    pub(crate) name: &'static str,
    /// The arguments of the lab's own program that make it this child.
    pub(crate) arguments: Vec<String>,
    /// Settings that are nobody else's business, as environment variables.
    pub(crate) secrets: Vec<(&'static str, String)>,
    /// Where its output goes.
    pub(crate) log: PathBuf,
}

impl Program {
    /// Keeps it running until `stop`, then stops it: gracefully, or after a while by force.
    pub(crate) async fn supervise(self, stop: CancellationToken) -> anyhow::Result<()> {
        let mut log = LogFile::create(&self.log)
            .with_context(|| format!("cannot create {}", self.log.display()))?;
        let mut wait = FIRST_WAIT;
        loop {
            let started = Instant::now();
            let end = self.run_once(&mut log, &stop).await?;
            if stop.is_cancelled() {
                return Ok(());
            }
            wait = if started.elapsed() > SETTLED { FIRST_WAIT } else { wait };
            let message = format!("lab: {} ended ({end}), restarting in {wait:?}\n", self.name);
            log.append(message.as_bytes()).context("cannot write a log")?;
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = stop.cancelled() => return Ok(()),
            }
            wait = (wait * 2).min(LONGEST_WAIT);
        }
    }

    async fn run_once(
        &self,
        log: &mut LogFile,
        stop: &CancellationToken,
    ) -> anyhow::Result<ExitStatus> {
        let (mut child, output) =
            self.spawn().with_context(|| format!("cannot start {}", self.name))?;
        let leash = child.stdin.take().expect("the input is piped");
        tokio::select! {
            result = copy(output, log) => {
                result.with_context(|| format!("cannot keep the log of {}", self.name))?;
            }
            () = stop.cancelled() => return end(child, leash).await.context("cannot stop a child"),
        }
        // It has closed its output: it has ended, or is about to.
        end(child, leash).await.context("cannot wait for a child")
    }

    /// The child, and all that it prints: its log, and what it says when it panics.
    fn spawn(&self) -> io::Result<(Child, Receiver)> {
        let (output, input) = io::pipe()?;
        let child = Command::new(own_program()?)
            .arg0("lab")
            .args(&self.arguments)
            .envs(self.secrets.iter().cloned())
            .stdin(Stdio::piped())
            .stdout(input.try_clone()?)
            .stderr(input)
            // Ctrl-C on the terminal is for the lab, which then stops its children in order.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()?;
        Ok((child, Receiver::from_owned_fd(OwnedFd::from(output))?))
    }
}

/// This program, even if the file it came from has been replaced by a newer build since.
fn own_program() -> io::Result<PathBuf> {
    let this = Path::new("/proc/self/exe");
    if this.exists() { Ok(this.to_owned()) } else { std::env::current_exe() }
}

async fn copy(mut output: Receiver, log: &mut LogFile) -> io::Result<()> {
    let mut buffer = vec![0; 16 * 1024];
    loop {
        match output.read(&mut buffer).await? {
            0 => return Ok(()),
            read => log.append(&buffer[..read])?,
        }
    }
}

/// Children stop when their input closes, so they also do if the lab is killed.
async fn end(mut child: Child, leash: ChildStdin) -> io::Result<ExitStatus> {
    drop(leash);
    if let Ok(end) = timeout(GRACE, child.wait()).await {
        return end;
    }
    child.kill().await?;
    child.wait().await
}
