//! What the store has on record, read behind the shop's back.

use std::collections::BTreeMap;

use sqlx::{PgPool, SqlitePool, sqlite::SqliteConnectOptions};
use uuid::Uuid;

use crate::lab::World;

/// The shop's books.
pub(crate) enum Ledger {
    Postgres(PgPool),
    Sqlite(SqlitePool),
}

macro_rules! fetch_all {
    ($ledger:expr, $sql:expr) => {
        match $ledger {
            Ledger::Postgres(pool) => sqlx::query_as($sql).fetch_all(pool).await,
            Ledger::Sqlite(pool) => sqlx::query_as($sql).fetch_all(pool).await,
        }
        .expect("the books can be read")
    };
}

impl Ledger {
    /// Opens the books of a world.
    pub(crate) async fn open(world: &World) -> Self {
        match &world.postgres {
            Some(postgres) => {
                let pool = PgPool::connect(&postgres.url()).await;
                Self::Postgres(pool.expect("the test's own Postgres answers"))
            }
            None => {
                let file = world.lab.folder().expect("the lab runs").join("shop.db");
                let options = SqliteConnectOptions::new().filename(file).read_only(true);
                let pool = SqlitePool::connect_with(options).await;
                Self::Sqlite(pool.expect("the lab's own file opens"))
            }
        }
    }

    /// How many fulfillments are on record.
    pub(crate) async fn fulfillments(&self) -> i64 {
        let rows: Vec<(i64,)> = fetch_all!(self, "SELECT count(*) FROM fulfillments");
        rows[0].0
    }

    /// How many events wait to be published.
    pub(crate) async fn outbox(&self) -> i64 {
        let rows: Vec<(i64,)> = fetch_all!(self, "SELECT count(*) FROM outbox");
        rows[0].0
    }

    /// Units in stock, by SKU.
    pub(crate) async fn stock(&self) -> BTreeMap<String, i64> {
        let rows: Vec<(String, i64)> = fetch_all!(self, "SELECT sku, stock FROM products");
        rows.into_iter().collect()
    }

    /// Units in orders that keep their stock, by SKU.
    pub(crate) async fn ordered(&self) -> BTreeMap<String, i64> {
        let rows: Vec<(String, i64)> = fetch_all!(
            self,
            "SELECT item.sku, CAST(sum(item.quantity) AS BIGINT) FROM order_items AS item \
             JOIN orders ON orders.id = item.order_id \
             WHERE orders.status NOT IN ('declined', 'failed', 'refunded') \
             GROUP BY item.sku"
        );
        rows.into_iter().collect()
    }

    /// Orders and what they cost, by how they ended.
    pub(crate) async fn prices(&self) -> Vec<(Uuid, String, i64)> {
        fetch_all!(self, "SELECT id, status, total_minor FROM orders")
    }

    /// Orders that were brought in for one customer.
    pub(crate) async fn archived(&self) -> i64 {
        let sql = "SELECT count(*) FROM orders WHERE customer_id = 'archive'";
        let rows: Vec<(i64,)> = fetch_all!(self, sql);
        rows[0].0
    }

    /// Orders that somebody still has to go on with.
    pub(crate) async fn due(&self) -> i64 {
        let rows: Vec<(i64,)> =
            fetch_all!(self, "SELECT count(*) FROM orders WHERE due_at IS NOT NULL");
        rows[0].0
    }
}
