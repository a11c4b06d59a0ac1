//! docs/metrics.md: every metric that the lab exposes, derived from where it is declared.

use std::{fmt::Write as _, fs};

use instrumentation::metrics::{Declaration, Kind, Unit};

use crate::{
    catalogue::{FOREIGN, LAB, OF_ALL, SERVICES, SHARED},
    repository,
};

const PAGE: &str = "docs/metrics.md";

const HEAD: &str = "\
Derived from the services' metrics.rs; do not edit.

# Metrics

Every series that can ever be exists at 0 from the first scrape. Units are base units. A histogram
`x` is exposed as `x_bucket`, `x_sum` and `x_count`; its buckets follow from its unit and stand at
the end.
";

const EVERYWHERE: &str = "\
Each of the three exposes these too, and the lab all but `runtime_…`.";

const UNMEASURED: &str = "
## Not measured

- The bytes to and from the database and the broker: their drivers make these connections
  themselves. How many there are, and whether, say `db_pool_connections`, `outbox_broker_connected`
  and `fulfillment_connected`; Postgres and RabbitMQ measure the rest.
- Connections to the side ports: Prometheus and the control desk come there, no customers.
";

const COLUMNS: &str = "\
| Metric | Type | Unit | Labels | What it says |
|---|---|---|---|---|
";

fn render() -> String {
    let mut page = HEAD.to_owned();
    for process in SERVICES.iter().chain([&LAB]) {
        let _ = write!(page, "\n## {}\n\nAt {}.\n\n{COLUMNS}", process.name, process.place);
        let rows = process.catalogues.iter().copied().flatten().map(row);
        page.extend(rows);
    }
    let _ = write!(page, "\n## Every service\n\n{EVERYWHERE}\n\n{COLUMNS}");
    page.extend(SHARED.iter().chain(OF_ALL).map(row));
    page.extend(FOREIGN.iter().map(|metric| {
        let labels = metric.labels.iter().map(|label| format!("`{label}`")).collect::<Vec<_>>();
        cells(metric.name, metric.kind, metric.unit, &labels.join(", "), metric.help)
    }));
    page.push_str(UNMEASURED);
    page.push_str("\n## Buckets\n\n| Unit | Upper bounds |\n|---|---|\n");
    for unit in [Unit::Seconds, Unit::Bytes, Unit::Minor, Unit::Count, Unit::Ratio] {
        let bounds: Vec<_> = unit.buckets().iter().map(ToString::to_string).collect();
        let _ = writeln!(page, "| {} | {} |", unit.name(), bounds.join(" "));
    }
    page
}

fn row(metric: &Declaration) -> String {
    let kind = match metric.kind {
        Kind::Counter => "counter",
        Kind::Gauge => "gauge",
        Kind::Histogram => "histogram",
    };
    let help = metric.help.trim_end_matches('.');
    cells(metric.name, kind, metric.unit.name(), &labels(metric), help)
}

/// Each label with the values that it takes, in the order in which they are declared.
fn labels(metric: &Declaration) -> String {
    let series = (metric.series)();
    let values = |place: usize| {
        let mut values = Vec::new();
        for series in &series {
            if !values.contains(&series[place]) {
                values.push(series[place]);
            }
        }
        values.join(", ")
    };
    let names = (metric.labels)().into_iter().enumerate();
    let labels: Vec<_> =
        names.map(|(place, name)| format!("`{name}`: {}", values(place))).collect();
    labels.join("<br>")
}

fn cells(name: &str, kind: &str, unit: &str, labels: &str, help: &str) -> String {
    format!("| `{name}` | {kind} | {unit} | {labels} | {help} |\n")
}

#[test]
fn the_page_of_metrics_is_what_is_declared() {
    let page = render();
    let path = repository::path(PAGE);
    if fs::read_to_string(&path).ok().as_ref() != Some(&page) {
        fs::write(&path, page).unwrap();
        panic!("{PAGE} was stale and is rewritten: look at it and keep it");
    }
}
