//! docs/security.md: what it says is shown by a test is, and the users it names are those there are.

use identity::demo::DemoUsers;

use crate::repository;

const PAGE: &str = "docs/security.md";

/// A test that the page names, and the file that it is said to be in.
struct Shown {
    test: String,
    file: String,
}

/// The sections that are about one item of the list each.
fn items(page: &str) -> Vec<&str> {
    page.split("\n## ").filter(|section| section.starts_with("API")).collect()
}

/// The links of a section whose text is a test: ``[`name`](../file.rs)``.
fn shown(section: &str) -> Vec<Shown> {
    let links = section.split("[`").skip(1);
    let links =
        links.filter_map(|link| link.split_once("`](")?.1.split_once(')').map(|to| (link, to.0)));
    let tests = links.filter(|(_, file)| file.ends_with(".rs"));
    tests
        .map(|(link, file)| Shown {
            test: link.split('`').next().unwrap_or_default().to_owned(),
            file: file.trim_start_matches("../").to_owned(),
        })
        .collect()
}

#[test]
fn every_item_of_the_list_is_there_and_shown_by_tests_that_exist() {
    let page = repository::read(PAGE);
    let items = items(&page);
    assert_eq!(items.len(), 10);
    for (number, item) in (1..).zip(items) {
        let title = item.lines().next().unwrap_or_default();
        assert!(title.starts_with(&format!("API{number}:2023 ")), "{title}");
        let shown = shown(item);
        assert!(!shown.is_empty(), "{title}: no test shows it");
        for Shown { test, file } in shown {
            let source = repository::read(&file);
            assert!(source.contains(&format!("fn {test}(")), "{title}: no {test} in {file}");
        }
    }
}

#[test]
fn the_users_and_their_passwords_stand_where_people_look_for_them() {
    let default: DemoUsers = DemoUsers::DEFAULT.parse().expect("they are users");
    let example = repository::read(".env.example");
    assert!(example.contains(&format!("\nDEMO_USERS={}\n", default.expose())), ".env.example");
    let readme = repository::read("README.md");
    for user in default.iter() {
        let (name, role, password) = (&user.name, user.role, user.password.expose());
        let row = format!("| `{name}` | {role} | `{password}` |");
        assert!(readme.contains(&row), "README.md has no {row}");
    }
}

#[test]
fn a_test_that_is_named_is_found_in_the_page() {
    let found = shown("by [`it_holds`](../crates/a/b.rs), not [`this`](other.md) or `that`");
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].test.as_str(), found[0].file.as_str()), ("it_holds", "crates/a/b.rs"));
}
