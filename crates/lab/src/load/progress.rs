//! Where a run stands, while it runs: a bar on a terminal, a line now and then elsewhere.

use std::{
    io::{IsTerminal as _, stderr},
    time::Duration,
};

use indicatif::{ProgressBar, ProgressStyle};

use super::{
    generator::Progress,
    outcome::Class,
    words::{NONE, rate, share, time},
};

/// How often a line is written where there is no terminal.
const LINES: Duration = Duration::from_secs(10);
/// How much of the past the numbers are about, in seconds.
const RECENT: usize = 3;

/// Whoever tells where a run stands.
#[derive(Debug)]
pub(super) enum Teller {
    /// A bar that moves.
    Bar(ProgressBar),
    /// A line now and then.
    Lines {
        /// When the next one is due.
        next: Duration,
        /// How long the run lasts.
        lasts: Duration,
    },
    /// Nothing at all.
    Silent,
}

impl Teller {
    /// One who suits where the words go.
    pub(super) fn new(lasts: Duration, quiet: bool) -> Self {
        match (quiet, stderr().is_terminal()) {
            (true, _) => Self::Silent,
            (false, false) => Self::Lines { next: LINES, lasts },
            (false, true) => {
                let template = "{bar:30} {prefix}  {msg}";
                let style = ProgressStyle::with_template(template).expect("it is a constant");
                let bar = ProgressBar::new(lasts.as_millis() as u64);
                bar.set_style(style.progress_chars("━╸─"));
                Self::Bar(bar)
            }
        }
    }

    /// Tells.
    pub(super) fn tell(&mut self, progress: &Progress<'_>) {
        match self {
            Self::Silent => {}
            Self::Bar(bar) => {
                bar.set_position(progress.elapsed.as_millis() as u64);
                bar.set_prefix(format!("{:>4} s", progress.elapsed.as_secs()));
                bar.set_message(recent(progress));
            }
            Self::Lines { next, lasts } => {
                if progress.elapsed >= *next {
                    let (at, of) = (progress.elapsed.as_secs(), lasts.as_secs());
                    eprintln!("{at:>4} of {of} s  {}", recent(progress));
                    *next += LINES;
                }
            }
        }
    }

    /// Makes room for the summary.
    pub(super) fn finish(self) {
        if let Self::Bar(bar) = self {
            bar.finish_and_clear();
        }
    }
}

/// The last whole seconds in one line.
fn recent(progress: &Progress<'_>) -> String {
    let now = progress.elapsed.as_secs() as usize;
    let slice = progress.record.during(now.saturating_sub(RECENT), now);
    let p95 = slice.quantile(0.95).map_or(NONE.to_owned(), time);
    let errors = slice.ended.share(Class::Error).map_or(NONE.to_owned(), share);
    format!(
        "{} offered, {} good, p95 {p95}, errors {errors}, {} in flight",
        rate(slice.rate(slice.offered)),
        rate(slice.rate(slice.good)),
        progress.in_flight
    )
}
