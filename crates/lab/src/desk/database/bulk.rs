//! Old orders of somebody who orders no more, brought in and taken away in small parts, so that nobody
//! waits for them.
//!
//! They were declined: no stock, no money, no event, nothing owed. Their ids are those of another shop,
//! random ones, which nearly all sort after those of this century: whoever reads the newest orders
//! without an index for it, has to pass them all.

use std::{sync::Arc, time::Duration};

use faults::contract::Sql;
use rand::RngExt as _;
use sqlx::{Connection as _, PgConnection, SqliteConnection};
use tokio::{
    sync::Mutex,
    task::JoinHandle,
    time::{Instant, sleep},
};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{Connection, Database};

/// Orders of one transaction.
const PART: u32 = 2000;
/// Orders of SQLite whose ids are mixed, where with Postgres all are: so a part changes few pages of the
/// indexes, all of which would be written before others can go on.
const BLOCK: u32 = 10_000;
/// The shortest pause between two parts; it is as long as the part was.
const BREATH: Duration = Duration::from_millis(10);
/// The pause before what did not succeed is tried again.
const AGAIN: Duration = Duration::from_secs(5);

const THERE: Sql = Sql {
    postgres: "SELECT 1 FROM orders WHERE customer_id = 'archive' AND created_at = '2015-03-01Z' LIMIT 1",
    sqlite: "SELECT 1 FROM orders
             WHERE customer_id = 'archive' AND created_at = '2015-03-01T00:00:00+00:00' LIMIT 1",
};

/// Old orders on their way into the table.
#[derive(Debug)]
pub(crate) struct Import {
    stop: CancellationToken,
    work: Option<JoinHandle<()>>,
}

impl Import {
    /// Brings so many in, after whoever still takes such away.
    pub(super) fn start(connection: Connection, orders: u32, turn: Arc<Mutex<()>>) -> Self {
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        let work = tokio::spawn(async move {
            let bringing = async {
                let _turn = turn.lock().await;
                bring(connection, orders).await
            };
            if let Some(Err(error)) = stopped.run_until_cancelled(bringing).await {
                tracing::warn!(%error, "not all old orders are there");
            }
        });
        Self { stop, work: Some(work) }
    }

    /// Brings no more in.
    pub(super) async fn stop(&mut self) {
        self.stop.cancel();
        if let Some(work) = self.work.take() {
            // It panics only if the desk ends.
            let _ = work.await;
        }
    }
}

async fn bring(mut connection: Connection, orders: u32) -> sqlx::Result<()> {
    let block = match connection {
        Connection::Postgres(_) => orders,
        Connection::Sqlite(_) => BLOCK,
    };
    let mut brought = 0;
    while brought < orders {
        let started = Instant::now();
        let part = PART.min(orders - brought);
        let ids: Vec<_> = (0..part).map(|_| id(brought / block, orders.div_ceil(block))).collect();
        match &mut connection {
            Connection::Postgres(connection) => bring_to_postgres(connection, &ids).await?,
            Connection::Sqlite(connection) => bring_to_sqlite(connection, &ids).await?,
        }
        brought += part;
        sleep(started.elapsed().max(BREATH)).await;
    }
    Ok(())
}

/// A random id of the block of this number, of so many.
fn id(block: u32, blocks: u32) -> Uuid {
    let (first, width) = (0x2000_0000_u32, 0xd000_0000_u32 / blocks.max(1));
    let random: u128 = rand::rng().random();
    let prefix = first + block * width + rand::rng().random_range(0..width);
    let number = (u128::from(prefix) << 96) | (random >> 32);
    uuid::Builder::from_random_bytes(number.to_be_bytes()).into_uuid()
}

async fn bring_to_postgres(connection: &mut PgConnection, ids: &[Uuid]) -> sqlx::Result<()> {
    let mut transaction = connection.begin().await?;
    sqlx::query(
        "INSERT INTO orders (id, customer_id, status, total_minor, currency, created_at, updated_at)
         SELECT id, 'archive', 'declined', 590, 'EUR', '2015-03-01Z', '2015-03-01Z'
         FROM unnest($1) AS id",
    )
    .bind(ids)
    .execute(&mut *transaction)
    .await?;
    sqlx::query(
        "INSERT INTO order_items (order_id, line, sku, quantity, unit_price_minor)
         SELECT id, 0, 'TEA-001', 1, 590 FROM unnest($1) AS id",
    )
    .bind(ids)
    .execute(&mut *transaction)
    .await?;
    transaction.commit().await
}

