//! A pooled connection and a transaction on it, both measured.

use std::time::Instant;

use instrumentation::trace::{KeyValue, Span, SpanKind, attribute};
use sqlx::{
    Connection as _, PgConnection, Postgres, Sqlite, SqliteConnection, Transaction,
    pool::PoolConnection,
};

use super::database::Database;
use crate::{
    error::Error,
    metrics::{Metrics, Query},
};

/// The databases, as OpenTelemetry calls them.
const POSTGRES: &str = "postgresql";
const SQLITE: &str = "sqlite";

/// Runs a statement on whichever database a [`Link`] leads to, and times it under its name:
/// `statement!(link, GetOrder, fetch_one, sqlx::query_as(…).bind(id))`. `execute` comes to the
/// number of rows it touched.
macro_rules! statement {
    ($link:expr, $query:ident, execute, $statement:expr) => {
        statement!($link, $query, on => async {
            $statement.execute(on).await.map(|done| done.rows_affected())
        })
    };
    ($link:expr, $query:ident, $fetch:ident, $statement:expr) => {
        statement!($link, $query, on => $statement.$fetch(on))
    };
    ($link:expr, $query:ident, $on:ident => $running:expr) => {{
        let running = $crate::store::session::Running::begin(
            $crate::metrics::Query::$query,
            $link.connection.system(),
        );
        let outcome = match &mut $link.connection {
            $crate::store::session::Borrowed::Postgres(connection) => {
                let $on = &mut **connection;
                $running.await
            }
            $crate::store::session::Borrowed::Sqlite(connection) => {
                let $on = &mut **connection;
                $running.await
            }
        };
        running.ended($link.metrics, &outcome);
        outcome
    }};
}

/// A connection of either kind, returned to its pool when it is dropped.
#[derive(Debug)]
pub(super) enum Connection {
    Postgres(PoolConnection<Postgres>),
    Sqlite(PoolConnection<Sqlite>),
}

/// A connection for one call.
#[derive(Debug)]
pub(super) struct Session {
    connection: Connection,
    metrics: Metrics,
    /// When it was taken from the pool whose use is measured.
    since: Option<Instant>,
}

/// What statements run on: a connection, in a transaction or not.
pub(super) struct Link<'c> {
    pub(super) connection: Borrowed<'c>,
    pub(super) metrics: &'c Metrics,
}

pub(super) enum Borrowed<'c> {
    Postgres(&'c mut PgConnection),
    Sqlite(&'c mut SqliteConnection),
}

/// An open transaction; undone if it is dropped before it is committed.
pub(super) struct Unit<'c> {
    transaction: Open<'c>,
    metrics: &'c Metrics,
}

enum Open<'c> {
    Postgres(Transaction<'c, Postgres>),
    Sqlite(Transaction<'c, Sqlite>),
}

/// A statement that runs: measured, and a span of the trace in hand.
pub(super) struct Running {
    query: Query,
    started: Instant,
    span: Span,
}

impl Running {
    pub(super) fn begin(query: Query, system: &'static str) -> Self {
        let span = Span::part(SpanKind::Client, query.as_str(), || {
            vec![
                KeyValue::new(attribute::DB_SYSTEM_NAME, system),
                KeyValue::new(attribute::DB_NAMESPACE, "shop"),
                KeyValue::new(attribute::DB_QUERY_SUMMARY, query.as_str()),
            ]
        });
        Self { query, started: Instant::now(), span }
    }

    pub(super) fn ended<T>(self, metrics: &Metrics, outcome: &sqlx::Result<T>) {
        metrics.db_statement_duration_seconds.record(self.query, self.started.elapsed());
        // No row is an answer.
        if let Err(error) = outcome
            && !matches!(error, sqlx::Error::RowNotFound)
        {
            self.span.fail(kind(error), "");
        }
    }
}

/// An error by SQLSTATE, as the database says it, or in few words.
fn kind(error: &sqlx::Error) -> String {
    match error {
        sqlx::Error::Database(error) => error.code().unwrap_or_default().into_owned(),
        sqlx::Error::PoolTimedOut => "pool_timed_out".to_owned(),
        sqlx::Error::Io(_) => "connection".to_owned(),
        _ => "other".to_owned(),
    }
}

impl Connection {
    fn system(&self) -> &'static str {
        match self {
            Self::Postgres(_) => POSTGRES,
            Self::Sqlite(_) => SQLITE,
        }
    }
}

