//! Orders whose announcement was lost, announced again.

use chrono::{DateTime, Utc};

use super::{
    Store,
    due::{Due, Row},
    now, outbox,
};
use crate::error::Error;

/// How many are announced again in one go.
const MOST: i64 = 1000;

impl Store {
    /// Announces the orders again, at most a thousand and the oldest first, that were placed before
    /// this time, that nobody has fulfilled, and of which no event waits. Returns how many.
    ///
    /// An order that is announced twice is fulfilled once.
    ///
    /// # Errors
    /// The database's; what was announced until then stays so.
    pub async fn announce_again(&self, placed_before: DateTime<Utc>) -> Result<usize, Error> {
        let forgotten = self.forgotten(placed_before).await?;
        for Due { id, thread, .. } in &forgotten {
            let order = self.order(*id).await?;
            let mut session = self.session().await?;
            let mut unit = session.begin().await?;
            outbox::write(unit.link(), &order, thread, order.updated_at, now()).await?;
            unit.commit().await?;
        }
        Ok(forgotten.len())
    }

    async fn forgotten(&self, placed_before: DateTime<Utc>) -> Result<Vec<Due>, Error> {
        let mut session = self.session().await?;
        let mut link = session.link();
        let rows: Vec<Row> = statement!(
            link,
            FindForgotten,
            fetch_all,
            sqlx::query_as(
                "SELECT id, payment_method, correlation_id, traceparent, tracestate, attempts
                 FROM orders
                 WHERE status = 'placed' AND updated_at < $1
                   AND NOT EXISTS (SELECT 1 FROM outbox WHERE outbox.order_id = orders.id)
                 ORDER BY id LIMIT $2",
            )
            .bind(placed_before)
            .bind(MOST)
        )?;
        Ok(rows.into_iter().map(Due::from).collect())
    }
}
