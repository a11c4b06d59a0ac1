//! A proxy in the path to the database: what comes in at one end goes out at the other, at once, or
//! as late as over a longer way.
//!
//! - [`conditions`]: how long the way is now, and until when.
//! - [`carry`]: bytes, in order, each as late as the way was long when it set out.
//! - [`control`]: the conditions over HTTP, and who asks for them.

mod carry;
mod conditions;
mod control;

use std::{net::SocketAddr, process::ExitCode, time::Duration};

use anyhow::Context as _;
use instrumentation::shutdown;
use order_api::config::DatabaseUrl;
use tokio::{
    net::{TcpListener, TcpStream},
    task::{JoinHandle, JoinSet},
    time::timeout,
};
use tokio_util::sync::CancellationToken;

use self::conditions::Conditions;
pub use self::control::{Control, Wanted};

/// How long the server may take to let somebody in.
const PATIENCE: Duration = Duration::from_secs(5);
/// The pause before another is let in when none could be, as when all files are open.
const BREATH: Duration = Duration::from_millis(100);

/// What `lab proxy` is told.
#[derive(Clone, Debug, clap::Args)]
pub struct Config {
    /// Where the database is asked for.
    #[arg(long, env = "LAB_PROXY_LISTEN", default_value = "0.0.0.0:5432", value_name = "ADDRESS")]
    pub listen: SocketAddr,

    /// Where the database is: a host and a port.
    #[arg(
        long,
        env = "LAB_PROXY_TO",
        default_value = "postgres:5432",
        value_name = "HOST:PORT",
        value_parser = host_and_port
    )]
    pub to: String,

    /// Where the proxy says whether it is alive, and is told how long the way is; keep it private.
    #[arg(
        long,
        env = "LAB_PROXY_CONTROL_LISTEN",
        default_value = "0.0.0.0:4200",
        value_name = "ADDRESS"
    )]
    pub control_listen: SocketAddr,
}

/// A proxy that runs.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    control: SocketAddr,
    served: JoinHandle<anyhow::Result<()>>,
}

/// Runs it until Ctrl-C or SIGTERM.
pub async fn run(config: Config) -> anyhow::Result<ExitCode> {
    Proxy::start(config, shutdown::on_signal()).await?.ended().await?;
    Ok(ExitCode::SUCCESS)
}

impl Proxy {
    /// Starts it; it runs until `stop`.
    pub async fn start(config: Config, stop: CancellationToken) -> anyhow::Result<Self> {
        let Config { listen, to, control_listen } = config;
        let listener = bind(listen, "database proxy").await?;
        let controlled = bind(control_listen, "control of the database proxy").await?;
        let address = listener.local_addr().context("cannot read the proxy's address")?;
        let control = controlled.local_addr().context("cannot read the proxy's address")?;
        let conditions = Conditions::default();
        let router = control::router(conditions.clone());
        let stopped = stop.clone().cancelled_owned();
        let serving = axum::serve(controlled, router).with_graceful_shutdown(stopped).into_future();
        let carrying = carry_all(listener, to, conditions, stop);
        let served = tokio::spawn(async move {
            let (served, ()) = tokio::join!(serving, carrying);
            served.context("cannot serve the control of the database proxy")
        });
        Ok(Self { address, control, served })
    }

    /// Where the database is asked for.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where its conditions are asked for.
    pub fn control_url(&self) -> String {
        format!("http://{}", self.control)
    }

    /// Waits for its end.
    pub async fn ended(self) -> anyhow::Result<()> {
        self.served.await.context("the database proxy has failed")?
    }
}

/// Where a server of this address is, if a proxy can stand before it: SQLite has no way, and a Unix
/// socket none that is long.
pub fn server_of(database_url: &str) -> Option<String> {
    let DatabaseUrl::Postgres(options) = database_url.parse().ok()? else { return None };
    let (host, port) = (options.get_host(), options.get_port());
    // What a query or the environment says of the place would go past the proxy.
    let named = reqwest::Url::parse(database_url).ok()?;
    let at_the_front = named.host_str() == Some(host) && named.port().unwrap_or(5432) == port;
    (options.get_socket().is_none() && at_the_front).then(|| format!("{host}:{port}"))
}

