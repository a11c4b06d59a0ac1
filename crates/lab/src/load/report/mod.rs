//! The results as a page: one file that needs nothing else, to be kept and to be sent.

use std::{fmt::Write as _, time::Duration};

use crate::load::{
    chart::{Axis, Chart, STYLE, Scale, Series, Shape, escape},
    outcome::Outcome,
    results::{Ending, Point, Results, Row, Sample, Times},
    words::{rate, time},
};

const LOOKS: &str = include_str!("style.css");

/// The page.
pub(crate) fn page(results: &Results) -> String {
    let verdict = if results.kept() { "kept" } else { "missed" };
    let title = escape(&format!("Load {}: thresholds {verdict}", results.profile));
    let parts = [
        head(results, verdict),
        thresholds(results),
        section("Requests per second", &throughput(results).svg()),
        section("Time until the answer, from when the request was due", &latency(results).svg()),
        section("What went otherwise", &trouble(results)),
        section("Requests", &table(results)),
        samples("Slowest", &results.slowest),
        samples("Failed, for example", &results.failed),
    ];
    format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <title>{title}</title><style>{STYLE}{LOOKS}</style><main>{}</main></html>\n",
        parts.concat()
    )
}

fn head(results: &Results, verdict: &str) -> String {
    let facts = [
        ("offered", rate(results.offered_rate)),
        ("answered", rate(results.achieved_rate)),
        ("good", rate(results.good_rate)),
        ("p95", results.all.times.p95.map_or("–".to_owned(), seconds)),
        ("in flight, at most", results.most_in_flight.to_string()),
        ("sent late by, at most", seconds(results.sent_late_by)),
    ];
    let facts =
        facts.iter().map(|(name, value)| format!("<div><dt>{name}</dt><dd>{value}</dd></div>"));
    format!(
        "<h1>Load: {} <span class=\"{verdict}\">thresholds {verdict}</span></h1>\
         <p>Shows {}. {} for {}, up to {}, seed {}. A right answer is good within {}.</p><dl>{}</dl>",
        escape(results.profile),
        escape(results.shows),
        escape(&results.url),
        seconds(results.lasted),
        rate(results.highest_rate),
        results.seed,
        seconds(results.good_within),
        facts.collect::<String>()
    )
}

fn thresholds(results: &Results) -> String {
    let lines = results.thresholds.iter().map(|verdict| {
        let class = if verdict.kept { "kept" } else { "missed" };
        format!("<li class=\"{class}\"><code>{}</code></li>", escape(&verdict.to_string()))
    });
    section("Thresholds", &format!("<ul>{}</ul>", lines.collect::<String>()))
}

fn throughput(results: &Results) -> Chart<'_> {
    let of = |name: &str, color, shape, value: fn(&Point) -> u64| {
        series(results, name, color, shape, move |point| Some(value(point) as f64))
    };
    chart(
        "Requests per second: offered, answered and good",
        Axis { label: "per second", show: plain, scale: Scale::Linear },
        vec![
            of("offered", "gray", Shape::Dashed, |point| point.offered),
            of("answered", "blue", Shape::Line, |point| point.achieved),
            of("good", "green", Shape::Line, |point| point.good),
        ],
    )
}

fn latency(results: &Results) -> Chart<'_> {
    let of = |name: &str, color, value: fn(&Times) -> Option<f64>| {
        series(results, name, color, Shape::Line, move |point| value(&point.times))
    };
    let bounds = results.thresholds.iter().take(2);
    let bounds = bounds
        .map(|each| (each.bound, format!("{} < {}", each.measure.name(), seconds(each.bound))));
    Chart {
        bounds: bounds.collect(),
        ..chart(
            "Percentiles of the time until the answer",
            Axis {
                label: "time (each line is ten times the one below)",
                show: seconds,
                scale: Scale::Logarithmic,
            },
            vec![
                of("p50", "green", |times| times.p50),
                of("p95", "blue", |times| times.p95),
                of("p99", "purple", |times| times.p99),
            ],
        )
    }
}

fn trouble(results: &Results) -> String {
    let occurred =
        |outcome: Outcome| results.seconds.iter().any(|point| count(&point.bad, outcome) > 0);
    let series: Vec<_> = Outcome::ALL
        .into_iter()
        .filter(|outcome| occurred(*outcome))
        .map(|outcome| {
            series(results, outcome.as_str(), color(outcome), Shape::Bars, move |point| {
                Some(count(&point.bad, outcome) as f64)
            })
        })
        .collect();
    if series.is_empty() {
        return "<p>Nothing: every request had a right answer.</p>".to_owned();
    }
    let axis = Axis { label: "per second", show: plain, scale: Scale::Linear };
    chart("Requests without a right answer, by how they ended", axis, series).svg()
}

fn chart(title: &str, y: Axis, series: Vec<Series>) -> Chart<'_> {
    let x = Axis { label: "seconds since the beginning", show: plain, scale: Scale::Linear };
    Chart { title, x, y, series, bounds: Vec::new() }
}

fn series(
    results: &Results,
    name: &str,
    color: &'static str,
    shape: Shape,
    value: impl Fn(&Point) -> Option<f64>,
) -> Series {
    let points = results.seconds.iter().enumerate();
    let points = points.map(|(second, point)| (second as f64, value(point))).collect();
    Series { name: name.to_owned(), color, shape, points }
}

fn table(results: &Results) -> String {
    let titles = ["request", "count", "success", "shed", "errors", "p50", "p95", "p99", "max"];
    let titles = titles.map(|title| format!("<th>{title}</th>")).concat();
    let rows = results.requests.iter().chain([&results.all]).map(line).collect::<String>();
    format!("<table><thead><tr>{titles}</tr></thead><tbody>{rows}</tbody></table>")
}

fn line(row: &Row) -> String {
    let cells = row.cells().map(|cell| format!("<td>{cell}</td>")).concat();
    format!("<tr><td>{}</td><td>{}</td>{cells}</tr>", escape(row.name), row.count)
}

fn samples(title: &str, samples: &[Sample]) -> String {
    if samples.is_empty() {
        return String::new();
    }
    let mut rows = String::new();
    for sample in samples {
        let (took, ending) = (seconds(sample.took), sample.ending());
        let (request, look) = (escape(sample.request), escape(&sample.look));
        let _ = write!(
            rows,
            "<tr><td>{request}</td><td>{took}</td><td>{ending}</td><td><code>{look}</code></td></tr>"
        );
    }
    let titles = "<tr><th>request</th><th>took</th><th>ended</th><th>look at it with</th></tr>";
    section(
        title,
        &format!("<table class=\"samples\"><thead>{titles}</thead><tbody>{rows}</tbody></table>"),
    )
}

fn section(title: &str, content: &str) -> String {
    format!("<section><h2>{title}</h2><div class=\"wide\">{content}</div></section>")
}

fn count(endings: &[Ending], outcome: Outcome) -> u64 {
    endings.iter().filter(|ending| ending.outcome == outcome).map(|ending| ending.count).sum()
}

/// The color of what is no right answer.
fn color(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Served | Outcome::Pending | Outcome::Declined | Outcome::Refused => "green",
        Outcome::Shed => "amber",
        Outcome::Failed => "red",
        Outcome::TimedOut => "purple",
        Outcome::Unreachable => "brown",
        Outcome::Dropped => "gray",
    }
}

fn plain(value: f64) -> String {
    format!("{value}")
}

fn seconds(value: f64) -> String {
    time(Duration::from_secs_f64(value))
}
