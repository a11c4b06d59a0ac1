//! The pages of the faults, one shape for all, derived from the catalogue.

use std::{collections::BTreeSet, fmt::Write as _, fs};

use faults::{
    FAULTS, Fault, Needs, Repair,
    contract::{Logs, Look, Sign, Sql, Traces},
};

use crate::repository::{path, read};

const FOLDER: &str = "docs/faults";

#[test]
fn every_fault_has_its_page_and_no_page_has_none() {
    let mut written = Vec::new();
    let mut keep = |name: String, page: String| {
        let file = format!("{FOLDER}/{name}.md");
        if fs::read_to_string(path(&file)).ok().as_ref() != Some(&page) {
            fs::create_dir_all(path(FOLDER)).expect("the folder can be made");
            fs::write(path(&file), page).expect("a page can be written");
            written.push(file);
        }
        name + ".md"
    };
    let mut pages: BTreeSet<_> =
        FAULTS.iter().map(|fault| keep(fault.name.to_owned(), page(fault))).collect();
    pages.insert(keep("README".to_owned(), index()));
    assert!(
        written.is_empty(),
        "{written:?} were out of date and have been written anew; run again"
    );
    for entry in fs::read_dir(path(FOLDER)).expect("the folder is there").flatten() {
        let name = entry.file_name().into_string().expect("text");
        assert!(pages.contains(&name), "{name} is the page of no fault");
    }
}

#[test]
fn every_alert_that_a_contract_names_is_one() {
    let rules =
        ["slo", "tickets"].map(|name| read(&format!("prometheus/rules/{name}.yml"))).concat();
    for fault in FAULTS {
        for alert in fault.contract.fires.iter().chain(fault.contract.silent) {
            assert!(rules.contains(&format!("alert: {alert}\n")), "{}: {alert}", fault.name);
        }
    }
}

#[test]
fn every_query_of_a_contract_is_promql() {
    for fault in FAULTS {
        let contract = &fault.contract;
        let tells = contract.tells.iter().map(|tell| &tell.sign);
        for sign in [&contract.witness].into_iter().chain(contract.signature).chain(tells) {
            if let Look::Metrics(query) = sign.look {
                let parsed = promql_parser::parser::parse(query);
                assert!(parsed.is_ok(), "{}: {query}: {:?}", fault.name, parsed.err());
            }
        }
    }
}

fn index() -> String {
    let mut page = String::from(
        "Derived from the catalogue of faults; do not edit.\n\n# Faults\n\n`just chaos NAME` turns one \
         on, `just heal` turns it off; `just prove NAME` shows that it is what it says. These pages give \
         the answers away.\n\nEach breaks a promise to the customers (the runbooks list them), but for \
         those that spoil what is known of the shop, the controls, and a leak, which shows before it \
         hurts. One that no alert is promised for is found by looking, and its page says where.\n\n\
         | Fault | Layer | Looks like | What it is | Breaks | Alerts |\n|---|---|---|---|---|---|\n",
    );
    for fault in FAULTS {
        let _ = writeln!(
            page,
            "| [{name}]({name}.md) | {} | {} | {} | {} | {} |",
            fault.layer.name(),
            fault.family.name(),
            fault.summary(),
            fault.contract.impact.map_or("–", |slo| slo.name()),
            if fault.contract.fires.is_empty() {
                "–".into()
            } else {
                fault.contract.fires.join(", ")
            },
            name = fault.name
        );
    }
    page
}

