//! A server's process: started in a group of its own, and never left behind.
//!
//! Dropping kills it. If the test process itself dies first, a small shell that waits on a pipe
//! from it sees the end of that pipe and does the same. The kernel's parent-death signal would
//! not do: it follows the *thread* that started the child, and test threads end early.

use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use tokio::time::{Instant, sleep};

const PAUSE: Duration = Duration::from_millis(25);
const LOG_TAIL: usize = 2_000;

/// Kills group `$1` and removes directory `$2`, unless told `done` before the pipe ends.
const WATCH: &str = r#"
    read -r word; [ "$word" = done ] && exit
    kill -s KILL -- "-$1"; rm -rf "$2" || { sleep 1; rm -rf "$2"; }
"#;

/// A running server process and all that descends from it.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    watch: Child,
    log: PathBuf,
}

impl Process {
    /// Starts `command` with its output in `log`, a file of the server's `directory`.
    pub(crate) fn start(command: &mut Command, directory: &Path, log: &str) -> Result<Self> {
        let log = directory.join(log);
        let output = File::options().create(true).append(true).open(&log)?;
        let child = command
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .process_group(0)
            .spawn()
            .with_context(|| format!("cannot start {}", command.get_program().display()))?;
        let watch = Command::new("sh")
            .args(["-c", WATCH, "watch", &child.id().to_string()])
            .arg(directory)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .context("cannot start sh")?;
        Ok(Self { child, watch, log })
    }

    /// Waits until `ready`.
    ///
    /// # Errors
    /// When the process ends before, or `patience` does; the error holds the end of its log.
    pub(crate) async fn wait_until(
        &mut self,
        patience: Duration,
        mut ready: impl AsyncFnMut() -> bool,
    ) -> Result<()> {
        let started = Instant::now();
        while !ready().await {
            if let Some(status) = self.child.try_wait()? {
                bail!("the server ended with {status}: {}", self.log_tail());
            }
            if started.elapsed() > patience {
                bail!("the server is not ready after {patience:?}: {}", self.log_tail());
            }
            sleep(PAUSE).await;
        }
        Ok(())
    }

    /// Asks the process to end with `signal`, and kills it when `patience` runs out.
    pub(crate) async fn stop(mut self, signal: Signal, patience: Duration) {
        // It may have ended by itself; waiting for it then returns at once.
        let _ = kill_process(self.pid(), signal);
        let started = Instant::now();
        while started.elapsed() < patience && matches!(self.child.try_wait(), Ok(None)) {
            sleep(PAUSE).await;
        }
    }

    /// Kills the process and everything it started, as the kernel would when memory runs out.
    fn kill(&mut self) {
        // Postgres gives each backend a session, hence a group, of its own: the group is not all.
        let descendants = descendants(self.child.id());
        let _ = kill_process_group(self.pid(), Signal::KILL);
        for descendant in descendants {
            let _ = kill_process(descendant, Signal::KILL);
        }
        let _ = self.child.wait();
    }

    fn dismiss_watch(&mut self) {
        if let Some(mut pipe) = self.watch.stdin.take() {
            let _ = pipe.write_all(b"done\n");
        }
        let _ = self.watch.wait();
    }

    fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    fn log_tail(&self) -> String {
        let log = fs::read(&self.log).unwrap_or_default();
        String::from_utf8_lossy(&log[log.len().saturating_sub(LOG_TAIL)..]).into_owned()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
        self.dismiss_watch();
    }
}

fn descendants(ancestor: u32) -> Vec<Pid> {
    let Ok(listing) = Command::new("ps").args(["-A", "-o", "pid=,ppid="]).output() else {
        return Vec::new();
    };
    let listing = String::from_utf8_lossy(&listing.stdout).into_owned();
    let mut others: Vec<(u32, u32)> = listing.lines().filter_map(pid_and_parent).collect();
    let mut family = vec![ancestor];
    let mut visited = 0;
    while let Some(&parent) = family.get(visited) {
        family.extend(others.extract_if(.., |(_, of)| *of == parent).map(|(pid, _)| pid));
        visited += 1;
    }
    family[1..].iter().filter_map(|&pid| Pid::from_raw(i32::try_from(pid).ok()?)).collect()
}

fn pid_and_parent(line: &str) -> Option<(u32, u32)> {
    let (pid, parent) = line.trim().split_once(char::is_whitespace)?;
    Some((pid.parse().ok()?, parent.trim().parse().ok()?))
}
