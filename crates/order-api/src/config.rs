//! The settings of order-api.

use std::{fmt, net::SocketAddr, str::FromStr};

use lapin::uri::AMQPUri;
use sqlx::{postgres::PgConnectOptions, sqlite::SqliteConnectOptions};

/// What order-api can be told.
#[derive(Clone, Debug, clap::Args)]
pub struct Config {
    /// Where gRPC calls are answered.
    #[arg(long, env = "ORDER_API_LISTEN", default_value = "0.0.0.0:50051", value_name = "ADDRESS")]
    pub listen: SocketAddr,

    /// Where metrics, health and control are served; keep it private.
    #[arg(
        long,
        env = "ORDER_API_SIDE_LISTEN",
        default_value = "0.0.0.0:8000",
        value_name = "ADDRESS"
    )]
    pub side_listen: SocketAddr,

    /// Where orders are stored: postgres://… or sqlite:///path/shop.db.
    #[arg(
        long,
        env = "DATABASE_URL",
        hide_env_values = true,
        default_value = "postgres://shop:shop@postgres:5432/shop",
        value_name = "URL"
    )]
    pub database_url: DatabaseUrl,

    /// The broker on which orders are announced.
    #[arg(
        long,
        env = "AMQP_URL",
        hide_env_values = true,
        default_value = "amqp://shop:shop@rabbitmq:5672/%2f",
        value_name = "URL"
    )]
    pub amqp_url: AmqpUrl,

    /// Connections to the database, at most.
    #[arg(
        long,
        env = "ORDER_API_DATABASE_CONNECTIONS",
        default_value_t = 16,
        value_name = "COUNT",
        value_parser = clap::value_parser!(u32).range(1..=1000)
    )]
    pub database_connections: u32,

    /// How long a call waits for a free connection before it is refused.
    #[arg(
        long,
        env = "ORDER_API_DATABASE_ACQUIRE_TIMEOUT",
        default_value = "3s",
        value_name = "TIME"
    )]
    pub database_acquire_timeout: humantime::Duration,

    /// What every service can be told.
    #[command(flatten)]
    pub instrumentation: instrumentation::config::Config,
}

impl instrumentation::service::Config for Config {
    const SERVICE: &'static str = "order-api";
    const ABOUT: &'static str = "The owner of orders: stores them, reserves stock, announces them";

    fn instrumentation(&self) -> &instrumentation::config::Config {
        &self.instrumentation
    }

    fn side_listen(&self) -> SocketAddr {
        self.side_listen
    }
}

/// Where orders are stored; its `Debug` shows no password.
#[derive(Clone)]
pub enum DatabaseUrl {
    /// A Postgres server.
    Postgres(Box<PgConnectOptions>),
    /// A file of SQLite.
    Sqlite(Box<SqliteConnectOptions>),
}

impl FromStr for DatabaseUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split(':').next() {
            Some("postgres" | "postgresql") => match PgConnectOptions::from_str(text) {
                Ok(options) => Ok(Self::Postgres(Box::new(options))),
                Err(error) => Err(error.to_string()),
            },
            Some("sqlite") => match SqliteConnectOptions::from_str(text) {
                Ok(options) => Ok(Self::Sqlite(Box::new(options))),
                Err(error) => Err(error.to_string()),
            },
            _ => Err("expected postgres://… or sqlite:///path".to_owned()),
        }
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Postgres(options) => {
                let database = options.get_database().unwrap_or_default();
                write!(f, "postgres://{}:{}/{database}", options.get_host(), options.get_port())
            }
            Self::Sqlite(options) => write!(f, "sqlite://{}", options.get_filename().display()),
        }
    }
}

/// The broker's address; its `Debug` shows no password.
#[derive(Clone)]
pub struct AmqpUrl(pub AMQPUri);

impl FromStr for AmqpUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        AMQPUri::from_str(text).map(Self)
    }
}

impl fmt::Debug for AmqpUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let AMQPUri { authority, vhost, .. } = &self.0;
        write!(f, "amqp://{}:{}/{vhost}", authority.host, authority.port)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_password_is_shown() {
        let database: DatabaseUrl = "postgres://shop:s3cret@db:5433/shop".parse().unwrap();
        assert_eq!(format!("{database:?}"), "postgres://db:5433/shop");
        let file: DatabaseUrl = "sqlite:///tmp/shop.db".parse().unwrap();
        assert_eq!(format!("{file:?}"), "sqlite:///tmp/shop.db");
        let broker: AmqpUrl = "amqp://shop:s3cret@mq:5672/%2f".parse().unwrap();
        assert_eq!(format!("{broker:?}"), "amqp://mq:5672//");
    }

    #[test]
    fn a_database_of_another_kind_is_refused() {
        assert!(DatabaseUrl::from_str("mysql://shop@db/shop").is_err());
        assert!(DatabaseUrl::from_str("shop.db").is_err());
    }
}
