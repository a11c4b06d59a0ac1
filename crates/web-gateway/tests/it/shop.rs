//! The shop of a test: its own gateway, order-api, broker and store, on ports of their own.

use std::{
    fmt::{self, Display},
    time::Duration,
};

use contract::order::CustomerId;
use identity::{
    Caller, Role,
    secret::Secret,
    token::{Issuer, Kind},
};
use provider::{Behaviour, Provider};
use reqwest::{Client, Method, Response, header::HeaderMap};
use serde_json::{Value, json};
use tempfile::TempDir;
use testbed::{eventually, free_port};
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::sync::CancellationToken;

use crate::line::Line;

/// Longer than anything here should take, on a machine that does much else.
pub(crate) const SOON: Duration = Duration::from_secs(30);
/// Where nothing is waited for, an answer takes less than this, on such a machine too.
pub(crate) const AT_ONCE: Duration = Duration::from_secs(10);
/// Who may sign in.
const USERS: &str = "ada:customer:analytical,grace:customer:nanosecond,root:admin:keep-it-running";

/// A gateway, and perhaps the order-api behind it.
pub(crate) struct Shop {
    pub(crate) client: Client,
    pub(crate) address: String,
    pub(crate) side: String,
    pub(crate) line: Line,
    gateway: Option<JoinHandle<anyhow::Result<()>>>,
    stop_gateway: CancellationToken,
    shutdown: CancellationToken,
    order_api_side: Option<String>,
    files: TempDir,
}

/// What an answer was, read to its end.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text: String = self.text.chars().take(400).collect();
        write!(f, "{} {:?} {text}", self.status, self.headers)
    }
}

impl Answer {
    pub(crate) async fn of(response: Response) -> Self {
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Self { status, headers, text: response.text().await.unwrap() }
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The code of a problem, after checking that it is one.
    pub(crate) fn code(&self) -> String {
        assert_eq!(self.header("content-type"), "application/problem+json", "{self:?}");
        let problem = self.json();
        assert_eq!(problem["status"], self.status, "{self:?}");
        assert_eq!(problem["correlation_id"], self.header("x-correlation-id"), "{self:?}");
        assert_ne!(problem["correlation_id"], "", "{self:?}");
        let code = problem["code"].as_str().unwrap().to_owned();
        assert_eq!(problem["type"], format!("/problems/{code}"));
        assert!(!problem["title"].as_str().unwrap().is_empty(), "{self:?}");
        assert!(!problem["detail"].as_str().unwrap().is_empty(), "{self:?}");
        code
    }
}

impl Shop {
    /// A shop that is open.
    pub(crate) async fn open() -> Self {
        let mut shop = Self::without_order_api(&[]).await;
        shop.start_order_api().await;
        shop
    }

    /// A gateway whose order-api is not there, with further settings.
    pub(crate) async fn without_order_api(settings: &[&str]) -> Self {
        let (port, side, order_api_port) = (free_port(), free_port(), free_port());
        let arguments = arguments(&[
            ("--listen", &at(port)),
            ("--side-listen", &at(side)),
            ("--order-api-url", &format!("http://{}", at(order_api_port))),
        ]);
        let settings = settings.iter().map(ToString::to_string);
        let config = parse(arguments.into_iter().chain(settings));
        let shutdown = CancellationToken::new();
        let stop_gateway = shutdown.child_token();
        let gateway = tokio::spawn(web_gateway::run(config, stop_gateway.clone()));
        let shop = Self {
            client: Client::new(),
            address: at(port),
            side: at(side),
            line: Line::new(order_api_port, free_port()),
            gateway: Some(gateway),
            stop_gateway,
            shutdown,
            order_api_side: None,
            files: tempfile::tempdir().unwrap(),
        };
        shop.wait_for("/health", 200).await;
        shop
    }

    /// Starts order-api at the other end of the line.
    pub(crate) async fn start_order_api(&mut self) {
        self.start_order_api_with(&[]).await;
    }

    /// Starts it with further settings.
    pub(crate) async fn start_order_api_with(&mut self, settings: &[&str]) {
        let side = at(free_port());
        let broker = broker::Broker::bind(broker::Config::default()).await.unwrap();
        let arguments = arguments(&[
            ("--listen", &at(self.line.to)),
            ("--side-listen", &side),
            ("--database-url", &self.database_url()),
            ("--amqp-url", &format!("amqp://guest:guest@{}/%2f", broker.local_addr())),
            ("--payment-provider-url", &self.start_provider().await),
            ("--demo-users", USERS),
        ]);
        let settings = settings.iter().map(ToString::to_string);
        let config = parse(arguments.into_iter().chain(settings));
        tokio::spawn(broker.run(self.shutdown.clone()));
        tokio::spawn(order_api::run(config, self.shutdown.clone()));
        self.order_api_side = Some(side);
        self.line.up().await;
        self.wait_for("/ready", 200).await;
    }

    /// A provider that declines only what asks for it; where it is.
    async fn start_provider(&self) -> String {
        let provider = Provider::new(provider::Config::default());
        provider.set_behaviour(Behaviour { decline_rate: 0.0, ..provider.behaviour() });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(provider.serve(listener, self.shutdown.clone()));
        url
    }

