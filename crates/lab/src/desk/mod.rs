//! The control desk: status, faults, traffic, payments, dead letters, traces and logs, in text and in
//! JSON.
//!
//! It is the only one that knows the truth ([`ledger`]). It tells each service over its side port
//! what is on there ([`remote`]) and keeps it so when a service restarts.

mod announcements;
mod answer;
mod bends;
mod broker;
mod burial;
mod catalogue;
mod chaos;
mod config;
pub(crate) mod database;
mod dead_letter;
mod dead_letters;
mod dlq;
mod hands;
mod inbox;
mod ledger;
mod load;
mod logs;
mod provider;
mod provider_settings;
mod queues;
mod remote;
mod repairs;
mod search;
mod settings;
mod status;
mod traces;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use ::provider::Provider;
use anyhow::Context as _;
use axum::{
    Router,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use faults::{Needs, Service};
use futures_util::future::join_all;
use instrumentation::metrics::{LabelSet as _, Registry};
use telemetry::{Limits, Store, receiver};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tonic::transport::server::TcpIncoming;

pub use config::{Config, rate};
pub use dead_letter::{DeadLetter, DeadLetters, Replayed};
pub use ledger::ArmedFault;
pub use provider::{ProviderBehaviour, ProviderStatus};
pub use provider_settings::{ProviderSettings, Secret};
pub use queues::Waiting;
pub use remote::ServiceStatus;
pub use repairs::CALM;
pub(crate) use search::{LOG_RECORDS, SLOW, TRACES};
pub use status::Status;

use crate::{
    customers::{self, Customers},
    metrics::{CATALOGUES, FaultLabel, Metrics},
    proxy,
};
use answer::{Refusal, Wants};
use database::Database;
use dead_letters::Morgue;
use hands::{Hands, Reach};
use inbox::Inbox;
use ledger::Ledger;
use queues::Queues;
use remote::Remote;
use repairs::Repairs;

/// How often what was recorded is folded into buckets, and quiet traces are looked through.
const UPKEEP: Duration = Duration::from_secs(5);
/// What can be asked, for people.
const WELCOME: &str = include_str!("welcome.txt");

/// Runs the control desk and the customers until `shutdown`; what is on is then turned off.
pub async fn run(config: Config, shutdown: CancellationToken) -> anyhow::Result<()> {
    Desk::open(config).await?.serve(shutdown).await
}

/// A control desk that listens, and customers who come; [`Desk::serve`] makes it answer.
#[derive(Debug)]
pub struct Desk {
    listener: TcpListener,
    address: SocketAddr,
    /// None if traces and logs go elsewhere.
    otlp: Option<TcpIncoming>,
    /// Where the payment provider listens.
    payments: TcpListener,
    parts: Arc<Parts>,
}

/// What the routes share.
#[derive(Debug)]
struct Parts {
    ledger: Arc<Ledger>,
    hands: Hands,
    remotes: Vec<Remote>,
    customers: Customers,
    provider: Provider,
    queues: Queues,
    database: Database,
    /// In the path to the database.
    proxy: proxy::Control,
    morgue: Morgue,
    inbox: Inbox,
    repairs: Repairs,
    /// The last traces and logs.
    store: Arc<Store>,
    /// Where traces and logs go, if not here.
    otlp_elsewhere: Option<String>,
    registry: Registry,
    metrics: Metrics,
}

impl Desk {
    /// Listens, and lets the customers come.
    pub async fn open(config: Config) -> anyhow::Result<Self> {
        let listener = listen(config.listen, "control desk").await?;
        let payments = listen(config.provider_listen, "payment provider").await?;
        let address = listener.local_addr().context("cannot read the desk's address")?;
        let otlp = match config.otlp_elsewhere {
            Some(_) => None,
            None => Some(listen_for_otlp(config.otlp_listen)?),
        };
        Ok(Self { listener, address, otlp, payments, parts: Arc::new(Parts::new(config)?) })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where it listens for traces and logs.
    pub fn otlp_address(&self) -> Option<SocketAddr> {
        self.otlp.as_ref()?.local_addr().ok()
    }

    /// Where the payment provider listens.
    pub fn provider_address(&self) -> Option<SocketAddr> {
        self.payments.local_addr().ok()
    }

    /// Answers until `shutdown`; what is on is then turned off.
    pub async fn serve(self, shutdown: CancellationToken) -> anyhow::Result<()> {
        let Self { listener, otlp, payments, parts, .. } = self;
        let router = router(Arc::clone(&parts), shutdown.clone());
        let stopped = shutdown.clone().cancelled_owned();
        let served = axum::serve(listener, router).with_graceful_shutdown(stopped).into_future();
        let served = async { served.await.context("cannot serve the control desk") };
        let (provider, stop) = (parts.provider.clone(), shutdown.clone());
        let charged = async move {
            provider.serve(payments, stop).await;
            Ok(())
        };
        let received = receive(otlp, Arc::clone(&parts.store), shutdown);
        tokio::select! {
            ended = async { tokio::try_join!(served, received, charged) } => drop(ended?),
            () = parts.keep() => {}
        }
        parts.leave().await;
        Ok(())
    }
}

impl Parts {
    fn new(config: Config) -> anyhow::Result<Self> {
        let registry = Registry::new("lab", CATALOGUES);
        let metrics = Metrics::register(&registry);
        let measured = ::provider::Metrics::register(&registry);
        let provider = Provider::measured(config.provider.config(config.seed), measured);
        let ledger = Arc::new(Ledger::default());
        let canary = config.order_api_canary_side_url.iter();
        let remotes = Service::ALL
            .into_iter()
            .map(|service| Remote::first(service, config.side_url(service), Arc::clone(&ledger)))
            .chain(canary.map(|url| Remote::canary(url, Arc::clone(&ledger))))
            .collect::<Result<_, _>>()?;
        let Config { gateway_url, rate, seed, amqp_url, otlp_elsewhere, .. } = config;
        let repairs = Repairs::new(config.prometheus_url, config.calm)?;
        let outside = customers::Config { gateway_url, rate, seed, users: config.demo_users };
        let customers = Customers::start(outside, metrics.clone())?;
        let queues = Queues::new(amqp_url);
        let database = Database::new(config.database_url);
        let proxy = proxy::Control::new(config.database_proxy_url)?;
        let (morgue, inbox) = (Morgue::default(), Inbox::default());
        let store = Arc::new(Store::new(Limits::default()));
        Ok(Self {
            ledger,
            hands: Hands::default(),
            remotes,
            customers,
            provider,
            queues,
            database,
            proxy,
            morgue,
            inbox,
            repairs,
            store,
            otlp_elsewhere,
            registry,
            metrics,
        })
    }

    /// Keeps every switchboard as it must be, and the metrics small; never ends.
    async fn keep(&self) {
        let upkeep = async {
            let mut ticks = tokio::time::interval(UPKEEP);
            loop {
                ticks.tick().await;
                self.registry.upkeep();
                self.store.count_orphans();
            }
        };
        let hands = self.hands.keep(&self.ledger, self.reach());
        let repairs = self.repairs.keep(&self.ledger, &self.database);
        tokio::join!(join_all(self.remotes.iter().map(Remote::keep)), hands, repairs, upkeep);
    }

    /// The services, and the second replica of order-api if there is one.
    fn known(&self) -> impl Iterator<Item = &Remote> {
        self.remotes.iter().filter(|remote| remote.is_known())
    }

    /// Whether order-api has a second replica now.
    async fn has_canary(&self) -> bool {
        match self.remotes.iter().find(|remote| remote.canary) {
            Some(remote) => remote.status().await.up,
            None => false,
        }
    }

    /// What can be done about the database here.
    fn offers(&self) -> Needs {
        match self.database.offers() {
            Needs::Postgres if self.proxy.is_there() => Needs::Proxy,
            offers => offers,
        }
    }

    fn reach(&self) -> Reach<'_> {
        let Self { provider, customers, queues, morgue, database, proxy, .. } = self;
        Reach { provider, customers, queues, morgue, database, proxy }
    }

    /// Leaves no fault behind that nobody knows of.
    async fn leave(&self) {
        if !self.ledger.heal_all().is_empty() {
            // Who cannot be told lets go by itself when the time of what is on is over.
            join_all(self.known().map(Remote::tell)).await;
            self.hands.finish(&self.ledger, self.reach()).await;
        }
    }
}

async fn listen(address: SocketAddr, who: &str) -> anyhow::Result<TcpListener> {
    let listener = TcpListener::bind(address).await;
    listener.with_context(|| format!("cannot listen on {address} ({who})"))
}

fn listen_for_otlp(address: SocketAddr) -> anyhow::Result<TcpIncoming> {
    let incoming = TcpIncoming::bind(address);
    incoming.with_context(|| format!("cannot listen on {address} (traces and logs)"))
}

/// Takes traces and logs until `stop`.
async fn receive(
    otlp: Option<TcpIncoming>,
    store: Arc<Store>,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    match otlp {
        Some(otlp) => receiver::serve(otlp, store, stop).await.context("cannot take traces"),
        None => Ok(()),
    }
}

/// The routes; answers without end have one at `stop`.
fn router(parts: Arc<Parts>, stop: CancellationToken) -> Router {
    Router::new()
        .route("/", get(WELCOME))
        .route("/health", get("alive\n"))
        .route("/status", get(status))
        .route("/metrics", get(metrics))
        .merge(chaos::router())
        .merge(load::router())
        .merge(provider::router())
        .merge(settings::router())
        .merge(dlq::router())
        .merge(announcements::router())
        .merge(inbox::router())
        .merge(traces::router())
        .merge(logs::router(stop))
        .fallback(nowhere)
        .with_state(parts)
}

async fn status(State(parts): State<Arc<Parts>>, wants: Wants) -> Response {
    wants.answer(Status::take(&parts).await)
}

async fn metrics(State(parts): State<Arc<Parts>>) -> Response {
    for label in FaultLabel::all() {
        let on = parts.ledger.is_on(label.fault());
        parts.metrics.fault_armed.with(label).set(f64::from(u8::from(on)));
    }
    parts.metrics.show(parts.store.stats());
    let text = "text/plain; version=0.0.4; charset=utf-8";
    ([(header::CONTENT_TYPE, text)], parts.registry.render()).into_response()
}

async fn nowhere(wants: Wants) -> Response {
    let possible = WELCOME.lines().filter_map(|line| line.strip_prefix("  ")).map(str::to_owned);
    let error = "there is nothing here";
    wants.refuse(Refusal::new(StatusCode::NOT_FOUND, error, possible.collect()))
}
