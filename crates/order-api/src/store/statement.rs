//! One statement: run, measured, and a span of the trace in hand.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Instant,
};

use faults::{Seam, Switchboard};
use instrumentation::trace::{KeyValue, Span, SpanKind, attribute};

use crate::metrics::{Metrics, Query};

/// What is told of a statement of which everything is told.
const ROWS_TOLD: u64 = 40;
const ROW_BYTES: u64 = 8192;

/// Runs a statement on whichever database a [`Link`](super::session::Link) leads to, and times it
/// under its name: `statement!(link, GetOrder, fetch_one, sqlx::query_as(…).bind(id))`. `execute`
/// comes to the number of rows it touched.
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
        let running = $crate::store::statement::Running::begin(
            $crate::metrics::Query::$query,
            $link.connection.system(),
            $link.busy,
            $link.faults,
        );
        let turn = match $link.turns {
            Some(turns) => turns.next().await,
            None => None,
        };
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
        drop(turn);
        running.ended($link.metrics, &outcome);
        outcome
    }};
}

/// Whether a statement runs on a connection just now.
#[derive(Debug, Default)]
pub(super) struct Busy(AtomicBool);

impl Busy {
    pub(super) fn is(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// A statement that runs: measured, and a span of the trace in hand.
pub(super) struct Running<'c> {
    busy: &'c Busy,
    faults: &'c Switchboard,
    query: Query,
    started: Instant,
    span: Span,
}

impl<'c> Running<'c> {
    pub(super) fn begin(
        query: Query,
        system: &'static str,
        busy: &'c Busy,
        faults: &'c Switchboard,
    ) -> Self {
        busy.0.store(true, Ordering::Relaxed);
        let span = Span::part(SpanKind::Client, query.as_str(), || {
            vec![
                KeyValue::new(attribute::DB_SYSTEM_NAME, system),
                KeyValue::new(attribute::DB_NAMESPACE, "shop"),
                KeyValue::new(attribute::DB_QUERY_SUMMARY, query.as_str()),
            ]
        });
        Self { busy, faults, query, started: Instant::now(), span }
    }

    pub(super) fn ended<T>(self, metrics: &Metrics, outcome: &sqlx::Result<T>) {
        self.busy.0.store(false, Ordering::Relaxed);
        metrics.db_statement_duration_seconds.record(self.query, self.started.elapsed());
        // No row is an answer.
        if let Err(error) = outcome
            && !matches!(error, sqlx::Error::RowNotFound)
        {
            self.span.fail(kind(error), "");
        }
        // The other way: all that can be said of it is.
        if self.faults.detours(Seam::RunStatement) {
            self.tell();
        }
    }

    fn tell(&self) {
        let (query, rows) = (self.query.as_str(), ROWS_TOLD);
        for row in 1..=rows {
            let (bytes, micros) = (row * ROW_BYTES, self.started.elapsed().as_micros() as u64);
            tracing::info!(query, row, rows, bytes, micros, "statement row");
        }
    }
}

/// An error by SQLSTATE, as the database says it, or in few words.
pub(super) fn kind(error: &sqlx::Error) -> String {
    match error {
        sqlx::Error::Database(error) => error.code().unwrap_or_default().into_owned(),
        sqlx::Error::PoolTimedOut => "pool_timed_out".to_owned(),
        sqlx::Error::Io(_) => "connection".to_owned(),
        _ => "other".to_owned(),
    }
}
