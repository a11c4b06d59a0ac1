//! Sessions that keep the table of orders from everybody: one that has read it and stays in its
//! transaction, and one that would change it and waits for the first.
//!
//! The change is none: it asks for what the table has already, so that nothing is other than before when
//! somebody lets it through. Who ends the waiting session sees it come again, as a deployment would try
//! again; who ends the one that it waits for has found it.

use std::time::Duration;

use anyhow::Context as _;
use order_api::config::DatabaseUrl;
use sqlx::{Connection as _, PgConnection, postgres::PgConnectOptions};
use tokio::{task::JoinHandle, time::sleep};

use super::connection;

const READ: &str = "SELECT status, count(*), sum(total_minor) FROM orders GROUP BY status";
const CHANGE: &str = "ALTER TABLE orders ALTER COLUMN currency SET NOT NULL";
/// They wait for as long as it takes.
const NO_LIMIT: &str = "0";
/// The pause before the change is tried again.
const AGAIN: Duration = Duration::from_secs(2);

/// The two sessions.
#[derive(Debug)]
pub(crate) struct Lock {
    /// Ends with its connection.
    reader: Option<PgConnection>,
    changing: Option<JoinHandle<()>>,
}

impl Lock {
    pub(super) async fn start(url: &DatabaseUrl) -> anyhow::Result<Self> {
        let DatabaseUrl::Postgres(options) = url else {
            anyhow::bail!("only Postgres has sessions that wait for a table");
        };
        let mut reader = connection::postgres(options, "reporting", NO_LIMIT).await?;
        for sql in ["BEGIN", READ] {
            sqlx::raw_sql(sql).execute(&mut reader).await.context("cannot read the orders")?;
        }
        let changing = tokio::spawn(change(options.as_ref().clone()));
        Ok(Self { reader: Some(reader), changing: Some(changing) })
    }

    /// Whether the change got through, which it does only when nobody keeps the table any more.
    pub(super) fn is_over(&self) -> bool {
        self.changing.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// Ends both.
    pub(super) async fn end(&mut self) {
        if let Some(changing) = self.changing.take() {
            // Its connection is closed with it, and Postgres looks whether there is one.
            changing.abort();
        }
        if let Some(reader) = self.reader.take() {
            // If the connection is gone already, so is what it kept.
            let _ = reader.close().await;
        }
    }
}

async fn change(options: PgConnectOptions) {
    loop {
        let changed = async {
            let mut session = connection::postgres(&options, "migration", NO_LIMIT).await?;
            sqlx::raw_sql(CHANGE).execute(&mut session).await?;
            session.close().await
        };
        match changed.await {
            Ok(()) => return,
            Err(error) => tracing::debug!(%error, "the table is not changed yet"),
        }
        sleep(AGAIN).await;
    }
}
