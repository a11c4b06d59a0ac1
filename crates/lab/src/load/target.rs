//! The shop under load: one request to it, measured from when it was due.

use std::{sync::Arc, time::Duration};

use anyhow::{Context as _, bail, ensure};
use axum::{
    body::Bytes,
    http::{HeaderMap, Method, StatusCode},
};
use contract::CORRELATION_ID;
use reqwest::{Client, RequestBuilder, Url};
use serde::{Deserialize, de::DeserializeOwned};
use tokio::time::{Instant, timeout_at};
use uuid::Uuid;

use super::{
    errand::{Errand, Order, Placed},
    outcome::{Class, Ended, Outcome},
};

/// Where the load goes.
#[derive(Clone, Debug, clap::Args)]
pub struct Address {
    /// The shop's front door.
    #[arg(long, env = "LAB_GATEWAY_URL", default_value = "http://127.0.0.1:3000")]
    pub url: Url,
    /// Who asks: a bearer token, sent with every request.
    #[arg(long, env = "LAB_TOKEN", hide_env_values = true)]
    pub token: Option<String>,
}

/// The shop under load.
#[derive(Debug)]
pub struct Target {
    client: Client,
    address: Address,
    /// What the correlation ids of this run begin with.
    run: String,
    /// How long a request may take, from when it was due.
    patience: Duration,
}

/// When a request was due, and where it stands in the run.
#[derive(Clone, Copy, Debug)]
pub struct Due {
    /// The moment.
    pub at: Instant,
    /// The same, from the run's beginning.
    pub offset: Duration,
    /// How many were due before it.
    pub number: u64,
}

/// A whole answer.
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

#[derive(Deserialize)]
struct Products {
    products: Vec<Product>,
}

#[derive(Deserialize)]
struct Product {
    sku: String,
}

#[derive(Deserialize)]
struct Accepted {
    id: Uuid,
}

impl Target {
    /// The shop at an address.
    ///
    /// # Errors
    /// If there can be no client.
    pub fn new(address: Address, patience: Duration) -> anyhow::Result<Self> {
        let client = Client::builder()
            .no_proxy()
            .timeout(patience)
            .user_agent(concat!("mishap-load/", env!("CARGO_PKG_VERSION")))
            .build()
            .context("cannot make an HTTP client")?;
        let run = format!("load-{:08x}", rand::random::<u32>());
        Ok(Self { client, address, run, patience })
    }

    /// What can be bought there.
    ///
    /// # Errors
    /// If it cannot be reached, or does not say so.
    pub async fn skus(&self) -> anyhow::Result<Vec<String>> {
        let request = self.request(Method::GET, "/products", "products");
        let answer = exchange(request).await.with_context(|| {
            format!("there is no shop at {}; start it: cargo run", self.address.url)
        })?;
        if !answer.status.is_success() {
            bail!("{} answers {} when asked what it sells", self.address.url, answer.status);
        }
        let products: Products = answer.read().context("cannot read the list of products")?;
        ensure!(!products.products.is_empty(), "the shop sells nothing");
        Ok(products.products.into_iter().map(|product| product.sku).collect())
    }

    /// Does an errand that was due, as long as patience lasts from then.
    pub async fn run(self: Arc<Self>, errand: Errand, due: Due) -> Ended {
        let late = due.at.elapsed();
        let correlation_id = format!("{}-{}", self.run, due.number);
        let request = self.request_of(&errand, &correlation_id);
        let answered = timeout_at(due.at + self.patience, exchange(request)).await;
        let took = due.at.elapsed();
        let (outcome, answer) = match answered {
            Ok(Ok(answer)) => (answer.outcome(&errand), Some(answer)),
            Ok(Err(error)) if !error.is_timeout() => (Outcome::Unreachable, None),
            Ok(Err(_)) | Err(_) => (Outcome::TimedOut, None),
        };
        let answer = answer.as_ref();
        Ended {
            kind: errand.kind(),
            due: due.offset,
            late,
            took,
            outcome,
            status: answer.map(|answer| answer.status),
            trace: answer.and_then(Answer::trace),
            placed: answer.and_then(|answer| answer.placed(&errand, outcome)),
            correlation_id,
        }
    }

    fn request_of(&self, errand: &Errand, correlation_id: &str) -> RequestBuilder {
        let get = |path: &str| self.request(Method::GET, path, correlation_id);
        match errand {
            Errand::Browse => get("/products"),
            Errand::Place(order) => self.place(order, correlation_id),
            Errand::Repeat(placed) => self.place(&placed.order, correlation_id),
            Errand::Look(id) => get(&format!("/orders/{id}")),
            Errand::List => get("/orders").query(&[("limit", "10")]),
        }
    }

    fn place(&self, order: &Order, correlation_id: &str) -> RequestBuilder {
        let request = self.request(Method::POST, "/orders", correlation_id);
        request.header("idempotency-key", &order.key).json(order)
    }

    fn request(&self, method: Method, path: &str, correlation_id: &str) -> RequestBuilder {
        let mut url = self.address.url.clone();
        url.set_path(path);
        let request = self.client.request(method, url).header(CORRELATION_ID, correlation_id);
        match &self.address.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }
}

async fn exchange(request: RequestBuilder) -> reqwest::Result<Answer> {
    let mut answer = request.send().await?;
    let (status, headers) = (answer.status(), std::mem::take(answer.headers_mut()));
    Ok(Answer { status, headers, body: answer.bytes().await? })
}

impl Answer {
    /// What became of the errand. An order that is sent again has to be the same order: a second
    /// one is no success.
    fn outcome(&self, errand: &Errand) -> Outcome {
        let outcome = Outcome::of(self.status);
        let another = match errand {
            Errand::Repeat(placed) => self.id().is_some_and(|id| id != placed.id),
            Errand::Browse | Errand::Place(_) | Errand::Look(_) | Errand::List => false,
        };
        if another && outcome.class() == Class::Success { Outcome::Failed } else { outcome }
    }

    fn placed(&self, errand: &Errand, outcome: Outcome) -> Option<Placed> {
        match (errand, outcome) {
            (Errand::Place(order), Outcome::Served | Outcome::Pending) => {
                Some(Placed { order: Arc::clone(order), id: self.id()? })
            }
            _ => None,
        }
    }

    fn id(&self) -> Option<Uuid> {
        self.read::<Accepted>().ok().map(|accepted| accepted.id)
    }

    fn trace(&self) -> Option<telemetry::id::TraceId> {
        self.headers.get("traceresponse")?.to_str().ok()?.parse().ok()
    }

    fn read<T: DeserializeOwned>(&self) -> serde_json::Result<T> {
        serde_json::from_slice(&self.body)
    }
}
