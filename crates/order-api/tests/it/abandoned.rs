//! A client that goes away takes the work behind its call with it, down to the statement.

use std::time::{Duration, Instant};

use provider::Behaviour;
use sqlx::PgPool;
use testbed::{Postgres, eventually};

use crate::shop::{SOON, Shop};

/// A broker that is never there.
const NOBODY: &str = "amqp://guest:guest@127.0.0.1:1/%2f";
/// Far less than the limit of a statement that somebody waits for.
const MOMENT: Duration = Duration::from_secs(8);

/// A shop on a Postgres, and a way around it, into its database.
async fn start() -> (Postgres, Shop, PgPool) {
    let server = Postgres::start().await.unwrap();
    let shop = Shop::start_on(&server.url(), NOBODY, tempfile::tempdir().unwrap()).await;
    shop.becomes_ready(true).await;
    let pool = PgPool::connect(&server.url()).await.unwrap();
    (server, shop, pool)
}

/// Statements of order-api that wait for a lock.
async fn waiting(pool: &PgPool) -> i64 {
    let count = "SELECT COUNT(*) FROM pg_stat_activity
                 WHERE application_name = 'order-api' AND wait_event_type = 'Lock'";
    sqlx::query_scalar(count).fetch_one(pool).await.unwrap()
}

/// What is paid is decided, counted and charged at once, and not when somebody finds the order.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_leaves_while_its_order_is_confirmed_leaves_nothing_half_done() {
    if testbed::left_out(Postgres::available()) {
        return;
    }
    let (_server, shop, pool) = start().await;
    let slow = Behaviour { median: MOMENT / 16, sigma: 0.0, ..shop.provider.behaviour() };
    shop.provider.set_behaviour(slow);
    let mut calls = shop.calls.clone();
    let order = crate::shop::cart("ada", &[("TEA-001", 1)]);
    let call = tokio::spawn(async move { calls.place_order(order).await });

    // It is stored, and the provider decides; then somebody has its row.
    let mut other = pool.begin().await.unwrap();
    let lock = "SELECT 1 FROM orders FOR UPDATE";
    eventually(SOON, "it is stored", async || {
        sqlx::query(lock).fetch_optional(&mut *other).await.unwrap()
    })
    .await;
    eventually(SOON, "it is confirmed", async || (waiting(&pool).await > 0).then_some(())).await;
    call.abort();
    let cancelled = "grpc_requests_total{method=\"PlaceOrder\",status=\"CANCELLED\"}";
    shop.metric_is(cancelled, 1.0).await;
    other.rollback().await.unwrap();

    shop.metric_is("payments_total{status=\"captured\"}", 1.0).await;
    let metrics = shop.metrics().await;
    assert_eq!(metrics["orders_created_total"], 1.0);
    assert!(
        !metrics.iter().any(|(name, value)| name.starts_with("orders_resumed") && *value > 0.0)
    );
    shop.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_hangs_up_leaves_no_statement_running() {
    if testbed::left_out(Postgres::available()) {
        return;
    }
    let (_server, shop, pool) = start().await;
    let mut other = pool.begin().await.unwrap();
    let lock = "SELECT 1 FROM products WHERE sku = 'TEA-001' FOR UPDATE";
    sqlx::query(lock).execute(&mut *other).await.unwrap();

    let calls = (0..3).map(|_| {
        let calls = shop.calls.clone();
        let order = crate::shop::cart("ada", &[("TEA-001", 1)]);
        tokio::spawn(async move { calls.clone().place_order(order).await })
    });
    let calls: Vec<_> = calls.collect();
    eventually(SOON, "three wait", async || (waiting(&pool).await == 3).then_some(())).await;
    calls.iter().for_each(tokio::task::JoinHandle::abort);
    let hung_up = Instant::now();
    eventually(SOON, "nobody waits", async || (waiting(&pool).await == 0).then_some(())).await;
    shop.metric_is("db_pool_connections{state=\"used\"}", 0.0).await;
    shop.metric_is("grpc_requests_total{method=\"PlaceOrder\",status=\"CANCELLED\"}", 3.0).await;
    shop.metric_is("concurrency_in_use", 0.0).await;
    assert!(hung_up.elapsed() < MOMENT, "{:?}", hung_up.elapsed());

    other.rollback().await.unwrap();
    let order = shop.place(&[("TEA-001", 1)]).await.unwrap();
    assert_eq!(order.total_minor, 590);
    let orders = "SELECT COUNT(*) FROM orders";
    let stored: i64 = sqlx::query_scalar(orders).fetch_one(&pool).await.unwrap();
    assert_eq!(stored, 1, "what nobody waited for was not stored");
    shop.finish().await;
}
