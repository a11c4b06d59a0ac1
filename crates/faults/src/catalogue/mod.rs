//! The faults: one file each, and its line in [`FAULTS`].

mod errors;
mod latency;

use crate::{
    effect::Effect,
    parameters::{Parameter, Rejected, Settings},
    seam::Seam,
};

/// Every fault, in the order in which they are listed.
pub const FAULTS: &[&Fault] = &[&latency::FAULT, &errors::FAULT];

/// One way for the shop to misbehave.
#[derive(Debug)]
pub struct Fault {
    /// What it is called in `just chaos NAME`.
    pub name: &'static str,
    /// Its own source file: the `//!` comment is its documentation.
    pub source: &'static str,
    /// What can be set of it, beside `for`.
    pub parameters: &'static [Parameter],
    /// The effects it is made of.
    pub effects: fn(&Settings) -> Vec<(Seam, Effect)>,
}

impl Fault {
    /// What it is, in a sentence.
    pub fn summary(&self) -> &'static str {
        self.source.lines().next().and_then(|line| line.strip_prefix("//! ")).unwrap_or_default()
    }

    /// What happens and how it shows, in paragraphs.
    pub fn story(&self) -> String {
        let comment = self.source.lines().map_while(|line| line.strip_prefix("//!"));
        let lines: Vec<_> = comment.skip(2).map(str::trim_start).collect();
        lines.join("\n")
    }

    /// Reads what was set of it.
    pub fn settings<'a>(
        &self,
        given: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Settings, Rejected> {
        Settings::parse(self.parameters, given)
    }
}

/// The fault of this name.
pub fn find(name: &str) -> Option<&'static Fault> {
    FAULTS.iter().copied().find(|fault| fault.name == name)
}

#[cfg(test)]
mod tests {
    use std::{collections::HashSet, fs, path::Path};

    use super::*;

    #[test]
    fn every_fault_has_a_name_of_its_own_a_summary_and_a_story() {
        let mut names = HashSet::new();
        for fault in FAULTS {
            assert!(names.insert(fault.name), "{} is listed twice", fault.name);
            let plain = fault.name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-');
            assert!(plain, "{} is not kebab-case", fault.name);
            assert!(fault.summary().ends_with('.'), "{} has no summary", fault.name);
            assert!(fault.story().len() > 100, "{} has no story", fault.name);
        }
    }

    #[test]
    fn every_file_of_the_catalogue_is_listed() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/catalogue");
        for file in fs::read_dir(folder).unwrap() {
            let file = file.unwrap().path();
            let source = fs::read_to_string(&file).unwrap();
            let listed = FAULTS.iter().any(|fault| fault.source == source);
            assert!(listed || file.ends_with("mod.rs"), "{} is not in FAULTS", file.display());
        }
    }

    #[test]
    fn every_default_is_within_its_range_and_arms_something() {
        for fault in FAULTS {
            for known in fault.parameters {
                assert!((known.min..=known.max).contains(&known.default), "{}", known.name);
            }
            let settings = fault.settings([]).unwrap();
            assert!(!(fault.effects)(&settings).is_empty(), "{} does nothing", fault.name);
        }
    }
}
