//! A shop whose behavior the test chooses, and customers who go there.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use axum::{
    Json, Router,
    extract::{Path, State},
    http::{HeaderMap, StatusCode, header::RETRY_AFTER},
    response::{IntoResponse as _, Response},
    routing::{get, post},
};
use instrumentation::metrics::Registry;
use lab::{
    customers::{Config, Customers},
    metrics::Metrics,
};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use uuid::Uuid;

/// Who may come.
const USERS: &str = "ada:customer:analytical,grace:customer:nanosecond,root:admin:keep-it-running";

/// How the shop answers.
#[derive(Clone, Copy, Default)]
pub(crate) struct Manners {
    /// How long everything takes.
    pub(crate) delay: Duration,
    /// How many tries of each order are answered by 503; without a key nobody knows them for the same.
    pub(crate) failures: usize,
}

/// A shop that remembers who ordered what.
#[derive(Clone, Default)]
pub(crate) struct StubShop {
    manners: Manners,
    /// For how many seconds a token is good.
    lifetime: Arc<AtomicU64>,
    seen: Arc<Mutex<Seen>>,
}

/// What the shop has seen.
#[derive(Default)]
pub(crate) struct Seen {
    /// The tries of each order, by idempotency key: what was ordered, and the correlation id.
    pub(crate) tries: HashMap<String, Vec<(Value, String)>>,
    /// How often each order without a key was sent, by its correlation id.
    pub(crate) keyless: HashMap<String, usize>,
    /// Requests without a correlation id.
    pub(crate) anonymous: usize,
    /// What was presented with each order, and with each look at the list of them.
    pub(crate) presented: Vec<String>,
    /// What was sent to sign in, and to stay so.
    pub(crate) forms: Vec<Value>,
    /// Whose tokens it does not know any more: everybody's who has not signed in since.
    pub(crate) forgotten: bool,
}

impl StubShop {
    /// Opens on `port`; 0 takes any. Returns the port with it.
    pub(crate) async fn open(manners: Manners, port: u16) -> (Self, u16) {
        let shop = Self { manners, ..Self::default() };
        shop.lifetime.store(1, Ordering::Relaxed);
        let router = Router::new()
            .route("/products", get(products))
            .route("/orders", get(orders).post(place))
            .route("/orders/{id}", get(order))
            .route("/auth/login", post(sign_in))
            .route("/auth/refresh", post(sign_in))
            .with_state(shop.clone());
        let listener = TcpListener::bind(("127.0.0.1", port)).await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        tokio::spawn(async move { axum::serve(listener, router).await });
        (shop, port)
    }

    /// Looks at what the shop has seen.
    pub(crate) fn seen<T>(&self, look: impl FnOnce(&Seen) -> T) -> T {
        look(&self.seen.lock().expect("no holder panics"))
    }

    /// Whether it is known.
    fn look_at_token(&self, headers: &HeaderMap) -> bool {
        let token = headers.get("authorization").map(|token| token.to_str().expect("ASCII"));
        let token = token.unwrap_or_default().to_owned();
        let mut seen = self.seen.lock().expect("no holder panics");
        seen.presented.push(token);
        !seen.forgotten
    }

    /// Knows nobody's token any more; from now on tokens are good for this long.
    pub(crate) fn forget_all(&self, lifetime: u64) {
        self.lifetime.store(lifetime, Ordering::Relaxed);
        self.seen.lock().expect("no holder panics").forgotten = true;
    }

    async fn meet(&self, headers: &HeaderMap) {
        if !headers.contains_key("x-correlation-id") {
            self.seen.lock().expect("no holder panics").anonymous += 1;
        }
        tokio::time::sleep(self.manners.delay).await;
    }
}

/// Customers of the shop at `port`.
pub(crate) fn customers(port: u16, rate: f64) -> (Customers, Registry) {
    let registry = Registry::new("lab", &[Metrics::CATALOGUE]);
    let metrics = Metrics::register(&registry);
    let users = USERS.parse().expect("two users");
    let gateway_url = format!("http://127.0.0.1:{port}");
    let config = Config { gateway_url, rate, seed: 1, users };
    (Customers::start(config, metrics).expect("a URL"), registry)
}

async fn products(State(shop): State<StubShop>, headers: HeaderMap) -> Json<Value> {
    shop.meet(&headers).await;
    let product = |sku: &str| json!({"sku": sku, "stock": 1_000_000, "unit_price_minor": 1});
    let products = ["TEA", "CUP", "POT"].map(product);
    Json(json!({"products": products}))
}

/// Everybody is known, by a token with their name in it.
async fn sign_in(State(shop): State<StubShop>, Json(form): Json<Value>) -> Json<Value> {
    let mut seen = shop.seen.lock().expect("no holder panics");
    seen.forms.push(form.clone());
    seen.forgotten = false;
    let known = form["username"].as_str().map(str::to_owned);
    let renewed = form["refresh_token"].as_str().map(str::to_owned);
    let name = known.clone().or(renewed).expect("a name, or a token with one");
    let lifetime = shop.lifetime.load(Ordering::Relaxed);
    let mut tokens = json!({"access_token": format!("token-of-{name}"), "expires_in": lifetime});
    if known.is_some() {
        tokens["refresh_token"] = name.into();
    }
    Json(tokens)
}

async fn orders(State(shop): State<StubShop>, headers: HeaderMap) -> Response {
    shop.meet(&headers).await;
    match shop.look_at_token(&headers) {
        true => Json(json!({"orders": [], "next_cursor": null})).into_response(),
        false => StatusCode::UNAUTHORIZED.into_response(),
    }
}

async fn order(
    State(shop): State<StubShop>,
    Path(id): Path<Uuid>,
    headers: HeaderMap,
) -> Json<Value> {
    shop.meet(&headers).await;
    Json(json!({"id": id, "status": "fulfilled"}))
}

async fn place(
    State(shop): State<StubShop>,
    headers: HeaderMap,
    Json(order): Json<Value>,
) -> Response {
    shop.meet(&headers).await;
    shop.look_at_token(&headers);
    let header = |name| headers.get(name).map(|value| value.to_str().expect("ASCII").to_owned());
    let thread = header("x-correlation-id").expect("every order has it");
    let mut seen = shop.seen.lock().expect("no holder panics");
    let tries = match header("idempotency-key") {
        Some(key) => {
            let tries = seen.tries.entry(key).or_default();
            tries.push((order, thread));
            tries.len()
        }
        None => {
            *seen.keyless.entry(thread).or_default() += 1;
            1
        }
    };
    if tries <= shop.manners.failures {
        return (StatusCode::SERVICE_UNAVAILABLE, [(RETRY_AFTER, "0")]).into_response();
    }
    (StatusCode::CREATED, Json(json!({"id": Uuid::now_v7(), "status": "placed"}))).into_response()
}
