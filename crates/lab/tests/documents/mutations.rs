//! What `tests/mutations` takes out is there to be taken out.

use std::process::Command;

use crate::repository;

#[test]
fn every_mutation_is_of_the_code_as_it_is() {
    let folder = "tests/mutations.d";
    let patches = repository::names(folder, ".patch");
    assert!(!patches.is_empty());
    for patch in patches {
        let mut git = Command::new("git");
        git.args(["apply", "--check"]).arg(format!("{folder}/{patch}.patch"));
        let checked = git.current_dir(repository::path(".")).output().expect("git is installed");
        let problem = String::from_utf8_lossy(&checked.stderr);
        assert!(checked.status.success(), "{patch}: {problem}");
    }
}
