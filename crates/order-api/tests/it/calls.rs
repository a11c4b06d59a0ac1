//! The contract, over gRPC.

use std::time::{Duration, Instant};

use contract::{
    refusal::Reason,
    shop::v1::{
        CompleteFulfillmentRequest, FailFulfillmentRequest, GetOrderRequest, ListOrdersRequest,
        ListProductsRequest, OrderStatus, PlaceOrderRequest, orders_server::SERVICE_NAME,
    },
};
use faults::{Effect, Seam};
use futures_util::{StreamExt as _, stream};
use identity::Role;
use testbed::eventually;
use tonic::{Code, Request};
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};
use tonic_reflection::pb::v1::{
    ServerReflectionRequest, server_reflection_client::ServerReflectionClient,
    server_reflection_request::MessageRequest, server_reflection_response::MessageResponse,
};

use crate::shop::{SOON, Shop, cart, reason};

const SLOW: Effect = Effect::Delay { median_ms: 60_000.0, share: 1.0 };

fn keyed(key: &str, request: PlaceOrderRequest) -> PlaceOrderRequest {
    PlaceOrderRequest { idempotency_key: key.to_owned(), ..request }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_goes_through_its_life() {
    let shop = Shop::start_without_broker().await;
    let mut calls = shop.calls.clone();
    let mut worker = shop.calls_of(Role::Service, "fulfillment-worker");
    let placed = shop.place(&[("TEA-001", 2)]).await.unwrap();
    assert_eq!(placed.status(), OrderStatus::Placed);
    let id = placed.id.clone();
    let get = GetOrderRequest { id: id.clone() };
    let got = calls.get_order(get.clone()).await.unwrap().into_inner();
    assert_eq!(got.order, Some(placed));

    let complete = CompleteFulfillmentRequest { order_id: id.clone(), message_id: "m".to_owned() };
    for before in [false, true] {
        let answer = worker.complete_fulfillment(complete.clone()).await.unwrap().into_inner();
        assert_eq!(answer.already_recorded, before);
    }
    let got = calls.get_order(get).await.unwrap().into_inner().order.unwrap();
    assert_eq!(got.status(), OrderStatus::Fulfilled);
    let fail = FailFulfillmentRequest { order_id: id, message_id: "m".to_owned(), reason: 1 };
    let refused = worker.fail_fulfillment(fail).await.unwrap_err();
    assert_eq!(reason(&refused), Reason::OrderNotOpen);

    let metrics = shop.metrics().await;
    assert_eq!(metrics["network_connections_open{peer=\"clients\"}"], 1.0);
    assert_eq!(metrics["network_connections_total{peer=\"clients\"}"], 1.0);
    assert!(metrics["network_receive_bytes_total{peer=\"clients\"}"] > 100.0);
    assert!(metrics["network_transmit_bytes_total{peer=\"clients\"}"] > 100.0);
    assert_eq!(metrics["orders_created_total"], 1.0);
    assert_eq!(metrics["revenue_minor_total"], 1180.0);
    assert_eq!(metrics["fulfillments_total{outcome=\"fulfilled\"}"], 1.0);
    shop.metric_is("orders{status=\"fulfilled\"}", 1.0).await;
    shop.metric_is("stock_lowest_units", 999_998.0).await;
    shop.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_repeated_call_says_that_it_is_one() {
    let shop = Shop::start_without_broker().await;
    let request = keyed("k-1", cart("ada", &[("TEA-001", 2)]));
    let first = shop.calls.clone().place_order(request.clone()).await.unwrap().into_inner();
    let again = shop.calls.clone().place_order(request).await.unwrap().into_inner();
    assert!(!first.replayed && again.replayed);
    assert_eq!(first.order, again.order);
    let metrics = shop.metrics().await;
    assert_eq!(metrics["orders_created_total"], 1.0);
    assert_eq!(metrics["orders_replayed_total"], 1.0);
    shop.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_an_order_is_refused_with_its_reason() {
    let shop = Shop::start_without_broker().await;
    let first = keyed("k-1", cart("ada", &[("TEA-001", 2)]));
    shop.calls.clone().place_order(first).await.unwrap();
    let cases = [
        (cart("", &[("TEA-001", 1)]), Code::InvalidArgument, Reason::InvalidOrder),
        (cart("a b", &[("TEA-001", 1)]), Code::InvalidArgument, Reason::InvalidOrder),
        (cart("ada", &[]), Code::InvalidArgument, Reason::InvalidOrder),
        (cart("ada", &[("TEA-001", 0)]), Code::InvalidArgument, Reason::InvalidOrder),
        (cart("ada", &[("TEA-001", u32::MAX)]), Code::InvalidArgument, Reason::InvalidOrder),
        (
            cart("ada", &[("TEA-001", 1), ("TEA-001", 1)]),
            Code::InvalidArgument,
            Reason::InvalidOrder,
        ),
        (cart("ada", &[("TEA 001", 1)]), Code::InvalidArgument, Reason::InvalidOrder),
        (keyed("k y", cart("ada", &[("TEA-001", 1)])), Code::InvalidArgument, Reason::InvalidOrder),
        (cart("ada", &[("UNICORN", 1)]), Code::FailedPrecondition, Reason::UnknownSku),
        (
            keyed("k-1", cart("ada", &[("TEA-001", 3)])),
            Code::FailedPrecondition,
            Reason::IdempotencyKeyReused,
        ),
    ];
    for (request, code, expected) in cases {
        let refused = shop.calls.clone().place_order(request.clone()).await.unwrap_err();
        assert_eq!((refused.code(), reason(&refused)), (code, expected), "{request:?}");
        assert!(!refused.message().is_empty());
    }
    assert_eq!(shop.metrics().await["orders_created_total"], 1.0);
    shop.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_id_that_is_none_names_no_order() {
    let shop = Shop::start_without_broker().await;
    let mut worker = shop.calls_of(Role::Service, "fulfillment-worker");
    for id in ["", "7", "not-an-id", "01980000-0000-7000-8000-000000000000", "\u{0}"] {
        let request = GetOrderRequest { id: id.to_owned() };
        let refused = shop.calls.clone().get_order(request).await.unwrap_err();
        assert_eq!(reason(&refused), Reason::OrderNotFound, "{id:?}");
        let (order_id, message_id) = (id.to_owned(), "m".to_owned());
        let request = CompleteFulfillmentRequest { order_id, message_id };
        let refused = worker.complete_fulfillment(request).await.unwrap_err();
        assert_eq!(reason(&refused), Reason::OrderNotFound, "{id:?}");
    }
    shop.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn orders_are_listed_a_page_at_a_time() {
    let shop = Shop::start_without_broker().await;
    let mut placed = Vec::new();
    for _ in 0..23 {
        placed.insert(0, shop.place(&[("TEA-001", 1)]).await.unwrap().id);
    }
    let page = async |limit, cursor: &str| {
        let (customer_id, cursor) = ("ada".to_owned(), cursor.to_owned());
        let request = ListOrdersRequest { customer_id, status: 0, limit, cursor };
        shop.calls.clone().list_orders(request).await.map(|answer| {
            let answer = answer.into_inner();
            let ids: Vec<_> = answer.orders.into_iter().map(|order| order.id).collect();
            (ids, answer.next_cursor)
        })
    };
    let (first, cursor) = page(0, "").await.unwrap();
    assert_eq!(first, placed[..20]);
    let (rest, end) = page(3, &cursor).await.unwrap();
    assert_eq!((rest.as_slice(), end.as_str()), (&placed[20..], ""));
    assert_eq!(reason(&page(0, "garbage").await.unwrap_err()), Reason::InvalidCursor);
    assert_eq!(reason(&page(101, "").await.unwrap_err()), Reason::InvalidOrder);
    let request = ListProductsRequest {};
    let products = shop.calls.clone().list_products(request).await.unwrap().into_inner().products;
    assert_eq!((products.len(), products[0].currency.as_str()), (12, "EUR"));
    shop.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn health_and_reflection_answer() {
    let shop = Shop::start_without_broker().await;
    for service in ["", SERVICE_NAME] {
        // Told by whoever watches the store, a moment after the side port is.
        eventually(SOON, &format!("{service:?} serves"), async || {
            let request = HealthCheckRequest { service: service.to_owned() };
            let answer = HealthClient::new(shop.channel.clone()).check(request).await.unwrap();
            (answer.into_inner().status() == ServingStatus::Serving).then_some(())
        })
        .await;
    }
    let ask = |message_request| {
        let request =
            ServerReflectionRequest { host: String::new(), message_request: Some(message_request) };
        let mut client = ServerReflectionClient::new(shop.channel.clone());
        async move {
            let answers = client.server_reflection_info(stream::iter([request])).await.unwrap();
            answers.into_inner().next().await.unwrap().unwrap().message_response.unwrap()
        }
    };
    let MessageResponse::ListServicesResponse(list) =
        ask(MessageRequest::ListServices(String::new())).await
    else {
        panic!("no list")
    };
    assert!(list.service.iter().any(|service| service.name == SERVICE_NAME), "{list:?}");
    let symbol = MessageRequest::FileContainingSymbol(SERVICE_NAME.to_owned());
    assert!(matches!(ask(symbol).await, MessageResponse::FileDescriptorResponse(_)));
    let imported = MessageRequest::FileByFilename("google/protobuf/timestamp.proto".to_owned());
    assert!(matches!(ask(imported).await, MessageResponse::FileDescriptorResponse(_)));
    shop.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_series_is_there_from_the_start() {
    let shop = Shop::start_without_broker().await;
    let metrics = shop.metrics().await;
    for series in [
        "orders_created_total",
        "orders_refused_total{reason=\"unknown_sku\"}",
        "orders{status=\"failed\"}",
        "outbox_publishes_total{result=\"returned\"}",
        "outbox_depth",
        "db_pool_timeouts_total",
        "db_statement_duration_seconds_count{query=\"insert_order\"}",
        "grpc_requests_total{method=\"PlaceOrder\",status=\"UNAVAILABLE\"}",
        "grpc_request_duration_seconds_bucket{method=\"PlaceOrder\",le=\"0.5\"}",
    ] {
        assert_eq!(metrics.get(series), Some(&0.0), "{series}");
    }
    // Whoever goes on with orders and forgets keys may have used the pool by now.
    assert!(metrics.contains_key("db_pool_wait_duration_seconds_count"));
    shop.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_ends_at_its_deadline_and_leaves_nothing_half_done() {
    let shop = Shop::start_without_broker().await;
    shop.arm(Some((Seam::StoreOrder, SLOW))).await;
    let mut request = Request::new(cart("ada", &[("TEA-001", 1)]));
    // Only as metadata, so that it is the server that keeps it.
    request.metadata_mut().insert("grpc-timeout", "200m".parse().unwrap());
    let started = Instant::now();
    let late = shop.calls.clone().place_order(request).await.unwrap_err();
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
    assert!(matches!(late.code(), Code::Cancelled | Code::DeadlineExceeded), "{late:?}");
    shop.metric_is("grpc_requests_active{method=\"PlaceOrder\"}", 0.0).await;
    shop.arm(None).await;
    assert_eq!(shop.metrics().await["orders_created_total"], 0.0);
    shop.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_that_cannot_be_stored_is_unavailable_and_takes_no_stock() {
    let shop = Shop::start_without_broker().await;
    shop.arm(Some((Seam::StoreOrder, Effect::Fail { share: 1.0 }))).await;
    let failed = shop.place(&[("TEA-001", 1)]).await.unwrap_err();
    assert_eq!((failed.code(), reason(&failed)), (Code::Unavailable, Reason::Unavailable));
    assert_eq!(failed.message(), "try again later");
    shop.arm(None).await;
    let products = shop.calls.clone().list_products(ListProductsRequest {}).await.unwrap();
    let products = products.into_inner().products;
    assert!(products.iter().all(|product| product.stock == 1_000_000), "{products:?}");
    shop.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_in_hand_is_finished_before_the_service_stops() {
    let shop = Shop::start_without_broker().await;
    // Long enough to be seen; the longest draw, four times that, is within the time to drain.
    shop.arm(Some((Seam::StoreOrder, Effect::Delay { median_ms: 1_500.0, share: 1.0 }))).await;
    let mut calls = shop.calls.clone();
    let call = tokio::spawn(async move { calls.place_order(cart("ada", &[("TEA-001", 1)])).await });
    shop.metric_is("grpc_requests_active{method=\"PlaceOrder\"}", 1.0).await;
    shop.stop.cancel();
    shop.becomes_ready(false).await;
    let order = call.await.unwrap().unwrap().into_inner().order.unwrap();
    assert_eq!(order.total_minor, 590);
    shop.finish().await;
}
