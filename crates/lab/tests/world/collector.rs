//! Collectors: one that keeps everything, and those that misbehave.

use std::{collections::HashMap, net::SocketAddr, sync::Arc, time::Duration};

use reqwest::{Client, StatusCode};
use serde_json::Value;
use telemetry::{Limits, Store, receiver};
use testbed::{eventually, free_port};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, copy},
    net::{TcpListener, TcpStream},
    time::sleep,
};
use tokio_util::sync::CancellationToken;
use tonic::transport::server::TcpIncoming;

use crate::{
    lab::{Lab, PATIENCE},
    shop::{Shop, cart},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_collector_that_hangs_is_missing_or_is_slow_harms_nobody() {
    let hanging = hang().await;
    let missing = format!("http://127.0.0.1:{}", free_port());
    let (store, prompt) = collector().await;
    let slow = slow_way_to(&prompt).await;
    for endpoint in [&hanging, &missing, &slow] {
        let answers = *endpoint == slow;
        let flags = ["--otlp-endpoint", endpoint, "--queue-size", "200", "--batch-size", "50"];
        let mut lab = Lab::start_with(&flags, &[]).await;
        lab.ready().await;
        let shop = Shop::at(lab.gateway_port);
        for number in 0..100 {
            let answer = shop.post(&cart("TEA-001", 1), &format!("key-{number}")).await;
            let answer = answer.expect("an answer");
            let accepted = [StatusCode::CREATED, StatusCode::ACCEPTED];
            assert!(accepted.contains(&answer.status()), "{endpoint}: {}", answer.status());
        }
        let dropped = eventually(PATIENCE, "drops are counted", || async {
            let metrics = metrics_of(lab.order_api_side_port).await;
            let waiting = metrics["telemetry_waiting{signal=\"spans\"}"];
            assert!(waiting <= 200.0, "{waiting} spans wait");
            let full = metrics["telemetry_dropped_total{signal=\"spans\",reason=\"queue_full\"}"];
            let failed = metrics["telemetry_dropped_total{signal=\"spans\",reason=\"not_sent\"}"];
            (full > 0.0 && (failed > 0.0 || answers)).then_some(full + failed)
        })
        .await;
        eprintln!("{endpoint}: 100 orders, {dropped} spans of order-api dropped and counted");
        let log = lab.log("order-api");
        let said = log.lines().filter(|line| line.contains("no collector")).count();
        assert_eq!(said, usize::from(!answers), "a missing collector is one warning:\n{log}");
        assert!(lab.signal(rustix::process::Signal::TERM).success());
    }
    assert!(store.stats().spans_received > 0, "what is slow is no loss");
}

/// From a bucket of a histogram to the trace of a request in it, to what was logged in it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_exemplar_leads_to_its_trace_and_the_trace_to_its_log_lines() {
    let lab = Lab::start(&[]).await;
    lab.ready().await;
    Shop::at(lab.gateway_port).place(&cart("TEA-003", 1)).await;
    let accept = ("accept", "application/openmetrics-text");
    let metrics = text(&format!("http://127.0.0.1:{}/metrics", lab.gateway_port), accept).await;
    let bucket = "http_request_duration_seconds_bucket{method=\"POST\",route=\"/orders\",\
                  status_code=\"201\"";
    let exemplar = metrics.lines().find(|line| line.starts_with(bucket) && line.contains(" # {"));
    let exemplar = exemplar.expect("a bucket with an exemplar");
    let label = |name: &str| {
        let (_, rest) = exemplar.split_once(&format!("{name}=\"")).expect("a label");
        rest.split('"').next().expect("a value").to_owned()
    };
    let (trace_id, span_id) = (label("trace_id"), label("span_id"));

    let desk = format!("http://127.0.0.1:{}", lab.desk_port);
    let json = ("accept", "application/json");
    eventually(PATIENCE, "the trace and its lines are there", || async {
        let trace: Value =
            serde_json::from_str(&text(&format!("{desk}/traces/{trace_id}"), json).await).ok()?;
        let spans = trace["spans"].as_array()?;
        let span = spans.iter().find(|span| span["span_id"] == span_id.as_str())?;
        assert_eq!(span["name"], "POST /orders");
        let logs = text(&format!("{desk}/logs?trace={trace_id}"), json).await;
        let logs: Value = serde_json::from_str(&logs).ok()?;
        let lines = logs["logs"].as_array()?;
        assert!(lines.iter().all(|line| line["trace_id"] == trace_id.as_str()), "{lines:?}");
        let of_span = lines.iter().find(|line| line["span_id"] == span_id.as_str())?;
        (of_span["body"] == "request answered").then_some(())
    })
    .await;
}

/// A collector that keeps everything.
pub(crate) async fn collector() -> (Arc<Store>, String) {
    let limits = Limits { spans: 4_000_000, log_records: 4_000_000, bytes: 4 << 30 };
    let store = Arc::new(Store::new(limits));
    let address: SocketAddr = ([127, 0, 0, 1], 0).into();
    let incoming = TcpIncoming::bind(address).expect("a free port");
    let address = incoming.local_addr().expect("an address");
    tokio::spawn(receiver::serve(incoming, Arc::clone(&store), CancellationToken::new()));
    (store, format!("http://{address}"))
}

/// Accepts connections and never says a word.
async fn hang() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        let mut open = Vec::new();
        while let Ok((stream, _)) = listener.accept().await {
            open.push(stream);
        }
    });
    format!("http://{address}")
}

/// A way to a collector on which each of its answers is half a second late.
async fn slow_way_to(endpoint: &str) -> String {
    let collector = endpoint.trim_start_matches("http://").to_owned();
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let server = TcpStream::connect(&collector).await.expect("the collector is there");
            let ((mut asks, mut hears), (mut answers, mut listens)) =
                (client.into_split(), server.into_split());
            tokio::spawn(async move { copy(&mut asks, &mut listens).await });
            tokio::spawn(async move {
                let mut part = [0; 4096];
                while let Ok(length @ 1..) = answers.read(&mut part).await {
                    sleep(Duration::from_millis(500)).await;
                    if hears.write_all(&part[..length]).await.is_err() {
                        break;
                    }
                }
            });
        }
    });
    format!("http://{address}")
}

/// How many spans the process at this port says that it has dropped.
pub(crate) async fn dropped_spans(port: u16) -> f64 {
    let metrics = metrics_of(port).await.into_iter();
    let name = "telemetry_dropped_total{signal=\"spans\"";
    metrics.filter(|(series, _)| series.starts_with(name)).map(|(_, value)| value).sum()
}

pub(crate) async fn metrics_of(port: u16) -> HashMap<String, f64> {
    let text = text(&format!("http://127.0.0.1:{port}/metrics"), ("accept", "text/plain")).await;
    let samples = text.lines().filter_map(|line| line.rsplit_once(' '));
    samples.filter_map(|(name, value)| Some((name.to_owned(), value.parse().ok()?))).collect()
}

async fn text(url: &str, (name, value): (&str, &str)) -> String {
    let answer = Client::new().get(url).header(name, value).send().await.expect("an answer");
    answer.text().await.expect("text")
}
