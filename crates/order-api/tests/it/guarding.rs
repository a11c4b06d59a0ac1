//! Who may call what, over gRPC: every call is verified here, whoever let it through before.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use contract::{
    order::CustomerId,
    refusal::Reason,
    shop::v1::{
        AuthenticateRequest, CompleteFulfillmentRequest, FailFulfillmentRequest, GetOrderRequest,
        ListOrdersRequest, ListProductsRequest, RefundRequest, accounts_client::AccountsClient,
        orders_client::OrdersClient, payments_client::PaymentsClient,
    },
};
use identity::{
    Caller, Role,
    secret::Secret,
    token::{Issuer, Kind},
};
use tonic::{Code, Status};

use crate::shop::{Calls, Presents, Shop, cart, reason, token};

const MINUTE: Duration = Duration::from_secs(60);

fn get(id: &str) -> GetOrderRequest {
    GetOrderRequest { id: id.to_owned() }
}

fn list(customer_id: &str) -> ListOrdersRequest {
    ListOrdersRequest { customer_id: customer_id.to_owned(), ..ListOrdersRequest::default() }
}

/// Every call, and how it is refused.
async fn refusals(mut calls: Calls) -> Vec<Status> {
    let complete = CompleteFulfillmentRequest::default();
    vec![
        calls.place_order(cart("ada", &[("TEA-001", 1)])).await.unwrap_err(),
        calls.get_order(get("")).await.unwrap_err(),
        calls.list_orders(list("ada")).await.unwrap_err(),
        calls.list_products(ListProductsRequest {}).await.unwrap_err(),
        calls.complete_fulfillment(complete).await.unwrap_err(),
        calls.fail_fulfillment(FailFulfillmentRequest::default()).await.unwrap_err(),
    ]
}

