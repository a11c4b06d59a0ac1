//! What is printed, and what is written.

use std::{fmt::Write as _, fs, path::Path, process::Command, time::Duration};

use anyhow::Context as _;
use serde::{Deserialize, Serialize};

use super::{
    gates::Gates,
    matrix::{self, Accuracy, Blind, Matrix},
    picture::{self, Shares},
    recording::{Pillar, median},
    stage::RATE,
    trial::Trial,
};

/// What a learner may look at, one after the other.
const ABLATION: [(&str, &[Pillar]); 5] = [
    ("metrics", &[Pillar::Metrics]),
    ("traces", &[Pillar::Traces]),
    ("logs", &[Pillar::Logs]),
    ("metrics and traces", &[Pillar::Metrics, Pillar::Traces]),
    ("all three", &[Pillar::Metrics, Pillar::Traces, Pillar::Logs]),
];

/// What was seen, and where that was.
#[derive(Debug, Deserialize)]
pub(super) struct Findings {
    /// What was proven.
    revision: String,
    /// How somebody else does the same.
    #[serde(default = "unknown")]
    command: String,
    trials: Vec<Trial>,
}

fn unknown() -> String {
    "lab prove --write FOLDER".to_owned()
}

/// Everything, for machines.
#[derive(Serialize)]
struct Proof<'a> {
    revision: &'a str,
    command: &'a str,
    journeys_per_second: f64,
    trials: &'a [Trial],
    contracts: &'a Matrix,
    blind: &'a Option<Blind>,
    ablation: Vec<(&'static str, Accuracy)>,
}

/// Says how one trial ended, as it ends, and how many have.
pub(super) fn line(trial: &Trial, done: usize, of: usize) {
    let mark = if trial.is_proven() { "proven" } else { "NOT PROVEN" };
    println!(
        "{:<20}seed {:<3}{mark:<12}{} ({done} of {of})",
        trial.fault,
        trial.seed,
        if trial.problems.is_empty() { times(trial) } else { trial.problems.join("; ") }
    );
}

/// Says how all of it ended.
pub(super) fn print(trials: &[Trial], took: Duration) {
    println!("\n{}", table(trials));
    let proven = trials.iter().filter(|trial| trial.is_proven()).count();
    println!(
        "{proven} of {} proven in {}",
        trials.len(),
        humantime::format_duration(Duration::from_secs(took.as_secs()))
    );
    for trial in trials.iter().filter(|trial| !trial.is_proven()) {
        println!("  {} (seed {}): {}", trial.fault, trial.seed, trial.problems.join("; "));
    }
}

/// Reads what was written before, and writes it again.
pub(super) fn write_again(from: &Path, folder: &Path) -> anyhow::Result<Vec<Trial>> {
    let from =
        fs::read_to_string(from).with_context(|| format!("cannot read {}", from.display()))?;
    let Findings { revision, command, trials } =
        serde_json::from_str(&from).context("these are no numbers of a proof")?;
    write(folder, &command, &revision, &trials)?;
    Ok(trials)
}

/// Writes the page, the pictures and the numbers of what was proven of a revision.
pub(super) fn write(
    folder: &Path,
    command: &str,
    revision: &str,
    trials: &[Trial],
) -> anyhow::Result<()> {
    let pictures = folder.join("proof");
    fs::create_dir_all(&pictures).context("cannot create a folder")?;
    let contracts = matrix::contracts(trials);
    let all = [Pillar::Metrics, Pillar::Traces, Pillar::Logs];
    let blind = matrix::blind(trials, &all);
    let ablation: Vec<_> = ABLATION
        .iter()
        .filter_map(|(name, pillars)| Some((*name, matrix::blind(trials, pillars)?)))
        .collect();
    fs::write(
        pictures.join("contracts.svg"),
        picture::heat_map(
            "Which contract held (columns) while which fault was on (rows), in % of the trials",
            &contracts,
        ),
    )?;
    if let Some(blind) = &blind {
        fs::write(
            pictures.join("blind.svg"),
            picture::heat_map(
                "What a learner took (columns) each fault (rows) for, in % of the trials",
                &blind.matrix,
            ),
        )?;
        fs::write(pictures.join("ablation.svg"), by_pillar(&ablation, &blind.matrix.names))?;
    }
    let page = page(revision, command, trials, &contracts, blind.as_ref(), &ablation);
    fs::write(folder.join("proof.md"), page)?;
    let proof = Proof {
        revision,
        command,
        journeys_per_second: RATE,
        trials,
        contracts: &contracts,
        blind: &blind,
        ablation: ablation.iter().map(|(name, blind)| (*name, blind.accuracy)).collect(),
    };
    let json = serde_json::to_string(&proof).context("numbers are JSON")?;
    fs::write(pictures.join("proof.json"), json + "\n")?;
    Ok(())
}

/// What is proven: the commit, as far as git knows it here.
pub(super) fn revision() -> String {
    let described = Command::new("git").args(["describe", "--always", "--dirty"]).output();
    let commit = described.ok().filter(|output| output.status.success());
    let commit = commit.and_then(|output| String::from_utf8(output.stdout).ok());
    let commit = commit.unwrap_or_else(|| instrumentation::REVISION.to_owned());
    format!("{}, {}", instrumentation::VERSION, commit.trim())
}

