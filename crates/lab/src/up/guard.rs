//! Keeps a foreign program on a leash: it ends when the lab does, however that ends.

use std::{
    ffi::OsString,
    io::Read as _,
    process::{Command, ExitCode, Stdio},
    thread,
};

use anyhow::Context as _;
use rustix::process::{Pid, Signal, kill_process};

/// Runs `program` until it ends, or asks it to end when standard input closes.
pub fn run(program: &OsString, arguments: &[OsString]) -> anyhow::Result<ExitCode> {
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .spawn()
        .with_context(|| format!("cannot start {}", program.display()))?;
    let pid = Pid::from_child(&child);
    thread::spawn(move || {
        // The end of the input and an error mean the same: nobody is at the other end.
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        let _ = kill_process(pid, Signal::TERM);
    });
    let end = child.wait().context("cannot wait for a child")?;
    Ok(end.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1).into())
}
