//! The page of limits: every setting in it is one, with that default, and none is missing.

use clap::Command;
use instrumentation::service::command;

use crate::repository;

/// Settings that belong on the page by their name.
const FAMILIES: [&str; 9] = [
    "BREAKER_",
    "RETRY_",
    "_CONCURRENCY",
    "_PATIENCE",
    "_RATE_",
    "_PRODUCTS_",
    "_RETENTION",
    "_TIMEOUT",
    "_DEADLINE",
];

/// The settings of a service: name and default.
fn settings(command: Command) -> Vec<(String, String)> {
    let settings = command.get_arguments().filter_map(|argument| {
        let name = argument.get_env()?.to_str()?.to_owned();
        let default = argument.get_default_values().first()?.to_str()?.to_owned();
        Some((name, default))
    });
    settings.filter(|(name, _)| !name.starts_with("OTEL_")).collect()
}

/// The rows of the page that are about a setting: name and default.
fn rows(page: &str) -> Vec<(String, String)> {
    let rows = page.lines().filter_map(|line| line.strip_prefix("| `")?.split_once("` | "));
    rows.filter_map(|(name, rest)| Some((name.to_owned(), rest.split_once(" | ")?.0.to_owned())))
        .collect()
}

#[test]
fn the_page_of_limits_says_the_settings_as_they_are() {
    let known = [
        settings(command::<web_gateway::Config>()),
        settings(command::<order_api::Config>()),
        settings(command::<fulfillment_worker::Config>()),
    ]
    .concat();
    let said = rows(&repository::read("docs/resilience.md"));
    assert!(said.len() > 15, "{said:?}");
    for row in &said {
        assert!(known.contains(row), "{} has another default than {}", row.0, row.1);
    }
    let missing = known.iter().filter(|(name, _)| {
        FAMILIES.iter().any(|family| name.contains(family))
            && said.iter().all(|(other, _)| other != name)
    });
    assert_eq!(missing.collect::<Vec<_>>(), Vec::<&(String, String)>::new());
}
