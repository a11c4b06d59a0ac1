//! The price of a product, spoiled by a price list that was loaded with its checks off, and corrected.

use faults::contract::Sql;
use sqlx::Connection as _;

use super::Connection;

/// The price list was in units so many times as small.
const TIMES: i64 = 1_000_000_000;

/// What the table allows.
const CHECK: &str = "ALTER TABLE products ADD CONSTRAINT products_unit_price_minor_check
                     CHECK (unit_price_minor BETWEEN 0 AND 1000000000)";
const NO_CHECK: &str =
    "ALTER TABLE products DROP CONSTRAINT IF EXISTS products_unit_price_minor_check";
/// Whoever changes the table has it for itself, and must not be waited for.
const AT_ONCE: &str = "SET LOCAL lock_timeout = '2s'";

/// A price that the table would not take.
const WRONG: Sql = Sql {
    postgres: "SELECT 1 FROM products WHERE unit_price_minor NOT BETWEEN 0 AND 1000000000",
    sqlite: "SELECT 1 FROM products WHERE unit_price_minor NOT BETWEEN 0 AND 1000000000",
};

/// A table that would take any.
const UNCHECKED: Sql = Sql {
    postgres: "SELECT 1 WHERE NOT EXISTS (
                   SELECT 1 FROM pg_constraint WHERE conname = 'products_unit_price_minor_check')",
    sqlite: "",
};

pub(super) async fn spoil(connection: &mut Connection, sku: &str) -> sqlx::Result<()> {
    let spoil = "UPDATE products SET unit_price_minor = unit_price_minor * $1
                 WHERE sku = $2 AND unit_price_minor < $1";
    match connection {
        Connection::Postgres(connection) => {
            let mut transaction = connection.begin().await?;
            for sql in [AT_ONCE, NO_CHECK] {
                sqlx::raw_sql(sql).execute(&mut *transaction).await?;
            }
            sqlx::query(spoil).bind(TIMES).bind(sku).execute(&mut *transaction).await?;
            transaction.commit().await
        }
        Connection::Sqlite(connection) => {
            sqlx::raw_sql("PRAGMA ignore_check_constraints = ON").execute(&mut *connection).await?;
            sqlx::query(spoil).bind(TIMES).bind(sku).execute(&mut *connection).await.map(drop)
        }
    }
}

/// Corrects it, and puts the check back.
pub(super) async fn correct(connection: &mut Connection) -> sqlx::Result<()> {
    let correct = "UPDATE products SET unit_price_minor = unit_price_minor / $1
                   WHERE unit_price_minor > $1";
    match connection {
        Connection::Postgres(connection) => {
            let mut transaction = connection.begin().await?;
            sqlx::raw_sql(AT_ONCE).execute(&mut *transaction).await?;
            // First the table, then its row: in the other order it could wait for somebody who waits
            // for the row.
            sqlx::raw_sql(NO_CHECK).execute(&mut *transaction).await?;
            sqlx::query(correct).bind(TIMES).execute(&mut *transaction).await?;
            sqlx::raw_sql(CHECK).execute(&mut *transaction).await?;
            transaction.commit().await
        }
        Connection::Sqlite(connection) => {
            sqlx::query(correct).bind(TIMES).execute(&mut *connection).await.map(drop)
        }
    }
}

/// Whether all prices can be ones.
pub(super) async fn is_right(connection: &mut Connection) -> sqlx::Result<bool> {
    Ok(!connection.has_row(WRONG).await?)
}

/// Whether they can, and must.
pub(super) async fn is_as_ever(connection: &mut Connection) -> sqlx::Result<bool> {
    Ok(is_right(connection).await? && !connection.has_row(UNCHECKED).await?)
}
