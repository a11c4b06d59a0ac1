//! Load on a shop that the test controls: a stall is seen, what is in flight is bounded, and the
//! exit code says how it went.

use std::{
    process::{Command, Output},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{
    Json, Router,
    extract::State,
    http::StatusCode,
    response::{IntoResponse as _, Response},
    routing::get,
};
use lab::load::{
    errand::{Kind, Mix, Shopper},
    generator::{self, Plan},
    outcome::{Class, Outcome},
    record::Record,
    schedule::{Schedule, Spacing},
    target::{Address, Target},
};
use serde_json::{Value, json};
use tokio::{net::TcpListener, time::Instant};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

/// How the shop answers.
#[derive(Clone)]
struct Manners {
    /// Stands still from the first of these moments on, after the opening, until the second.
    stall: Option<(Duration, Duration)>,
    delay: Duration,
    /// What an order is answered with.
    placed: StatusCode,
    /// Whether an order that is sent again is another order.
    forgetful: bool,
}

impl Default for Manners {
    fn default() -> Self {
        let (delay, placed) = (Duration::ZERO, StatusCode::CREATED);
        Self { stall: None, delay, placed, forgetful: false }
    }
}

/// A shop with manners.
#[derive(Clone)]
struct Shop {
    manners: Manners,
    opened: Instant,
    in_hand: Arc<AtomicUsize>,
    most: Arc<AtomicUsize>,
}

impl Shop {
    async fn open(manners: Manners) -> (Self, String) {
        let (in_hand, most) = Default::default();
        let shop = Self { manners, opened: Instant::now(), in_hand, most };
        let router = Router::new()
            .route("/products", get(products))
            .route("/orders", get(list).post(place))
            .route("/orders/{id}", get(look))
            .with_state(shop.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        tokio::spawn(async move { axum::serve(listener, router).await });
        (shop, url)
    }

    async fn meet(&self) {
        let in_hand = self.in_hand.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(in_hand, Ordering::SeqCst);
        tokio::time::sleep(self.manners.delay).await;
        if let Some((from, until)) = self.manners.stall
            && self.opened.elapsed() >= from
        {
            tokio::time::sleep_until(self.opened + until).await;
        }
        self.in_hand.fetch_sub(1, Ordering::SeqCst);
    }
}

async fn products(State(shop): State<Shop>) -> Json<Value> {
    shop.meet().await;
    Json(json!({"products": [{"sku": "TEA"}, {"sku": "CUP"}]}))
}

async fn list(State(shop): State<Shop>) -> Json<Value> {
    shop.meet().await;
    Json(json!({"orders": []}))
}

async fn look(State(shop): State<Shop>) -> Json<Value> {
    shop.meet().await;
    Json(json!({"status": "placed"}))
}

/// The id follows from the key, as in a shop that places an order once.
async fn place(State(shop): State<Shop>, headers: axum::http::HeaderMap) -> Response {
    shop.meet().await;
    let key = headers["idempotency-key"].to_str().expect("ASCII").parse::<Uuid>().expect("a UUID");
    let id = if shop.manners.forgetful { Uuid::now_v7() } else { key };
    let traced = [("traceresponse", format!("00-{TRACE}-00f067aa0ba902b7-01"))];
    (shop.manners.placed, traced, Json(json!({"id": id}))).into_response()
}

const EVERYTHING: Mix = Mix {
    weights: &[
        (Kind::Browse, 30),
        (Kind::Place, 30),
        (Kind::Repeat, 20),
        (Kind::Look, 10),
        (Kind::List, 10),
    ],
    declined: 0,
};

fn plan(rate: f64, lasts: Duration) -> Plan {
    Plan {
        schedule: Schedule::steady(rate, lasts),
        spacing: Spacing::Fixed,
        seed: 1,
        in_flight: 512,
        good_within: Duration::from_secs(1),
    }
}

fn target(url: &str) -> Arc<Target> {
    let address = Address { url: url.parse().expect("a URL"), token: None };
    Arc::new(Target::new(address, Duration::from_secs(5)).expect("a client"))
}

async fn run(url: &str, plan: &Plan, mix: Mix) -> Record {
    let target = target(url);
    let mut shopper = Shopper::new(1, mix, target.skus().await.expect("a shop"));
    let stop = CancellationToken::new();
    generator::run(plan, &target, &mut shopper, &stop, |_| ()).await
}

/// Every question that there is, asked in turn by someone who waits for each answer.
async fn ask_in_turn(url: &str, lasts: Duration) -> Vec<Duration> {
    let (client, end) = (reqwest::Client::new(), Instant::now() + lasts);
    let mut times = Vec::new();
    while Instant::now() < end {
        let asked = Instant::now();
        client.get(format!("{url}/products")).send().await.expect("an answer");
        times.push(asked.elapsed());
    }
    times.sort();
    times
}

const BROWSING: Mix = Mix { weights: &[(Kind::Browse, 1)], declined: 0 };

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stall_is_seen_by_everyone_who_came_meanwhile() {
    let (half, lasts) = (Duration::from_millis(500), Duration::from_secs(3));
    let manners = Manners { stall: Some((half, 3 * half)), ..Manners::default() };
    let (_shop, url) = Shop::open(manners.clone()).await;
    let record = run(&url, &plan(100.0, lasts), BROWSING).await;
    assert_eq!(record.all.outcomes().total(), 300);
    // A third of the three seconds' requests were due while nobody was served, and waited for half
    // a second on average.
    let quantile = |share| record.all.quantile(share).expect("it was measured");
    assert!(quantile(0.8) > Duration::from_millis(250), "{:?}", quantile(0.8));
    assert!(quantile(0.95) > Duration::from_millis(700), "{:?}", quantile(0.95));

    // Someone who waits asks once while nobody is served, and so has next to nothing to tell.
    let (_shop, url) = Shop::open(manners).await;
    let times = ask_in_turn(&url, lasts).await;
    let p95 = times[times.len() * 95 / 100];
    assert!(p95 < quantile(0.8), "{p95:?}");
}

#[tokio::test]
async fn a_generator_that_is_held_up_blames_itself_and_hides_nothing() {
    let (_shop, url) = Shop::open(Manners::default()).await;
    let mut plan = plan(100.0, Duration::from_secs(2));
    plan.spacing = Spacing::Poisson;
    let target = target(&url);
    let mut shopper = Shopper::new(1, BROWSING, target.skus().await.expect("a shop"));
    let mut held_up = false;
    let watch = |progress: generator::Progress<'_>| {
        if !held_up && progress.elapsed > Duration::from_millis(500) {
            held_up = true;
            std::thread::sleep(Duration::from_secs(1));
        }
    };
    let stop = CancellationToken::new();
    let record = generator::run(&plan, &target, &mut shopper, &stop, watch).await;
    assert!(record.latest > Duration::from_millis(900), "{:?}", record.latest);
    let p95 = record.all.quantile(0.95).expect("it was measured");
    assert!(p95 > Duration::from_millis(700), "{p95:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_in_flight_is_bounded_and_what_is_beyond_is_dropped_and_counted() {
    let manners = Manners { delay: Duration::from_secs(1), ..Manners::default() };
    let (shop, url) = Shop::open(manners).await;
    let plan = Plan { in_flight: 20, ..plan(100.0, Duration::from_secs(2)) };
    let record = run(&url, &plan, BROWSING).await;
    let outcomes = record.all.outcomes();
    assert_eq!(outcomes.total(), 200, "every arrival is counted");
    assert_eq!(record.most_in_flight, 20);
    assert!(shop.most.load(Ordering::SeqCst) <= 20);
    assert!((120..=170).contains(&outcomes.of(Outcome::Dropped)), "{outcomes:?}");
    assert_eq!(outcomes.of_class(Class::Error), outcomes.of(Outcome::Dropped));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_is_asked_and_an_order_that_is_sent_again_has_to_be_the_same() {
    let (_shop, url) = Shop::open(Manners::default()).await;
    let record = run(&url, &plan(200.0, Duration::from_secs(2)), EVERYTHING).await;
    let outcomes = record.all.outcomes();
    assert_eq!((outcomes.total(), outcomes.of_class(Class::Success)), (400, 400));
    assert!(record.kinds.iter().all(|tally| tally.outcomes().total() > 10));
    let slowest = &record.notables.slowest;
    let placed = slowest.iter().find(|ended| ended.status == Some(StatusCode::CREATED));
    assert!(placed.is_none_or(|ended| ended.look() == format!("lab trace {TRACE}")));

    let (_shop, url) = Shop::open(Manners { forgetful: true, ..Manners::default() }).await;
    let record = run(&url, &plan(200.0, Duration::from_secs(1)), EVERYTHING).await;
    let again = record.kinds[Kind::Repeat as usize].outcomes();
    assert!(again.total() > 0 && again.of(Outcome::Failed) == again.total(), "{again:?}");
    assert_eq!(record.notables.failed[0].look(), format!("lab trace {TRACE}"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_declined_card_is_a_right_answer_and_a_busy_shop_is_none() {
    let (status, outcomes) = (StatusCode::PAYMENT_REQUIRED, Outcome::Declined);
    let pending = (StatusCode::ACCEPTED, Outcome::Pending);
    let busy = (StatusCode::TOO_MANY_REQUESTS, Outcome::Shed);
    for (placed, outcome) in [(status, outcomes), pending, busy] {
        let (_shop, url) = Shop::open(Manners { placed, ..Manners::default() }).await;
        let ordering = Mix { weights: &[(Kind::Place, 1)], declined: 0 };
        let record = run(&url, &plan(50.0, Duration::from_secs(1)), ordering).await;
        assert_eq!(record.all.outcomes().of(outcome), 50, "{placed}");
    }
}

/// `lab load …`, run.
async fn lab(url: &str, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lab"));
    command.args(["load"]).args(arguments).args(["--url", url]);
    let output = tokio::task::spawn_blocking(move || command.output()).await;
    output.expect("no panic").expect("lab runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// On a machine that may have much else to do.
const QUICK: [&str; 8] =
    ["--duration", "2s", "--rate", "40", "--threshold", "p95=15s", "--threshold", "p99=15s"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_exit_code_says_whether_the_thresholds_were_kept() {
    let (_shop, url) = Shop::open(Manners::default()).await;
    let folder = tempfile::tempdir().expect("a folder");
    let (page, json) = (folder.path().join("load.html"), folder.path().join("load.json"));
    let files =
        ["--report", page.to_str().expect("UTF-8"), "--json", json.to_str().expect("UTF-8")];
    let kept = lab(&url, &[&["smoke"], &QUICK[..], &files[..]].concat()).await;
    let table = text(&kept.stdout);
    assert_eq!(kept.status.code(), Some(0), "{table}{}", text(&kept.stderr));
    for part in ["POST /orders", "GET /products", "kept    p95", "success    100.0 %", "slowest"] {
        assert!(table.contains(part), "{part} is missing:\n{table}");
    }
    let page = std::fs::read_to_string(page).expect("a report");
    assert_eq!(page.matches("<svg").count(), 2, "two charts, and nothing went wrong");
    assert!(!page.contains("http-equiv") && !page.contains("src="), "it needs nothing else");
    let json: Value = serde_json::from_slice(&std::fs::read(json).expect("JSON")).expect("JSON");
    assert_eq!(json["profile"], "smoke");
    assert_eq!(json["seconds"][0]["offered"].as_u64().map(|offered| offered > 10), Some(true));

    let strict = [&["smoke"], &QUICK[..], &["--threshold", "p95=1us"]].concat();
    let missed = lab(&url, &strict).await;
    assert_eq!(missed.status.code(), Some(1));
    assert!(text(&missed.stdout).contains("MISSED  p95"), "{}", text(&missed.stdout));
}

#[tokio::test]
async fn what_cannot_be_exits_with_2() {
    let nobody = format!("http://127.0.0.1:{}", testbed::free_port());
    let away = lab(&nobody, &["smoke"]).await;
    assert_eq!(away.status.code(), Some(2));
    assert!(text(&away.stderr).contains("there is no shop at"), "{}", text(&away.stderr));
    for bad in [
        &["smoke", "--threshold", "p90=1s"][..],
        &["smoke", "--rate", "0"],
        &["smoke", "--duration", "soon"],
        &["smoke", "--in-flight", "0"],
        &["everything"],
    ] {
        assert_eq!(lab(&nobody, bad).await.status.code(), Some(2), "{bad:?}");
    }
}
