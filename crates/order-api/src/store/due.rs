//! Orders that somebody has to go on with.

use std::time::Duration;

use instrumentation::trace::Carried;
use uuid::Uuid;

use super::{Store, Thread, moving::IN_HAND, now, session::Borrowed};
use crate::error::Error;

/// The statement that claims: as in the outbox, several writers pass over each other's rows.
macro_rules! claim {
    ($lock:literal) => {
        concat!(
            "WITH picked AS MATERIALIZED (
                 SELECT id FROM orders WHERE due_at <= $2 ORDER BY due_at LIMIT $3 ",
            $lock,
            ") UPDATE orders SET due_at = $1 WHERE id IN (SELECT id FROM picked)
             RETURNING id, payment_method, correlation_id, traceparent, tracestate, attempts"
        )
    };
}

/// An order that nobody has gone on with in time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Due {
    /// The order.
    pub id: Uuid,
    /// How often going on with it has failed since it last moved.
    pub attempts: i64,
    /// What it is part of.
    pub thread: Thread,
}

#[derive(sqlx::FromRow)]
pub(super) struct Row {
    id: Uuid,
    payment_method: String,
    correlation_id: Option<String>,
    traceparent: Option<String>,
    tracestate: Option<String>,
    attempts: i64,
}

impl From<Row> for Due {
    fn from(row: Row) -> Self {
        let Row { id, payment_method, correlation_id, traceparent, tracestate, attempts } = row;
        let trace = Carried { traceparent, tracestate };
        Self { id, attempts, thread: Thread { payment_method, correlation_id, trace } }
    }
}

impl Store {
    /// Claims at most `limit` of the orders that are overdue; another may have them if they are
    /// still due when a call could not have them in hand any more.
    ///
    /// # Errors
    /// The database's.
    pub async fn claim_due(&self, limit: u32) -> Result<Vec<Due>, Error> {
        self.in_time(self.retried(|| self.try_claim_due(limit))).await
    }

    async fn try_claim_due(&self, limit: u32) -> Result<Vec<Due>, Error> {
        let mut session = self.session().await?;
        let mut link = session.writing();
        let text = match link.connection {
            Borrowed::Postgres(_) => claim!("FOR UPDATE SKIP LOCKED"),
            Borrowed::Sqlite(_) => claim!(""),
        };
        let now = now();
        let rows: Vec<Row> = statement!(
            link,
            ClaimDue,
            fetch_all,
            sqlx::query_as(text).bind(now + IN_HAND).bind(now).bind(i64::from(limit))
        )?;
        Ok(rows.into_iter().map(Due::from).collect())
    }

    /// Nothing is to be done for a paid order any more.
    ///
    /// # Errors
    /// The database's; the order is then gone on with once more.
    pub async fn settle(&self, id: Uuid) -> Result<(), Error> {
        // An order that failed in the meantime is owed its money back, and stays due.
        self.leave(
            "UPDATE orders SET due_at = NULL WHERE id = $1 AND status IN ('placed', 'fulfilled')",
            id,
        )
        .await
    }

    /// Nothing can be done for a failed order any more: its money cannot be given back.
    ///
    /// # Errors
    /// As of [`Store::settle`].
    pub async fn give_up(&self, id: Uuid) -> Result<(), Error> {
        self.leave("UPDATE orders SET due_at = NULL WHERE id = $1 AND status = 'failed'", id).await
    }

    async fn leave(&self, update: &'static str, id: Uuid) -> Result<(), Error> {
        let mut session = self.session().await?;
        let mut link = session.writing();
        statement!(link, SettleOrder, execute, sqlx::query(update).bind(id))?;
        Ok(())
    }

    /// Lets an order that could not be gone on with be claimed again after `delay`.
    ///
    /// # Errors
    /// The database's; the order can then be claimed when its claim ends.
    pub async fn postpone(&self, id: Uuid, delay: Duration) -> Result<(), Error> {
        self.in_time(self.try_postpone(id, delay)).await
    }

    async fn try_postpone(&self, id: Uuid, delay: Duration) -> Result<(), Error> {
        let mut session = self.session().await?;
        let mut link = session.writing();
        statement!(
            link,
            PostponeOrder,
            execute,
            sqlx::query(
                "UPDATE orders SET due_at = $1, attempts = attempts + 1
                 WHERE id = $2 AND due_at IS NOT NULL",
            )
            .bind(now() + delay)
            .bind(id)
        )?;
        Ok(())
    }
}
