//! A control desk on ports of its own, and services whose switchboards are real.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use axum::{Router, routing::get};
use faults::{Arming, Service, Switchboard, control};
use identity::demo::DemoUsers;
use instrumentation::settings::{self, Live, Settings};
use lab::desk::{Config, Desk, ProviderSettings, Secret};
use reqwest::{Client, Method, Response, StatusCode};
use serde_json::Value;
use testbed::free_port;
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::sync::CancellationToken;

/// Long enough for a slow day, short enough to notice.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);
/// For how long all must be well, here, until a fault is repaired: a minute is long for a test.
pub(crate) const CALM: Duration = Duration::from_secs(10);

/// A running control desk.
pub(crate) struct DeskFixture {
    client: Client,
    pub(crate) url: String,
    /// Where it takes traces and logs, if it does.
    pub(crate) otlp_url: Option<String>,
    /// Where the payment provider is.
    pub(crate) provider_url: String,
    stop: CancellationToken,
    served: JoinHandle<anyhow::Result<()>>,
}

/// What a desk is pointed at; by default, nobody is there.
pub(crate) struct World {
    pub(crate) services: [u16; 3],
    /// The side port of order-api's second replica, if the desk is to know one.
    pub(crate) canary: Option<u16>,
    pub(crate) amqp_url: String,
    pub(crate) gateway_url: String,
    pub(crate) database_url: Option<String>,
    /// The control of the proxy before the database.
    pub(crate) database_proxy_url: Option<String>,
    /// Where traces and logs go, if not to the desk.
    pub(crate) otlp_elsewhere: Option<String>,
    /// Who measures.
    pub(crate) prometheus_url: Option<String>,
}

/// The side port of a service: a real switchboard, and always ready.
pub(crate) struct Side {
    switchboard: Arc<Switchboard>,
    /// A setting of it that can be changed.
    deadline: Live<Duration>,
    stop: CancellationToken,
    served: JoinHandle<()>,
}

impl World {
    pub(crate) fn empty() -> Self {
        let nobody = || format!("127.0.0.1:{}", free_port());
        Self {
            services: std::array::from_fn(|_| free_port()),
            canary: None,
            amqp_url: format!("amqp://{}/%2f", nobody()),
            gateway_url: format!("http://{}", nobody()),
            database_url: None,
            database_proxy_url: None,
            otlp_elsewhere: None,
            prometheus_url: None,
        }
    }

    /// A desk in this world, with no customers.
    pub(crate) async fn desk(&self) -> DeskFixture {
        let [gateway, api, worker] = self.services.map(|port| format!("http://127.0.0.1:{port}"));
        let config = Config {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            otlp_listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            otlp_elsewhere: self.otlp_elsewhere.clone(),
            provider_listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            provider: ProviderSettings {
                provider_capacity: 16,
                provider_median: Duration::from_millis(8),
                provider_decline_rate: 0.02,
                provider_token_ttl: Duration::from_secs(300),
                provider_client_id: "shop".to_owned(),
                provider_client_secret: Secret("shop-secret".to_owned()),
            },
            gateway_url: self.gateway_url.clone(),
            demo_users: DemoUsers::DEFAULT.parse().expect("the users of the lab"),
            web_gateway_side_url: gateway,
            order_api_side_url: api,
            order_api_canary_side_url: self.canary.map(|port| format!("http://127.0.0.1:{port}")),
            fulfillment_worker_side_url: worker,
            amqp_url: self.amqp_url.clone(),
            prometheus_url: self.prometheus_url.clone(),
            database_url: self.database_url.as_ref().map(|url| url.parse().expect("a URL")),
            database_proxy_url: self.database_proxy_url.clone(),
            rate: 0.0,
            seed: 1,
            calm: CALM,
        };
        let desk = Desk::open(config).await.expect("the desk opens");
        let url = format!("http://{}", desk.address());
        let otlp_url = desk.otlp_address().map(|address| format!("http://{address}"));
        let provider = desk.provider_address().expect("the provider listens");
        let provider_url = format!("http://{provider}");
        let stop = CancellationToken::new();
        let served = tokio::spawn(desk.serve(stop.clone()));
        DeskFixture { client: Client::new(), url, otlp_url, provider_url, stop, served }
    }

    /// The side port of a service in this world.
    pub(crate) async fn side(&self, service: Service) -> Side {
        let place = Service::ALL.iter().position(|one| *one == service).expect("all are listed");
        Side::start(self.services[place]).await
    }
}

impl DeskFixture {
    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        form: &str,
        json: bool,
    ) -> Response {
        let request = self.client.request(method, format!("{}{path}", self.url));
        let request = request.body(form.to_owned());
        let request = if json { request.header("accept", "application/json") } else { request };
        request.send().await.expect("the desk answers")
    }

    /// Asks as a person: status and text.
    pub(crate) async fn text(
        &self,
        method: Method,
        path: &str,
        form: &str,
    ) -> (StatusCode, String) {
        let answer = self.send(method, path, form, false).await;
        (answer.status(), answer.text().await.expect("text"))
    }

    /// Asks as a machine: status and JSON.
    pub(crate) async fn json(&self, method: Method, path: &str, form: &str) -> (StatusCode, Value) {
        let answer = self.send(method, path, form, true).await;
        (answer.status(), answer.json().await.expect("JSON"))
    }

    /// The value of one series.
    pub(crate) async fn metric(&self, series: &str) -> Option<f64> {
        let (_, text) = self.text(Method::GET, "/metrics", "").await;
        let line = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        line.map(|value| value.parse().expect("a number"))
    }

    /// Ends it as a kill would: it undoes nothing.
    pub(crate) async fn die(self) {
        self.served.abort();
        let ended = self.served.await.expect_err("it did not end by itself");
        assert!(ended.is_cancelled(), "{ended}");
    }

    /// Stops it and waits for its end.
    pub(crate) async fn stop(self) {
        self.stop.cancel();
        self.served.await.expect("no panic").expect("a clean end");
    }
}

impl Side {
    pub(crate) async fn start(port: u16) -> Self {
        let switchboard = Arc::new(Switchboard::default());
        let deadline = Live::new(Duration::from_secs(5));
        let parse = |text: &str| humantime::parse_duration(text).map_err(|error| error.to_string());
        let offered = Settings::default().with("request-deadline", &deadline, parse);
        let router = control::router(Arc::clone(&switchboard)).merge(settings::router(offered));
        let router: Router = router.route("/ready", get("yes"));
        let listener = TcpListener::bind(("127.0.0.1", port)).await.expect("a free port");
        let stop = CancellationToken::new();
        let stopped = stop.clone().cancelled_owned();
        let served = tokio::spawn(async move {
            let serving = axum::serve(listener, router).with_graceful_shutdown(stopped);
            serving.await.expect("it serves");
        });
        Self { switchboard, deadline, stop, served }
    }

    pub(crate) fn armings(&self) -> Vec<Arming> {
        self.switchboard.armings()
    }

    pub(crate) fn deadline(&self) -> Duration {
        self.deadline.get()
    }

    pub(crate) fn hold(&self, armings: Vec<Arming>) {
        self.switchboard.replace(armings);
    }

    /// Stops it, connections and all.
    pub(crate) async fn stop(self) {
        self.stop.cancel();
        self.served.await.expect("no panic");
    }
}