fn page(fault: &Fault) -> String {
    let contract = &fault.contract;
    let mut page = format!(
        "Derived from [{file}](../../{file}); do not edit.\n\n# {}\n\n{}\n\n{}\n",
        fault.name,
        fault.summary(),
        fault.story(),
        file = fault.file()
    );
    let _ = write!(page, "\n```sh\njust chaos {}\n```\n", fault.name);
    if fault.needs_canary() {
        page.push_str(
            "\nIt needs a second replica of order-api: `cargo run -- --canary`, or `just up canary`.\n",
        );
    }
    if fault.needs() >= Needs::Postgres {
        page.push_str(
            "\nIt needs Postgres: `docker compose up`, or `cargo run -- --database-url postgres://…`.\n",
        );
    }
    for known in fault.parameters {
        let _ = write!(
            page,
            "\n- `{}={}`: {}, {} to {}.",
            known.name, known.default, known.meaning, known.min, known.max
        );
    }
    let _ = write!(page, "\n- `for=10m`: how long.\n\n## Where to look\n\n");
    for (number, hint) in (1..).zip(fault.hints) {
        let _ = write!(page, "<details><summary>Hint {number}</summary>{hint}</details>\n\n");
    }
    page.push_str("## Symptom\n");
    contract.signature.iter().for_each(|sign| seen(&mut page, sign.says, sign));
    let _ = write!(page, "\nThat it is so, by a witness who knows nothing of it:\n");
    seen(&mut page, contract.witness.says, &contract.witness);
    if !contract.tells.is_empty() {
        let _ = write!(
            page,
            "\n## The tell\n\nOf those where {}. {}\n",
            fault.family.name(),
            fault.family.question()
        );
        for tell in contract.tells {
            seen(
                &mut page,
                &format!("not [{from}]({from}.md): {}", tell.sign.says, from = tell.from),
                &tell.sign,
            );
        }
    }
    let _ = write!(page, "\n## The red herring\n\n{}\n\n## Mechanism\n\n", fault.red_herring);
    let seams: Vec<_> = fault
        .seams()
        .iter()
        .map(|seam| format!("`{seam:?}` of {}", seam.service().name()))
        .collect();
    let mechanism =
        if seams.is_empty() { "Outside of the services".to_owned() } else { seams.join(", ") };
    let _ = write!(
        page,
        "{mechanism}; see [{file}](../../{file}).\n\n## Fix\n\n{}\n{}\n## Alerts\n\n",
        fault.fix,
        repairs(fault),
        file = fault.file()
    );
    let links = |names: &[&str]| {
        let links: Vec<_> =
            names.iter().map(|name| format!("[{name}](../runbooks/{name}.md)")).collect();
        if links.is_empty() { "none".to_owned() } else { links.join(", ") }
    };
    let _ = writeln!(
        page,
        "- Must fire: {}.\n- Must not: {}.",
        links(contract.fires),
        links(contract.silent)
    );
    let impact = contract.impact.map_or("none", |slo| slo.name());
    let _ = writeln!(page, "- Promise that it breaks: {impact}.");
    let _ = write!(page, "\n## Elsewhere\n\n{} <{}>\n", fault.incident.what, fault.incident.url);
    page
}

/// What operators can do about it here, as it is typed.
fn repairs(fault: &Fault) -> String {
    if fault.repairs.is_empty() {
        return match fault.is_control() {
            true => String::new(),
            false => "\nIn the lab it comes from elsewhere: `just heal` ends it.\n".to_owned(),
        };
    }
    let shown = fault.repairs.iter().map(|repair| match repair {
        Repair::Run(sql) => queries(sql),
        typed => format!("```sh\n  {typed}\n  ```"),
    });
    let shown: String = shown.map(|repair| format!("- {repair}\n")).collect();
    format!(
        "\nIn the lab, by hand:\n\n{shown}\nIt is over when what it did is gone, and what it broke has held, for a minute since.\n"
    )
}

/// A sign, with the query that shows it.
fn seen(page: &mut String, says: &str, sign: &Sign) {
    let query = match sign.look {
        Look::Metrics(query) => format!("```promql\n  {query}\n  ```"),
        Look::Traces(traces) => format!("```sh\n  {}\n  ```", traces_command(&traces)),
        Look::Logs(logs) => format!("```sh\n  {}\n  ```", logs_command(&logs)),
        Look::Database(sql) => queries(&sql),
        Look::Grown(sql) => format!("{}\n\n  and it grows", queries(&sql)),
    };
    let _ = write!(page, "\n- {}:\n\n  {query}\n", capital(says));
}

/// A query in each of its dialects, once if they are the same.
fn queries(sql: &Sql) -> String {
    let mut queries = vec![format!("```sql\n  {}\n  ```", sql.postgres)];
    if !sql.sqlite.is_empty() && sql.sqlite != sql.postgres {
        queries.push(format!("in SQLite:\n\n  ```sql\n  {}\n  ```", sql.sqlite));
    }
    queries.join("\n\n  ")
}

fn traces_command(traces: &Traces) -> String {
    let more = [("root", traces.root), ("without", traces.without)];
    let more = more.iter().filter(|(_, value)| !value.is_empty());
    let flags = traces.like.iter().chain(more).map(|(name, value)| match (*name, *value) {
        ("error", "true") => " --error".to_owned(),
        (name, value) => format!(" --{name} '{value}'"),
    });
    format!("cargo run traces{}", flags.collect::<String>())
}

fn logs_command(logs: &Logs) -> String {
    let flags = logs.like.iter().map(|(name, value)| format!(" --{name} '{value}'"));
    format!("cargo run logs{}", flags.collect::<String>())
}

/// With a capital, unless a name begins it.
fn capital(text: &str) -> String {
    if text.starts_with("order-api") {
        return text.to_owned();
    }
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}
