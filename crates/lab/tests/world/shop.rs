//! The shop as its customers see it.

use std::time::Duration;

use reqwest::{Client, Response, StatusCode, header::HeaderMap};
use serde_json::{Value, json};
use testbed::eventually;
use uuid::Uuid;

use crate::lab::PATIENCE;

/// A customer's view of the shop.
#[derive(Clone)]
pub(crate) struct Shop {
    client: Client,
    url: String,
}

impl Shop {
    /// The shop whose front door is this port.
    pub(crate) fn at(port: u16) -> Self {
        let client = Client::builder().timeout(Duration::from_secs(10)).build().expect("a client");
        Self { client, url: format!("http://127.0.0.1:{port}") }
    }

    /// Tries once to place an order.
    pub(crate) async fn post(&self, cart: &Value, key: &str) -> reqwest::Result<Response> {
        let request = self.client.post(format!("{}/orders", self.url)).json(cart);
        request.header("idempotency-key", key).send().await
    }

    /// Places an order, as a client that repeats itself until it has an answer.
    pub(crate) async fn place(&self, cart: &Value) -> Value {
        self.insist(cart, &Uuid::now_v7().to_string()).await.1
    }

    /// The same under this key, with the headers of the answer.
    pub(crate) async fn insist(&self, cart: &Value, key: &str) -> (HeaderMap, Value) {
        eventually(PATIENCE, "the order is accepted", || async {
            let answer = self.post(cart, key).await.ok()?;
            match answer.status() {
                StatusCode::CREATED | StatusCode::ACCEPTED => {
                    let headers = answer.headers().clone();
                    Some((headers, answer.json().await.ok()?))
                }
                StatusCode::TOO_MANY_REQUESTS => None,
                status if status.is_server_error() => None,
                status => panic!("{status}: {}", answer.text().await.unwrap_or_default()),
            }
        })
        .await
    }

    /// Waits until an order has this status.
    pub(crate) async fn wait_for(&self, id: &str, status: &str) -> Value {
        eventually(PATIENCE, &format!("order {id} is {status}"), || async {
            let order = self.get(&format!("/orders/{id}")).await?;
            (order["status"] == status).then_some(order)
        })
        .await
    }

    /// Reads something, if it is there.
    pub(crate) async fn get(&self, path: &str) -> Option<Value> {
        let answer = self.client.get(format!("{}{path}", self.url)).send().await.ok()?;
        answer.error_for_status().ok()?.json().await.ok()
    }
}

/// An order of one line, for whoever asks.
pub(crate) fn cart(sku: &str, quantity: u32) -> Value {
    json!({"items": [{"sku": sku, "quantity": quantity}]})
}
