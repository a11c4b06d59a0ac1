//! Somebody who follows a guide in one terminal, with Prometheus in a browser beside it.

use std::{process::Stdio, time::Duration};

use reqwest::Client;
use serde_json::Value;
use tempfile::TempDir;
use tokio::{
    process::Command,
    time::{Instant, sleep, timeout},
};

use crate::{
    guide::{Guide, Step, Task, repository},
    lab::Lab,
    pattern,
};

/// How long it may take until something shows: a window of a minute, and a slow day.
const PATIENCE: Duration = Duration::from_secs(120);
/// The pause before something is tried again.
const PAUSE: Duration = Duration::from_millis(500);
/// How long a command may take.
const COMMAND: Duration = Duration::from_secs(120);

/// What every block begins with. Variables outlive a block, as they do in a terminal; a command
/// that fails ends it, an unset variable too. `cargo run` runs the lab that is built already.
const TERMINAL: &str = r#"
    set -eua
    if [ -f "$GUIDE_VARIABLES" ]; then . "$GUIDE_VARIABLES"; fi
    trap 'export -p >"$GUIDE_VARIABLES"' EXIT
    cargo() { test "$1" = run; shift; "$GUIDE_LAB" "$@"; }
"#;

/// A learner with a terminal.
pub(crate) struct Learner<'a> {
    lab: &'a Lab,
    client: Client,
    /// Holds the variables of the terminal.
    folder: TempDir,
}

impl<'a> Learner<'a> {
    /// One who has just started this lab.
    pub(crate) fn of(lab: &'a Lab) -> Self {
        let folder = tempfile::tempdir().expect("a folder for the learner");
        Self { lab, client: Client::new(), folder }
    }

    /// Does what a step says, again and again if that is meant, and looks at what it shows.
    ///
    /// # Panics
    /// If it does not show what the guide says.
    pub(crate) async fn take(&self, guide: &Guide, step: &Step) {
        let patience = match step.task {
            Task::Run(_) => Duration::ZERO,
            Task::Await(_) | Task::Ask(_) => PATIENCE,
        };
        let started = Instant::now();
        while let Err(problem) = self.attempt(step).await {
            let place = format!("{}.md, line {}", guide.name, step.line);
            assert!(started.elapsed() < patience, "{place}: {problem}");
            sleep(PAUSE).await;
        }
    }

    async fn attempt(&self, step: &Step) -> Result<(), String> {
        let shown = match &step.task {
            Task::Run(script) | Task::Await(script) => self.run(script).await?,
            Task::Ask(query) => self.ask(query).await?,
        };
        match pattern::missing(&step.shows, &shown) {
            None => Ok(()),
            Some(line) => Err(format!("this is not shown in its place:\n{line}\nbut:\n{shown}")),
        }
    }

    /// What a command prints; an error if it does not succeed.
    async fn run(&self, script: &str) -> Result<String, String> {
        let script = format!("{TERMINAL}{}", self.lab.here(script));
        let command = Command::new("sh")
            .args(["-c", &script])
            .current_dir(repository())
            .env("GUIDE_VARIABLES", self.folder.path().join("variables"))
            .env("GUIDE_LAB", env!("CARGO_BIN_EXE_lab"))
            .env("LAB_DESK_URL", self.lab.here("http://localhost:4000"))
            .env_remove("COLUMNS")
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output();
        let output = timeout(COMMAND, command).await;
        let output = output.map_err(|_| format!("no end within {COMMAND:?}"))?;
        let output = output.expect("there is a shell");
        let shown = String::from_utf8_lossy(&output.stdout).into_owned();
        match output.status.success() {
            true => Ok(shown),
            false => {
                let complaints = String::from_utf8_lossy(&output.stderr);
                Err(format!("{}\n{shown}{complaints}", output.status))
            }
        }
    }

    /// What Prometheus shows for a query: a line for each series, sorted, for its order means
    /// nothing. An error if there is none.
    async fn ask(&self, query: &str) -> Result<String, String> {
        let url = self.lab.here("http://localhost:9090/api/v1/query");
        let request = self.client.get(url).query(&[("query", query)]);
        let answer = request.send().await.map_err(|error| error.to_string())?;
        let answer: Value = answer.json().await.map_err(|error| error.to_string())?;
        assert_eq!(answer["status"], "success", "{query}: {answer}");
        let series = answer["data"]["result"].as_array().map(|series| series.iter().map(line));
        let mut lines: Vec<_> = series.into_iter().flatten().collect();
        lines.sort();
        match lines.is_empty() {
            true => Err(format!("the answer is empty:\n{query}")),
            false => Ok(lines.join("\n")),
        }
    }
}

/// A series as Prometheus writes it: name, labels, value.
fn line(series: &Value) -> String {
    let labels = series["metric"].as_object().into_iter().flatten();
    let (name, labels): (Vec<_>, Vec<_>) = labels.partition(|(label, _)| *label == "__name__");
    let name = name.first().and_then(|(_, name)| name.as_str()).unwrap_or_default();
    let labels: Vec<_> = labels.iter().map(|(label, value)| format!("{label}={value}")).collect();
    let value = series["value"][1].as_str().unwrap_or_default();
    format!("{name}{{{}}} {value}", labels.join(", "))
}