fn page(
    revision: &str,
    command: &str,
    trials: &[Trial],
    contracts: &Matrix,
    blind: Option<&Blind>,
    ablation: &[(&str, Blind)],
) -> String {
    let proven = trials.iter().filter(|trial| trial.is_proven()).count();
    let mut page = format!(
        "# Proof\n\nWritten by `{command}`; do not edit. Every fault is \
         turned on in a lab that has nothing else on, at {RATE} journeys a second, held to its contract \
         (`crates/faults/src/catalogue`) and healed; from the second seed on, with other parameters \
         than the defaults. Taken at {}.\n\n{proven} of {} trials proven.\n\n{}\n",
        revision,
        trials.len(),
        table(trials)
    );
    let visible: Vec<_> = trials.iter().filter_map(|trial| trial.visible_after).collect();
    let _ = writeln!(
        page,
        "A sign in the metrics after {:.0} s in the median of the {} trials that show one there, with \
         scrapes every 5 s.\n",
        median(visible.clone()),
        visible.len()
    );
    for trial in trials.iter().filter(|trial| !trial.is_proven()) {
        let _ = writeln!(
            page,
            "- `{}`, seed {}: {}.",
            trial.fault,
            trial.seed,
            trial.problems.join("; ")
        );
    }
    let _ = write!(
        page,
        "\n## Contract matrix\n\n{}\n\n![](proof/contracts.svg)\n",
        Gates::of(contracts).page()
    );
    page.push_str("\n## Blind matrix\n\n");
    match blind {
        None => page.push_str("A learner that leaves one seed out needs two of them.\n"),
        Some(blind) => {
            let _ = writeln!(
                page,
                "A nearest-centroid learner over robust z-scores of the recorded series, which has \
                 seen all seeds but one: {}.\n\n![](proof/blind.svg)\n\n{}\n## Ablation\n\n\
                 ![](proof/ablation.svg)\n\n| It looks at | right |\n|---|---|",
                shown(&blind.accuracy),
                alike(&blind.matrix)
            );
            for (name, blind) in ablation {
                let _ = writeln!(page, "| {name} | {} |", shown(&blind.accuracy));
            }
            page.push_str(&each(ablation));
        }
    }
    page
}

/// Those that such a learner often takes for each other, and what a contract tells them apart by.
fn alike(matrix: &Matrix) -> String {
    let mut pairs = String::new();
    for (name, cells) in matrix.names.iter().zip(&matrix.cells) {
        for (other, cell) in matrix.names.iter().zip(cells) {
            let Some(share) = cell.filter(|share| name != other && *share >= OFTEN) else {
                continue;
            };
            let fault = faults::find(name).expect("the catalogue has it");
            let tells = fault.contract.tells.iter().filter(|tell| tell.from == *other);
            let tells: Vec<_> = tells.map(|tell| tell.sign.says).collect();
            let told = match &*tells {
                [] => "their contracts, for they are of two families".to_owned(),
                says => says.join("; "),
            };
            let _ = writeln!(
                pairs,
                "- `{name}` taken for `{other}`: {:.0}%. Told apart by: {told}.",
                share * 100.0
            );
        }
    }
    match &*pairs {
        "" => {
            format!("It takes none for another in {:.0}% of the trials or more.\n", OFTEN * 100.0)
        }
        pairs => format!(
            "Pairs that it cannot tell apart, in {:.0}% of the trials or more. It knows how much each number \
             differs from rest, and neither their order in time nor what depends on what:\n\n{pairs}",
            OFTEN * 100.0
        ),
    }
}

