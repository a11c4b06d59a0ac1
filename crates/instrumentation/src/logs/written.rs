//! Lines on their way to stdout, counted.

use std::{
    io,
    sync::{
        OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    thread,
};

use tracing::Level;

use super::waiting::Waiting;

static WRITTEN: Written =
    Written { lines: [const { AtomicU64::new(0) }; 5], bytes: AtomicU64::new(0) };

/// The lines of this process, once it logs.
static LINES: OnceLock<Waiting> = OnceLock::new();

/// How much was written.
pub(crate) struct Written {
    /// By level, the gravest first.
    lines: [AtomicU64; 5],
    bytes: AtomicU64,
}

/// What this process has written.
pub(crate) fn written() -> &'static Written {
    &WRITTEN
}

impl Written {
    pub(crate) fn lines(&self) -> impl Iterator<Item = u64> {
        self.lines.iter().map(|lines| lines.load(Ordering::Relaxed))
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }
}

pub(super) fn write(level: Level, line: &[u8]) {
    let index = match level {
        Level::ERROR => 0,
        Level::WARN => 1,
        Level::INFO => 2,
        Level::DEBUG => 3,
        Level::TRACE => 4,
    };
    WRITTEN.lines[index].fetch_add(1, Ordering::Relaxed);
    WRITTEN.bytes.fetch_add(line.len() as u64, Ordering::Relaxed);
    let lines = LINES.get_or_init(|| {
        let writing = || LINES.wait().write_to(io::stdout());
        let thread = thread::Builder::new().name("log".to_owned()).spawn(writing);
        thread.expect("a process that has something to say can have one more thread");
        Waiting::default()
    });
    lines.add(line, level <= Level::WARN);
}

/// Returns when all that was logged is written, or if nobody reads it: before the process ends.
pub fn flush() {
    if let Some(lines) = LINES.get() {
        lines.flush();
    }
}

/// Has all that was logged written when it is dropped, however its owner ends.
#[must_use = "what was logged last is lost without it"]
#[derive(Debug)]
pub struct Flushing(());

impl Flushing {
    pub(super) fn begin() -> Self {
        Self(())
    }
}

impl Drop for Flushing {
    fn drop(&mut self) {
        flush();
    }
}
