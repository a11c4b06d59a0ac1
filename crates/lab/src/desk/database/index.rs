//! The index by which a customer's orders are found, dropped and made again, while others order.

use faults::contract::Sql;

use super::Connection;

/// Any index of the orders that begins with the customer, whoever has made it.
const THERE: Sql = Sql {
    postgres: "SELECT 1 FROM pg_index
               JOIN pg_attribute ON attrelid = indrelid AND attnum = indkey[0]
               WHERE indrelid = 'orders'::regclass AND indisvalid AND attname = 'customer_id'",
    sqlite: "SELECT 1 FROM pragma_index_list('orders') AS i
             JOIN pragma_index_info(i.name) AS c
             WHERE c.seqno = 0 AND c.name = 'customer_id'",
};

pub(super) async fn drop(connection: &mut Connection) -> sqlx::Result<()> {
    connection
        .run(
            &["DROP INDEX CONCURRENTLY IF EXISTS orders_by_customer"],
            &["DROP INDEX IF EXISTS orders_by_customer"],
        )
        .await
}

/// Makes it, if there is none.
pub(super) async fn make(connection: &mut Connection) -> sqlx::Result<()> {
    if is_there(connection).await? {
        return Ok(());
    }
    // What was not finished before is not valid, and has the name.
    drop(connection).await?;
    connection
        .run(
            &["CREATE INDEX CONCURRENTLY orders_by_customer ON orders (customer_id, id)"],
            &["CREATE INDEX orders_by_customer ON orders (customer_id, id)"],
        )
        .await
}

pub(super) async fn is_there(connection: &mut Connection) -> sqlx::Result<bool> {
    connection.has_row(THERE).await
}
