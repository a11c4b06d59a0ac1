//! order-api as it runs, with a broker beside it.

use std::{collections::HashMap, time::Duration};

use broker::Broker;
use clap::Parser as _;
use contract::{
    order::CustomerId,
    refusal::Reason,
    shop::v1::{
        CartItem, Order, PlaceOrderRequest, accounts_client::AccountsClient,
        orders_client::OrdersClient, payments_client::PaymentsClient,
    },
    topology::FULFILLMENT_QUEUE,
};
use faults::{Arming, Effect, Seam};
use identity::{
    Caller, Role,
    secret::Secret,
    token::{Issuer, Kind},
};
use lapin::{Channel as Amqp, Connection, ConnectionProperties, message::BasicGetMessage};
use order_api::control::ANNOUNCEMENTS;
use provider::{Behaviour, Provider};
use serde_json::Value;
use tempfile::TempDir;
use testbed::{eventually, free_port};
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::sync::CancellationToken;
use tonic::{
    Request, Status,
    service::{Interceptor, interceptor::InterceptedService},
    transport::Channel,
};
use uuid::Uuid;

pub(crate) const SOON: Duration = Duration::from_secs(30);
/// Who may sign in; two, for a hash takes its time.
const USERS: &str = "ada:customer:analytical,root:admin:keep-it-running";

/// Calls with a token.
pub(crate) type Calls = OrdersClient<InterceptedService<Channel, Presents>>;

/// Presents one token with every call.
#[derive(Clone)]
pub(crate) struct Presents(pub(crate) String);

/// A running order-api.
pub(crate) struct Shop {
    /// As an admin, who may order for anybody.
    pub(crate) calls: Calls,
    pub(crate) channel: Channel,
    pub(crate) stop: CancellationToken,
    pub(crate) broker: Option<Running>,
    pub(crate) provider: Provider,
    running: JoinHandle<anyhow::Result<()>>,
    side: String,
    broker_port: u16,
    _directory: TempDir,
}

/// A broker that runs.
pub(crate) struct Running {
    pub(crate) handle: broker::Handle,
    stop: CancellationToken,
    running: JoinHandle<()>,
}

#[derive(clap::Parser)]
struct Cli {
    #[command(flatten)]
    config: order_api::Config,
}

impl Shop {
    /// On SQLite, with a broker, and ready.
    pub(crate) async fn start() -> Self {
        let mut shop = Self::start_without_broker().await;
        shop.start_broker().await;
        shop.metric_is("outbox_broker_connected", 1.0).await;
        shop
    }

