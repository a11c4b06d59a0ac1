//! Traces and logs under load while services are killed, and with collectors that misbehave.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use chrono::{DateTime, Utc};
use reqwest::{Client, StatusCode};
use serde_json::Value;
use telemetry::{
    Limits, Store, receiver,
    span::{Kind, Span},
};
use testbed::{eventually, free_port};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, copy},
    net::{TcpListener, TcpStream},
    sync::mpsc,
    task::JoinSet,
    time::sleep,
};
use tokio_util::sync::CancellationToken;
use tonic::transport::server::TcpIncoming;
use uuid::Uuid;

use crate::{
    lab::{Lab, PATIENCE},
    shop::{Shop, cart},
};

/// How many orders are placed; `MISHAP_TRACED_ORDERS` asks for more.
const ORDERS: usize = 2_000;
/// How many orders it takes to kill every service once.
const ORDERS_PER_ROUND: usize = 10_000;
/// Customers who order one after the other. An order that a service has in hand when it is killed
/// cannot have a whole trace.
const CUSTOMERS: usize = 3;
/// What a kill may cost where there are too few orders to count in thousandths: the orders in hand,
/// one of each customer, and as many just answered whose spans were not sent yet. What the worker has
/// in hand costs nothing, since it comes again.
const LOST_BY_A_KILL: usize = 2 * CUSTOMERS;
/// How long after the end of an order its spans may still be where they were made: they leave within
/// a millisecond, on a machine that has a processor for it.
const SENDING: Duration = Duration::from_millis(500);
/// What a client sends and nobody may write down.
const SECRET: &str = "planted-5ecret";
/// Long enough for the orders whose message waits for another try.
const PEACE: Duration = Duration::from_secs(240);

/// An order: its id, the trace that its customer began, the customer's span in it, and when it was
/// asked for.
struct Placed {
    id: String,
    trace_id: String,
    span_id: String,
    asked: DateTime<Utc>,
}

