//! The two databases behind one enum, and how each is connected to.

use std::{
    sync::{Arc, RwLock},
    time::{Duration, Instant},
};

use sqlx::{
    ConnectOptions as _, Connection as _, PgPool, Postgres, Sqlite, SqlitePool,
    migrate::{MigrateError, Migrator},
    pool::PoolOptions,
    sqlite::{SqliteJournalMode, SqliteSynchronous},
};
use tokio::{
    sync::{Mutex, OwnedMutexGuard},
    time::timeout,
};
use tracing::log::LevelFilter;

use super::session::Connection;
use crate::config::DatabaseUrl;

static POSTGRES: Migrator = sqlx::migrate!("migrations/postgres");
static SQLITE: Migrator = sqlx::migrate!("migrations/sqlite");

/// The longest a statement of a call may run in Postgres: longer than any caller waits, so that
/// what nobody waits for any more ends.
pub(super) const CALL_LIMIT: Duration = Duration::from_secs(10);
/// After which time a database hangs: it would have said so itself if a statement took too long.
pub(crate) const HANGS_AFTER: Duration = CALL_LIMIT.saturating_add(Duration::from_secs(2));
/// How often Postgres looks whether somebody still waits for the statement that runs: one whose
/// caller has gone ends, with all that it holds. It has been able to since version 14.
const ABANDONED_AFTER: &str = "250ms";
/// A migration takes as long as it takes.
pub(super) const NO_LIMIT: Duration = Duration::ZERO;

/// How long SQLite waits for another writer.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// KiB of pages that each SQLite connection keeps: the operating system has the rest.
const SQLITE_CACHE: &str = "-256";
/// A connection that was idle for longer is tested before it is used; one that was used just now
/// need not pay for another round trip.
const FRESH: Duration = Duration::from_secs(1);

/// Since when connections are known to be broken: those opened before are not used again.
#[derive(Clone, Debug, Default)]
pub(super) struct Outage(Arc<RwLock<Option<Instant>>>);

impl Outage {
    /// The database is away, or was a moment ago.
    pub(super) fn noticed(&self) {
        *self.0.write().expect("no holder of the lock panics") = Some(Instant::now());
    }

    fn has_cut(&self, age: Duration) -> bool {
        let last = *self.0.read().expect("no holder of the lock panics");
        last.is_some_and(|last| last.elapsed() < age)
    }
}

/// A pool of connections to one of the two.
#[derive(Clone, Debug)]
pub(super) enum Database {
    Postgres(PgPool),
    Sqlite(SqlitePool, Turns),
}

/// Whose turn it is to write. SQLite has one writer at a time and no queue for them: it looks again
/// after 1 to 100 ms whether the other one is done, and whoever comes in between is faster. Those of
/// one process come here in turn; SQLite's wait is for those of others.
#[derive(Clone, Debug, Default)]
pub(super) struct Turns(Arc<Mutex<()>>);

/// The turn to write, until it is dropped.
pub(super) type Turn = OwnedMutexGuard<()>;

impl Turns {
    /// Waits for as long as SQLite would; whoever waited in vain may still try.
    pub(super) async fn next(&self) -> Option<Turn> {
        timeout(BUSY_TIMEOUT, self.0.clone().lock_owned()).await.ok()
    }

    /// How many connections and waiting writers know of it.
    #[cfg(test)]
    pub(super) fn known_to(&self) -> usize {
        Arc::strong_count(&self.0)
    }
}

impl Database {
    /// A pool that has no connection yet.
    pub(super) fn new(
        url: &DatabaseUrl,
        connections: u32,
        patience: Duration,
        statement_limit: Duration,
        outage: &Outage,
    ) -> Self {
        match url {
            DatabaseUrl::Postgres(options) => {
                let limit = format!("{}ms", statement_limit.as_millis());
                let options = options
                    .as_ref()
                    .clone()
                    .application_name("order-api")
                    .options([
                        ("statement_timeout", limit.as_str()),
                        ("client_connection_check_interval", ABANDONED_AFTER),
                    ])
                    .log_statements(LevelFilter::Off)
                    .log_slow_statements(LevelFilter::Off, Duration::MAX);
                Self::Postgres(
                    pool::<Postgres>(connections, patience, outage).connect_lazy_with(options),
                )
            }
            DatabaseUrl::Sqlite(options) => {
                // With a write-ahead log, NORMAL loses nothing when the process is killed.
                let options = options
                    .as_ref()
                    .clone()
                    .create_if_missing(true)
                    .journal_mode(SqliteJournalMode::Wal)
                    .synchronous(SqliteSynchronous::Normal)
                    .busy_timeout(BUSY_TIMEOUT)
                    .foreign_keys(true)
                    .pragma("cache_size", SQLITE_CACHE)
                    .log_statements(LevelFilter::Off)
                    .log_slow_statements(LevelFilter::Off, Duration::MAX);
                Self::Sqlite(
                    pool::<Sqlite>(connections, patience, outage).connect_lazy_with(options),
                    Turns::default(),
                )
            }
        }
    }

    pub(super) async fn acquire(&self) -> sqlx::Result<Connection> {
        match self {
            Self::Postgres(pool) => pool.acquire().await.map(Connection::Postgres),
            Self::Sqlite(pool, turns) => {
                Ok(Connection::Sqlite(pool.acquire().await?, turns.clone()))
            }
        }
    }

    /// Safe with many replicas: the first one migrates, the others wait for its lock.
    pub(super) async fn migrate(&self) -> Result<(), MigrateError> {
        match self {
            Self::Postgres(pool) => POSTGRES.run(pool).await,
            Self::Sqlite(pool, _) => SQLITE.run(pool).await,
        }
    }

    /// Connections that are open, and how many of them are idle.
    pub(super) fn connections(&self) -> (u32, usize) {
        match self {
            Self::Postgres(pool) => (pool.size(), pool.num_idle()),
            Self::Sqlite(pool, _) => (pool.size(), pool.num_idle()),
        }
    }

    pub(super) async fn close(&self) {
        match self {
            Self::Postgres(pool) => pool.close().await,
            Self::Sqlite(pool, _) => pool.close().await,
        }
    }
}

fn pool<DB: sqlx::Database>(
    connections: u32,
    patience: Duration,
    outage: &Outage,
) -> PoolOptions<DB> {
    let outage = outage.clone();
    PoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(patience)
        .acquire_slow_level(LevelFilter::Off)
        .test_before_acquire(false)
        .before_acquire(move |connection: &mut DB::Connection, usage| {
            let broken = outage.has_cut(usage.age);
            Box::pin(async move {
                if !broken && usage.idle_for > FRESH {
                    connection.ping().await?;
                }
                Ok(!broken)
            })
        })
}
