//! The pages of the faults, one shape for all, derived from the catalogue.

use std::{
    collections::BTreeSet,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

use faults::{
    FAULTS, Fault, Needs, Repair,
    contract::{Logs, Look, Sign, Sql, Traces},
};

use crate::{
    repository::{path, read},
    stack,
};

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

/// What the stack is made of, but for the dashboard of what is on, which says so by design.
const CONFIGURATION: [&str; 13] = [
    "docker-compose.yml",
    "Dockerfile",
    "alertmanager",
    "elasticsearch",
    "grafana",
    "jaeger",
    "kibana",
    "logstash",
    "loki",
    "otel-collector",
    "postgres",
    "prometheus",
    "rabbitmq",
];

#[test]
fn no_configuration_has_a_faults_name_and_no_service_is_started_with_a_hint() {
    let mut texts = Vec::new();
    CONFIGURATION.iter().for_each(|name| texts_of(&path(name), &mut texts));
    texts.retain(|(file, _)| !file.ends_with("grafana/dashboards/faults.json"));
    assert!(texts.len() > 30, "{} files", texts.len());
    for (file, text) in texts {
        let names = FAULTS.iter().map(|fault| fault.name).filter(|name| name.contains('-'));
        for name in names.flat_map(|name| [name.to_owned(), name.replace('-', "_")]) {
            let named = format!("{} {text}", file.display());
            assert!(!named.contains(&name), "{name} in {}", file.display());
        }
    }
    let services = stack::compose().services;
    for name in ["web-gateway", "order-api", "order-api-canary", "fulfillment-worker"] {
        let service = &services[name];
        let told = format!("{} {:?} {:?}", service.image, service.environment, service.volumes);
        let told = told.to_lowercase();
        for hint in ["fault", "chaos", "inject", "seam", "switchboard", "detour"] {
            assert!(!told.contains(hint), "{name}: {hint}");
        }
    }
}

/// The files of a folder, and what is in them, as far as that is text.
fn texts_of(place: &Path, texts: &mut Vec<(PathBuf, String)>) {
    if place.is_dir() {
        let entries = fs::read_dir(place).expect("it can be read").flatten();
        entries.for_each(|entry| texts_of(&entry.path(), texts));
    } else if let Ok(text) = fs::read_to_string(place) {
        texts.push((place.to_owned(), text.to_lowercase()));
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
        let _ = write!(
            page,
            "\nIt needs {}, for {}: `docker compose up`, or `cargo run -- --database-url postgres://…`.\n",
            fault.needs().name(),
            fault.needs().why()
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
    mechanism(&mut page, fault);
    let _ = write!(page, "\n## Fix\n\n{}\n{}\n## Alerts\n\n", fault.fix, repairs(fault));
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

/// What is done, and where that is in the code.
fn mechanism(page: &mut String, fault: &Fault) {
    for action in fault.actions() {
        let _ = writeln!(page, "- {}.", capital(&action.to_string()));
    }
    let mut seams = fault.seams();
    seams.sort_unstable_by_key(|seam| format!("{seam:?}"));
    seams.dedup();
    let steps = seams.iter().flat_map(|seam| {
        let folder = format!("crates/{}/src", seam.service().name());
        let places = sources(&path(&folder), &format!("Seam::{seam:?}"));
        assert!(!places.is_empty(), "{seam:?} is no step of {folder}");
        places.into_iter().map(move |place| format!("[{seam:?}](../../{folder}/{place})"))
    });
    let file = fault.file();
    let places: Vec<_> = [format!("[the fault](../../{file})")].into_iter().chain(steps).collect();
    let _ = writeln!(page, "\nIn the code: {}.", places.join(", "));
}

/// The files below a folder that name this, in their order.
fn sources(folder: &Path, name: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("the folder is there").flatten() {
        let own = entry.file_name().into_string().expect("text");
        if entry.path().is_dir() {
            let below = sources(&entry.path(), name);
            found.extend(below.into_iter().map(|place| format!("{own}/{place}")));
        } else if fs::read_to_string(entry.path()).is_ok_and(|text| is_named(&text, name)) {
            found.push(own);
        }
    }
    found.sort_unstable();
    found
}

/// Whether a text has this name, and not only one that begins with it.
fn is_named(text: &str, name: &str) -> bool {
    let after = |(at, _)| text[at + name.len()..].chars().next();
    text.match_indices(name).map(after).any(|next| !next.is_some_and(char::is_alphanumeric))
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
        Look::Traces(traces) => {
            format!("```sh\n  {}\n  ```{}", traces_command(&traces), at_least(traces.at_least))
        }
        Look::Logs(logs) => {
            format!("```sh\n  {}\n  ```{}", logs_command(&logs), at_least(logs.at_least))
        }
        Look::Database(sql) => queries(&sql),
        Look::Grown(sql) => format!("{}\n\n  and it grows", queries(&sql)),
    };
    let _ = write!(page, "\n- {}:\n\n  {query}\n", capital(says));
}

/// How many of them there are within the last minute.
fn at_least(count: usize) -> String {
    format!("\n\n  at least {count} in a minute")
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
