//! What the desk does in the shop's database, and that nothing is left of it.

use std::{sync::Arc, time::Duration};

use instrumentation::metrics::Registry;
use order_api::{metrics::Metrics, store::Store};
use reqwest::{Method, StatusCode};
use sqlx::{PgPool, SqlitePool};
use testbed::{Postgres, eventually};

use crate::{
    desk::{DeskFixture, PATIENCE, World},
    repairs::{Measurer, on, repaired, status},
};

const INDEX_ON_POSTGRES: &str =
    "SELECT count(*) FROM pg_indexes WHERE indexname = 'orders_by_customer'";
const INDEX_ON_SQLITE: &str =
    "SELECT count(*) FROM sqlite_schema WHERE name = 'orders_by_customer'";
const OLD: &str = "SELECT count(*) FROM orders JOIN order_items ON order_id = id
                   WHERE customer_id = 'archive' AND due_at IS NULL";
const ORDERS: &str = "SELECT count(*) FROM orders";
const ITEMS: &str = "SELECT count(*) FROM order_items";
/// Longer than it takes to see that somebody has put something right.
const A_LOOK: Duration = Duration::from_secs(8);
const PRICE: &str = "SELECT unit_price_minor FROM products WHERE sku = 'POT-001'";

/// The shop's database, looked at from the side.
enum Inside {
    Postgres(PgPool),
    Sqlite(SqlitePool),
}

impl Inside {
    async fn number(&self, sql: &'static str) -> i64 {
        let number = match self {
            Self::Postgres(pool) => sqlx::query_scalar(sql).fetch_one(pool).await,
            Self::Sqlite(pool) => sqlx::query_scalar(sql).fetch_one(pool).await,
        };
        number.expect("a number")
    }

    async fn does(&self, sql: &'static str) -> sqlx::Result<()> {
        match self {
            Self::Postgres(pool) => sqlx::raw_sql(sql).execute(pool).await.map(drop),
            Self::Sqlite(pool) => sqlx::raw_sql(sql).execute(pool).await.map(drop),
        }
    }

    async fn becomes(&self, sql: &'static str, number: i64) {
        eventually(3 * PATIENCE, &format!("{sql} is {number}"), async || {
            (self.number(sql).await == number).then_some(())
        })
        .await;
    }
}

/// The tables of a shop.
async fn furnish(url: &str) {
    let registry = Registry::new("order-api", &[Metrics::CATALOGUE]);
    let metrics = Metrics::register(&registry);
    let url = url.parse().expect("the address of a database");
    let store = Store::new(&url, 2, Duration::from_secs(20), metrics, Arc::default());
    store.open().await.expect("the tables are there");
    store.close().await;
}

async fn desk_at(url: &str) -> DeskFixture {
    furnish(url).await;
    another_desk_at(url).await
}

async fn another_desk_at(url: &str) -> DeskFixture {
    let prometheus_url = Some(Measurer::default().start().await);
    World { database_url: Some(url.to_owned()), prometheus_url, ..World::empty() }.desk().await
}

async fn off(desk: &DeskFixture) {
    assert_eq!(desk.text(Method::DELETE, "/chaos", "").await.0, StatusCode::OK);
}

/// The index goes, old orders come, and both are as before.
async fn an_index_goes_and_comes_back(desk: &DeskFixture, inside: &Inside, index: &'static str) {
    on(desk, "missing-index", "orders=5000").await;
    assert_eq!(inside.number(index).await, 0);
    inside.becomes(OLD, 5000).await;
    off(desk).await;
    assert_eq!(inside.number(index).await, 1);
    inside.becomes(ORDERS, 0).await;
    inside.becomes(ITEMS, 0).await;
}

const MAD: &str = "UPDATE products SET unit_price_minor = 2000000000 WHERE sku = 'TEA-001'";

/// A price is spoiled and corrected.
async fn a_price_is_spoiled_and_corrected(desk: &DeskFixture, inside: &Inside) {
    on(desk, "one-sku", "").await;
    assert_eq!(inside.number(PRICE).await, 5_900_000_000_000);
    off(desk).await;
    assert_eq!(inside.number(PRICE).await, 5900);
    assert!(inside.does(MAD).await.is_err(), "the table checks again");
}

/// A learner makes the index and corrects the price, and when that has been well for long enough, nothing
/// else is left either.
async fn a_learner_repairs_both(desk: &DeskFixture, inside: &Inside) {
    on(desk, "missing-index", "orders=20000").await;
    on(desk, "one-sku", "").await;
    inside.does("CREATE INDEX mine ON orders (customer_id, id)").await.expect("an index");
    inside
        .does("UPDATE products SET unit_price_minor = 4900 WHERE sku = 'POT-001'")
        .await
        .expect("a price");
    tokio::time::sleep(A_LOOK).await;
    assert_eq!(status(desk).await.1, ["missing-index", "one-sku"], "it has to last");
    repaired(desk, &["missing-index", "one-sku"]).await;
    assert_eq!(status(desk).await.1, Vec::<String>::new());
    eventually(PATIENCE, "the table checks again", async || {
        inside.does(MAD).await.is_err().then_some(())
    })
    .await;
    assert_eq!(inside.number(PRICE).await, 4900, "it is theirs");
    inside.does("DROP INDEX mine").await.expect("no index");
    inside.becomes(ORDERS, 0).await;
}

