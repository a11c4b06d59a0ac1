//! A pooled connection and a transaction on it, both measured.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use faults::Switchboard;
use instrumentation::trace::{Span, SpanKind};
use sqlx::{
    Connection as _, PgConnection, Postgres, Sqlite, SqliteConnection, Transaction,
    pool::PoolConnection,
};
use tokio::time::timeout;

use super::{
    database::{Database, Turn, Turns},
    statement::{Busy, Running, kind},
};
use crate::{
    error::Error,
    metrics::{Metrics, Query},
};

/// The databases, as OpenTelemetry calls them.
const POSTGRES: &str = "postgresql";
const SQLITE: &str = "sqlite";
/// How long a connection may take to be well enough to be used again; it is closed then.
const RETURNED_AFTER: Duration = Duration::from_secs(5);

/// A connection of either kind, returned to its pool when it is dropped.
#[derive(Debug)]
pub(super) enum Connection {
    Postgres(PoolConnection<Postgres>),
    Sqlite(PoolConnection<Sqlite>, Turns),
}

impl Connection {
    /// Gives it back, closed if a statement still runs on it. The pool asks a connection that comes
    /// back whether it is well, undoes what was left open, and would wait for the answer for as long
    /// as the system keeps a connection that nobody answers on: a quarter of an hour, with one place
    /// fewer.
    fn give_back(&mut self, busy: bool) {
        // SQLite answers, or is locked for no longer than it is waited for.
        let Self::Postgres(connection) = self else { return };
        if busy {
            connection.close_on_drop();
        } else {
            // Not documented, and what the pool's own drop does; that one has nothing to do then.
            tokio::spawn(timeout(RETURNED_AFTER, connection.return_to_pool()));
        }
    }
}

/// A connection for one call. If the call is dropped while a statement runs, Postgres is told by
/// closing the connection: given back to the pool, it would be waited for until the statement ends,
/// which nobody wants any more.
#[derive(Debug)]
pub(super) struct Session {
    connection: Connection,
    busy: Busy,
    metrics: Metrics,
    faults: Arc<Switchboard>,
    /// When it was taken from the pool whose use is measured.
    since: Option<Instant>,
}

/// What statements run on: a connection, in a transaction or not.
pub(super) struct Link<'c> {
    pub(super) connection: Borrowed<'c>,
    pub(super) busy: &'c Busy,
    /// Where each statement takes a turn, if it writes by itself.
    pub(super) turns: Option<&'c Turns>,
    pub(super) metrics: &'c Metrics,
    pub(super) faults: &'c Switchboard,
}

pub(super) enum Borrowed<'c> {
    Postgres(&'c mut PgConnection),
    Sqlite(&'c mut SqliteConnection),
}

/// An open transaction; undone if it is dropped before it is committed, as soon as its connection
/// gets to it: whoever has the next turn may find it there for a moment, and waits as for another
/// process.
pub(super) struct Unit<'c> {
    // Before the turn: fields are dropped in this order.
    transaction: Open<'c>,
    turn: Option<Turn>,
    busy: &'c Busy,
    metrics: &'c Metrics,
    faults: &'c Switchboard,
}