/// A kill: when a service was about to be killed, and when the next one ran.
struct Kill {
    from: DateTime<Utc>,
    to: DateTime<Utc>,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn orders_have_whole_traces_whatever_is_killed() {
    let (store, endpoint) = collector().await;
    // A killed service loses what it has not sent: so it sends soon.
    let flags = ["--otlp-endpoint", &endpoint, "--schedule-delay", "1"];
    let quick = [("FULFILLMENT_WORKER_PICKING_MEDIAN", "2ms")];
    let lab = Lab::start_with(&flags, &quick).await;
    lab.ready().await;

    let (placed, orders) = (Arc::new(AtomicUsize::new(0)), orders_wanted());
    let trading = tokio::spawn(trade(lab.gateway_port, orders, Arc::clone(&placed)));
    let services = ["web-gateway", "order-api", "fulfillment-worker"];
    let ports = [lab.gateway_port, lab.order_api_side_port, lab.worker_side_port];
    let wanted = services.len() * orders.div_ceil(ORDERS_PER_ROUND);
    let (mut kills, mut dropped) = (Vec::new(), 0.0);
    for (kill, (service, port)) in (1..=wanted).zip(services.iter().zip(ports).cycle()) {
        let due = orders * kill / (wanted + 1);
        eventually(PEACE, "orders are placed", || async {
            (placed.load(Ordering::Relaxed) >= due).then_some(())
        })
        .await;
        // What it has dropped is forgotten with it.
        dropped += dropped_spans(port).await;
        let from = Utc::now();
        lab.kill(service).await;
        kills.push(Kill { from, to: Utc::now() });
    }
    let orders = trading.await.expect("every customer got an answer");
    all_fulfilled(&lab, &orders).await;
    settled(&store).await;
    for port in ports {
        dropped += dropped_spans(port).await;
    }

    let missing: Vec<_> = orders.iter().filter(|order| !is_whole(&store, order)).collect();
    let mut unexplained = 0;
    for order in &missing {
        unexplained += usize::from(!was_in_hand(&lab, order, &kills).await);
    }
    let quiet = async || (store.count_orphans() == 0).then_some(());
    eventually(PATIENCE, "every trace is quiet, and its orphans counted", quiet).await;
    let stats = store.stats();
    eprintln!(
        "{} orders, {} without a whole trace, {unexplained} of them not in hand at a kill; {dropped} \
         spans dropped; {} spans, {} of them orphans, {} log records",
        orders.len(),
        missing.len(),
        stats.spans_received,
        stats.orphan_spans,
        stats.log_records_received,
    );
    assert_eq!(stats.spans_evicted + stats.spans_late, 0, "the collector was too small");
    let thousandth = orders.len() / 1000;
    let is_long = orders.len() >= ORDERS_PER_ROUND;
    let allowed = if is_long { thousandth } else { kills.len() * LOST_BY_A_KILL };
    assert!(missing.len() <= allowed, "{} of {}", missing.len(), orders.len());
    assert!(unexplained as f64 <= dropped, "{unexplained} are missing for no reason");
    every_line_is_in_order(&lab);
}

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
async fn collector() -> (Arc<Store>, String) {
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

#[expect(clippy::disallowed_methods, reason = "a test has no command line of its own")]
fn orders_wanted() -> usize {
    let wanted = std::env::var("MISHAP_TRACED_ORDERS").ok();
    wanted.and_then(|text| text.parse().ok()).unwrap_or(ORDERS)
}

async fn trade(gateway_port: u16, wanted: usize, placed: Arc<AtomicUsize>) -> Vec<Placed> {
    let next = Arc::new(AtomicUsize::new(0));
    let (sender, mut receiver) = mpsc::unbounded_channel();
    let mut customers = JoinSet::new();
    for _ in 0..CUSTOMERS {
        let (next, placed, sender) = (Arc::clone(&next), Arc::clone(&placed), sender.clone());
        customers.spawn(async move {
            let client = Client::builder().timeout(Duration::from_secs(10)).build();
            let client = client.expect("a client");
            while next.fetch_add(1, Ordering::Relaxed) < wanted {
                let order = insist(&client, gateway_port).await;
                placed.fetch_add(1, Ordering::Relaxed);
                sender.send(order).expect("somebody listens");
            }
        });
    }
    drop(sender);
    customers.join_all().await;
    let mut orders = Vec::new();
    while let Some(order) = receiver.recv().await {
        orders.push(order);
    }
    orders
}

/// Repeats an order, with its key and in its trace, until the shop has answered.
async fn insist(client: &Client, gateway_port: u16) -> Placed {
    let key = format!("{SECRET}-{}", Uuid::now_v7());
    let [trace_id, other] = std::array::from_fn(|_| Uuid::new_v4().simple().to_string());
    let (span_id, asked) = (&other[..16], Utc::now());
    let url = format!("http://127.0.0.1:{gateway_port}/orders");
    let mut tries = 0;
    loop {
        let request = client
            .post(&url)
            .header("idempotency-key", &key)
            .header("traceparent", format!("00-{trace_id}-{span_id}-01"))
            .header("proxy-authorization", format!("Bearer {SECRET}"))
            .header("cookie", format!("session={SECRET}"))
            .json(&cart("TEA-001", 1));
        if let Ok(answer) = request.send().await {
            match answer.status() {
                StatusCode::CREATED | StatusCode::ACCEPTED => {
                    if let Ok(order) = answer.json::<Value>().await {
                        let id = order["id"].as_str().expect("an id").to_owned();
                        return Placed { id, trace_id, span_id: span_id.to_owned(), asked };
                    }
                }
                StatusCode::TOO_MANY_REQUESTS => {}
                status if status.is_server_error() => {}
                status => panic!("{status}: {}", answer.text().await.unwrap_or_default()),
            }
        }
        tries += 1;
        assert!(tries < 1000, "an order has no answer");
        sleep(Duration::from_millis(100)).await;
    }
}

async fn all_fulfilled(lab: &Lab, orders: &[Placed]) {
    let shop = Shop::at(lab.gateway_port);
    eventually(PEACE, "nothing waits", || async {
        let status = shop.get("/orders?status=placed&limit=1").await?;
        status["orders"].as_array()?.is_empty().then_some(())
    })
    .await;
    let last = shop.get(&format!("/orders/{}", orders[orders.len() - 1].id)).await;
    assert_eq!(last.expect("an order")["status"], "fulfilled");
}

/// Waits for three seconds in which nothing comes.
async fn settled(store: &Store) {
    let mut before = u64::MAX;
    loop {
        let received = store.stats().spans_received;
        if received == before {
            return;
        }
        before = received;
        sleep(Duration::from_secs(3)).await;
    }
}

/// Whether the work that fulfilled an order leads, parent by parent, to the customer who placed it.
fn is_whole(store: &Store, order: &Placed) -> bool {
    let id = order.trace_id.parse().expect("a trace id");
    let Some(trace) = store.trace(id) else { return false };
    for span in &trace.spans {
        let told = span.attributes.iter().find(|(_, value)| value.text().contains(SECRET));
        assert!(told.is_none(), "{}: {told:?}", span.name);
    }
    let spans: HashMap<_, _> = trace.spans.iter().map(|span| (span.id, span)).collect();
    let done = |span: &&Span| {
        let ended = ["fulfilled", "duplicate"];
        span.kind == Kind::Consumer && ended.iter().any(|end| span.attributes.has("outcome", end))
    };
    let leads_home = |span: &Span| {
        let mut parent = span.parent;
        while let Some(known) = parent.and_then(|id| spans.get(&id)) {
            parent = known.parent;
        }
        parent.is_some_and(|id| id.to_string() == order.span_id)
    };
    trace.spans.iter().filter(done).any(leads_home)
}

/// Whether a service was killed before an order was fulfilled and all of its spans were sent.
async fn was_in_hand(lab: &Lab, order: &Placed, kills: &[Kill]) -> bool {
    let read = Shop::at(lab.gateway_port).get(&format!("/orders/{}", order.id)).await;
    let read = read.expect("an order");
    let last = read["history"].as_array().and_then(|history| history.last()).expect("a history");
    let fulfilled: DateTime<Utc> =
        last["at"].as_str().and_then(|at| at.parse().ok()).expect("a time");
    kills.iter().any(|kill| order.asked <= kill.to && kill.from <= fulfilled + SENDING)
}

/// Every line parses, belongs to a trace where it belongs to a request, and gives nothing away.
fn every_line_is_in_order(lab: &Lab) {
    let mut lines = 0;
    for service in ["web-gateway", "order-api", "fulfillment-worker"] {
        let log = lab.whole_log(service);
        // The lab says there, in its own voice, that a service has ended.
        for line in log.lines().filter(|line| !line.starts_with("lab: ")) {
            assert!(!line.contains(SECRET), "{line}");
            let line: Value = serde_json::from_str(line)
                .unwrap_or_else(|error| panic!("a line of {service} is not JSON: {error}: {line}"));
            let of_request = !line["correlation_id"].is_null() || !line["order_id"].is_null();
            assert!(!of_request || line["trace_id"].is_string(), "{line}");
            lines += 1;
        }
    }
    eprintln!("{lines} log lines are in order");
}

/// How many spans the process at this port says that it has dropped.
async fn dropped_spans(port: u16) -> f64 {
    let metrics = metrics_of(port).await.into_iter();
    let name = "telemetry_dropped_total{signal=\"spans\"";
    metrics.filter(|(series, _)| series.starts_with(name)).map(|(_, value)| value).sum()
}

async fn metrics_of(port: u16) -> HashMap<String, f64> {
    let text = text(&format!("http://127.0.0.1:{port}/metrics"), ("accept", "text/plain")).await;
    let samples = text.lines().filter_map(|line| line.rsplit_once(' '));
    samples.filter_map(|(name, value)| Some((name.to_owned(), value.parse().ok()?))).collect()
}

async fn text(url: &str, (name, value): (&str, &str)) -> String {
    let answer = Client::new().get(url).header(name, value).send().await.expect("an answer");
    answer.text().await.expect("text")
}
