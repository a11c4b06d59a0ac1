//! The runbooks: one for each alert, in one shape, honest.

use std::collections::BTreeSet;

use promql_parser::parser;

use crate::{
    alerts::{self, Rule},
    repository,
};

const FOLDER: &str = "docs/runbooks";
const INDEX: &str = "README";
const REAL: &str = "Is it real?";
const QUERIES: &str = "First three queries";
const MEANING: &str = "What it means";
const SHAPE: [&str; 5] =
    [MEANING, REAL, QUERIES, "Likely causes, and how to tell them apart", "What heals it"];

/// A page for one alert.
pub(crate) struct Runbook {
    /// The alert, from the name of the file.
    pub(crate) name: String,
    text: String,
}

/// Every runbook.
pub(crate) fn all() -> Vec<Runbook> {
    let names = repository::names(FOLDER, ".md").into_iter().filter(|name| name != INDEX);
    names.map(|name| Runbook { text: repository::read(&file(&name)), name }).collect()
}

fn file(name: &str) -> String {
    format!("{FOLDER}/{name}.md")
}

impl Runbook {
    /// Every query in it.
    pub(crate) fn queries(&self) -> Vec<String> {
        self.sections().iter().flat_map(|(_, body)| blocks(body, "promql")).collect()
    }

    /// The words in backticks, outside of blocks.
    pub(crate) fn code_words(&self) -> impl Iterator<Item = String> {
        let prose = self.prose();
        let spans: Vec<_> = prose.split('`').skip(1).step_by(2).map(str::to_owned).collect();
        spans.into_iter()
    }

    /// The text without blocks.
    fn prose(&self) -> String {
        let mut inside = false;
        let outside = self.text.lines().filter(|line| {
            let fence = line.trim_start().starts_with("```");
            inside ^= fence;
            !inside && !fence
        });
        outside.collect::<Vec<_>>().join("\n")
    }

    /// The first sentence, in one line.
    fn sentence(&self) -> String {
        let sentence = self.text.split("\n\n").nth(1).unwrap_or_default();
        sentence.replace('\n', " ")
    }

    fn sections(&self) -> Vec<(&str, &str)> {
        let parts = self.text.split("\n## ").skip(1);
        parts.filter_map(|part| part.split_once('\n')).collect()
    }

    fn section(&self, heading: &str) -> &str {
        let sections = self.sections();
        let found = sections.iter().find(|(name, _)| *name == heading);
        found.unwrap_or_else(|| panic!("{} has no section {heading}", self.name)).1
    }
}

/// The blocks of code in this language.
fn blocks(body: &str, language: &str) -> Vec<String> {
    let opening = format!("```{language}\n");
    let parts = body.split(opening.as_str()).skip(1);
    parts.filter_map(|part| Some(part.split_once("```")?.0.trim().to_owned())).collect()
}

#[test]
fn every_alert_has_a_runbook_and_every_runbook_an_alert() {
    let alerts: BTreeSet<_> = alerts::alerts().into_keys().collect();
    let runbooks: BTreeSet<_> = all().into_iter().map(|runbook| runbook.name).collect();
    assert_eq!(alerts, runbooks);
}

#[test]
fn every_runbook_has_the_one_shape() {
    for runbook in all() {
        let name = &runbook.name;
        assert!(runbook.text.starts_with(&format!("# {name}\n\n")), "{name} has another title");
        assert!(runbook.sentence().ends_with('.'), "{name} does not begin with a sentence");
        let headings: Vec<_> = runbook.sections().iter().map(|(name, _)| *name).collect();
        assert_eq!(headings, SHAPE, "{name}");
        assert_eq!(blocks(runbook.section(REAL), "promql").len(), 1, "{name}: {REAL}");
        assert_eq!(blocks(runbook.section(QUERIES), "promql").len(), 3, "{name}: {QUERIES}");
        assert_eq!(runbook.section(QUERIES).matches("Good: ").count(), 3, "{name}: what is good?");
        let causes = runbook.section(SHAPE[3]);
        let head = "\n| Cause | What you see | What you do not see |\n|---|---|---|\n";
        assert!(causes.contains(head), "{name} has no table of causes");
        let rows: Vec<_> = causes.lines().filter(|line| line.starts_with("| ")).skip(1).collect();
        assert!(rows.len() >= 3, "{name} has hardly any causes to tell apart");
        for row in rows {
            assert_eq!(row.matches(" | ").count(), 2, "{name}: {row}");
        }
        assert!(runbook.section(SHAPE[4]).contains("- Only hides it: "), "{name}: what hides it?");
    }
}

