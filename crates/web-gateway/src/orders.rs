//! The calls to order-api, each within what remains of its request's deadline.

use std::sync::Arc;

use contract::{
    order::{Cart, CustomerId, IdempotencyKey},
    shop::v1::{self as proto, orders_client::OrdersClient},
};
use instrumentation::rpc::Method;
use tonic::{Request, Response, Status};
use uuid::Uuid;

use crate::{
    calls::{Calls, Repeat},
    channel::Transport,
    deadline::Deadline,
    error::Error,
};

/// The largest page of orders, and the one that is given if none is asked for.
pub(crate) const PAGE_LIMIT: (u32, u32) = (100, 20);

/// What a page of orders is asked with.
#[derive(Debug)]
pub(crate) struct Filter {
    pub(crate) customer_id: Option<CustomerId>,
    pub(crate) status: proto::OrderStatus,
    pub(crate) limit: u32,
    pub(crate) cursor: Option<String>,
}

/// order-api, as the gateway knows it.
#[derive(Clone, Debug)]
pub(crate) struct Orders {
    client: OrdersClient<Transport>,
    calls: Arc<Calls>,
}

impl Orders {
    pub(crate) fn new(transport: Transport, calls: Arc<Calls>) -> Self {
        Self { client: OrdersClient::new(transport), calls }
    }

    /// Places an order; true if this repeats an earlier answer.
    pub(crate) async fn place(
        &self,
        deadline: Deadline,
        cart: &Cart,
        key: Option<&IdempotencyKey>,
    ) -> Result<(proto::Order, bool), Error> {
        let items = cart.items().iter().map(|item| proto::CartItem {
            sku: item.sku.to_string(),
            quantity: item.quantity.get(),
        });
        let message = proto::PlaceOrderRequest {
            customer_id: cart.customer_id().to_string(),
            items: items.collect(),
            idempotency_key: key.map(ToString::to_string).unwrap_or_default(),
            payment_method: cart.payment_method().to_string(),
        };
        // With a key, an order is placed once however often it is sent.
        let repeat = if key.is_some() { Repeat::Harmless } else { Repeat::Unsent };
        let answer = self
            .call(Method::PlaceOrder, repeat, deadline, message, |mut client, request| async move {
                client.place_order(request).await
            })
            .await?;
        Ok((answer.order.ok_or(Error::Answer("order"))?, answer.replayed))
    }

    /// One order.
    pub(crate) async fn get(&self, deadline: Deadline, id: Uuid) -> Result<proto::Order, Error> {
        let message = proto::GetOrderRequest { id: id.to_string() };
        let answer = self
            .call(
                Method::GetOrder,
                Repeat::Harmless,
                deadline,
                message,
                |mut client, request| async move { client.get_order(request).await },
            )
            .await?;
        answer.order.ok_or(Error::Answer("order"))
    }

    /// A page of orders.
    pub(crate) async fn list(
        &self,
        deadline: Deadline,
        filter: Filter,
    ) -> Result<proto::ListOrdersResponse, Error> {
        let message = proto::ListOrdersRequest {
            customer_id: filter.customer_id.map(|id| id.to_string()).unwrap_or_default(),
            status: filter.status.into(),
            limit: filter.limit,
            cursor: filter.cursor.unwrap_or_default(),
        };
        self.call(
            Method::ListOrders,
            Repeat::Harmless,
            deadline,
            message,
            |mut client, request| async move { client.list_orders(request).await },
        )
        .await
    }

    /// What is sold.
    pub(crate) async fn products(&self, deadline: Deadline) -> Result<Vec<proto::Product>, Error> {
        let message = proto::ListProductsRequest {};
        let answer = self
            .call(
                Method::ListProducts,
                Repeat::Harmless,
                deadline,
                message,
                |mut client, request| async move { client.list_products(request).await },
            )
            .await?;
        Ok(answer.products)
    }

    /// Sends one request and waits for its answer, neither longer than the deadline allows.
    async fn call<Q, A, F>(
        &self,
        method: Method,
        repeat: Repeat,
        deadline: Deadline,
        message: Q,
        send: impl Fn(OrdersClient<Transport>, Request<Q>) -> F,
    ) -> Result<A, Error>
    where
        Q: Clone,
        F: Future<Output = Result<Response<A>, Status>>,
    {
        let send = |request| send(self.client.clone(), request);
        self.calls.make(method, deadline, repeat, message, send).await
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::{Arc, Mutex},
        time::Duration,
    };

    use http::HeaderMap;
    use instrumentation::{correlation::CorrelationId, metrics::Registry, rpc::ClientMetrics};
    use tower::service_fn;

    use super::*;
    use crate::metrics::CATALOGUES;

    #[tokio::test]
    async fn a_call_carries_the_rest_of_the_deadline_and_the_correlation_id() {
        let seen: Arc<Mutex<HeaderMap>> = Arc::default();
        let sink = Arc::clone(&seen);
        let wire = service_fn(move |request: http::Request<tonic::body::Body>| {
            *sink.lock().unwrap() = request.headers().clone();
            std::future::ready(Err::<http::Response<tonic::body::Body>, _>(Status::aborted("")))
        });
        let registry = Registry::new("web-gateway", CATALOGUES);
        let layer = instrumentation::rpc::ClientLayer(ClientMetrics::register(&registry));
        let transport = Transport::new(tower::Layer::layer(&layer, wire));
        let config = crate::tests::config_with(&[]);
        let calls = crate::calls(&config, &crate::Tuning::of(&config), &registry);
        let orders = Orders::new(transport, Arc::new(calls));

        let deadline = Deadline::after(Duration::from_secs(5));
        tokio::time::sleep(Duration::from_millis(10)).await;
        let id = CorrelationId::parse("checkout-7").unwrap();
        id.scope(orders.products(deadline)).await.unwrap_err();

        let seen = seen.lock().unwrap();
        let timeout = seen["grpc-timeout"].to_str().unwrap();
        let micros: u64 = timeout.strip_suffix('u').unwrap().parse().unwrap();
        assert!((1..=4_990_000).contains(&micros), "{timeout}");
        assert_eq!(seen[contract::CORRELATION_ID], "checkout-7");
    }
}
