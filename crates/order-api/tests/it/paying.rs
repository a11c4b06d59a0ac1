//! Paying, with a provider that works, dawdles, and is away.

use std::{collections::HashMap, time::Instant};

use contract::{
    refusal::Reason,
    shop::v1::{
        AuthorizeRequest, CaptureRequest, FailFulfillmentRequest, GetOrderRequest,
        GetPaymentRequest, ListProductsRequest, Order, OrderStatus, PaymentStatus,
        PlaceOrderRequest, RefundRequest,
    },
};
use provider::Behaviour;
use sqlx::{ConnectOptions as _, SqliteConnection, sqlite::SqliteConnectOptions};
use testbed::eventually;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tonic::Code;

use crate::shop::{SOON, Shop, cart, reason};

/// A broker that is never there.
const NOBODY: &str = "amqp://guest:guest@127.0.0.1:1/%2f";
/// So that an order cannot be confirmed, and can again.
const BREAK_OUTBOX: &str = "CREATE TRIGGER broken BEFORE INSERT ON outbox \
                            BEGIN SELECT RAISE(FAIL, 'broken'); END";
const BREAK_PAYMENTS: &str = "CREATE TRIGGER broken BEFORE INSERT ON payments \
                              BEGIN SELECT RAISE(FAIL, 'broken'); END";
const MEND: &str = "DROP TRIGGER broken";
/// As if every order had been in hand for too long.
const OVERDUE: &str = "UPDATE orders SET due_at = created_at WHERE due_at IS NOT NULL";

fn keyed(key: &str, method: &str) -> PlaceOrderRequest {
    PlaceOrderRequest {
        idempotency_key: key.to_owned(),
        payment_method: method.to_owned(),
        ..cart("ada", &[("TEA-001", 2)])
    }
}

/// A shop and a way around it, into its database.
async fn start_with_inside(settings: &[&str]) -> (Shop, SqliteConnection) {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("shop.db");
    let database = format!("sqlite://{}", file.display());
    let shop = Shop::start_with(settings, &database, NOBODY, directory).await;
    shop.becomes_ready(true).await;
    (shop, SqliteConnectOptions::new().filename(file).connect().await.unwrap())
}

async fn change(inside: &mut SqliteConnection, sql: &'static str) {
    sqlx::raw_sql(sql).execute(inside).await.unwrap();
}

async fn number(inside: &mut SqliteConnection, sql: &'static str) -> i64 {
    sqlx::query_scalar(sql).fetch_one(inside).await.unwrap()
}

async fn becomes(shop: &Shop, id: &str, status: OrderStatus) -> Order {
    eventually(SOON, &format!("order {id} is {status:?}"), async || {
        let request = GetOrderRequest { id: id.to_owned() };
        let order = shop.calls.clone().get_order(request).await.ok()?.into_inner().order?;
        (order.status() == status).then_some(order)
    })
    .await
}

/// Units of all products together, beside those that there were at first.
async fn stock(shop: &Shop) -> i64 {
    let mut calls = shop.calls.clone();
    let products = calls.list_products(ListProductsRequest {}).await.unwrap().into_inner().products;
    products.iter().map(|product| product.stock - 1_000_000).sum()
}

/// The provider's totals, by their names.
fn totals(shop: &Shop) -> HashMap<String, i64> {
    let totals = serde_json::to_value(shop.provider.totals()).unwrap();
    let totals = totals.as_object().unwrap().iter();
    totals.map(|(name, value)| (name.clone(), value.as_i64().unwrap())).collect()
}

async fn total_is(shop: &Shop, name: &str, value: i64) {
    eventually(SOON, &format!("{name} is {value}"), async || {
        (totals(shop)[name] == value).then_some(())
    })
    .await;
}