/// Old orders that cannot be taken away are taken away when they can.
async fn old_orders_go_in_the_end(desk: &DeskFixture, inside: &Inside) {
    on(desk, "missing-index", "orders=1000").await;
    inside.becomes(OLD, 1000).await;
    let keep = "CREATE TRIGGER keep BEFORE DELETE ON orders BEGIN SELECT RAISE(ABORT, 'no'); END";
    inside.does(keep).await.expect("a trigger");
    off(desk).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(inside.number(ORDERS).await, 1000);
    inside.does("DROP TRIGGER keep").await.expect("no trigger");
    inside.becomes(ORDERS, 0).await;
}

/// A desk is killed, and the next one finds what it has left.
async fn nothing_is_left_of_a_desk_that_was_killed(
    url: &str,
    desk: DeskFixture,
    inside: &Inside,
    index: &'static str,
) {
    let price = inside.number(PRICE).await;
    on(&desk, "missing-index", "orders=1000").await;
    on(&desk, "one-sku", "").await;
    inside.becomes(OLD, 1000).await;
    desk.die().await;
    assert_eq!(inside.number(index).await, 0);
    let _desk = another_desk_at(url).await;
    inside.becomes(index, 1).await;
    inside.becomes(ORDERS, 0).await;
    inside.becomes(PRICE, price).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_done_in_sqlite_is_undone() {
    let folder = tempfile::tempdir().expect("a folder");
    let url = format!("sqlite://{}/shop.db", folder.path().display());
    let desk = desk_at(&url).await;
    let inside = Inside::Sqlite(SqlitePool::connect(&url).await.expect("a file"));
    an_index_goes_and_comes_back(&desk, &inside, INDEX_ON_SQLITE).await;
    a_price_is_spoiled_and_corrected(&desk, &inside).await;
    old_orders_go_in_the_end(&desk, &inside).await;

    let (status, text) = desk.text(Method::POST, "/chaos/migration-lock", "").await;
    assert_eq!(status, StatusCode::CONFLICT);
    assert!(text.contains("needs Postgres") && text.contains("--database-url"), "{text}");
    nothing_is_left_of_a_desk_that_was_killed(&url, desk, &inside, INDEX_ON_SQLITE).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_puts_sqlite_right_has_repaired_it_when_all_is_well_for_long_enough() {
    let folder = tempfile::tempdir().expect("a folder");
    let url = format!("sqlite://{}/shop.db", folder.path().display());
    let desk = desk_at(&url).await;
    let inside = Inside::Sqlite(SqlitePool::connect(&url).await.expect("a file"));
    a_learner_repairs_both(&desk, &inside).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_done_in_postgres_is_undone() {
    if testbed::left_out(Postgres::available()) {
        return;
    }
    let postgres = Postgres::start().await.expect("a private Postgres");
    let desk = desk_at(&postgres.url()).await;
    let inside = Inside::Postgres(PgPool::connect(&postgres.url()).await.expect("a pool"));
    an_index_goes_and_comes_back(&desk, &inside, INDEX_ON_POSTGRES).await;
    a_price_is_spoiled_and_corrected(&desk, &inside).await;
    a_learner_repairs_both(&desk, &inside).await;
    let url = postgres.url();
    nothing_is_left_of_a_desk_that_was_killed(&url, desk, &inside, INDEX_ON_POSTGRES).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_ends_the_session_that_all_wait_for_has_repaired_it() {
    const WAITING: &str = "SELECT count(*) FROM pg_locks
                           WHERE relation = 'orders'::regclass AND NOT granted";
    const SESSIONS: &str = "SELECT count(*) FROM pg_stat_activity
                            WHERE application_name IN ('reporting', 'migration')";
    if testbed::left_out(Postgres::available()) {
        return;
    }
    let postgres = Postgres::start().await.expect("a private Postgres");
    let desk = desk_at(&postgres.url()).await;
    let inside = Inside::Postgres(PgPool::connect(&postgres.url()).await.expect("a pool"));
    let reads = async || {
        inside.does("SET lock_timeout = '50ms'; SELECT 1 FROM orders; RESET lock_timeout").await
    };
    reads().await.expect("nobody is in the way");
    on(&desk, "migration-lock", "").await;
    inside.becomes(WAITING, 1).await;
    assert!(reads().await.is_err(), "even who reads has to wait");
    off(&desk).await;
    inside.becomes(SESSIONS, 0).await;
    reads().await.expect("nobody is in the way");

    on(&desk, "migration-lock", "").await;
    inside.becomes(WAITING, 1).await;
    let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = ";
    let [victim, cause] = ["'migration'", "'reporting'"].map(|name| format!("{end}{name}"));
    let Inside::Postgres(pool) = &inside else { unreachable!("it was made so") };
    sqlx::raw_sql(sqlx::AssertSqlSafe(victim)).execute(pool).await.expect("it ends");
    inside.becomes(WAITING, 1).await;
    sqlx::raw_sql(sqlx::AssertSqlSafe(cause)).execute(pool).await.expect("it ends");
    repaired(&desk, &["migration-lock"]).await;
    inside.becomes(SESSIONS, 0).await;
    reads().await.expect("nobody is in the way");
}

#[tokio::test]
async fn a_desk_without_the_database_says_what_is_missing() {
    let desk = World::empty().desk().await;
    for fault in ["missing-index", "one-sku", "migration-lock", "hot-row", "deadlock"] {
        let (status, text) = desk.text(Method::POST, &format!("/chaos/{fault}"), "").await;
        assert_eq!(status, StatusCode::CONFLICT, "{text}");
        assert!(text.contains("database"), "{text}");
    }
}
