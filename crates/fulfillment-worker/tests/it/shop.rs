//! The shop around the worker: a real order-api on SQLite, a queue, and a customer.

use std::{sync::Arc, time::Duration};

use anyhow::{Context as _, Result};
use clap::Parser as _;
use contract::{
    order::CustomerId,
    shop::v1::{
        CartItem, GetOrderRequest, ListProductsRequest, OrderStatus, PlaceOrderRequest,
        orders_client::OrdersClient,
    },
};
use identity::{
    Caller,
    present::{Present, Presenting},
    secret::Secret,
    standing::Standing,
    token::Issuer,
};
use provider::{Behaviour, Provider};
use tempfile::TempDir;
use testbed::{eventually, free_port};
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::sync::CancellationToken;
use tonic::transport::{Channel, Endpoint};
use tower::Layer as _;

use crate::{
    broker::{Broker, Observer},
    worker::Worker,
};

/// How long what should happen may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(45);
/// Units that a test's order takes of its product.
pub(crate) const QUANTITY: u32 = 2;

pub(crate) struct Shop {
    pub(crate) broker: Broker,
    orders: OrdersClient<Presenting<Channel, Arc<Standing>>>,
    order_api: Option<(JoinHandle<Result<()>>, CancellationToken)>,
    order_api_port: u16,
    provider_url: String,
    folder: TempDir,
}

#[derive(clap::Parser)]
struct OrderApi {
    #[command(flatten)]
    config: order_api::Config,
}

impl Shop {
    /// A shop with an order-api and without a worker.
    pub(crate) async fn open(broker: Broker) -> Result<Self> {
        let order_api_port = free_port();
        let endpoint = Endpoint::try_from(format!("http://127.0.0.1:{order_api_port}"))?;
        let mut shop = Self {
            broker,
            orders: OrdersClient::new(Present(ada()).layer(endpoint.connect_lazy())),
            order_api: None,
            order_api_port,
            provider_url: start_provider().await?,
            folder: tempfile::tempdir()?,
        };
        shop.start_order_api().await;
        Ok(shop)
    }

    pub(crate) async fn start_order_api(&mut self) {
        let config = OrderApi::parse_from([
            "order-api",
            &format!("--listen=127.0.0.1:{}", self.order_api_port),
            &format!("--side-listen=127.0.0.1:{}", free_port()),
            &format!("--database-url=sqlite://{}", self.folder.path().join("shop.db").display()),
            &format!("--amqp-url={}", self.broker.url()),
            &format!("--payment-provider-url={}", self.provider_url),
            "--demo-users=",
        ])
        .config;
        let shutdown = CancellationToken::new();
        self.order_api = Some((tokio::spawn(order_api::run(config, shutdown.clone())), shutdown));
        eventually(PATIENCE, "an order-api that answers", async || self.stock().await.ok()).await;
    }

    pub(crate) async fn stop_order_api(&mut self) -> Result<()> {
        let (running, shutdown) = self.order_api.take().context("it does not run")?;
        shutdown.cancel();
        running.await?
    }

    pub(crate) fn worker(&self, flags: &[&str]) -> Result<Worker> {
        let order_api = format!("http://127.0.0.1:{}", self.order_api_port);
        Worker::start(self.folder.path(), &self.broker.url(), &order_api, flags)
    }

    pub(crate) async fn observe(&self) -> Result<Observer> {
        self.broker.observe().await
    }

    /// Places an order; returns its id.
    pub(crate) async fn place_order(&self) -> Result<String> {
        let (sku, _) = self.stock().await?;
        let request = PlaceOrderRequest {
            customer_id: "ada".to_owned(),
            items: vec![CartItem { sku, quantity: QUANTITY }],
            ..Default::default()
        };
        let answer = self.orders.clone().place_order(request).await?.into_inner();
        Ok(answer.order.context("an order was placed")?.id)
    }

    pub(crate) async fn place_orders(&self, count: usize) -> Result<Vec<String>> {
        let mut ids = Vec::new();
        for _ in 0..count {
            ids.push(self.place_order().await?);
        }
        Ok(ids)
    }

    pub(crate) async fn status(&self, id: &str) -> Result<OrderStatus> {
        let request = GetOrderRequest { id: id.to_owned() };
        let answer = self.orders.clone().get_order(request).await?.into_inner();
        Ok(answer.order.context("there is an order")?.status())
    }

    pub(crate) async fn wait_for(&self, id: &str, status: OrderStatus) {
        eventually(PATIENCE, &format!("order {id} is {status:?}"), async || {
            self.status(id).await.ok().filter(|now| *now == status)
        })
        .await;
    }

    pub(crate) async fn wait_until_fulfilled(&self, ids: &[String]) {
        for id in ids {
            self.wait_for(id, OrderStatus::Fulfilled).await;
        }
    }

    /// What the tests order, and how much of it is left.
    pub(crate) async fn stock(&self) -> Result<(String, i64)> {
        let answer = self.orders.clone().list_products(ListProductsRequest {}).await?.into_inner();
        let product = answer.products.into_iter().next().context("the shop sells something")?;
        Ok((product.sku, product.stock))
    }
}

/// A provider that declines nothing, until the end of the test process; where it is.
async fn start_provider() -> Result<String> {
    let provider = Provider::new(provider::Config::default());
    provider.set_behaviour(Behaviour { decline_rate: 0.0, ..provider.behaviour() });
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}", listener.local_addr()?);
    tokio::spawn(provider.serve(listener, CancellationToken::new()));
    Ok(url)
}

/// The tokens of the customer.
fn ada() -> Arc<Standing> {
    let secret: Secret = Secret::DEMO.parse().expect("it is long enough");
    let ada = CustomerId::parse("name", "ada").expect("a name");
    Arc::new(Standing::new(Issuer::new(&secret), Caller::customer(ada)))
}
