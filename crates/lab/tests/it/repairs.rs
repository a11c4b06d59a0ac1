//! What operators do about a fault, and when that has repaired it.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use axum::{Json, Router, extract::Query, routing::get};
use faults::Service;
use lapin::{
    Channel, Connection, ConnectionProperties,
    options::{BasicGetOptions, BasicPublishOptions},
};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use testbed::eventually;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::desk::{CALM, DeskFixture, PATIENCE, World};

/// Longer than all must be well, and than it takes to see that.
const CALM_AND_MORE: Duration = Duration::from_secs(120);

/// A Prometheus of whose queries the test says whether they have a result.
#[derive(Clone, Debug, Default)]
pub(crate) struct Measurer {
    /// Whether a promise to the customers is being broken.
    broken: Arc<AtomicBool>,
    /// Whether events are published and reach a queue.
    routed: Arc<AtomicBool>,
}

impl Measurer {
    /// Starts it; returns where it is. All is well by what it says.
    pub(crate) async fn start(&self) -> String {
        let this = self.clone();
        let answer = async move |Query(asked): Query<HashMap<String, String>>| {
            let query = &asked["query"];
            let seen = (query.starts_with("slo:burn_rate") && this.broken.load(Ordering::Relaxed))
                || (query.contains("} unless") || query.contains("0 unless"))
                    && this.routed.load(Ordering::Relaxed);
            let result: Vec<Value> = seen.then(|| json!({})).into_iter().collect();
            Json(json!({"data": {"result": result}}))
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let router = Router::new().route("/api/v1/query", get(answer));
        tokio::spawn(axum::serve(listener, router).into_future());
        url
    }
}

pub(crate) async fn on(desk: &DeskFixture, fault: &str, settings: &str) {
    let (status, text) = desk.text(Method::POST, &format!("/chaos/{fault}"), settings).await;
    assert_eq!(status, StatusCode::OK, "{text}");
}

/// What was repaired, and what is on.
pub(crate) async fn status(desk: &DeskFixture) -> (Vec<String>, Vec<String>) {
    let (_, status) = desk.json(Method::GET, "/chaos/status", "").await;
    let repaired = status["repaired"].as_array().expect("a list").iter();
    let on = status["armed"].as_array().expect("a list").iter().map(|armed| &armed["name"]);
    let names = |value: &Value| value.as_str().expect("a name").to_owned();
    (repaired.map(names).collect(), on.map(names).collect())
}

/// Waits until all of these are repaired.
pub(crate) async fn repaired(desk: &DeskFixture, faults: &[&str]) {
    eventually(CALM_AND_MORE, &format!("repaired are {faults:?}"), async || {
        let (repaired, _) = status(desk).await;
        faults.iter().all(|fault| repaired.iter().any(|one| one == fault)).then_some(())
    })
    .await;
}

async fn embedded_broker() -> String {
    let broker = broker::Broker::bind(broker::Config::default()).await.expect("a broker");
    let url = format!("amqp://guest:guest@{}/%2f", broker.local_addr());
    tokio::spawn(broker.run(CancellationToken::new()));
    url
}

async fn channel(url: &str) -> Channel {
    let connection = Connection::connect(url, ConnectionProperties::default()).await;
    connection.expect("a broker").create_channel().await.expect("a channel")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_operators_do_counts_when_all_is_well_for_long_enough() {
    let measurer = Measurer::default();
    let prometheus_url = Some(measurer.start().await);
    let world = World { prometheus_url, amqp_url: embedded_broker().await, ..World::empty() };
    let api = world.side(Service::OrderApi).await;
    let worker = world.side(Service::FulfillmentWorker).await;
    let desk = world.desk().await;
    let all = [
        "slow-provider",
        "poison-message",
        "lost-publish",
        "zombie-consumer",
        "broken-trace",
        "memory-leak",
        "latency",
    ];
    for fault in all {
        on(&desk, fault, "for=1h").await;
    }

    // The provider is talked to.
    desk.text(Method::PUT, "/provider", "capacity=16&median_ms=8").await;
    // Dead letters are put back: one, for that counts only if there are any.
    let channel = channel(&world.amqp_url).await;
    let (dead, options) = (contract::topology::DEAD_LETTERS, BasicPublishOptions::default());
    let sent = channel.basic_publish("".into(), dead.into(), options, b"{}", Default::default());
    sent.await.expect("a channel");
    eventually(PATIENCE, "a dead letter is put back", async || {
        let (_, replayed) = desk.json(Method::POST, "/dlq/replay", "").await;
        (replayed["replayed"] == 1).then_some(())
    })
    .await;
    // The queue is bound by hand: seen by the events that reach it.
    measurer.routed.store(true, Ordering::Relaxed);
    // Services are started again.
    let armed = async |service| {
        let side = world.side(service).await;
        eventually(PATIENCE, "it has back what is on", async || {
            (!side.armings().is_empty()).then_some(())
        })
        .await;
        side
    };
    api.stop().await;
    worker.stop().await;
    let (_api, worker) = (armed(Service::OrderApi).await, armed(Service::FulfillmentWorker).await);
    let seams: Vec<_> = worker.armings().into_iter().map(|arming| arming.seam).collect();
    assert!(!seams.contains(&faults::Seam::TakeMessage), "{seams:?}");
    assert!(seams.contains(&faults::Seam::ContinueTrace), "code is there again: {seams:?}");
    // The release before runs, of the worker alone.
    desk.text(Method::POST, "/releases/fulfillment-worker/rollback", "").await;
    assert_eq!(worker.armings(), []);
    let (repaired_at_once, _) = status(&desk).await;
    assert_eq!(repaired_at_once, Vec::<String>::new());

    repaired(&desk, &all[..5]).await;
    let (_, still_on) = status(&desk).await;
    assert_eq!(
        still_on,
        ["memory-leak", "latency"],
        "a restart hides it, nothing was done about it"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_repaired_while_its_promise_is_broken() {
    let measurer = Measurer::default();
    measurer.broken.store(true, Ordering::Relaxed);
    let prometheus_url = Some(measurer.start().await);
    let world = World { prometheus_url, ..World::empty() };
    let _worker = world.side(Service::FulfillmentWorker).await;
    let desk = world.desk().await;
    on(&desk, "slow-consumer", "").await;
    desk.text(Method::POST, "/releases/fulfillment-worker/rollback", "").await;
    tokio::time::sleep(2 * CALM).await;
    assert_eq!(status(&desk).await, (vec![], vec!["slow-consumer".to_owned()]));
    measurer.broken.store(false, Ordering::Relaxed);
    repaired(&desk, &["slow-consumer"]).await;
}

/// The last change wins: neither a fault that ends takes it back, nor one that comes after it.
#[tokio::test]
async fn what_operators_set_meanwhile_stays() {
    let world = World::empty();
    let desk = world.desk().await;
    let is = async || {
        let (_, provider) = desk.json(Method::GET, "/provider", "").await;
        let (_, load) = desk.json(Method::GET, "/load", "").await;
        let behaviour = &provider["behaviour"];
        let number = |name: &str| behaviour[name].as_f64().expect("a number");
        (number("capacity"), number("median_ms"), load["rate"].as_f64().expect("a number"))
    };
    desk.text(Method::PUT, "/load", "rate=2").await;
    on(&desk, "slow-provider", "capacity=2&ms=300").await;
    on(&desk, "traffic-spike", "times=4").await;
    assert_eq!(is().await, (2.0, 300.0, 8.0));
    desk.text(Method::PUT, "/load", "enabled=false").await;
    assert_eq!(is().await.2, 8.0);

    desk.text(Method::PUT, "/provider", "capacity=7").await;
    desk.text(Method::PUT, "/load", "rate=8").await;
    assert_eq!(is().await, (7.0, 300.0, 8.0));
    on(&desk, "pool-leak", "").await;
    assert_eq!(is().await, (7.0, 300.0, 8.0), "another comes");
    desk.text(Method::DELETE, "/chaos/slow-provider", "").await;
    assert_eq!(is().await, (7.0, 8.0, 8.0), "what nobody set is as before");
    desk.text(Method::DELETE, "/chaos", "").await;
    assert_eq!(is().await, (7.0, 8.0, 8.0));
    desk.text(Method::DELETE, "/chaos", "").await;

    on(&desk, "slow-provider", "capacity=2&ms=300").await;
    assert_eq!(is().await.0, 2.0, "a fault that comes later changes it again");
    desk.text(Method::DELETE, "/chaos", "").await;
    assert_eq!(is().await, (7.0, 8.0, 8.0));
}

/// Between a broker and those who ask it: stops in the middle of something, as a paused one does.
async fn stalls_at(broker: &str, method: [u8; 4]) -> (String, Arc<AtomicBool>) {
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _, copy},
        net::TcpStream,
    };
    let address = broker.rsplit_once('@').expect("a user").1.trim_end_matches("/%2f").to_owned();
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("amqp://guest:guest@{}/%2f", listener.local_addr().expect("an address"));
    let stalled = Arc::new(AtomicBool::new(false));
    let paused = Arc::clone(&stalled);
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let (address, paused) = (address.clone(), Arc::clone(&paused));
            tokio::spawn(async move {
                let server = TcpStream::connect(address).await.expect("a broker");
                let ((mut from, mut back), (mut answers, mut to)) =
                    (client.into_split(), server.into_split());
                tokio::spawn(async move { copy(&mut answers, &mut back).await });
                let mut part = vec![0; 64 * 1024];
                while let Ok(read @ 1..) = from.read(&mut part).await {
                    if part[..read].windows(4).any(|window| window == method) {
                        paused.store(true, Ordering::Relaxed);
                    }
                    while paused.load(Ordering::Relaxed) {
                        tokio::time::sleep(Duration::from_millis(20)).await;
                    }
                    if to.write_all(&part[..read]).await.is_err() {
                        break;
                    }
                }
            });
        }
    });
    (url, stalled)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_that_stops_in_the_middle_keeps_no_other_fault_from_being_turned_off() {
    const UNBIND: [u8; 4] = [0, 50, 0, 50];
    let broker = embedded_broker().await;
    let (amqp_url, stalled) = stalls_at(&broker, UNBIND).await;
    let desk = World { amqp_url, ..World::empty() }.desk().await;
    let soon = Duration::from_secs(12);
    let asked = async |method, path: &str| {
        let answered = tokio::time::timeout(soon, desk.text(method, path, "")).await;
        let (status, text) = answered.unwrap_or_else(|_| panic!("{path} is not answered"));
        assert_eq!(status, StatusCode::OK, "{text}");
        assert!(text.contains("the broker cannot be reached"), "{text}");
    };
    asked(Method::POST, "/chaos/lost-publish").await;
    assert!(stalled.load(Ordering::Relaxed), "it did not stop");
    asked(Method::POST, "/chaos/slow-provider").await;
    asked(Method::DELETE, "/chaos/slow-provider").await;
    asked(Method::DELETE, "/chaos/lost-publish").await;

    // What was on its way is done when it goes on, and undone.
    stalled.store(false, Ordering::Relaxed);
    let channel = channel(&broker).await;
    eventually(2 * PATIENCE, "the queue is bound", async || {
        let (exchange, key) = (contract::topology::ORDERS_EXCHANGE, "order.placed");
        let options = BasicPublishOptions::default();
        let sent =
            channel.basic_publish(exchange.into(), key.into(), options, b"{}", Default::default());
        sent.await.expect("a channel");
        let queue = contract::topology::FULFILLMENT_QUEUE;
        let taken = channel.basic_get(queue.into(), BasicGetOptions::default()).await;
        taken.ok().flatten().map(drop)
    })
    .await;
}
