//! `lab doctor`: whether this machine can run the lab, checked beforehand.

use std::{
    env, fmt,
    io::{self, Write as _},
    path::{Path, PathBuf},
    process::ExitCode,
};

use instrumentation::export;

use crate::up::{Ports, Use};

/// What the lab needs of memory, in MiB: `cargo run`, without the build.
const MEMORY_MIB: u64 = 300;

/// What `lab doctor` checks.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// The ports that `lab up` will be given.
    #[command(flatten)]
    pub ports: Ports,

    /// Where traces and logs will be sent.
    #[command(flatten)]
    pub export: export::Config,
}

/// What one check found.
enum Finding {
    /// As it should be.
    Good(String),
    /// The lab runs, with less.
    Less(String),
    /// The lab does not run.
    Bad(String),
}

/// Checks everything and says what to do; fails if `cargo run` would.
pub fn run(args: &Args) -> ExitCode {
    let needed: Vec<_> = needed(args).collect();
    let list = |findings: &[Finding]| -> String {
        findings.iter().map(|finding| format!("  {finding}\n")).collect()
    };
    let (first, second) = (list(&needed), list(&optional()));
    let report = format!("cargo run:\n{first}docker compose up, and just:\n{second}");
    // A reader that has seen enough, such as `head`, is no failure.
    let _ = io::stdout().write_all(report.as_bytes());
    match needed.iter().any(|finding| matches!(finding, Finding::Bad(_))) {
        true => ExitCode::FAILURE,
        false => ExitCode::SUCCESS,
    }
}

fn needed(args: &Args) -> impl Iterator<Item = Finding> {
    let otlp = args.export.otlp_endpoint.is_none();
    let ports = args.ports.uses(otlp, true, true, false).into_iter().map(port);
    ports.chain([memory(), scratch(), prometheus()])
}

fn optional() -> [Finding; 3] {
    [
        program("docker", "docker.com; then `docker compose up` runs the whole stack"),
        program("just", "`cargo install just`; or call `cargo run chaos …` instead"),
        program("curl", "your package manager has it"),
    ]
}

fn port(port: Use) -> Finding {
    match port.check() {
        Ok(()) if port.port == 0 => Finding::Good(format!("any free port for {}", port.name)),
        Ok(()) => Finding::Good(format!("port {} for {} is free", port.port, port.name)),
        Err(taken) => Finding::Bad(taken.to_string()),
    }
}

fn memory() -> Finding {
    match available_mib() {
        Some(mib) if mib < MEMORY_MIB => {
            Finding::Bad(format!("{mib} MiB of memory are available, {MEMORY_MIB} are needed"))
        }
        Some(mib) => Finding::Good(format!("{mib} MiB of memory are available")),
        None => Finding::Good("memory: not known on this system".to_owned()),
    }
}

fn available_mib() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kib: u64 = line.trim().strip_suffix(" kB")?.trim().parse().ok()?;
    Some(kib / 1024)
}

fn scratch() -> Finding {
    let folder = env::temp_dir();
    match tempfile::tempdir_in(&folder) {
        Ok(_) => Finding::Good(format!("{} can be written to", folder.display())),
        Err(error) => Finding::Bad(format!(
            "{} cannot be written to ({error}); point TMPDIR to a folder that can",
            folder.display()
        )),
    }
}

fn prometheus() -> Finding {
    match find("prometheus") {
        Some(path) => Finding::Good(format!("prometheus: {}", path.display())),
        None => Finding::Less(
            "prometheus is not installed, so the lab runs without it: `apt install prometheus` \
             or `brew install prometheus`"
                .to_owned(),
        ),
    }
}

fn program(name: &str, remedy: &str) -> Finding {
    match find(name) {
        Some(path) => Finding::Good(format!("{name}: {}", path.display())),
        None => Finding::Less(format!("{name} is not installed: {remedy}")),
    }
}

/// The program of this name that a shell would run.
pub(crate) fn find(name: &str) -> Option<PathBuf> {
    #[expect(clippy::disallowed_methods, reason = "PATH is not a setting of ours")]
    let path = env::var_os("PATH")?;
    let is_program = |file: &PathBuf| Path::is_file(file);
    env::split_paths(&path).map(|folder| folder.join(name)).find(is_program)
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Good(text) => write!(f, "ok    {text}"),
            Self::Less(text) => write!(f, "note  {text}"),
            Self::Bad(text) => write!(f, "BAD   {text}"),
        }
    }
}