/// The same as [`each`], as a picture.
fn by_pillar(ablation: &[(&'static str, Blind)], rows: &[&'static str]) -> String {
    let columns: Vec<_> = ablation.iter().map(|(name, _)| *name).collect();
    let of = |row: usize| ablation.iter().map(|(_, blind)| blind.matrix.cells[row][row]).collect();
    let cells: Vec<Vec<_>> = (0..rows.len()).map(of).collect();
    picture::draw(&Shares {
        title: "How often a learner was right (rows) by what it looked at (columns), in %",
        rows,
        columns: &columns,
        cells: &cells,
        is_good: |_, _| true,
    })
}

/// Which pillar shows which fault: in how many of its trials the learner was right who looked at it.
fn each(ablation: &[(&str, Blind)]) -> String {
    let Some((_, Blind { matrix: first, .. })) = ablation.first() else { return String::new() };
    let heads: String = ablation.iter().map(|(name, _)| format!(" {name} |")).collect();
    let lines: String = ablation.iter().map(|_| "---|").collect();
    let mut table = format!("\n| Fault |{heads}\n|---|{lines}\n");
    for (row, name) in first.names.iter().enumerate() {
        let _ = write!(table, "| {name} |");
        for (_, Blind { matrix, .. }) in ablation {
            match matrix.cells[row][row] {
                Some(share) => drop(write!(table, " {:.0}% |", share * 100.0)),
                None => table.push_str(" – |"),
            }
        }
        table.push('\n');
    }
    table
}

/// From which share of its trials on a fault is said to be taken for another.
const OFTEN: f64 = 0.4;

fn shown(accuracy: &Accuracy) -> String {
    let Accuracy { right, of, low, high, chance } = accuracy;
    format!(
        "{right} of {of} ({:.0}%, 95% interval {:.0} to {:.0}%; chance {:.0}%)",
        *right as f64 / (*of).max(1) as f64 * 100.0,
        low * 100.0,
        high * 100.0,
        chance * 100.0
    )
}

fn table(trials: &[Trial]) -> String {
    let mut table = String::from(
        "| Fault | Seed | Proven | First sign | All signs | Alerts | Repaired after | Quiet after | Fired |\n\
         |---|---|---|---|---|---|---|---|---|\n",
    );
    for trial in trials {
        let fired: Vec<_> = trial.fired.iter().map(String::as_str).collect();
        let _ = writeln!(
            table,
            "| {} | {} | {} | {} | {} | {} | {} | {} | {} |",
            trial.fault,
            trial.seed,
            if trial.is_proven() { "yes" } else { "**no**" },
            seconds(trial.visible_after),
            seconds(trial.shown_after),
            seconds(trial.alerted_after),
            seconds(trial.repaired_after),
            seconds(trial.quiet_after),
            fired.join(", ")
        );
    }
    table
}

fn times(trial: &Trial) -> String {
    let fired: Vec<_> = trial.fired.iter().map(String::as_str).collect();
    format!(
        "seen after {}, all after {}, alerts after {}, repaired after {}, quiet after {}; fired: {}",
        seconds(trial.visible_after),
        seconds(trial.shown_after),
        seconds(trial.alerted_after),
        seconds(trial.repaired_after),
        seconds(trial.quiet_after),
        if fired.is_empty() { "none".to_owned() } else { fired.join(", ") }
    )
}

fn seconds(time: Option<f64>) -> String {
    time.map_or("–".to_owned(), |time| format!("{time:.0} s"))
}

/// So many of something.
pub(super) fn counted(count: usize, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prove::recording::Numbers;

    #[test]
    fn what_was_written_is_written_again_as_it_was() {
        let numbers = |value: f64| vec![Numbers::from([("errors".to_owned(), value)]); 3];
        // To whoever only counts errors they are the same.
        let of = |seed| {
            ["errors", "bad-canary"]
                .map(|name| Trial::recorded(name, seed, numbers(0.0), numbers(5.0)))
        };
        let mut trials: Vec<_> = [1, 2].into_iter().flat_map(of).collect();
        trials[0].held.insert("bad-canary", true);
        trials[1].problems.push("nobody was there".to_owned());
        let [first, second] = [(); 2].map(|()| tempfile::tempdir().expect("a folder"));
        write(first.path(), "lab prove", "a revision", &trials).unwrap();
        let from = first.path().join("proof/proof.json");
        write_again(&from, second.path()).unwrap();
        for name in ["proof.md", "proof/proof.json", "proof/contracts.svg", "proof/ablation.svg"] {
            let [before, after] = [&first, &second]
                .map(|folder| fs::read_to_string(folder.path().join(name)).unwrap());
            assert_eq!(before, after, "{name}");
        }
        let page = fs::read_to_string(second.path().join("proof.md")).unwrap();
        assert!(
            page.contains("Taken at a revision.") && page.contains("nobody was there"),
            "{page}"
        );
        let pair = "`bad-canary` taken for `errors`";
        assert!(page.contains(pair) || page.contains("`errors` taken for `bad-canary`"), "{page}");
    }

    #[test]
    fn the_ablation_says_which_pillar_shows_which_fault() {
        let trial = |fault: &str, seed: u64, errors: f64, lines: f64| {
            let numbers = |errors: f64, lines: f64| {
                Numbers::from([("errors".to_owned(), errors), ("logs:lines".to_owned(), lines)])
            };
            let (rest, on) = (vec![numbers(0.0, 1.0); 3], vec![numbers(errors, lines); 3]);
            Trial::recorded(fault, seed, rest, on)
        };
        let of = |seed| {
            let quiet = trial("bad-timeout", seed, 0.0, 1.0);
            [trial("errors", seed, 5.0, 1.0), trial("log-flood", seed, 0.0, 90.0), quiet]
        };
        let trials: Vec<_> = [1, 2].into_iter().flat_map(of).collect();
        let pillars = [("metrics", Pillar::Metrics), ("logs", Pillar::Logs)];
        let ablation: Vec<_> = pillars
            .iter()
            .map(|(name, pillar)| (*name, matrix::blind(&trials, &[*pillar]).expect("two seeds")))
            .collect();
        let table = each(&ablation);
        assert!(table.contains("| Fault | metrics | logs |"), "{table}");
        assert!(table.contains("| errors | 100% | 0% |"), "{table}");
        assert!(table.contains("| log-flood | 0% | 100% |"), "{table}");
    }
}