    /// On SQLite, and ready; the broker is away.
    pub(crate) async fn start_without_broker() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let database = format!("sqlite://{}", directory.path().join("shop.db").display());
        let port = free_port();
        let mut shop = Self::start_on(&database, &amqp_url(port), directory).await;
        shop.broker_port = port;
        shop.becomes_ready(true).await;
        shop
    }

    /// On a database and a broker that may be away.
    pub(crate) async fn start_on(database: &str, broker: &str, directory: TempDir) -> Self {
        Self::start_with(&[], database, broker, directory).await
    }

    /// The same with further settings.
    pub(crate) async fn start_with(
        settings: &[&str],
        database: &str,
        broker: &str,
        directory: TempDir,
    ) -> Self {
        let (port, side_port) = (free_port(), free_port());
        let provider = Provider::new(provider::Config::default());
        provider.set_behaviour(Behaviour { decline_rate: 0.0, ..provider.behaviour() });
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let provider_port = listener.local_addr().unwrap().port();
        let stop = CancellationToken::new();
        tokio::spawn(provider.clone().serve(listener, CancellationToken::new()));
        let arguments = [
            "order-api",
            &format!("--listen=127.0.0.1:{port}"),
            &format!("--side-listen=127.0.0.1:{side_port}"),
            &format!("--database-url={database}"),
            &format!("--amqp-url={broker}"),
            &format!("--payment-provider-url=http://127.0.0.1:{provider_port}"),
            &format!("--demo-users={USERS}"),
            "--breaker-open-for=1s",
        ];
        let cli = Cli::parse_from(arguments.iter().chain(settings));
        let running = tokio::spawn(order_api::run(cli.config, stop.clone()));
        let url = format!("http://127.0.0.1:{port}");
        let channel = eventually(SOON, "a gRPC server", async || {
            Channel::from_shared(url.clone()).unwrap().connect().await.ok()
        })
        .await;
        let token = token(Role::Admin, "admin");
        let calls = OrdersClient::with_interceptor(channel.clone(), Presents(token));
        let side = format!("http://127.0.0.1:{side_port}");
        let (broker, broker_port, _directory) = (None, 0, directory);
        Self { calls, channel, stop, broker, provider, running, side, broker_port, _directory }
    }

    /// Calls with this token.
    pub(crate) fn calls_with(&self, token: String) -> Calls {
        OrdersClient::with_interceptor(self.channel.clone(), Presents(token))
    }

    /// Calls of whoever this is.
    pub(crate) fn calls_of(&self, role: Role, name: &str) -> Calls {
        self.calls_with(token(role, name))
    }

    /// Calls of a worker, who records what becomes of orders.
    pub(crate) fn worker(&self) -> Calls {
        self.calls_of(Role::Service, "fulfillment-worker")
    }

    /// Calls about accounts, of a service.
    pub(crate) fn accounts(&self) -> AccountsClient<InterceptedService<Channel, Presents>> {
        let presents = Presents(token(Role::Service, "web-gateway"));
        AccountsClient::with_interceptor(self.channel.clone(), presents)
    }

    /// Calls about payments, of a service.
    pub(crate) fn payments(&self) -> PaymentsClient<InterceptedService<Channel, Presents>> {
        let presents = Presents(token(Role::Service, "till"));
        PaymentsClient::with_interceptor(self.channel.clone(), presents)
    }

    pub(crate) async fn start_broker(&mut self) {
        let listen = ([127, 0, 0, 1], self.broker_port).into();
        let broker = Broker::bind(broker::Config { listen, ..Default::default() }).await.unwrap();
        let (handle, stop) = (broker.handle(), CancellationToken::new());
        let running = tokio::spawn(broker.run(stop.clone()));
        self.broker = Some(Running { handle, stop, running });
    }

    /// The broker and all it holds is gone.
    pub(crate) async fn stop_broker(&mut self) {
        let Running { stop, running, .. } = self.broker.take().unwrap();
        stop.cancel();
        running.await.unwrap();
    }

    /// A channel to the broker for the test itself.
    pub(crate) async fn amqp(&self) -> Amqp {
        amqp(&amqp_url(self.broker_port)).await
    }

    /// Stops the service in an orderly way.
    pub(crate) async fn finish(self) {
        self.stop.cancel();
        self.running.await.unwrap().unwrap();
    }

    pub(crate) async fn place(&self, items: &[(&str, u32)]) -> Result<Order, Status> {
        let answer = self.calls.clone().place_order(cart("ada", items)).await?;
        Ok(answer.into_inner().order.unwrap())
    }

    /// Turns effects on at seams, as the lab would, and everything else off.
    pub(crate) async fn arm(&self, armed: impl IntoIterator<Item = (Seam, Effect)>) {
        arm_at(&self.side, armed).await;
    }

    /// Has orders announced again that were placed longer ago than so many seconds.
    pub(crate) async fn announce_again(&self, longer_ago_s: u64) -> reqwest::StatusCode {
        let url = format!("{}{ANNOUNCEMENTS}?longer_ago_s={longer_ago_s}", self.side);
        reqwest::Client::new().post(url).send().await.unwrap().status()
    }

    /// How many statements of this name there have been.
    pub(crate) async fn statements(&self, query: &str) -> f64 {
        self.metrics().await[&format!("db_statement_duration_seconds_count{{query=\"{query}\"}}")]
    }

    pub(crate) async fn becomes_ready(&self, ready: bool) {
        let url = format!("{}/ready", self.side);
        eventually(SOON, "readiness", async || {
            let answer = reqwest::get(&url).await.ok()?;
            (answer.json::<Value>().await.ok()?["ready"] == ready).then_some(())
        })
        .await;
    }

    /// Every series of the service, by its name and labels.
    pub(crate) async fn metrics(&self) -> HashMap<String, f64> {
        metrics_at(&self.side).await.unwrap()
    }

    pub(crate) async fn metric_is(&self, series: &str, value: f64) {
        let what = format!("{series} {value}");
        eventually(SOON, &what, async || {
            (self.metrics().await.get(series) == Some(&value)).then_some(())
        })
        .await;
    }

    pub(crate) async fn metric_exceeds(&self, series: &str, value: f64) {
        let what = format!("{series} over {value}");
        eventually(SOON, &what, async || {
            self.metrics().await.get(series).is_some_and(|is| *is > value).then_some(())
        })
        .await;
    }
}

