//! The other ways that steps of the service can take: what is wrong with each, and that it ends.

use std::{
    fs::{self, File},
    process::Stdio,
    time::Duration,
};

use contract::{
    refusal::Reason,
    shop::v1::{
        CompleteFulfillmentRequest, GetOrderRequest, ListOrdersRequest, Order, OrderStatus,
        PlaceOrderRequest,
    },
};
use faults::{Effect, Seam};
use provider::Behaviour;
use sqlx::{ConnectOptions as _, PgPool, sqlite::SqliteConnectOptions};
use testbed::{Postgres, eventually, free_port};
use tokio::{process::Command, task::JoinHandle};
use tonic::Status;
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};

use crate::shop::{SOON, Shop, arm_at, cart, metrics_at, reason};

const NOBODY: &str = "amqp://guest:guest@127.0.0.1:1/%2f";
const OTHER_WAY: Effect = Effect::Detour { share: 1.0 };
const STUCK: Effect = Effect::Delay { median_ms: 60_000.0, share: 1.0 };
const USED: &str = "db_pool_connections{state=\"used\"}";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_that_fails_as_soon_as_it_is_read_stores_nothing() {
    let shop = Shop::start_without_broker().await;
    shop.arm([(Seam::ReadOrder, Effect::Fail { share: 1.0 })]).await;
    let failed = shop.place(&[("TEA-001", 1)]).await.unwrap_err();
    assert_eq!(reason(&failed), Reason::Unavailable);
    assert_eq!(shop.statements("insert_order").await, 0.0);
    shop.arm([]).await;
    shop.place(&[("TEA-001", 1)]).await.unwrap();
    assert_eq!(shop.statements("insert_order").await, 1.0);
    shop.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_call_waits_for_its_message_and_a_health_check_has_none() {
    let shop = Shop::start_without_broker().await;
    shop.arm([(Seam::ReceiveCall, STUCK)]).await;
    let list = || {
        let mut calls = shop.calls.clone();
        tokio::spawn(async move { calls.list_orders(ListOrdersRequest::default()).await })
    };
    let listing = list();
    shop.metric_is("grpc_requests_active{method=\"ListOrders\"}", 1.0).await;
    let question = HealthCheckRequest::default();
    HealthClient::new(shop.channel.clone()).check(question).await.unwrap();
    assert!(!listing.is_finished(), "it did not wait for its message");
    assert_eq!(shop.metrics().await["concurrency_in_use"], 0.0, "who waits takes nobody's place");
    listing.abort();
    shop.arm([]).await;
    list().await.unwrap().unwrap();
    shop.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_column_that_no_migration_has_added_fails_the_order_and_leaves_nothing() {
    an_unknown_column(Shop::start_without_broker().await).await;
    if testbed::left_out(Postgres::available()) {
        return;
    }
    let server = Postgres::start().await.unwrap();
    let shop = Shop::start_on(&server.url(), NOBODY, tempfile::tempdir().unwrap()).await;
    shop.becomes_ready(true).await;
    an_unknown_column(shop).await;
}

async fn an_unknown_column(shop: Shop) {
    shop.arm([(Seam::StoreOrder, OTHER_WAY)]).await;
    let failed = shop.place(&[("TEA-001", 1)]).await.unwrap_err();
    assert_eq!(reason(&failed), Reason::Internal);
    shop.arm([]).await;
    let listed = shop.calls.clone().list_orders(ListOrdersRequest::default()).await.unwrap();
    assert_eq!(listed.into_inner().orders, []);
    shop.place(&[("TEA-001", 1)]).await.unwrap();
    shop.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn orders_are_placed_one_after_the_other() {
    let shop = Shop::start_without_broker().await;
    let place = || {
        let mut calls = shop.calls.clone();
        tokio::spawn(async move { calls.place_order(cart("ada", &[("TEA-001", 1)])).await })
    };
    // A call is in hand before it comes to these steps, and may come to them too late.
    let (first, second) = eventually(SOON, "one is stuck, and one waits for it", async || {
        shop.arm([(Seam::PlaceOrder, OTHER_WAY), (Seam::StoreOrder, STUCK)]).await;
        let first = place();
        shop.metric_is("concurrency_in_use", 1.0).await;
        let second = place();
        shop.metric_is("concurrency_in_use", 2.0).await;
        shop.arm([]).await;
        shop.place(&[("TEA-002", 1)]).await.unwrap();
        if first.is_finished() || second.is_finished() {
            [first, second].iter().for_each(JoinHandle::abort);
            shop.metric_is("concurrency_in_use", 0.0).await;
            return None;
        }
        Some((first, second))
    })
    .await;
    first.abort();
    // Far less than it would be stuck for by itself.
    tokio::time::timeout(Duration::from_secs(10), second).await.unwrap().unwrap().unwrap();
    shop.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_declined_order_keeps_a_connection() {
    let directory = tempfile::tempdir().unwrap();
    let database = format!("sqlite://{}", directory.path().join("shop.db").display());
    let settings = ["--database-connections=3", "--database-acquire-timeout=2s"];
    let shop = Shop::start_with(&settings, &database, NOBODY, directory).await;
    shop.becomes_ready(true).await;
    shop.arm([(Seam::DeclineOrder, OTHER_WAY)]).await;
    for kept in 1..=3 {
        let payment_method = "card-declined".to_owned();
        let order = PlaceOrderRequest { payment_method, ..cart("ada", &[("TEA-001", 1)]) };
        let declined = shop.calls.clone().place_order(order).await.unwrap_err();
        assert_eq!(reason(&declined), Reason::PaymentDeclined);
        shop.metric_is(USED, f64::from(kept)).await;
    }
    let refused = shop.place(&[("TEA-001", 1)]).await.unwrap_err();
    assert_eq!(reason(&refused), Reason::Unavailable);
    shop.metric_exceeds("db_pool_timeouts_total", 0.0).await;

    shop.arm([]).await;
    shop.metric_is(USED, 0.0).await;
    shop.place(&[("TEA-001", 1)]).await.unwrap();
    shop.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_order_is_a_series() {
    let shop = Shop::start_without_broker().await;
    let by_order = async || -> Vec<String> {
        let series = shop.metrics().await.into_keys();
        series.filter(|series| series.starts_with("orders_placed_by_order_total")).collect()
    };
    shop.place(&[("TEA-001", 1)]).await.unwrap();
    assert!(by_order().await.is_empty());
    shop.arm([(Seam::CountOrder, OTHER_WAY)]).await;
    let mut expected = Vec::new();
    for _ in 0..3 {
        let id = shop.place(&[("TEA-001", 1)]).await.unwrap().id;
        expected.push(format!("orders_placed_by_order_total{{order_id=\"{id}\"}}"));
    }
    let mut shown = by_order().await;
    shown.sort();
    assert_eq!(shown, expected, "ids are in the order of time");
    shop.arm([]).await;
    assert!(by_order().await.is_empty());
    assert_eq!(shop.metrics().await["orders_created_total"], 4.0);
    shop.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_order_of_a_list_is_a_statement_and_a_question() {
    let shop = Shop::start_without_broker().await;
    for _ in 0..3 {
        shop.place(&[("TEA-001", 1), ("TEA-002", 2)]).await.unwrap();
    }
    shop.metric_is("payments_total{status=\"captured\"}", 3.0).await;
    let asked = async || {
        let found = r#"payment_provider_requests_total{operation="find",outcome="ok"}"#;
        [shop.statements("get_order").await, shop.metrics().await[found]]
    };
    let list = async || -> (Vec<Order>, [f64; 2]) {
        let before = asked().await;
        let listed = shop.calls.clone().list_orders(ListOrdersRequest::default()).await.unwrap();
        let after = asked().await;
        (listed.into_inner().orders, [after[0] - before[0], after[1] - before[1]])
    };
    let (expected, alone) = list().await;
    assert_eq!((expected.len(), alone), (3, [0.0, 0.0]));
    shop.arm([(Seam::ListOrders, OTHER_WAY)]).await;
    assert_eq!(list().await, (expected.clone(), [3.0, 3.0]));
    shop.arm([]).await;
    assert_eq!(list().await, (expected, [0.0, 0.0]));
    shop.finish().await;
}

/// On a private Postgres, with a way around it; none if there is no Postgres.
async fn on_postgres() -> Option<(Shop, PgPool, Postgres)> {
    if testbed::left_out(Postgres::available()) {
        return None;
    }
    let postgres = Postgres::start().await.unwrap();
    let directory = tempfile::tempdir().unwrap();
    let shop = Shop::start_on(&postgres.url(), NOBODY, directory).await;
    shop.becomes_ready(true).await;
    let inside = PgPool::connect(&postgres.url()).await.unwrap();
    Some((shop, inside, postgres))
}

fn place(shop: &Shop, order: PlaceOrderRequest) -> JoinHandle<Result<OrderStatus, Status>> {
    let mut calls = shop.calls.clone();
    tokio::spawn(async move {
        let placed = calls.place_order(order).await?.into_inner().order.unwrap();
        Ok(placed.status())
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_orders_each_hold_what_the_other_waits_for() {
    let Some((shop, _, _postgres)) = on_postgres().await else { return };
    let median = Duration::from_millis(200);
    let behaviour = Behaviour { median, sigma: 0.0, ..shop.provider.behaviour() };
    shop.provider.set_behaviour(behaviour);
    let both = async || {
        let [one, other] = [["TEA-001", "CUP-001"], ["CUP-001", "TEA-001"]]
            .map(|[first, second]| place(&shop, cart("ada", &[(first, 1), (second, 1)])));
        for placed in [one, other] {
            assert_eq!(placed.await.unwrap().unwrap(), OrderStatus::Placed);
        }
        shop.metrics().await["db_transaction_retries_total"]
    };
    assert_eq!(both().await, 0.0);
    shop.arm([(Seam::ReserveStock, OTHER_WAY)]).await;
    eventually(SOON, "a deadlock", async || (both().await > 0.0).then_some(())).await;
    shop.arm([]).await;
    let retries = shop.metrics().await["db_transaction_retries_total"];
    assert_eq!(both().await, retries);
    shop.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_product_is_held_until_its_order_is_paid() {
    let Some((shop, inside, _postgres)) = on_postgres().await else { return };
    let behaviour = shop.provider.behaviour();
    let is_free = async || {
        let free = "SELECT stock FROM products WHERE sku = 'TEA-001' FOR UPDATE SKIP LOCKED";
        let row: Option<i64> = sqlx::query_scalar(free).fetch_optional(&inside).await.unwrap();
        row.is_some()
    };
    for held in [false, true] {
        // So that nobody is paid.
        shop.provider.set_behaviour(Behaviour { capacity: 0, ..behaviour });
        shop.arm(held.then_some((Seam::PayOrder, OTHER_WAY))).await;
        let before = shop.statements("insert_order").await;
        let placing = place(&shop, cart("ada", &[("TEA-002", 1), ("TEA-001", 1)]));
        eventually(SOON, "an order that waits to be paid", async || {
            let stored = shop.statements("insert_order").await > before;
            (stored && shop.provider.load().waiting > 0 && is_free().await != held).then_some(())
        })
        .await;
        shop.provider.set_behaviour(behaviour);
        placing.await.unwrap().unwrap();
        assert!(is_free().await, "held: {held}");
    }

    // It is let go before the stock comes back, or nothing would.
    let payment_method = "card-declined".to_owned();
    let order = PlaceOrderRequest { payment_method, ..cart("ada", &[("TEA-001", 1)]) };
    let declined = place(&shop, order).await.unwrap().unwrap_err();
    assert_eq!(reason(&declined), Reason::PaymentDeclined);
    shop.arm([]).await;
    shop.finish().await;
}

/// No other way, but what a row that is wrong comes to.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_price_that_cannot_be_one_is_a_defect_of_its_orders_alone() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("shop.db");
    let database = format!("sqlite://{}", file.display());
    let shop = Shop::start_on(&database, NOBODY, directory).await;
    shop.becomes_ready(true).await;
    let options = SqliteConnectOptions::new().filename(file);
    let mut inside = options.pragma("ignore_check_constraints", "ON").connect().await.unwrap();
    let spoil = "UPDATE products SET unit_price_minor = 5900000000000 WHERE sku = 'POT-001'";
    sqlx::raw_sql(spoil).execute(&mut inside).await.unwrap();
    let failed = shop.place(&[("TEA-001", 1), ("POT-001", 1)]).await.unwrap_err();
    assert_eq!(reason(&failed), Reason::Internal);
    shop.place(&[("TEA-001", 1)]).await.unwrap();
    let taken: i64 = sqlx::query_scalar("SELECT sum(1000000 - stock) FROM products")
        .fetch_one(&mut inside)
        .await
        .unwrap();
    assert_eq!(taken, 1, "the order that failed took nothing");
    shop.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_old_key_is_used_for_ever() {
    let shop = Shop::start_without_broker().await;
    let token_ttl = Duration::from_secs(1);
    shop.provider.set_behaviour(Behaviour { token_ttl, ..shop.provider.behaviour() });
    shop.arm([(Seam::RenewKey, OTHER_WAY)]).await;
    let first = shop.place(&[("TEA-001", 1)]).await.unwrap();
    assert_eq!(first.status(), OrderStatus::Placed, "there is a first key");
    let is_placed = async |placed: bool| {
        eventually(SOON, &format!("placed: {placed}"), async || {
            let order = shop.place(&[("TEA-001", 1)]).await;
            (order.is_ok_and(|order| order.status() == OrderStatus::Placed) == placed).then_some(())
        })
        .await;
    };
    is_placed(false).await;
    shop.metric_exceeds("payments_undecided_total", 0.0).await;
    shop.arm([]).await;
    is_placed(true).await;
    shop.finish().await;
}

/// As a process, for its log is the process's.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_statement_is_many_lines() {
    let directory = tempfile::tempdir().unwrap();
    let log = directory.path().join("log");
    let side = format!("http://127.0.0.1:{}", free_port());
    let _process = Command::new(env!("CARGO_BIN_EXE_order-api"))
        .arg(format!("--listen=127.0.0.1:{}", free_port()))
        .arg(format!("--side-listen={}", side.trim_start_matches("http://")))
        .arg(format!("--database-url=sqlite://{}", directory.path().join("shop.db").display()))
        .args(["--amqp-url", NOBODY, "--demo-users="])
        .stdout(Stdio::from(File::create(&log).unwrap()))
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let rows = || fs::read_to_string(&log).unwrap().matches("\"statement row\"").count();
    let pings = async || {
        let series = "db_statement_duration_seconds_count{query=\"ping\"}";
        metrics_at(&side).await.unwrap_or_default().get(series).copied().unwrap_or_default()
    };
    // It looks after its database by itself.
    let looks_again = async || {
        let before = pings().await;
        eventually(SOON, "two pings", async || (pings().await > before + 1.0).then_some(())).await;
    };
    looks_again().await;
    assert_eq!(rows(), 0);
    arm_at(&side, [(Seam::RunStatement, OTHER_WAY)]).await;
    looks_again().await;
    assert!(rows() >= 40, "{} lines", rows());
    arm_at(&side, []).await;
    looks_again().await;
    let before = rows();
    looks_again().await;
    assert_eq!(rows(), before);
}

/// The carrier is asked about one order at a time, and on and on when nobody waits.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_looks_at_an_order_waits_for_all_who_looked_before() {
    let shop = Shop::start_without_broker().await;
    let id = shop.place(&[("TEA-001", 1)]).await.unwrap().id;
    let look = || {
        let (mut calls, id) = (shop.calls.clone(), id.clone());
        tokio::spawn(async move { calls.get_order(GetOrderRequest { id }).await })
    };
    shop.arm([(Seam::ReadCall, OTHER_WAY), (Seam::AskCarrier, STUCK)]).await;
    let first = look();
    shop.metric_is("concurrency_in_use", 1.0).await;
    first.abort();
    shop.metric_is("concurrency_in_use", 0.0).await;
    // Nobody waits for the first answer, and it is not over: the second one comes after it.
    shop.arm([(Seam::ReadCall, OTHER_WAY)]).await;
    let second = look();
    shop.metric_is("concurrency_in_use", 1.0).await;
    assert!(!second.is_finished());

    shop.arm([]).await;
    tokio::time::timeout(SOON, second).await.unwrap().unwrap().unwrap();
    shop.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_that_is_said_to_be_done_twice_is_counted_twice() {
    let shop = Shop::start_without_broker().await;
    let id = shop.place(&[("TEA-001", 1)]).await.unwrap().id;
    let complete = async || {
        let request = CompleteFulfillmentRequest { order_id: id.clone(), message_id: "m-1".into() };
        shop.worker().complete_fulfillment(request).await.unwrap().into_inner().already_recorded
    };
    let counted = async || {
        let metrics = shop.metrics().await;
        let fulfilled = metrics["fulfillments_total{outcome=\"fulfilled\"}"];
        [fulfilled, metrics["fulfillments_repeated_total"]]
    };
    assert!(!complete().await);
    assert_eq!(counted().await, [1.0, 0.0]);
    assert!(complete().await);
    assert_eq!(counted().await, [1.0, 1.0]);
    shop.arm([(Seam::CountEnding, OTHER_WAY)]).await;
    assert!(complete().await);
    assert_eq!(counted().await, [2.0, 2.0]);
    shop.arm([]).await;
    assert!(complete().await);
    assert_eq!(counted().await, [2.0, 3.0]);
    shop.finish().await;
}