async fn bring_to_sqlite(connection: &mut SqliteConnection, ids: &[Uuid]) -> sqlx::Result<()> {
    let ids: Vec<_> = ids.iter().map(|id| id.simple().to_string()).collect();
    let ids = serde_json::json!(ids).to_string();
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    sqlx::query(
        "INSERT INTO orders (id, customer_id, status, total_minor, currency, created_at, updated_at)
         SELECT unhex(value), 'archive', 'declined', 590, 'EUR',
                '2015-03-01T00:00:00+00:00', '2015-03-01T00:00:00+00:00' FROM json_each($1)",
    )
    .bind(&ids)
    .execute(&mut *transaction)
    .await?;
    sqlx::query(
        "INSERT INTO order_items (order_id, line, sku, quantity, unit_price_minor)
         SELECT unhex(value), 0, 'TEA-001', 1, 590 FROM json_each($1)",
    )
    .bind(&ids)
    .execute(&mut *transaction)
    .await?;
    transaction.commit().await
}

/// Whether there are any.
pub(super) async fn is_there(connection: &mut Connection) -> sqlx::Result<bool> {
    connection.has_row(THERE).await
}

/// Takes them away, by itself, until none is left: what keeps it from that passes.
pub(super) fn take_away(database: Database) {
    tokio::spawn(async move {
        let _turn = database.bulk.lock().await;
        while let Err(error) = take_all_away(&database).await {
            tracing::warn!("some old orders are still there: {error:#}");
            sleep(AGAIN).await;
        }
    });
}

async fn take_all_away(database: &Database) -> anyhow::Result<()> {
    let mut connection = database.connect().await?;
    // Whoever takes an order away has to look for it among the keys, which have no index for that. One
    // that was not finished before is not valid, and has the name.
    let make = [
        "DROP INDEX CONCURRENTLY IF EXISTS idempotency_keys_by_order",
        "CREATE INDEX CONCURRENTLY idempotency_keys_by_order ON idempotency_keys (order_id)",
    ];
    connection.run(&make, &[]).await?;
    loop {
        let started = Instant::now();
        let taken = match &mut connection {
            Connection::Postgres(connection) => take_from_postgres(connection).await?,
            Connection::Sqlite(connection) => take_from_sqlite(connection).await?,
        };
        if taken == 0 {
            break;
        }
        sleep(started.elapsed().max(BREATH)).await;
    }
    connection
        .run(
            &[
                "DROP INDEX CONCURRENTLY IF EXISTS idempotency_keys_by_order",
                "VACUUM (ANALYZE) orders",
                "VACUUM (ANALYZE) order_items",
            ],
            &[],
        )
        .await?;
    Ok(())
}

/// Which of them go next.
macro_rules! some_of_them {
    ($created_at:literal) => {
        concat!(
            "SELECT id FROM orders
             WHERE customer_id = 'archive' AND status = 'declined' AND created_at = ",
            $created_at,
            " ORDER BY id DESC LIMIT $1"
        )
    };
}

async fn take_from_postgres(connection: &mut PgConnection) -> sqlx::Result<usize> {
    let mut transaction = connection.begin().await?;
    let ids: Vec<Uuid> = sqlx::query_scalar(some_of_them!("'2015-03-01Z'"))
        .bind(i64::from(PART))
        .fetch_all(&mut *transaction)
        .await?;
    for statement in [
        "DELETE FROM order_items WHERE order_id = ANY($1)",
        "DELETE FROM orders WHERE id = ANY($1)",
    ] {
        sqlx::query(statement).bind(&ids).execute(&mut *transaction).await?;
    }
    transaction.commit().await?;
    Ok(ids.len())
}

async fn take_from_sqlite(connection: &mut SqliteConnection) -> sqlx::Result<usize> {
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    let ids: Vec<Uuid> = sqlx::query_scalar(some_of_them!("'2015-03-01T00:00:00+00:00'"))
        .bind(i64::from(PART))
        .fetch_all(&mut *transaction)
        .await?;
    let text: Vec<_> = ids.iter().map(|id| id.simple().to_string()).collect();
    let text = serde_json::json!(text).to_string();
    for statement in [
        "DELETE FROM order_items WHERE order_id IN (SELECT unhex(value) FROM json_each($1))",
        "DELETE FROM orders WHERE id IN (SELECT unhex(value) FROM json_each($1))",
    ] {
        sqlx::query(statement).bind(&text).execute(&mut *transaction).await?;
    }
    transaction.commit().await?;
    Ok(ids.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_sort_by_their_blocks_and_after_all_that_are_made_today() {
        for block in 0..15 {
            let (one, next) = (id(block, 16), id(block + 1, 16));
            assert!(Uuid::now_v7() < one && one < next, "{one}, {next}");
            assert_eq!(one.get_version_num(), 4);
        }
    }
}