/// The same address, but at the proxy.
pub fn through(database_url: &str, proxy: SocketAddr) -> Option<String> {
    let mut url = reqwest::Url::parse(database_url).ok()?;
    url.set_ip_host(proxy.ip()).ok()?;
    url.set_port(Some(proxy.port())).ok()?;
    Some(url.into())
}

async fn bind(address: SocketAddr, who: &str) -> anyhow::Result<TcpListener> {
    let listener = TcpListener::bind(address).await;
    listener.with_context(|| format!("cannot listen on {address} ({who})"))
}

/// Carries for everybody who comes, until `stop`.
async fn carry_all(
    listener: TcpListener,
    to: String,
    conditions: Conditions,
    stop: CancellationToken,
) {
    let mut clients = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => return,
            accepted = listener.accept() => accepted,
            Some(_) = clients.join_next(), if !clients.is_empty() => continue,
        };
        match accepted {
            Ok((client, _)) => {
                drop(clients.spawn(carry_for(client, to.clone(), conditions.clone())))
            }
            Err(error) => {
                tracing::warn!(%error, "nobody is let in");
                tokio::time::sleep(BREATH).await;
            }
        }
    }
}

/// A server that cannot be reached is one that hangs up: the client knows what to make of it.
async fn carry_for(client: TcpStream, to: String, conditions: Conditions) {
    match timeout(PATIENCE, TcpStream::connect(&to)).await {
        Ok(Ok(server)) => match carry::both_ways(client, server, conditions).await {
            Ok(()) => {}
            Err(error) => tracing::debug!(%error, "a connection was cut"),
        },
        Ok(Err(error)) => tracing::debug!(%error, to, "not reached"),
        Err(_) => tracing::debug!(to, "not reached in time"),
    }
}

fn host_and_port(text: &str) -> Result<String, String> {
    match text.rsplit_once(':') {
        Some((host, port))
            if !host.is_empty() && port.parse::<u16>().is_ok_and(|port| port > 0) =>
        {
            Ok(text.to_owned())
        }
        _ => Err("expected a host and a port, such as postgres:5432".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_stands_before_a_server_that_is_reached_over_tcp() {
        let server = |url| server_of(url);
        assert_eq!(server("postgres://shop:p@db:5433/shop").as_deref(), Some("db:5433"));
        assert_eq!(server("postgresql://db/shop?sslmode=disable").as_deref(), Some("db:5432"));
        assert_eq!(server("postgres://shop@%2Fvar%2Frun%2Fpostgresql/shop"), None);
        assert_eq!(server("postgres://shop@db/shop?host=/var/run/postgresql"), None);
        assert_eq!(server("postgres://shop@db/shop?port=5433"), None);
        assert_eq!(server("sqlite:///tmp/shop.db"), None);
        assert_eq!(server("nonsense"), None);
    }

    #[test]
    fn the_way_through_the_proxy_differs_in_nothing_but_the_place() {
        let proxy = "127.0.0.1:15432".parse().unwrap();
        let url = through("postgres://shop:p%40ss@db:5433/shop?sslmode=disable", proxy).unwrap();
        assert_eq!(url, "postgres://shop:p%40ss@127.0.0.1:15432/shop?sslmode=disable");
        assert_eq!(server_of(&url).as_deref(), Some("127.0.0.1:15432"));
    }

    #[test]
    fn a_place_has_a_host_and_a_port() {
        assert_eq!(host_and_port("db:5432").as_deref(), Ok("db:5432"));
        for bad in ["db", ":5432", "db:", "db:0", "db:70000", ""] {
            assert!(host_and_port(bad).is_err(), "{bad:?}");
        }
    }
}