impl Borrowed<'_> {
    /// Which database it is, as OpenTelemetry calls it.
    pub(super) fn system(&self) -> &'static str {
        match self {
            Self::Postgres(_) => POSTGRES,
            Self::Sqlite(_) => SQLITE,
        }
    }
}

impl Open<'_> {
    fn system(&self) -> &'static str {
        match self {
            Self::Postgres(_) => POSTGRES,
            Self::Sqlite(_) => SQLITE,
        }
    }
}

impl Session {
    /// Waits for a connection.
    pub(super) async fn open(database: &Database, metrics: &Metrics) -> Result<Self, Error> {
        let waiting = metrics.db_pool_waiters.hold(());
        let span = Span::part(SpanKind::Internal, "wait for a connection", Vec::new);
        let started = Instant::now();
        let connection = database.acquire().await;
        drop(waiting);
        if let Err(error) = &connection {
            span.fail(kind(error), "");
        }
        drop(span);
        metrics.db_pool_wait_duration_seconds.record((), started.elapsed());
        if let Err(sqlx::Error::PoolTimedOut) = connection {
            metrics.db_pool_timeouts_total.increment(1);
        }
        Ok(Self { connection: connection?, metrics: metrics.clone(), since: Some(Instant::now()) })
    }

    /// Waits for a connection of a pool whose use nobody measures.
    pub(super) async fn aside(database: &Database, metrics: &Metrics) -> Result<Self, Error> {
        let connection = database.acquire().await?;
        Ok(Self { connection, metrics: metrics.clone(), since: None })
    }

    /// Runs statements by themselves.
    pub(super) fn link(&mut self) -> Link<'_> {
        let metrics = &self.metrics;
        let connection = match &mut self.connection {
            Connection::Postgres(connection) => Borrowed::Postgres(connection),
            Connection::Sqlite(connection) => Borrowed::Sqlite(connection),
        };
        Link { connection, metrics }
    }

    /// Begins a transaction that writes. SQLite takes its one write lock at once: a transaction
    /// that read first and wanted it later could be refused it.
    pub(super) async fn begin(&mut self) -> Result<Unit<'_>, Error> {
        let running = Running::begin(Query::Begin, self.connection.system());
        let transaction = match &mut self.connection {
            Connection::Postgres(connection) => connection.begin().await.map(Open::Postgres),
            Connection::Sqlite(connection) => {
                connection.begin_with("BEGIN IMMEDIATE").await.map(Open::Sqlite)
            }
        };
        running.ended(&self.metrics, &transaction);
        let transaction = transaction.map_err(Error::not_begun)?;
        Ok(Unit { transaction, metrics: &self.metrics })
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if let Some(since) = self.since {
            self.metrics.db_pool_use_duration_seconds.record((), since.elapsed());
        }
    }
}

impl Unit<'_> {
    /// Runs statements in the transaction.
    pub(super) fn link(&mut self) -> Link<'_> {
        let connection = match &mut self.transaction {
            Open::Postgres(transaction) => Borrowed::Postgres(transaction),
            Open::Sqlite(transaction) => Borrowed::Sqlite(transaction),
        };
        Link { connection, metrics: self.metrics }
    }

    /// Makes it so.
    pub(super) async fn commit(self) -> Result<(), Error> {
        let running = Running::begin(Query::Commit, self.transaction.system());
        let outcome = match self.transaction {
            Open::Postgres(transaction) => transaction.commit().await,
            Open::Sqlite(transaction) => transaction.commit().await,
        };
        running.ended(self.metrics, &outcome);
        Ok(outcome?)
    }

    /// Makes it as if nothing had been.
    pub(super) async fn undo(self) -> Result<(), Error> {
        match self.transaction {
            Open::Postgres(transaction) => transaction.rollback().await?,
            Open::Sqlite(transaction) => transaction.rollback().await?,
        }
        Ok(())
    }
}