    /// Where order-api stores.
    pub(crate) fn database_url(&self) -> String {
        format!("sqlite://{}", self.files.path().join("shop.db").display())
    }

    /// Makes a seam of the gateway or of order-api suffer.
    pub(crate) async fn arm(&self, seam: &str, effect: Value) {
        let id = "01980000-0000-7000-8000-000000000000";
        let armings = json!([{"id": id, "seam": seam, "effect": effect, "remaining_ms": 600_000}]);
        self.replace_armings(seam, armings).await;
    }

    /// Makes the seams of the service with this one as they should be.
    pub(crate) async fn disarm(&self, seam: &str) {
        self.replace_armings(seam, json!([])).await;
    }

    async fn replace_armings(&self, seam: &str, armings: Value) {
        let of_gateway = ["call_order_api", "count_answer", "show_products"].contains(&seam);
        let side = if of_gateway { &self.side } else { self.order_api_side.as_ref().unwrap() };
        let url = format!("http://{side}/control/seams");
        let answer = self.client.put(url).json(&armings).send().await.unwrap();
        assert_eq!(answer.status(), 204);
    }

    /// Asks the gateway to stop.
    pub(crate) fn stop(&self) {
        self.stop_gateway.cancel();
    }

    /// Waits until the gateway has stopped.
    pub(crate) async fn stopped(&mut self) {
        let gateway = self.gateway.take().unwrap();
        tokio::time::timeout(SOON, gateway).await.unwrap().unwrap().unwrap();
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.ask(Method::GET, path, &[], "").await
    }

    /// Asks as whoever presents this.
    pub(crate) async fn get_as(&self, authorization: &str, path: &str) -> Answer {
        self.ask(Method::GET, path, &[("authorization", authorization)], "").await
    }

    pub(crate) async fn order_as(&self, authorization: &str, cart: &Value) -> Answer {
        self.order_with(&[("authorization", authorization)], cart).await
    }

    /// Sends a body to a route of identity.
    pub(crate) async fn post(&self, path: &str, body: impl Into<reqwest::Body>) -> Answer {
        self.ask(Method::POST, path, &[("content-type", "application/json")], body).await
    }

    pub(crate) async fn log_in(&self, username: &str, password: &str) -> Answer {
        let form = json!({"username": username, "password": password});
        self.post("/auth/login", form.to_string()).await
    }

    pub(crate) async fn order(&self, cart: &Value) -> Answer {
        self.order_with(&[], cart).await
    }

    pub(crate) async fn order_with(&self, headers: &[(&str, &str)], cart: &Value) -> Answer {
        let json = [("content-type", "application/json")];
        self.ask(Method::POST, "/orders", &[&json, headers].concat(), cart.to_string()).await
    }

    pub(crate) async fn ask(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<reqwest::Body>,
    ) -> Answer {
        let url = format!("http://{}{path}", self.address);
        let request = self.client.request(method, url).body(body);
        let request = headers
            .iter()
            .fold(request, |request, (name, value)| request.header(*name, value.as_bytes()));
        Answer::of(request.send().await.unwrap()).await
    }

    /// The value of a series, as `/metrics` shows it.
    pub(crate) async fn metric(&self, series: &str) -> f64 {
        let text = self.get("/metrics").await.text;
        let line = text.lines().find_map(|line| line.strip_prefix(series));
        let line = line.unwrap_or_else(|| panic!("there is no series {series}"));
        line.trim().parse().unwrap()
    }

    pub(crate) async fn wait_for(&self, path: &str, status: u16) {
        let url = format!("http://{}{path}", self.address);
        eventually(SOON, &format!("{status} of {path}"), async || {
            let answer = self.client.get(&url).send().await.ok()?;
            (answer.status() == status).then_some(())
        })
        .await;
    }
}

impl Drop for Shop {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

/// One unit of a SKU that the shop sells, for whoever asks.
pub(crate) fn cart() -> Value {
    json!({"items": [{"sku": "TEA-001", "quantity": 1}]})
}

/// The same for somebody.
pub(crate) fn cart_of(customer_id: &str) -> Value {
    json!({"customer_id": customer_id, "items": [{"sku": "TEA-001", "quantity": 1}]})
}

/// The header `authorization` with a good token.
pub(crate) fn bearer(role: Role, name: &str) -> String {
    let secret: Secret = Secret::DEMO.parse().unwrap();
    bearer_of(&secret, role, Kind::Access, name)
}

/// The same, signed with some secret and good for something.
pub(crate) fn bearer_of(secret: &Secret, role: Role, kind: Kind, name: &str) -> String {
    let subject = CustomerId::parse("name", name).unwrap();
    format!("Bearer {}", Issuer::new(secret).mint(&Caller { subject, role }, kind, SOON * 10))
}

fn at(port: impl Display) -> String {
    format!("127.0.0.1:{port}")
}

fn arguments(pairs: &[(&str, &str)]) -> Vec<String> {
    pairs.iter().flat_map(|(name, value)| [name.to_string(), value.to_string()]).collect()
}

fn parse<C: instrumentation::service::Config>(arguments: impl IntoIterator<Item = String>) -> C {
    let command = instrumentation::service::command::<C>();
    let program = C::SERVICE.to_owned();
    let matches = command.get_matches_from([program].into_iter().chain(arguments));
    C::from_arg_matches(&matches).unwrap()
}
