//! Idempotency keys.

use std::sync::Arc;

use contract::order::PaymentMethod;
use futures_util::future::join_all;
use order_api::{
    error::Error,
    status::Status,
    store::{Ending, NewOrder, Placed},
};

use crate::database::{Database, new_order, with_key};

const PLENTY: i64 = 1_000_000;

async fn at_once(db: &Database, new: impl Fn() -> NewOrder) -> Vec<Result<Placed, Error>> {
    let placing = (0..16).map(|index| {
        let store = Arc::clone(if index % 2 == 0 { &db.store } else { &db.other });
        let new = new();
        async move { store.place(&new).await }
    });
    join_all(placing.map(tokio::spawn)).await.into_iter().map(Result::unwrap).collect()
}

pub(crate) async fn a_repeated_key_gets_the_first_answer(db: &Database) {
    let first = with_key("k-1", new_order("ada", &[("TEA-001", 2), ("TEA-002", 1)]));
    let again = with_key("k-1", new_order("ada", &[("TEA-002", 1), ("TEA-001", 2)]));
    let placed = db.store.place(&first).await.unwrap();
    let replayed = db.store.place(&again).await.unwrap();
    assert!(!placed.replayed && replayed.replayed);
    assert_eq!(placed.order, replayed.order);
    assert_eq!(db.stock("TEA-001").await, PLENTY - 2);
    assert_eq!(db.number("SELECT COUNT(*) FROM orders").await, 1);
    let answered = db.store.answered(&again).await.unwrap();
    assert_eq!(answered, Some(replayed));
    let unknown = with_key("k-2", new_order("ada", &[("TEA-001", 2)]));
    assert_eq!(db.store.answered(&unknown).await.unwrap(), None);
}

pub(crate) async fn the_first_answer_stays_when_the_order_has_moved_on(db: &Database) {
    let new = || with_key("k-1", new_order("ada", &[("TEA-001", 2)]));
    let placed = db.store.place(&new()).await.unwrap();
    let placed = db.confirm(placed, &new()).await;
    let (order_id, message_id) = (placed.order.id, "m-1".to_owned());
    let ending = Ending { order_id, message_id, to: Status::Fulfilled, reason: None };
    db.store.record(&ending).await.unwrap();
    let replayed = db.store.place(&new()).await.unwrap();
    assert_eq!(replayed.order.status, Status::Fulfilled);
    assert_eq!(replayed.order.when_placed(), placed.order);
}

pub(crate) async fn a_key_with_another_cart_is_refused(db: &Database) {
    db.store.place(&with_key("k-1", new_order("ada", &[("TEA-001", 2)]))).await.unwrap();
    for items in [&[("TEA-001", 3)][..], &[("TEA-002", 2)], &[("TEA-001", 2), ("TEA-002", 1)]] {
        let error = db.store.place(&with_key("k-1", new_order("ada", items))).await.unwrap_err();
        assert!(matches!(error, Error::KeyReused), "{error:?}");
    }
    let elsewise = with_key("k-1", new_order("ada", &[("TEA-001", 2)]));
    let method = PaymentMethod::parse("payment_method", "other-card").unwrap();
    let elsewise = NewOrder { cart: elsewise.cart.clone().paid_with(method), ..elsewise };
    let error = db.store.place(&elsewise).await.unwrap_err();
    assert!(matches!(error, Error::KeyReused), "{error:?}");
    assert_eq!(db.number("SELECT COUNT(*) FROM orders").await, 1);
}

pub(crate) async fn a_refusal_is_an_answer_too(db: &Database) {
    db.change("UPDATE products SET stock = 1 WHERE sku = 'TEA-003'").await;
    let short = || with_key("k-1", new_order("ada", &[("TEA-003", 2)]));
    let unknown = || with_key("k-2", new_order("ada", &[("UNICORN", 2)]));
    for _ in 0..2 {
        let error = db.store.place(&short()).await.unwrap_err();
        assert!(matches!(&error, Error::InsufficientStock(sku) if sku == "TEA-003"), "{error:?}");
        let error = db.store.place(&unknown()).await.unwrap_err();
        assert!(matches!(&error, Error::UnknownSku(sku) if sku == "UNICORN"), "{error:?}");
        db.change("UPDATE products SET stock = 100 WHERE sku = 'TEA-003'").await;
    }
    let other = with_key("k-1", new_order("ada", &[("TEA-003", 1)]));
    let error = db.store.place(&other).await.unwrap_err();
    assert!(matches!(error, Error::KeyReused), "{error:?}");
    assert_eq!(db.number("SELECT COUNT(*) FROM orders").await, 0);
}

pub(crate) async fn a_key_used_by_many_at_once_places_one_order(db: &Database) {
    let outcomes = at_once(db, || with_key("k-1", new_order("ada", &[("TEA-001", 2)]))).await;
    let placed: Vec<_> = outcomes.into_iter().map(Result::unwrap).collect();
    assert_eq!(placed.iter().filter(|placed| !placed.replayed).count(), 1);
    assert!(placed.iter().all(|one| one.order == placed[0].order));
    assert_eq!(db.stock("TEA-001").await, PLENTY - 2);
    assert_eq!(db.number("SELECT COUNT(*) FROM orders").await, 1);
}

pub(crate) async fn a_key_refused_to_many_at_once_is_remembered_once(db: &Database) {
    let outcomes = at_once(db, || with_key("k-1", new_order("ada", &[("UNICORN", 1)]))).await;
    for outcome in outcomes {
        let error = outcome.unwrap_err();
        assert!(matches!(error, Error::UnknownSku(_)), "{error:?}");
    }
    assert_eq!(db.number("SELECT COUNT(*) FROM idempotency_keys").await, 1);
}

pub(crate) async fn a_key_belongs_to_its_customer(db: &Database) {
    let ada = db.store.place(&with_key("k-1", new_order("ada", &[("TEA-001", 1)]))).await.unwrap();
    let bob = db.store.place(&with_key("k-1", new_order("bob", &[("TEA-002", 2)]))).await.unwrap();
    assert_ne!(ada.order.id, bob.order.id);
}
