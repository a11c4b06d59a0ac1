//! A shop whose behavior the test chooses, and customers who go there.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Json, Router,
    extract::{Path, State},
    http::{HeaderMap, StatusCode, header::RETRY_AFTER},
    response::{IntoResponse as _, Response},
    routing::get,
};
use instrumentation::metrics::Registry;
use lab::{
    customers::{Config, Customers},
    metrics::Metrics,
};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use uuid::Uuid;

/// How the shop answers.
#[derive(Clone, Copy, Default)]
pub(crate) struct Manners {
    /// How long everything takes.
    pub(crate) delay: Duration,
    /// How many tries of each order are answered by 503.
    pub(crate) failures: usize,
}

/// A shop that remembers who ordered what.
#[derive(Clone, Default)]
pub(crate) struct StubShop {
    manners: Manners,
    seen: Arc<Mutex<Seen>>,
}

/// What the shop has seen.
#[derive(Default)]
pub(crate) struct Seen {
    /// The tries of each order, by idempotency key: what was ordered, and the correlation id.
    pub(crate) tries: HashMap<String, Vec<(Value, String)>>,
    /// Requests without a correlation id.
    pub(crate) anonymous: usize,
}

impl StubShop {
    /// Opens on `port`; 0 takes any. Returns the port with it.
    pub(crate) async fn open(manners: Manners, port: u16) -> (Self, u16) {
        let shop = Self { manners, ..Self::default() };
        let router = Router::new()
            .route("/products", get(products))
            .route("/orders", get(orders).post(place))
            .route("/orders/{id}", get(order))
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
    let config = Config { gateway_url: format!("http://127.0.0.1:{port}"), rate, seed: 1 };
    (Customers::start(config, metrics).expect("a URL"), registry)
}

async fn products(State(shop): State<StubShop>, headers: HeaderMap) -> Json<Value> {
    shop.meet(&headers).await;
    let product = |sku: &str| json!({"sku": sku, "stock": 1_000_000, "unit_price_minor": 1});
    let products = ["TEA", "CUP", "POT"].map(product);
    Json(json!({"products": products}))
}

async fn orders(State(shop): State<StubShop>, headers: HeaderMap) -> Json<Value> {
    shop.meet(&headers).await;
    Json(json!({"orders": [], "next_cursor": null}))
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
    let header = |name| {
        let value = headers.get(name).expect("every order has it");
        value.to_str().expect("ASCII").to_owned()
    };
    let mut seen = shop.seen.lock().expect("no holder panics");
    let tries = seen.tries.entry(header("idempotency-key")).or_default();
    tries.push((order, header("x-correlation-id")));
    if tries.len() <= shop.manners.failures {
        return (StatusCode::SERVICE_UNAVAILABLE, [(RETRY_AFTER, "0")]).into_response();
    }
    (StatusCode::CREATED, Json(json!({"id": Uuid::now_v7(), "status": "placed"}))).into_response()
}
