//! What watches the lab: every panel is alive, alerts are silent at rest and page in an outage.

use std::{
    collections::BTreeSet,
    io::Write as _,
    process::{Command, Stdio},
    time::Duration,
};

use dashboards::audit::{Part, queries};
use reqwest::{Client, StatusCode};
use rustix::process::{Signal, kill_process};
use serde_json::Value;
use testbed::eventually;
use tokio::time::{Instant, sleep};

use crate::{
    lab::{Lab, World},
    room::Room,
};

/// How long panels may take to fill, the slowest of them over a window of some minutes.
const FILL: Duration = Duration::from_secs(240);
/// How soon a page has to come.
const PAGE: Duration = Duration::from_secs(120);
/// How soon all must be quiet after the repair.
const QUIET: Duration = Duration::from_secs(300);
/// How long the rest test watches; `MISHAP_REST_SECONDS` asks for more.
const REST: Duration = Duration::from_secs(150);
/// What the embedded lab does not have.
const EMBEDDED: &[Part] = &[Part::DeliveriesByQueue];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_panel_is_alive_and_nothing_fires_at_rest() {
    let Some(lab) = watched(Room::Alone).await else { return };
    let watch = Watch::of(&lab);
    let started = Instant::now();
    let empty = loop {
        let empty = watch.empty_panels().await;
        if empty.is_empty() || started.elapsed() > FILL {
            break empty;
        }
        sleep(Duration::from_secs(5)).await;
    };
    let count = queries().len();
    assert!(empty.is_empty(), "{} of {count} are empty:\n{}", empty.len(), empty.join("\n"));
    say(&format!("{count} queries of panels: all alive after {:?}", started.elapsed()));

    let mut seen = BTreeSet::new();
    while started.elapsed() < rest() {
        seen.extend(watch.firing().await);
        sleep(Duration::from_secs(5)).await;
    }
    assert!(seen.is_empty(), "at rest, {seen:?} fired");
    say(&format!("{:?} of default traffic: no alert fired", rest()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn metrics_are_as_prometheus_wants_them_and_lead_to_traces() {
    let Some(lab) = watched(Room::Quiet).await else { return };
    for port in [lab.gateway_port, lab.order_api_side_port, lab.worker_side_port] {
        let text = reqwest::get(format!("http://127.0.0.1:{port}/metrics")).await;
        let text = text.expect("metrics").text().await.expect("text");
        let complaints = promtool_check(&text);
        assert_eq!(complaints, "", "promtool complains of port {port}");
    }
    let watch = Watch::of(&lab);
    for metric in ["http_request_duration_seconds_bucket", "grpc_request_duration_seconds_bucket"] {
        let trace_id = watch.exemplar(metric).await;
        assert_eq!(trace_id.len(), 32, "{metric}: {trace_id:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stopped_worker_pages_for_fulfillment() {
    let Some(lab) = watched(Room::Quiet).await else { return };
    let watch = Watch::of(&lab);
    watch.warm().await;
    let worker = lab.pid("fulfillment-worker").expect("the worker runs");
    kill_process(worker, Signal::STOP).expect("it can be stopped");
    watch.pages("FulfillmentLagBurn").await;
    watch.inbox_has(&lab, "FulfillmentLagBurn").await;
    kill_process(worker, Signal::CONT).expect("it can go on");
    watch.is_quiet().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stopped_database_and_a_stopped_broker_page() {
    let Some(mut world) = World::real_watched(&["--rate", "3"]).await else { return };
    let watch = Watch::of(&world.lab);
    watch.warm().await;

    let postgres = world.postgres.as_mut().expect("the real world has one");
    postgres.stop().await;
    watch.pages("GatewayAvailabilityBurn").await;
    postgres.restart().await.expect("Postgres starts on the same data");
    watch.is_quiet().await;

    let rabbitmq = world.rabbitmq.as_mut().expect("the real world has one");
    rabbitmq.stop().await;
    watch.pages("FulfillmentLagBurn").await;
    rabbitmq.restart().await.expect("RabbitMQ starts on the same data");
    watch.is_quiet().await;
}

/// A lab with Prometheus and default traffic; none where there is no Prometheus.
async fn watched(room: Room) -> Option<Lab> {
    if testbed::left_out(testbed::Prometheus::available()) {
        return None;
    }
    let lab = Lab::start_watched(&["--rate", "3"], room).await;
    lab.ready().await;
    Some(lab)
}

/// The Prometheus of a lab.
struct Watch {
    client: Client,
    url: String,
}

impl Watch {
    fn of(lab: &Lab) -> Self {
        let port = lab.prometheus_port.expect("this lab is watched");
        Self { client: Client::new(), url: format!("http://127.0.0.1:{port}/api/v1") }
    }

    /// The samples that a query answers with; an error of the query is a failure.
    async fn query(&self, promql: &str) -> Vec<Value> {
        let request = self.client.get(format!("{}/query", self.url)).query(&[("query", promql)]);
        let Ok(answer) = request.send().await else { return Vec::new() };
        // It has only just started.
        if answer.status() == StatusCode::SERVICE_UNAVAILABLE {
            return Vec::new();
        }
        let answer: Value = answer.json().await.expect("Prometheus answers in JSON");
        assert_eq!(answer["status"], "success", "{promql}: {answer}");
        answer["data"]["result"].as_array().cloned().unwrap_or_default()
    }

    /// The trace id of some exemplar of a metric.
    async fn exemplar(&self, metric: &str) -> String {
        eventually(FILL, &format!("{metric} has an exemplar"), || async {
            let query = [("query", metric), ("start", "0"), ("end", "9999999999")];
            let request = self.client.get(format!("{}/query_exemplars", self.url)).query(&query);
            let answer: Value = request.send().await.ok()?.json().await.ok()?;
            let labels = &answer["data"][0]["exemplars"][0]["labels"];
            labels["trace_id"].as_str().map(str::to_owned)
        })
        .await
    }

    /// The queries of panels that must answer with something and do not.
    async fn empty_panels(&self) -> Vec<String> {
        let mut empty = Vec::new();
        for query in queries().iter().filter(|query| query.excuse(EMBEDDED).is_none()) {
            if self.query(&query.expr).await.is_empty() {
                empty.push(format!("{}: {}: {}", query.dashboard, query.panel, query.expr));
            }
        }
        empty
    }

    /// The alerts that fire, as `severity name`.
    async fn firing(&self) -> BTreeSet<String> {
        let alerts = self.query(r#"ALERTS{alertstate="firing"}"#).await;
        let label = |alert: &Value, name: &str| alert["metric"][name].as_str().map(str::to_owned);
        let named = |alert: &Value| {
            Some(format!("{} {}", label(alert, "severity")?, label(alert, "alertname")?))
        };
        alerts.iter().filter_map(named).collect()
    }

    /// Waits until there is a past to compare with.
    async fn warm(&self) {
        eventually(FILL, "a minute of traffic has been seen", || async {
            let seen = self.query("min_over_time(up{job=\"web-gateway\"}[1m] offset 1m)").await;
            (!seen.is_empty()).then_some(())
        })
        .await;
    }

    async fn pages(&self, alert: &str) {
        let started = Instant::now();
        let page = format!("page {alert}");
        eventually(PAGE, &page, || async { self.firing().await.contains(&page).then_some(()) })
            .await;
        say(&format!("{page}: fired after {:?}", started.elapsed()));
    }

    async fn is_quiet(&self) {
        let started = Instant::now();
        eventually(QUIET, "no page fires", || async {
            self.firing().await.iter().all(|alert| !alert.starts_with("page")).then_some(())
        })
        .await;
        say(&format!("quiet {:?} after the repair", started.elapsed()));
    }

    /// Waits until the control desk shows the alert to the learner.
    async fn inbox_has(&self, lab: &Lab, alert: &str) {
        eventually(PAGE, "the alert is in the inbox", || async {
            let (code, text) = lab.command(&["alerts"]);
            (code == 0 && text.contains(alert)).then_some(())
        })
        .await;
    }
}

/// What `promtool check metrics` has to say about an exposition.
fn promtool_check(text: &str) -> String {
    let mut promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool comes with Prometheus");
    let mut input = promtool.stdin.take().expect("it is piped");
    input.write_all(text.as_bytes()).expect("promtool reads all of it");
    drop(input);
    let output = promtool.wait_with_output().expect("promtool ends");
    String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
}

/// Past the test harness, so that what was measured is seen.
fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

#[expect(clippy::disallowed_methods, reason = "a switch of the test run, not of a program")]
fn rest() -> Duration {
    let seconds = std::env::var("MISHAP_REST_SECONDS").ok().and_then(|text| text.parse().ok());
    seconds.map_or(REST, Duration::from_secs)
}