fn is_available(shop: &Shop, available: bool) {
    shop.provider.set_behaviour(Behaviour { available, ..shop.provider.behaviour() });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_placed_order_is_charged_once() {
    let shop = Shop::start_without_broker().await;
    let order = shop.place(&[("TEA-001", 2)]).await.unwrap();
    assert_eq!(order.status(), OrderStatus::Placed);
    let history: Vec<_> = order.history.iter().map(|event| event.status()).collect();
    assert_eq!(history, [OrderStatus::Pending, OrderStatus::Placed]);
    total_is(&shop, "captured_minor", 1180).await;
    shop.metric_is("payments_total{status=\"captured\"}", 1.0).await;
    let metrics = shop.metrics().await;
    assert_eq!(metrics["captured_minor_total"], 1180.0);
    assert_eq!(
        metrics["circuit_breaker_state{circuit=\"payment_provider\",state=\"closed\"}"],
        1.0
    );
    assert_eq!(totals(&shop)["authorizations"], 1);
    shop.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_declined_payment_is_refused_returns_the_stock_and_stays_declined() {
    let shop = Shop::start_without_broker().await;
    for _ in 0..2 {
        let request = keyed("k-1", "card-declined");
        let refused = shop.calls.clone().place_order(request).await.unwrap_err();
        assert_eq!(refused.code(), Code::FailedPrecondition);
        assert_eq!(reason(&refused), Reason::PaymentDeclined);
    }
    assert_eq!(stock(&shop).await, 0);
    let metrics = shop.metrics().await;
    assert_eq!(metrics["orders_refused_total{reason=\"payment_declined\"}"], 1.0);
    assert_eq!(metrics["orders_created_total"], 0.0);
    shop.metric_is("orders{status=\"declined\"}", 1.0).await;
    assert_eq!(totals(&shop)["declined"], 1);
    shop.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_order_gets_its_money_back_once() {
    let shop = Shop::start_without_broker().await;
    let order = shop.place(&[("TEA-001", 2)]).await.unwrap();
    total_is(&shop, "captured_minor", 1180).await;
    shop.metric_is("payments_total{status=\"captured\"}", 1.0).await;
    for before in [false, true] {
        let (order_id, message_id) = (order.id.clone(), "m-1".to_owned());
        let request = FailFulfillmentRequest { order_id, message_id, reason: 1 };
        let answer = shop.worker().fail_fulfillment(request).await.unwrap().into_inner();
        assert_eq!(answer.already_recorded, before);
    }
    becomes(&shop, &order.id, OrderStatus::Refunded).await;
    assert_eq!(stock(&shop).await, 0);
    let totals = totals(&shop);
    assert_eq!((totals["captured_minor"], totals["refunded_minor"]), (1180, 1180));
    assert_eq!(totals["refunds"], 1);
    assert_eq!(shop.metrics().await["refunds_minor_total"], 1180.0);
    shop.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_nobody_knows_is_found_out_and_never_charged_twice() {
    let shop = Shop::start_without_broker().await;
    // Slower than anybody waits, but what is in service is done.
    let slow = Behaviour { median: 3 * SOON / 20, ..shop.provider.behaviour() };
    shop.provider.set_behaviour(slow);
    let pending = shop.calls.clone().place_order(keyed("k-1", "card")).await.unwrap().into_inner();
    let order = pending.order.unwrap();
    assert_eq!(order.status(), OrderStatus::Pending);
    let again = shop.calls.clone().place_order(keyed("k-1", "card")).await.unwrap().into_inner();
    assert!(again.replayed);
    assert_eq!(again.order.unwrap().id, order.id);
    assert_eq!(shop.metrics().await["payments_undecided_total"], 1.0);

    shop.provider.set_behaviour(Behaviour { median: std::time::Duration::from_millis(5), ..slow });
    becomes(&shop, &order.id, OrderStatus::Placed).await;
    total_is(&shop, "captured_minor", 1180).await;
    assert_eq!(totals(&shop)["authorizations"], 1);
    assert_eq!(stock(&shop).await, -2);
    shop.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_provider_that_is_away_is_not_waited_for_and_all_recovers() {
    let shop = Shop::start_without_broker().await;
    let known = shop.calls.clone().place_order(keyed("known", "card")).await.unwrap().into_inner();
    is_available(&shop, false);
    // Until the breaker opens, orders are accepted that nobody knows to be paid.
    let mut pending = Vec::new();
    eventually(SOON, "a refusal", async || match shop.place(&[("TEA-001", 1)]).await {
        Ok(order) => {
            assert_eq!(order.status(), OrderStatus::Pending);
            pending.push(order.id);
            None
        }
        Err(refused) => {
            assert_eq!(reason(&refused), Reason::PaymentUnavailable);
            Some(())
        }
    })
    .await;
    let before = stock(&shop).await;
    let (started, mut accepted) = (Instant::now(), 0);
    for _ in 0..20 {
        // It probes now and then; what a probe leaves is pending.
        match shop.place(&[("TEA-002", 1)]).await {
            Ok(order) => {
                accepted += 1;
                pending.push(order.id);
            }
            Err(refused) => assert_eq!(reason(&refused), Reason::PaymentUnavailable),
        }
    }
    assert!(started.elapsed() < SOON, "{:?}", started.elapsed());
    assert_eq!(stock(&shop).await, before - accepted, "a refused order took stock");
    // What has its answer gets it all the same.
    let again = shop.calls.clone().place_order(keyed("known", "card")).await.unwrap().into_inner();
    assert!(again.replayed);
    assert_eq!(again.order, known.order);

    is_available(&shop, true);
    for id in &pending {
        becomes(&shop, id, OrderStatus::Placed).await;
    }
    eventually(SOON, "an order that is placed", async || {
        let order = shop.place(&[("TEA-003", 1)]).await.ok()?;
        (order.status() == OrderStatus::Placed).then_some(())
    })
    .await;
    shop.metric_is("orders_longest_overdue_seconds", 0.0).await;
    shop.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_expires_is_renewed_unnoticed() {
    let shop = Shop::start_without_broker().await;
    let short = std::time::Duration::from_secs(1);
    shop.provider.set_behaviour(Behaviour { token_ttl: short, ..shop.provider.behaviour() });
    let started = Instant::now();
    while started.elapsed() < 3 * short {
        let order = shop.place(&[("TEA-001", 1)]).await.unwrap();
        assert_eq!(order.status(), OrderStatus::Placed);
    }
    let metrics = shop.metrics().await;
    assert_eq!(metrics["payments_undecided_total"], 0.0);
    shop.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn payments_answer_for_themselves() {
    let shop = Shop::start_without_broker().await;
    let mut payments = shop.payments();
    let order_id = "01980000-0000-7000-8000-000000000000".to_owned();
    let unknown = payments.get_payment(GetPaymentRequest { order_id: order_id.clone() }).await;
    assert_eq!(reason(&unknown.unwrap_err()), Reason::PaymentNotFound);
    let authorize = AuthorizeRequest {
        order_id: order_id.clone(),
        amount_minor: 590,
        currency: "EUR".to_owned(),
        payment_method: "card".to_owned(),
    };
    for _ in 0..2 {
        let payment = payments.authorize(authorize.clone()).await.unwrap().into_inner().payment;
        assert_eq!(payment.unwrap().status(), PaymentStatus::Authorized);
    }
    for bad in [
        AuthorizeRequest { order_id: "7".to_owned(), ..authorize.clone() },
        AuthorizeRequest { amount_minor: -1, ..authorize.clone() },
        AuthorizeRequest { currency: "USD".to_owned(), ..authorize.clone() },
        AuthorizeRequest { payment_method: String::new(), ..authorize.clone() },
    ] {
        let refused = payments.authorize(bad.clone()).await.unwrap_err();
        assert_eq!(reason(&refused), Reason::InvalidOrder, "{bad:?}");
    }
    for _ in 0..2 {
        let request = CaptureRequest { order_id: order_id.clone() };
        let payment = payments.capture(request).await.unwrap().into_inner().payment.unwrap();
        assert_eq!(payment.status(), PaymentStatus::Captured);
    }
    for _ in 0..2 {
        let request = RefundRequest { order_id: order_id.clone() };
        let payment = payments.refund(request).await.unwrap().into_inner().payment.unwrap();
        assert_eq!(payment.status(), PaymentStatus::Refunded);
    }
    let totals = totals(&shop);
    assert_eq!((totals["captures"], totals["refunds"]), (1, 1));
    shop.finish().await;
}

/// Whoever is told of a failure orders again, and pays twice.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_that_is_stored_is_answered_with_no_error() {
    let (shop, mut inside) = start_with_inside(&[]).await;
    for (round, breaks) in (1..).zip([BREAK_PAYMENTS, BREAK_OUTBOX]) {
        change(&mut inside, breaks).await;
        let order = shop.place(&[("TEA-001", 2)]).await.unwrap();
        assert_eq!(order.status(), OrderStatus::Pending, "{breaks}");
        assert_eq!(shop.metrics().await["payments_undecided_total"], f64::from(round));
        change(&mut inside, MEND).await;
        change(&mut inside, OVERDUE).await;
        becomes(&shop, &order.id, OrderStatus::Placed).await;
        total_is(&shop, "captured_minor", 1180 * i64::from(round)).await;
    }
    assert_eq!(totals(&shop)["authorizations"], 2);
    assert_eq!(shop.metrics().await["orders_created_total"], 2.0);
    shop.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refund_that_overtakes_the_record_of_a_capture_is_recorded_and_all_counts_once() {
    let settings = ["--payment-provider-timeout=20s"];
    let (shop, _inside) = start_with_inside(&settings).await;
    let mut payments = shop.payments();
    let order_id = "01980000-0000-7000-8000-000000000000".to_owned();
    let authorize = AuthorizeRequest {
        order_id: order_id.clone(),
        amount_minor: 590,
        currency: "EUR".to_owned(),
        payment_method: "card".to_owned(),
    };
    payments.authorize(authorize).await.unwrap();
    let median = std::time::Duration::from_secs(2);
    let slow = Behaviour { median, sigma: 0.0, ..shop.provider.behaviour() };
    shop.provider.set_behaviour(slow);
    let capturing = tokio::spawn({
        let (mut payments, order_id) = (payments.clone(), order_id.clone());
        async move { payments.capture(CaptureRequest { order_id }).await }
    });
    // Read while it was only authorized, and answered after the capture was recorded.
    eventually(SOON, "the provider captures", async || {
        (shop.provider.load().busy == 1).then_some(())
    })
    .await;
    sleep(median / 2).await;
    let refunding = payments.refund(RefundRequest { order_id: order_id.clone() });
    let refunded = refunding.await.unwrap().into_inner().payment.unwrap();
    let captured = capturing.await.unwrap().unwrap().into_inner().payment.unwrap();
    assert_eq!(captured.status(), PaymentStatus::Captured);
    assert_eq!(refunded.status(), PaymentStatus::Refunded);
    let stored = payments.get_payment(GetPaymentRequest { order_id }).await.unwrap();
    assert_eq!(stored.into_inner().payment.unwrap().status(), PaymentStatus::Refunded);
    let metrics = shop.metrics().await;
    for (series, value) in [
        ("captured_minor_total", 590.0),
        ("refunds_minor_total", 590.0),
        ("payments_total{status=\"captured\"}", 1.0),
        ("payments_total{status=\"refunded\"}", 1.0),
    ] {
        assert_eq!(metrics[series], value, "{series}");
    }
    shop.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_provider_does_not_know_is_not_asked_for_for_ever() {
    let (shop, mut inside) = start_with_inside(&[]).await;
    let forget = "UPDATE payments SET authorization_id = 'ffffffff-ffff-4fff-8fff-ffffffffffff'";
    let due = "SELECT COUNT(*) FROM orders WHERE due_at IS NOT NULL";

    // Its money is still to be taken.
    change(&mut inside, BREAK_OUTBOX).await;
    let order = shop.place(&[("TEA-001", 2)]).await.unwrap();
    assert_eq!(order.status(), OrderStatus::Pending);
    change(&mut inside, MEND).await;
    change(&mut inside, forget).await;
    change(&mut inside, "UPDATE orders SET status = 'placed', due_at = created_at").await;
    eventually(SOON, "nothing is due", async || {
        (number(&mut inside, due).await == 0).then_some(())
    })
    .await;
    becomes(&shop, &order.id, OrderStatus::Placed).await;

    // Its money is to be given back: nobody says that it was.
    let order = shop.place(&[("TEA-001", 2)]).await.unwrap();
    shop.metric_is("payments_total{status=\"captured\"}", 1.0).await;
    change(&mut inside, forget).await;
    let (order_id, message_id) = (order.id.clone(), "m-1".to_owned());
    let request = FailFulfillmentRequest { order_id, message_id, reason: 1 };
    shop.worker().fail_fulfillment(request).await.unwrap();
    eventually(SOON, "nothing is due", async || {
        (number(&mut inside, due).await == 0).then_some(())
    })
    .await;
    becomes(&shop, &order.id, OrderStatus::Failed).await;
    assert_eq!(totals(&shop)["refunds"], 0);
    shop.finish().await;
}

/// Lets go of what is held for an order, as a provider does with a promise that is too old.
async fn let_go(shop: &Shop, order_id: &str) {
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(shop.provider.clone().serve(listener, CancellationToken::new()));
    let client = reqwest::Client::new();
    let json = async |request: reqwest::RequestBuilder| -> serde_json::Value {
        request.send().await.unwrap().error_for_status().unwrap().json().await.unwrap()
    };
    let credentials = serde_json::json!({ "client_id": "shop", "client_secret": "shop-secret" });
    let token = json(client.post(format!("{url}/tokens")).json(&credentials)).await;
    let token = token["access_token"].as_str().unwrap();
    let found = client.get(format!("{url}/authorizations/{order_id}")).bearer_auth(token);
    let body = serde_json::json!({ "authorization_id": json(found).await["id"] });
    let refund = client.post(format!("{url}/refunds")).bearer_auth(token).json(&body);
    json(refund.header("idempotency-key", format!("too-old-{order_id}"))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_whose_money_is_not_held_any_more_is_declined() {
    let (shop, mut inside) = start_with_inside(&[]).await;
    for (breaks, payments) in [(BREAK_PAYMENTS, 0), (BREAK_OUTBOX, 1)] {
        change(&mut inside, breaks).await;
        let order = shop.place(&[("TEA-001", 2)]).await.unwrap();
        assert_eq!(order.status(), OrderStatus::Pending);
        let known = "SELECT COUNT(*) FROM payments WHERE status = 'authorized'";
        assert_eq!(number(&mut inside, known).await, payments);
        let_go(&shop, &order.id).await;
        change(&mut inside, MEND).await;
        change(&mut inside, OVERDUE).await;
        becomes(&shop, &order.id, OrderStatus::Declined).await;
        let request = GetPaymentRequest { order_id: order.id };
        let payment = shop.payments().get_payment(request).await.unwrap().into_inner();
        assert_eq!(payment.payment.unwrap().status(), PaymentStatus::Voided);
    }
    assert_eq!(totals(&shop)["captured_minor"], 0);
    assert_eq!(stock(&shop).await, 0);
    shop.finish().await;
}

/// Replicas do not agree on what time it is, and clocks are set back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_order_came_to_does_not_depend_on_clocks() {
    let (shop, mut inside) = start_with_inside(&[]).await;
    let refused = shop.calls.clone().place_order(keyed("k-1", "card-declined")).await.unwrap_err();
    assert_eq!(reason(&refused), Reason::PaymentDeclined);
    let earlier = "UPDATE order_history SET at = '2001-01-01 00:00:00+00:00' \
                   WHERE status = 'declined'";
    change(&mut inside, earlier).await;
    let again = shop.calls.clone().place_order(keyed("k-1", "card-declined")).await.unwrap_err();
    assert_eq!(reason(&again), Reason::PaymentDeclined);
    shop.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_that_is_tried_in_vain_is_overdue_all_the_time() {
    let (shop, mut inside) = start_with_inside(&[]).await;
    change(&mut inside, BREAK_OUTBOX).await;
    let order = shop.place(&[("TEA-001", 2)]).await.unwrap();
    // Long ago, and yet in somebody's hands until just now.
    let long_ago = "UPDATE orders SET updated_at = '2020-01-01T00:00:00.000000+00:00', \
                    due_at = strftime('%Y-%m-%dT%H:%M:%f+00:00', 'now')";
    change(&mut inside, long_ago).await;
    shop.metric_exceeds("orders_resumed_total{step=\"authorization\",outcome=\"postponed\"}", 1.0)
        .await;
    shop.metric_exceeds("orders_longest_overdue_seconds", 86_400.0).await;
    change(&mut inside, MEND).await;
    becomes(&shop, &order.id, OrderStatus::Placed).await;
    shop.metric_is("orders_longest_overdue_seconds", 0.0).await;
    shop.finish().await;
}
