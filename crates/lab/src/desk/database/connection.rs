//! A connection to either database.

use std::time::Duration;

use faults::contract::Sql;
use order_api::config::DatabaseUrl;
use sqlx::{
    ConnectOptions as _, PgConnection, Row as _, SqliteConnection, postgres::PgConnectOptions,
    sqlite::SqliteConnectOptions,
};
use tracing::log::LevelFilter;

/// The longest that a statement of the desk may take: what others keep it from is tried again, when
/// others had their turn.
const LIMIT: &str = "20s";
/// How long the desk waits for another writer of SQLite.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);
/// KiB of pages that it keeps: enough for the ends of all indexes.
const SQLITE_CACHE: &str = "-16384";

/// A connection to either database.
#[derive(Debug)]
pub(crate) enum Connection {
    Postgres(PgConnection),
    Sqlite(SqliteConnection),
}

impl Connection {
    /// Connects.
    pub(crate) async fn open(url: &DatabaseUrl) -> sqlx::Result<Self> {
        match url {
            DatabaseUrl::Postgres(options) => {
                postgres(options, "psql", LIMIT).await.map(Self::Postgres)
            }
            DatabaseUrl::Sqlite(options) => sqlite(options).await.map(Self::Sqlite),
        }
    }

    /// Does something in each dialect, step by step; nothing if there are no steps.
    pub(crate) async fn run(
        &mut self,
        postgres: &[&'static str],
        sqlite: &[&'static str],
    ) -> sqlx::Result<()> {
        match self {
            Self::Postgres(connection) => {
                for sql in postgres {
                    sqlx::raw_sql(*sql).execute(&mut *connection).await?;
                }
            }
            Self::Sqlite(connection) => {
                for sql in sqlite {
                    sqlx::raw_sql(*sql).execute(&mut *connection).await?;
                }
            }
        }
        Ok(())
    }

    /// Whether a query has a row.
    pub(crate) async fn has_row(&mut self, query: Sql) -> sqlx::Result<bool> {
        Ok(match self {
            Self::Postgres(_) if query.postgres.is_empty() => false,
            Self::Sqlite(_) if query.sqlite.is_empty() => false,
            Self::Postgres(connection) => {
                sqlx::raw_sql(query.postgres).fetch_optional(connection).await?.is_some()
            }
            Self::Sqlite(connection) => {
                sqlx::raw_sql(query.sqlite).fetch_optional(connection).await?.is_some()
            }
        })
    }

    /// The number that a query says; 0 where there is no such query.
    pub(crate) async fn number(&mut self, query: Sql) -> sqlx::Result<i64> {
        match self {
            Self::Postgres(_) if query.postgres.is_empty() => Ok(0),
            Self::Sqlite(_) if query.sqlite.is_empty() => Ok(0),
            Self::Postgres(connection) => {
                sqlx::query(query.postgres).fetch_one(connection).await?.try_get(0)
            }
            Self::Sqlite(connection) => {
                sqlx::query(query.sqlite).fetch_one(connection).await?.try_get(0)
            }
        }
    }
}

/// A session of Postgres with this name, one that says nothing of the lab, whose statements take no
/// longer than this; 0 for as long as it takes.
pub(super) async fn postgres(
    options: &PgConnectOptions,
    name: &str,
    limit: &str,
) -> sqlx::Result<PgConnection> {
    options
        .clone()
        .application_name(name)
        // Who has gone keeps nobody waiting.
        .options([("statement_timeout", limit), ("client_connection_check_interval", "250ms")])
        .log_statements(LevelFilter::Off)
        .log_slow_statements(LevelFilter::Off, Duration::MAX)
        .connect()
        .await
}

/// What the desk writes is right by itself, and need not be looked up row by row.
async fn sqlite(options: &SqliteConnectOptions) -> sqlx::Result<SqliteConnection> {
    options
        .clone()
        .create_if_missing(false)
        .busy_timeout(BUSY_TIMEOUT)
        .foreign_keys(false)
        .pragma("cache_size", SQLITE_CACHE)
        .log_statements(LevelFilter::Off)
        .log_slow_statements(LevelFilter::Off, Duration::MAX)
        .connect()
        .await
}
