//! The calls to order-api.

use std::{convert::Infallible, sync::Arc, time::Duration};

use contract::shop::v1::{
    CompleteFulfillmentRequest, FailFulfillmentRequest, FailureReason, GetOrderRequest,
    OrderStatus, orders_client::OrdersClient, orders_server::SERVICE_NAME,
};
use identity::{
    present::{Present, Presenting},
    standing::Standing,
};
use instrumentation::{
    health::Check,
    net,
    rpc::{Client, ClientLayer, ClientMetrics},
};
use resilience::{Balanced, Urls};
use tonic::{Request, Status};
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};
use tower::ServiceBuilder;
use uuid::Uuid;

use crate::metrics::Peer;

/// How long order-api may take to answer.
const DEADLINE: Duration = Duration::from_secs(5);
/// How often it is asked whether it is there.
const WATCH_INTERVAL: Duration = Duration::from_secs(1);

/// Calls are measured and present the worker's token.
type Transport = Client<Presenting<Balanced, Arc<Standing>>>;

/// order-api, whichever of its replicas answers.
#[derive(Clone, Debug)]
pub(crate) struct OrderApi {
    orders: OrdersClient<Transport>,
    health: HealthClient<Balanced>,
}

/// How order-api took what it was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Recorded {
    /// As news.
    Now,
    /// It had been told before.
    Before,
}

impl OrderApi {
    pub(crate) fn new(
        urls: &Urls,
        token: Standing,
        metrics: ClientMetrics,
        network: net::Metrics<Peer>,
    ) -> Self {
        let replicas = Balanced::new(urls, SERVICE_NAME, Peer::OrderApi, network);
        let measured = ServiceBuilder::new()
            .layer(ClientLayer(metrics))
            .layer(Present(Arc::new(token)))
            .service(replicas.clone());
        Self { orders: OrdersClient::new(measured), health: HealthClient::new(replicas) }
    }

    /// Whether nothing is left to pick for the order.
    pub(crate) async fn is_final(&self, order_id: Uuid) -> Result<bool, Status> {
        let request = request(GetOrderRequest { id: order_id.to_string() });
        let answer = self.orders.clone().get_order(request).await?.into_inner();
        let order = answer.order.ok_or_else(|| Status::internal("there is no order in it"))?;
        Ok(match order.status() {
            OrderStatus::Fulfilled
            | OrderStatus::Failed
            | OrderStatus::Declined
            | OrderStatus::Refunded => true,
            OrderStatus::Pending | OrderStatus::Placed | OrderStatus::Unspecified => false,
        })
    }

    /// Tells it that the order is picked and packed.
    pub(crate) async fn complete(
        &self,
        order_id: Uuid,
        message_id: &str,
    ) -> Result<Recorded, Status> {
        let request = request(CompleteFulfillmentRequest {
            order_id: order_id.to_string(),
            message_id: message_id.to_owned(),
        });
        let answer = self.orders.clone().complete_fulfillment(request).await?;
        Ok(answer.into_inner().already_recorded.into())
    }

    /// Tells it that the goods are missing.
    pub(crate) async fn fail(&self, order_id: Uuid, message_id: &str) -> Result<Recorded, Status> {
        let request = request(FailFulfillmentRequest {
            order_id: order_id.to_string(),
            message_id: message_id.to_owned(),
            reason: FailureReason::GoodsMissing.into(),
        });
        let answer = self.orders.clone().fail_fulfillment(request).await?;
        Ok(answer.into_inner().already_recorded.into())
    }

    /// Keeps `reachable` true for as long as order-api answers, whatever it answers.
    pub(crate) async fn watch(&self, reachable: Check) -> Infallible {
        let mut health = self.health.clone();
        let mut ticks = tokio::time::interval(WATCH_INTERVAL);
        loop {
            ticks.tick().await;
            let question = HealthCheckRequest::default();
            let answer = tokio::time::timeout(DEADLINE, health.check(question)).await;
            reachable.set(matches!(answer, Ok(Ok(_))));
        }
    }
}

impl From<bool> for Recorded {
    fn from(already: bool) -> Self {
        if already { Self::Before } else { Self::Now }
    }
}

fn request<T>(message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.set_timeout(DEADLINE);
    request
}