impl Interceptor for Presents {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        let token = format!("Bearer {}", self.0).parse().unwrap();
        request.metadata_mut().insert("authorization", token);
        Ok(request)
    }
}

/// Turns effects on at the seams of the service with this side port, and everything else off.
pub(crate) async fn arm_at(side: &str, armed: impl IntoIterator<Item = (Seam, Effect)>) {
    let armings: Vec<_> = armed
        .into_iter()
        .map(|(seam, effect)| Arming { id: Uuid::nil(), seam, effect, remaining_ms: 60_000 })
        .collect();
    let url = format!("{side}{}", faults::control::PATH);
    let answer = reqwest::Client::new().put(url).json(&armings).send().await.unwrap();
    assert_eq!(answer.status(), 204);
}

/// Every series of the service with this side port, if it is there.
pub(crate) async fn metrics_at(side: &str) -> reqwest::Result<HashMap<String, f64>> {
    let text = reqwest::get(format!("{side}/metrics")).await?.text().await?;
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let series = lines.map(|line| {
        let (series, value) = line.rsplit_once(' ').unwrap();
        (series.to_owned(), value.parse().unwrap())
    });
    Ok(series.collect())
}

/// A good token.
pub(crate) fn token(role: Role, name: &str) -> String {
    let subject = CustomerId::parse("name", name).unwrap();
    let issuer = Issuer::new(&Secret::DEMO.parse().unwrap());
    issuer.mint(&Caller { subject, role }, Kind::Access, SOON * 10)
}

fn amqp_url(port: u16) -> String {
    format!("amqp://guest:guest@127.0.0.1:{port}/%2f")
}

/// A channel on a connection of its own, open until the end of the test process.
pub(crate) async fn amqp(url: &str) -> Amqp {
    let connection = Connection::connect(url, ConnectionProperties::default()).await.unwrap();
    let channel = connection.create_channel().await.unwrap();
    std::mem::forget(connection);
    channel
}

/// The next message for fulfillment, taken for good.
pub(crate) async fn next_message(channel: &Amqp) -> BasicGetMessage {
    eventually(SOON, "a message", async || {
        let options = lapin::options::BasicGetOptions { no_ack: true };
        channel.basic_get(FULFILLMENT_QUEUE.into(), options).await.unwrap()
    })
    .await
}

pub(crate) fn cart(customer: &str, items: &[(&str, u32)]) -> PlaceOrderRequest {
    let items = items.iter();
    PlaceOrderRequest {
        customer_id: customer.to_owned(),
        items: items
            .map(|(sku, quantity)| CartItem { sku: (*sku).to_owned(), quantity: *quantity })
            .collect(),
        ..Default::default()
    }
}

/// A call in the thread of this correlation id.
pub(crate) fn in_thread<T>(id: &'static str, message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.metadata_mut().insert(contract::CORRELATION_ID, id.parse().unwrap());
    request
}

pub(crate) fn reason(status: &Status) -> Reason {
    Reason::of(status).unwrap_or_else(|| panic!("no reason in {status:?}"))
}
