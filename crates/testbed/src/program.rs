//! Finding the programs of a server, and running the short ones to their end.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use anyhow::{Context as _, Result, ensure};

/// The first of `directories` that holds `program`, then the directories of `PATH`.
pub(crate) fn find(program: &str, directories: &[&str]) -> Option<PathBuf> {
    let own = directories.iter().flat_map(|pattern| newest_first(Path::new(pattern)));
    own.chain(path()).map(|directory| directory.join(program)).find(|file| file.is_file())
}

/// Why a server cannot be started here, as [`crate::left_out()`] prints it.
pub(crate) fn missing(program: &str, apt: &str, brew: &str) -> String {
    format!("{program} is not installed (apt-get install {apt}, or brew install {brew})")
}

/// Runs `command` to its end.
///
/// # Errors
/// When it cannot be started or does not succeed; the error holds what it printed.
pub(crate) fn run(command: &mut Command) -> Result<Output> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.output().with_context(|| format!("cannot run {name}"))?;
    ensure!(
        output.status.success(),
        "{name} ended with {}: {}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    Ok(output)
}

#[expect(clippy::disallowed_methods, reason = "PATH is looked up as a shell does, not configured")]
fn path() -> Vec<PathBuf> {
    std::env::var_os("PATH").map(|path| std::env::split_paths(&path).collect()).unwrap_or_default()
}

/// The directories that `pattern` stands for, highest version first; one component may end in `*`.
fn newest_first(pattern: &Path) -> Vec<PathBuf> {
    let mut found = vec![PathBuf::new()];
    for component in pattern.components() {
        let name = component.as_os_str().to_string_lossy();
        found = match name.strip_suffix('*') {
            Some(prefix) => found.iter().flat_map(|parent| starting_with(parent, prefix)).collect(),
            None => found.into_iter().map(|parent| parent.join(component)).collect(),
        };
    }
    found
}

fn starting_with(parent: &Path, prefix: &str) -> Vec<PathBuf> {
    let entries = parent.read_dir().into_iter().flatten().flatten();
    let mut matching: Vec<(Vec<u32>, PathBuf)> = entries
        .filter_map(|entry| {
            let name = entry.file_name().to_string_lossy().into_owned();
            Some((version(name.strip_prefix(prefix)?), entry.path()))
        })
        .collect();
    matching.sort();
    matching.into_iter().rev().map(|(_, directory)| directory).collect()
}

fn version(text: &str) -> Vec<u32> {
    text.split(|c: char| !c.is_ascii_digit()).filter_map(|part| part.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_version_is_found_first() {
        let directory = tempfile::tempdir().unwrap();
        for version in ["9", "15", "18"] {
            std::fs::create_dir_all(directory.path().join(version).join("bin")).unwrap();
        }
        let found = newest_first(&directory.path().join("*/bin"));
        assert_eq!(found[0], directory.path().join("18/bin"));
        assert_eq!(found.len(), 3);
    }

    #[test]
    fn a_failing_program_is_reported_with_what_it_printed() {
        let error = run(Command::new("sh").args(["-c", "echo no luck >&2; exit 3"])).unwrap_err();
        assert!(error.to_string().contains("no luck"), "{error}");
    }
}
