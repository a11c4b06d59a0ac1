//! A guide: Markdown whose blocks of code are steps.
//!
//! | Block | What it is |
//! |---|---|
//! | `sh` | a command, run once; it must succeed |
//! | `sh again` | one that is run again until it succeeds and shows what it should |
//! | `promql` | a query, asked again until its answer is not empty and shows what it should |
//! | `text` | what the block before it shows, as a [pattern](crate::pattern) |
//!
//! A block of any other kind is a mistake, and so is a `text` that follows nothing. `sh cargo` and
//! `sh compose` are `sh` in the one or the other kind of lab, and nothing in the other.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// A guide, taken apart.
pub(crate) struct Guide {
    pub(crate) name: String,
    text: String,
    steps: Vec<Step>,
}

/// Something to do, and what it shows.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Step {
    /// The line of its block in the file.
    pub(crate) line: usize,
    pub(crate) task: Task,
    /// The kind of lab that it is for, if not for both.
    pub(crate) only: Option<Kind>,
    /// The pattern of what it shows; empty if the guide does not say.
    pub(crate) shows: String,
}

/// How a lab runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// With `cargo run`.
    Cargo,
    /// With `docker compose up`.
    Compose,
}

/// What there is to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Task {
    /// To run a command once.
    Run(String),
    /// To run a command until it is as it should be.
    Await(String),
    /// To ask Prometheus until the answer is as it should be.
    Ask(String),
}

/// The folder of the guides.
pub(crate) fn folder() -> PathBuf {
    repository().join("docs/guides")
}

/// The root of the repository.
pub(crate) fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

impl Guide {
    /// Reads a guide of the repository.
    ///
    /// # Panics
    /// If it is not there or cannot be followed.
    pub(crate) fn read(name: &str) -> Self {
        let file = folder().join(name).with_extension("md");
        let text = fs::read_to_string(&file).unwrap_or_else(|error| panic!("{name}: {error}"));
        let steps = steps(&text).unwrap_or_else(|problem| panic!("{name}.md: {problem}"));
        Self { name: name.to_owned(), text, steps }
    }

    /// What there is to do, in order.
    pub(crate) fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// Whether it needs a lab with Prometheus.
    pub(crate) fn asks_prometheus(&self) -> bool {
        self.steps.iter().any(|step| match &step.task {
            Task::Ask(_) => true,
            Task::Run(script) | Task::Await(script) => script.contains("localhost:9090"),
        })
    }

    /// Links of the text between the blocks to files that do not exist.
    pub(crate) fn broken_links(&self) -> Vec<String> {
        let prose: String = self.text.split("```").step_by(2).collect();
        let targets = prose.split("](").skip(1).filter_map(|rest| rest.split_once(')'));
        let files = targets.map(|(target, _)| target).filter(|target| !target.contains("://"));
        let missing = |target: &&str| {
            let file = target.split('#').next().unwrap_or_default();
            !folder().join(file).exists()
        };
        files.filter(missing).map(str::to_owned).collect()
    }
}

/// The blocks of a text as steps; an error says which line is wrong, and how.
fn steps(text: &str) -> Result<Vec<Step>, String> {
    let mut steps: Vec<Step> = Vec::new();
    let mut lines = text.lines().enumerate();
    // Where the block before ended, if it can be said what that shows.
    let mut shown_by = None;
    while let Some((number, opening)) = lines.next() {
        let Some(kind) = opening.trim_start().strip_prefix("```") else {
            shown_by = shown_by.filter(|_| opening.trim().is_empty());
            continue;
        };
        let body: Vec<_> = lines
            .by_ref()
            .map(|(_, line)| line)
            .take_while(|line| !line.trim_start().starts_with("```"))
            .collect();
        let (line, body) = (number + 1, body.join("\n"));
        let only = match kind {
            "sh cargo" => Some(Kind::Cargo),
            "sh compose" => Some(Kind::Compose),
            _ => None,
        };
        let task = match kind {
            "sh" | "sh cargo" | "sh compose" => Task::Run(body),
            "sh again" => Task::Await(body),
            "promql" => Task::Ask(body),
            "text" => {
                let step = shown_by.take().and_then(|place: usize| steps.get_mut(place));
                let step = step.ok_or_else(|| format!("line {line}: nothing shows this"))?;
                step.shows = body;
                continue;
            }
            _ => return Err(format!("line {line}: no guide has blocks of {kind:?}")),
        };
        shown_by = Some(steps.len());
        steps.push(Step { line, task, only, shows: String::new() });
    }
    Ok(steps)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_become_steps_with_what_they_show() {
        let text = "Look:\n\n```sh\nls\n```\n\n```text\nfile\n```\n\n```promql\nup\n```\n";
        let shows = |shows: &str| shows.to_owned();
        let expected = [
            Step { line: 3, task: Task::Run("ls".to_owned()), only: None, shows: shows("file") },
            Step { line: 11, task: Task::Ask("up".to_owned()), only: None, shows: shows("") },
        ];
        assert_eq!(steps(text).unwrap(), expected);
        let again = steps("```sh again\nls\n```\n").unwrap();
        assert_eq!(again[0].task, Task::Await("ls".to_owned()));
        let of_compose = steps("```sh compose\nls\n```\n").unwrap();
        assert_eq!(of_compose[0].only, Some(Kind::Compose));
    }

    #[test]
    fn what_cannot_be_run_is_refused() {
        assert!(steps("```rust\nfn main() {}\n```\n").unwrap_err().contains("rust"));
        assert!(steps("```\nls\n```\n").is_err());
    }

    #[test]
    fn what_nothing_shows_is_refused() {
        let problem = "line 1: nothing shows this";
        assert_eq!(steps("```text\nfile\n```\n").unwrap_err(), problem);
        assert!(steps("```sh\nls\n```\nAnd then:\n```text\nfile\n```\n").is_err());
    }
}
