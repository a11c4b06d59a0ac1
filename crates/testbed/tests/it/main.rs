//! Each server is started, crashed and restarted for real.

mod orphan;
mod postgres;
mod prometheus;
mod rabbitmq;

use std::process::Command;

/// Whether a process of the machine has `text` in its command line.
fn a_process_mentions(text: &str) -> bool {
    let listing = Command::new("ps").args(["-A", "-ww", "-o", "args="]).output().expect("ps runs");
    String::from_utf8_lossy(&listing.stdout).contains(text)
}
