//! A client of the provider that needs no socket, so that its time can be paused.

use std::time::Duration;

use axum::{
    Router,
    body::{Body, to_bytes},
};
use http::{HeaderMap, Method, Request, StatusCode};
use provider::{Behaviour, Config, Provider};
use serde_json::{Value, json};
use tower::ServiceExt as _;

/// A provider that answers at once and declines nobody.
pub(crate) const QUICK: Behaviour = Behaviour {
    capacity: 16,
    median: Duration::ZERO,
    sigma: 0.0,
    decline_rate: 0.0,
    error_rate: 0.0,
    queue: 256,
    available: true,
    token_ttl: Duration::from_secs(300),
};

/// A client with a token.
#[derive(Clone)]
pub(crate) struct Client {
    pub(crate) provider: Provider,
    router: Router,
    pub(crate) token: String,
}

/// What was answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

impl Client {
    /// A client of a provider that behaves so.
    pub(crate) async fn of(behaviour: Behaviour) -> Self {
        Self::of_provider(Provider::new(Config { behaviour, ..Config::default() })).await
    }

    pub(crate) async fn of_provider(provider: Provider) -> Self {
        let router = provider.router();
        let mut client = Self { provider, router, token: String::new() };
        client.token = client.new_token().await;
        client
    }

    /// The same client with another token.
    pub(crate) fn with_token(&self, token: String) -> Self {
        Self { token, ..self.clone() }
    }

    /// Asks for a token.
    pub(crate) async fn new_token(&self) -> String {
        let credentials = json!({"client_id": "shop", "client_secret": "shop-secret"});
        let answer = self.post("/tokens", "any", &credentials).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.text("access_token")
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.expect("it cannot fail");
        let (head, body) = response.into_parts();
        let body = to_bytes(body, usize::MAX).await.expect("a body");
        let body = serde_json::from_slice(&body).expect("every answer is JSON");
        Answer { status: head.status, headers: head.headers, body }
    }

    pub(crate) async fn post(&self, path: &str, key: &str, body: &Value) -> Answer {
        let request = Request::builder()
            .method(Method::POST)
            .uri(path)
            .header("authorization", format!("Bearer {}", self.token))
            .header("content-type", "application/json")
            .header("idempotency-key", key);
        self.send(request.body(body.to_string().into()).expect("a request")).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        let request = Request::get(path).header("authorization", format!("Bearer {}", self.token));
        self.send(request.body(Body::empty()).expect("a request")).await
    }

    /// Asks for a promise of so much, on a card that works.
    pub(crate) async fn authorize(&self, key: &str, amount_minor: u64) -> Answer {
        self.post("/authorizations", key, &charge(amount_minor, "card")).await
    }

    /// The id of a promise of so much.
    pub(crate) async fn authorized(&self, key: &str, amount_minor: u64) -> String {
        let answer = self.authorize(key, amount_minor).await;
        assert_eq!(answer.body["status"], "authorized", "{answer:?}");
        answer.text("id")
    }

    pub(crate) async fn capture(&self, key: &str, id: &str) -> Answer {
        self.post("/captures", key, &json!({"authorization_id": id})).await
    }

    pub(crate) async fn refund(&self, key: &str, id: &str) -> Answer {
        self.post("/refunds", key, &json!({"authorization_id": id})).await
    }

    pub(crate) async fn look_up(&self, key: &str) -> Answer {
        self.get(&format!("/authorizations/{key}")).await
    }

    /// A part of the ledger.
    pub(crate) async fn ledger(&self, query: &str) -> Value {
        let answer = self.get(&format!("/ledger{query}")).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.body
    }
}

impl Answer {
    /// A field that is text.
    pub(crate) fn text(&self, field: &str) -> String {
        self.body[field].as_str().unwrap_or_else(|| panic!("no {field}: {self:?}")).to_owned()
    }

    /// Whether it is the answer to an earlier request.
    pub(crate) fn is_replayed(&self) -> bool {
        self.headers.get("idempotent-replayed").is_some_and(|value| value == "true")
    }

    /// Its status, and the code of its problem.
    pub(crate) fn problem(&self) -> (u16, &str) {
        assert_eq!(self.headers["content-type"], "application/problem+json", "{self:?}");
        assert_eq!(self.body["status"], self.status.as_u16(), "{self:?}");
        let code = self.body["code"].as_str().expect("a code");
        assert_eq!(self.body["type"], format!("/problems/{code}"), "{self:?}");
        assert!(self.body["title"].is_string() && self.body["detail"].is_string(), "{self:?}");
        (self.status.as_u16(), code)
    }
}

/// The body of a request for a promise.
pub(crate) fn charge(amount_minor: u64, card: &str) -> Value {
    json!({
        "amount_minor": amount_minor,
        "currency": "EUR",
        "payment_method": card,
        "reference": "order-1",
    })
}