#[test]
fn every_runbook_says_when_its_alert_fires_as_the_rules_do() {
    let alerts = alerts::alerts();
    for runbook in all() {
        let name = &runbook.name;
        let meaning = runbook.section(MEANING).split_whitespace().collect::<Vec<_>>().join(" ");
        for part in ["- For customers: ", "- For us: "] {
            assert!(meaning.contains(part), "{name} says nothing {part}");
        }
        for rule in &alerts[name] {
            let severity = match rule.severity() {
                "page" => "Page: ",
                _ => "Ticket: ",
            };
            assert!(meaning.contains(severity), "{name} does not say when it is a {severity}");
            if let Some(lasting) = &rule.lasting {
                let lasting = format!("for {lasting}");
                assert!(meaning.contains(&lasting), "{name} does not say {lasting}");
            }
        }
    }
}

#[test]
fn every_query_of_a_runbook_can_be_read() {
    for runbook in all() {
        for query in runbook.queries() {
            let parsed = parser::parse(&query);
            assert!(parsed.is_ok(), "{}: {query}: {}", runbook.name, parsed.unwrap_err());
        }
    }
}

#[test]
fn a_runbook_leads_only_to_alerts_that_exist() {
    let alerts = alerts::alerts();
    for runbook in all() {
        let prose = runbook.prose();
        let words = prose.split(|character: char| !character.is_ascii_alphanumeric());
        for word in words.filter(|word| has_humps(word)) {
            assert!(alerts.contains_key(word), "{} leads to {word}", runbook.name);
        }
    }
}

/// Whether a word is written `LikeThis`: capitals, each followed by a small letter.
fn has_humps(word: &str) -> bool {
    let letters = word.as_bytes();
    let capitals = letters.iter().filter(|letter| letter.is_ascii_uppercase()).count();
    let hump = |pair: &&[u8]| pair[0].is_ascii_uppercase() && pair[1].is_ascii_lowercase();
    let begins = letters.first().is_some_and(u8::is_ascii_uppercase);
    begins && capitals > 1 && letters.windows(2).filter(hump).count() == capitals
}

#[test]
fn the_index_lists_every_alert_as_rules_and_runbooks_have_it() {
    let index = repository::read(&file(INDEX));
    let alerts = alerts::alerts();
    let row = |runbook: &Runbook| {
        let name = &runbook.name;
        let severities: Vec<_> = alerts[name].iter().map(Rule::severity).collect();
        format!("| [{name}]({name}.md) | {} | {} |", severities.join(", "), runbook.sentence())
    };
    let mut expected: Vec<_> = all().iter().map(row).collect();
    let mut listed: Vec<_> = index.lines().filter(|line| line.starts_with("| [")).collect();
    expected.sort_unstable();
    listed.sort_unstable();
    assert_eq!(listed, expected);
}

#[test]
fn no_runbook_tells_what_is_done_on_purpose() {
    let index = Runbook { name: INDEX.to_owned(), text: repository::read(&file(INDEX)) };
    for runbook in all().iter().chain([&index]) {
        assert_eq!(spoilers(&runbook.text), Vec::<String>::new(), "{}", runbook.name);
    }
}

/// Words by which a learner would know that someone misbehaves, and what. A name of one plain
/// word, such as latency, is also what people say of a real shop.
fn spoilers(text: &str) -> Vec<String> {
    let names = faults::FAULTS.iter().map(|fault| fault.name).filter(|name| name.contains('-'));
    let words: Vec<_> = ["fault", "faults", "fault_armed", "chaos", "mishap", "seam"]
        .into_iter()
        .chain(names)
        .collect();
    let text = text.to_lowercase();
    let inside = |character: char| character.is_ascii_alphanumeric() || "-_".contains(character);
    let spoils = |word: &&str| words.contains(word) || word.starts_with("inject");
    let found = text.split(|character: char| !inside(character)).filter(spoils);
    found.map(str::to_owned).collect()
}

#[test]
fn a_spoiler_is_found_and_plain_words_are_none() {
    assert_eq!(spoilers("The default latency; errors of the seamless kind"), Vec::<String>::new());
    assert_eq!(spoilers("`just chaos` Injects a fault."), ["chaos", "injects", "fault"]);
}

#[test]
fn a_word_with_humps_is_told_from_others() {
    for name in ["OutboxStuck", "DbPoolSaturated", "GatewayAvailabilityBurn"] {
        assert!(has_humps(name), "{name}");
    }
    for name in ["RabbitMQ", "Postgres", "SQL", "cAdvisor", "CPU", "RuntimeLAG"] {
        assert!(!has_humps(name), "{name}");
    }
}