enum Open<'c> {
    Postgres(Transaction<'c, Postgres>),
    Sqlite(Transaction<'c, Sqlite>),
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

impl Session {
    /// Waits for a connection.
    pub(super) async fn open(
        database: &Database,
        metrics: &Metrics,
        faults: &Arc<Switchboard>,
    ) -> Result<Self, Error> {
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
        Ok(Self::on(connection?, metrics, faults, Some(Instant::now())))
    }

    /// Waits for a connection of a pool whose use nobody measures.
    pub(super) async fn aside(
        database: &Database,
        metrics: &Metrics,
        faults: &Arc<Switchboard>,
    ) -> Result<Self, Error> {
        Ok(Self::on(database.acquire().await?, metrics, faults, None))
    }

    fn on(
        connection: Connection,
        metrics: &Metrics,
        faults: &Arc<Switchboard>,
        since: Option<Instant>,
    ) -> Self {
        let (metrics, faults) = (metrics.clone(), faults.clone());
        Self { connection, busy: Busy::default(), metrics, faults, since }
    }

    /// Runs statements by themselves that only read.
    pub(super) fn link(&mut self) -> Link<'_> {
        Link { turns: None, ..self.writing() }
    }

    /// Runs statements by themselves that write.
    pub(super) fn writing(&mut self) -> Link<'_> {
        let (metrics, busy, faults) = (&self.metrics, &self.busy, &*self.faults);
        let (connection, turns) = match &mut self.connection {
            Connection::Postgres(connection) => (Borrowed::Postgres(connection), None),
            Connection::Sqlite(connection, turns) => (Borrowed::Sqlite(connection), Some(&*turns)),
        };
        Link { connection, busy, turns, metrics, faults }
    }

    /// Begins a transaction that writes. SQLite takes its one write lock at once, when it is this
    /// one's turn: a transaction that read first and wanted it later could be refused it.
    pub(super) async fn begin(&mut self) -> Result<Unit<'_>, Error> {
        let system = self.link().connection.system();
        let running = Running::begin(Query::Begin, system, &self.busy, &self.faults);
        let (transaction, turn) = match &mut self.connection {
            Connection::Postgres(connection) => {
                (connection.begin().await.map(Open::Postgres), None)
            }
            Connection::Sqlite(connection, turns) => {
                let turn = turns.next().await;
                (connection.begin_with("BEGIN IMMEDIATE").await.map(Open::Sqlite), turn)
            }
        };
        running.ended(&self.metrics, &transaction);
        let transaction = transaction.map_err(Error::not_begun)?;
        let (busy, metrics, faults) = (&self.busy, &self.metrics, &*self.faults);
        Ok(Unit { transaction, turn, busy, metrics, faults })
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.connection.give_back(self.busy.is());
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
        let (busy, metrics, faults) = (self.busy, self.metrics, self.faults);
        Link { connection, busy, turns: None, metrics, faults }
    }

    /// Makes it so.
    pub(super) async fn commit(mut self) -> Result<(), Error> {
        let system = self.link().connection.system();
        let running = Running::begin(Query::Commit, system, self.busy, self.faults);
        let outcome = match self.transaction {
            Open::Postgres(transaction) => transaction.commit().await,
            Open::Sqlite(transaction) => transaction.commit().await,
        };
        drop(self.turn);
        running.ended(self.metrics, &outcome);
        Ok(outcome?)
    }

    /// Makes it as if nothing had been.
    pub(super) async fn undo(self) -> Result<(), Error> {
        match self.transaction {
            Open::Postgres(transaction) => transaction.rollback().await?,
            Open::Sqlite(transaction) => transaction.rollback().await?,
        }
        drop(self.turn);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use instrumentation::metrics::Registry;
    use testbed::{Gate, Postgres as Server, eventually};
    use tokio::{sync::mpsc, time::sleep};
    use uuid::Uuid;

    use super::*;
    use crate::store::{HANGS_AFTER, Store};

    /// By themselves and in transactions. On one thread, where nobody sees a writer between two steps.
    #[tokio::test]
    async fn writers_on_sqlite_come_in_the_order_in_which_they_came() {
        let directory = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", directory.path().join("shop.db").display());
        let registry = Registry::new("order-api", &[Metrics::CATALOGUE]);
        let (metrics, patience) = (Metrics::register(&registry), Duration::from_secs(10));
        let store = Store::new(&url.parse().unwrap(), 16, patience, metrics, Arc::default());
        let store = Arc::new(store);
        store.open().await.unwrap();

        let mut session = store.session().await.unwrap();
        let unit = session.begin().await.unwrap();
        let (done, mut order) = mpsc::unbounded_channel();
        for number in 0..10 {
            let Database::Sqlite(_, turns) = &store.database else { unreachable!() };
            let turns = turns.clone();
            let known_to = turns.known_to();
            let (store, done) = (store.clone(), done.clone());
            tokio::spawn(async move {
                match number % 2 {
                    0 => store.settle(Uuid::nil()).await.unwrap(),
                    _ => drop(store.decline(Uuid::nil()).await.unwrap_err()),
                }
                done.send(number).unwrap();
            });
            // It is connected, and it waits.
            let waits = async {
                while turns.known_to() < known_to + 2 {
                    sleep(Duration::from_millis(1)).await;
                }
            };
            timeout(patience, waits).await.expect("it waits for its turn");
        }
        assert!(order.is_empty(), "somebody did not wait");
        unit.undo().await.unwrap();
        drop(done);
        let mut came = Vec::new();
        while let Some(number) = order.recv().await {
            came.push(number);
        }
        // Those with a transaction read something after it, so that neighbors may change places.
        let far = |(place, number): (usize, &i32)| (place as i32 - number).abs() > 1;
        assert!(!came.iter().enumerate().any(far), "{came:?}");
    }

    /// A store with one place, on a Postgres that can be made to hang.
    async fn behind_a_gate() -> (Server, Gate, Store) {
        let server = Server::start().await.unwrap();
        let gate = Gate::before(&server.url()).await.unwrap();
        let registry = Registry::new("order-api", &[Metrics::CATALOGUE]);
        let (metrics, patience) = (Metrics::register(&registry), Duration::from_secs(1));
        let store = Store::new(&gate.url().parse().unwrap(), 1, patience, metrics, Arc::default());
        store.open().await.unwrap();
        (server, gate, store)
    }

    /// The first users are looked for on the one connection that watches the database, too.
    #[tokio::test]
    async fn whoever_looks_for_users_on_a_connection_that_hangs_gives_it_up() {
        if testbed::left_out(Server::available()) {
            return;
        }
        let (_server, gate, store) = behind_a_gate().await;
        assert!(!store.has_users().await.unwrap());
        eventually(RETURNED_AFTER, "it is idle", async || {
            (store.watched.connections() == (1, 1)).then_some(())
        })
        .await;
        gate.shut();
        let looked = timeout(2 * HANGS_AFTER, store.has_users()).await;
        assert!(matches!(looked, Ok(Err(Error::Late))), "{looked:?}");
        gate.open();
        eventually(HANGS_AFTER, "its place", async || store.has_users().await.ok()).await;
    }

    /// One place, and whoever had it gives it back to a database that says nothing any more.
    #[tokio::test]
    async fn a_connection_that_nobody_answers_on_does_not_keep_its_place() {
        if testbed::left_out(Server::available()) {
            return;
        }
        let (_server, gate, store) = behind_a_gate().await;
        let session = store.session().await.unwrap();
        gate.shut();
        drop(session);
        gate.open();
        let soon = RETURNED_AFTER * 4;
        eventually(soon, "its place", async || store.session().await.ok()).await;
    }
}
