//! The settings of order-api.

use std::{fmt, net::SocketAddr, str::FromStr, time::Duration};

use identity::{demo::DemoUsers, hushed::Hushed};
use lapin::uri::AMQPUri;
use reqwest::Url;
use resilience::{breaker, budget};
use sqlx::{postgres::PgConnectOptions, sqlite::SqliteConnectOptions};

use crate::payments::Credentials;

/// The shortest and the longest that idempotency keys may be remembered: not less than a request is
/// tried again.
const RETENTIONS: (Duration, Duration) =
    (Duration::from_secs(60), Duration::from_secs(366 * 86_400));

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
        default_value = "1s",
        value_name = "TIME"
    )]
    pub database_acquire_timeout: humantime::Duration,

    /// Where the payment provider answers.
    #[arg(
        long,
        env = "PAYMENT_PROVIDER_URL",
        default_value = "http://lab:4100",
        value_name = "URL",
        value_parser = plain_http
    )]
    pub payment_provider_url: Url,

    /// What the payment provider knows the shop by.
    #[arg(long, env = "PAYMENT_PROVIDER_CLIENT_ID", default_value = "shop", value_name = "TEXT")]
    pub payment_provider_client_id: String,

    /// What the shop proves it with.
    #[arg(
        long,
        env = "PAYMENT_PROVIDER_CLIENT_SECRET",
        hide_env_values = true,
        default_value = "shop-secret",
        hide_default_value = true,
        value_name = "TEXT"
    )]
    pub payment_provider_client_secret: Secret,

    /// How long the payment provider may take to answer one request.
    #[arg(long, env = "PAYMENT_PROVIDER_TIMEOUT", default_value = "1s", value_name = "TIME")]
    pub payment_provider_timeout: humantime::Duration,

    /// Requests to the payment provider in flight, at most.
    #[arg(
        long,
        env = "PAYMENT_PROVIDER_CONCURRENCY",
        default_value_t = 64,
        value_name = "COUNT",
        value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..=1000)
    )]
    pub payment_provider_concurrency: usize,

    /// When the circuit breaker before the payment provider opens.
    #[command(flatten)]
    pub breaker: breaker::Settings,

    /// What is sent to the payment provider again.
    #[command(flatten)]
    pub retries: budget::Settings,

    /// How long an idempotency key is remembered, and its order not placed again.
    #[arg(long, env = "ORDER_API_IDEMPOTENCY_RETENTION", default_value = "24h", value_name = "TIME",
          value_parser = retention)]
    pub idempotency_retention: Duration,

    /// Calls that are worked on at once; more wait for a moment. Those of the workers and those that
    /// sign in, which have limits of their own, and of machines that ask for its health are not
    /// counted.
    #[arg(
        long,
        env = "ORDER_API_CONCURRENCY",
        default_value_t = 128,
        value_name = "COUNT",
        value_parser = clap::value_parser!(u32).range(1..=100_000)
    )]
    pub concurrency: u32,

    /// How long that moment is, before a call is refused.
    #[arg(long, env = "ORDER_API_QUEUE_PATIENCE", default_value = "100ms", value_name = "TIME")]
    pub queue_patience: humantime::Duration,

    /// Users that are made when there are none at all, as `name:role:password` with commas between;
    /// roles are customer and admin.
    #[arg(long, env = "DEMO_USERS", hide_env_values = true, default_value = DemoUsers::DEFAULT,
          value_name = "USERS", value_parser = Hushed::<DemoUsers>::new())]
    pub demo_users: DemoUsers,

    /// What callers are known by.
    #[command(flatten)]
    pub identity: identity::Config,

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

impl Config {
    pub(crate) fn payment_credentials(&self) -> Credentials {
        Credentials {
            client_id: self.payment_provider_client_id.clone(),
            client_secret: self.payment_provider_client_secret.0.clone(),
        }
    }
}

/// What nobody is shown.
#[derive(Clone)]
pub struct Secret(String);

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

fn plain_http(text: &str) -> Result<Url, String> {
    let url: Url = text.parse().map_err(|error| format!("{error}"))?;
    match (url.scheme(), url.host()) {
        ("http", Some(_)) => Ok(url),
        _ => Err("expected http://host:port".to_owned()),
    }
}

fn retention(text: &str) -> Result<Duration, String> {
    let (shortest, longest) = RETENTIONS;
    match humantime::parse_duration(text) {
        Ok(time) if time < shortest || time > longest => {
            Err("expected at least 1m and at most 366d".to_owned())
        }
        Ok(time) => Ok(time),
        Err(error) => Err(error.to_string()),
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
    fn keys_are_remembered_for_a_minute_at_least_and_not_for_ever() {
        assert_eq!(retention("24h"), Ok(Duration::from_secs(86_400)));
        assert!(retention("59s").is_err() && retention("367d").is_err());
    }

    #[test]
    fn a_database_of_another_kind_is_refused() {
        assert!(DatabaseUrl::from_str("mysql://shop@db/shop").is_err());
        assert!(DatabaseUrl::from_str("shop.db").is_err());
    }
}