fn is(status: &Status, code: Code, expected: Reason) {
    assert_eq!((status.code(), reason(status)), (code, expected), "{status:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_call_is_answered_without_a_good_token() {
    let shop = Shop::start_without_broker().await;
    let ada = Caller::customer(CustomerId::parse("name", "ada").unwrap());
    let ours = Issuer::new(&Secret::DEMO.parse().unwrap());
    let bad = [
        String::new(),
        "nonsense".to_owned(),
        "two words".to_owned(),
        Issuer::new(&Secret::random()).mint(&ada, Kind::Access, MINUTE),
        ours.mint(&ada, Kind::Refresh, MINUTE),
        unsigned(),
    ];
    for token in bad {
        for refused in refusals(shop.calls_with(token.clone())).await {
            is(&refused, Code::Unauthenticated, Reason::Unauthenticated);
            assert!(token.len() < 9 || !refused.message().contains(&token));
        }
    }
    let products = ListProductsRequest {};
    let refused = OrdersClient::new(shop.channel.clone()).list_products(products).await;
    is(&refused.unwrap_err(), Code::Unauthenticated, Reason::Unauthenticated);
    let sign_in = AuthenticateRequest::default();
    let refused = AccountsClient::new(shop.channel.clone()).authenticate(sign_in).await;
    is(&refused.unwrap_err(), Code::Unauthenticated, Reason::Unauthenticated);

    let counted = "grpc_requests_total{method=\"ListProducts\",status=\"UNAUTHENTICATED\"}";
    assert_eq!(shop.metrics().await[counted], 7.0, "who is refused is counted, too");
    shop.finish().await;
}

/// A token that says it needs no signature.
fn unsigned() -> String {
    use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
    let end = SystemTime::now().duration_since(UNIX_EPOCH).unwrap() + MINUTE;
    let claims = serde_json::json!({
        "iss": "mishap", "aud": "shop", "sub": "ada", "role": "admin", "typ": "access",
        "iat": 0, "exp": end.as_secs(), "jti": uuid::Uuid::nil(),
    });
    let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
    format!("{}.{}.", part(r#"{"typ":"JWT","alg":"none"}"#), part(&claims.to_string()))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_customer_sees_and_places_orders_of_their_own_only() {
    let shop = Shop::start_without_broker().await;
    let (mut ada, mut grace) =
        (shop.calls_of(Role::Customer, "ada"), shop.calls_of(Role::Customer, "grace"));
    let placed = ada.place_order(cart("ada", &[("TEA-001", 1)])).await.unwrap().into_inner();
    let id = placed.order.unwrap().id;
    assert!(ada.get_order(get(&id)).await.is_ok());

    let hidden = grace.get_order(get(&id)).await.unwrap_err();
    is(&hidden, Code::NotFound, Reason::OrderNotFound);
    let none = grace.get_order(get("01980000-0000-7000-8000-000000000000")).await.unwrap_err();
    assert_eq!(hidden.message(), none.message(), "that it is there is not to be seen");
    let refused = grace.place_order(cart("ada", &[("TEA-001", 1)])).await.unwrap_err();
    is(&refused, Code::PermissionDenied, Reason::PermissionDenied);
    let refused = grace.list_orders(list("ada")).await.unwrap_err();
    is(&refused, Code::PermissionDenied, Reason::PermissionDenied);

    for (calls, asked, seen) in
        [(&ada, "", 1), (&ada, "ada", 1), (&grace, "", 0), (&grace, "grace", 0)]
    {
        let listed = calls.clone().list_orders(list(asked)).await.unwrap().into_inner().orders;
        assert_eq!(listed.len(), seen, "{asked}: {listed:?}");
    }
    shop.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_admin_sees_all_orders_and_places_them_for_anybody() {
    let shop = Shop::start_without_broker().await;
    let mut admin = shop.calls_of(Role::Admin, "root");
    for customer in ["ada", "grace"] {
        let order = admin.place_order(cart(customer, &[("TEA-001", 1)])).await.unwrap();
        let order = order.into_inner().order.unwrap();
        assert_eq!(order.customer_id, customer);
        assert!(admin.get_order(get(&order.id)).await.is_ok());
    }
    for (asked, seen) in [("", 2), ("ada", 1), ("eve", 0)] {
        let listed = admin.list_orders(list(asked)).await.unwrap().into_inner().orders;
        assert_eq!(listed.len(), seen, "{asked}");
    }
    shop.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_for_services_is_refused_to_people_and_the_other_way_round() {
    let shop = Shop::start_without_broker().await;
    let id = shop.place(&[("TEA-001", 1)]).await.unwrap().id;
    let (order_id, message_id) = (id.clone(), "m".to_owned());
    let complete = CompleteFulfillmentRequest { order_id, message_id };
    let (order_id, message_id) = (id.clone(), "m".to_owned());
    let fail = FailFulfillmentRequest { order_id, message_id, reason: 1 };
    for role in [Role::Customer, Role::Admin] {
        let mut calls = shop.calls_of(role, "ada");
        let refused = calls.complete_fulfillment(complete.clone()).await.unwrap_err();
        is(&refused, Code::PermissionDenied, Reason::PermissionDenied);
        let refused = calls.fail_fulfillment(fail.clone()).await.unwrap_err();
        is(&refused, Code::PermissionDenied, Reason::PermissionDenied);

        let presents = Presents(token(role, "ada"));
        let mut accounts = AccountsClient::with_interceptor(shop.channel.clone(), presents);
        let (username, password) = ("ada".to_owned(), "analytical".to_owned());
        let sign_in = AuthenticateRequest { username, password };
        let refused = accounts.authenticate(sign_in).await.unwrap_err();
        is(&refused, Code::PermissionDenied, Reason::PermissionDenied);

        let presents = Presents(token(role, "ada"));
        let mut payments = PaymentsClient::with_interceptor(shop.channel.clone(), presents);
        let refund = RefundRequest { order_id: id.clone() };
        let refused = payments.refund(refund).await.unwrap_err();
        is(&refused, Code::PermissionDenied, Reason::PermissionDenied);
    }
    let mut worker = shop.calls_of(Role::Service, "fulfillment-worker");
    let refused = worker.place_order(cart("ada", &[("TEA-001", 1)])).await.unwrap_err();
    is(&refused, Code::PermissionDenied, Reason::PermissionDenied);
    let refused = worker.list_orders(list("")).await.unwrap_err();
    is(&refused, Code::PermissionDenied, Reason::PermissionDenied);
    assert!(worker.get_order(get(&id)).await.is_ok());
    assert!(worker.complete_fulfillment(complete).await.is_ok());
    shop.finish().await;
}
