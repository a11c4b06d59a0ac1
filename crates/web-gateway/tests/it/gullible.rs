//! An order-api that gives everything to everybody: what the gateway refuses by itself.

use std::sync::{Arc, Mutex};

use contract::shop::v1::{
    CompleteFulfillmentRequest, CompleteFulfillmentResponse, FailFulfillmentRequest,
    FailFulfillmentResponse, GetOrderRequest, GetOrderResponse, ListOrdersRequest,
    ListOrdersResponse, ListProductsRequest, ListProductsResponse, Order, OrderStatus,
    PlaceOrderRequest, PlaceOrderResponse,
    orders_server::{self, OrdersServer},
};
use identity::Role;
use testbed::eventually;
use tonic::{Request, Response, Status, transport::Server};

use crate::shop::{SOON, Shop, bearer, cart, cart_of};

type Answer<T> = Result<Response<T>, Status>;

/// Has one order, of ada, and shows it to whoever asks.
#[derive(Clone, Default)]
struct Gullible {
    asked: Arc<Mutex<Vec<Asked>>>,
}

/// What was asked, and what was presented with it.
#[derive(Clone, Debug, PartialEq)]
enum Asked {
    Place { for_whom: String, token: String },
    List { whose: String, token: String },
}

impl Gullible {
    fn remember(&self, asked: Asked) {
        self.asked.lock().unwrap().push(asked);
    }
}

fn token<T>(request: &Request<T>) -> String {
    request.metadata().get("authorization").unwrap().to_str().unwrap().to_owned()
}

fn adas_order() -> Option<Order> {
    let now = Some(prost_types::Timestamp::default());
    Some(Order {
        id: uuid::Uuid::nil().to_string(),
        customer_id: "ada".to_owned(),
        status: OrderStatus::Placed.into(),
        created_at: now,
        updated_at: now,
        ..Order::default()
    })
}

#[tonic::async_trait]
impl orders_server::Orders for Gullible {
    async fn place_order(&self, request: Request<PlaceOrderRequest>) -> Answer<PlaceOrderResponse> {
        let (token, for_whom) = (token(&request), request.into_inner().customer_id);
        self.remember(Asked::Place { for_whom, token });
        Ok(Response::new(PlaceOrderResponse { order: adas_order(), replayed: false }))
    }

    async fn get_order(&self, _: Request<GetOrderRequest>) -> Answer<GetOrderResponse> {
        Ok(Response::new(GetOrderResponse { order: adas_order() }))
    }

    async fn list_orders(&self, request: Request<ListOrdersRequest>) -> Answer<ListOrdersResponse> {
        let (token, whose) = (token(&request), request.into_inner().customer_id);
        self.remember(Asked::List { whose, token });
        Ok(Response::new(ListOrdersResponse::default()))
    }

    async fn list_products(&self, _: Request<ListProductsRequest>) -> Answer<ListProductsResponse> {
        Ok(Response::new(ListProductsResponse::default()))
    }

    async fn complete_fulfillment(
        &self,
        _: Request<CompleteFulfillmentRequest>,
    ) -> Answer<CompleteFulfillmentResponse> {
        unreachable!("the gateway fulfills nothing")
    }

    async fn fail_fulfillment(
        &self,
        _: Request<FailFulfillmentRequest>,
    ) -> Answer<FailFulfillmentResponse> {
        unreachable!("the gateway fulfills nothing")
    }
}

#[tokio::test]
async fn the_gateway_shows_nobody_what_order_api_should_not_have() {
    let mut shop = Shop::without_order_api(&[]).await;
    let gullible = Gullible::default();
    let server = Server::builder().add_service(OrdersServer::new(gullible.clone()));
    let address = ([127, 0, 0, 1], shop.line.to).into();
    tokio::spawn(server.serve(address));
    shop.line.up().await;
    let [ada, grace] = ["ada", "grace"].map(|name| bearer(Role::Customer, name));
    let order = format!("/orders/{}", uuid::Uuid::nil());
    eventually(SOON, "ada sees her order", async || {
        (shop.get_as(&ada, &order).await.status == 200).then_some(())
    })
    .await;

    let hidden = shop.get_as(&grace, &order).await;
    assert_eq!((hidden.status, hidden.code().as_str()), (404, "order_not_found"));
    assert_eq!(shop.get(&order).await.status, 404);
    assert_eq!(shop.get_as(&grace, "/orders?customer_id=ada").await.status, 403);
    assert_eq!(shop.order_as(&grace, &cart_of("ada")).await.status, 403);
    assert!(gullible.asked.lock().unwrap().is_empty(), "it was not even asked");

    shop.get_as(&grace, "/orders").await;
    shop.order_as(&grace, &cart()).await;
    let (token, name) = (grace, "grace".to_owned());
    let asked = [
        Asked::List { whose: name.clone(), token: token.clone() },
        Asked::Place { for_whom: name, token },
    ];
    assert_eq!(*gullible.asked.lock().unwrap(), asked, "for her, with her own token");
}
