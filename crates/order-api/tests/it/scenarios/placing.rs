//! Orders and stock.

use std::sync::Arc;

use futures_util::future::join_all;
use order_api::{error::Error, status::Status};

use crate::database::{Database, new_order};

const PLENTY: i64 = 1_000_000;

pub(crate) async fn a_placed_order_is_found_as_it_was_placed(db: &Database) {
    let placed = db.place("ada", &[("TEA-001", 2), ("CUP-001", 3)]).await;
    assert!(!placed.replayed);
    let order = placed.order;
    assert_eq!(db.store.order(order.id).await.unwrap(), order);
    assert_eq!(order.status, Status::Placed);
    assert_eq!(order.customer_id, "ada");
    let lines: Vec<_> = order.items.iter().map(|item| (item.sku.as_str(), item.quantity)).collect();
    assert_eq!(lines, [("TEA-001", 2), ("CUP-001", 3)]);
    assert_eq!(order.total_minor, 2 * 590 + 3 * 1490);
    assert_eq!(order.currency, "EUR");
    let history: Vec<_> = order.history.iter().map(|came| came.status).collect();
    assert_eq!(history, [Status::Pending, Status::Placed]);
    assert_eq!(order.history[0].at, order.created_at);
    assert_eq!(order.history[1].at, order.updated_at);
    assert_eq!(db.stock("TEA-001").await, PLENTY - 2);
    assert_eq!(db.stock("CUP-001").await, PLENTY - 3);
}

pub(crate) async fn an_unknown_sku_is_refused_and_nothing_is_taken(db: &Database) {
    let new = new_order("ada", &[("TEA-001", 2), ("UNICORN", 1)]);
    let error = db.store.place(&new).await.unwrap_err();
    assert!(matches!(&error, Error::UnknownSku(sku) if sku == "UNICORN"), "{error:?}");
    nothing_happened(db).await;
}

pub(crate) async fn more_than_there_is_is_refused_and_nothing_is_taken(db: &Database) {
    db.change("UPDATE products SET stock = 2 WHERE sku = 'TEA-002'").await;
    let new = new_order("ada", &[("TEA-001", 2), ("TEA-002", 3)]);
    let error = db.store.place(&new).await.unwrap_err();
    assert!(matches!(&error, Error::InsufficientStock(sku) if sku == "TEA-002"), "{error:?}");
    assert_eq!(db.stock("TEA-002").await, 2);
    nothing_happened(db).await;
}

async fn nothing_happened(db: &Database) {
    assert_eq!(db.stock("TEA-001").await, PLENTY);
    assert_eq!(db.number("SELECT COUNT(*) FROM orders").await, 0);
    assert_eq!(db.number("SELECT COUNT(*) FROM order_items").await, 0);
    assert_eq!(db.number("SELECT COUNT(*) FROM outbox").await, 0);
}

pub(crate) async fn the_last_units_are_sold_once(db: &Database) {
    db.change("UPDATE products SET stock = 21 WHERE sku = 'TEA-003'").await;
    let placing = (0..64).map(|index| {
        let store = Arc::clone(if index % 2 == 0 { &db.store } else { &db.other });
        async move { store.place(&new_order("ada", &[("TEA-003", 2)])).await }
    });
    let outcomes = join_all(placing.map(tokio::spawn)).await;
    let (sold, refused): (Vec<_>, Vec<_>) =
        outcomes.into_iter().map(Result::unwrap).partition(Result::is_ok);
    assert_eq!(sold.len(), 10);
    for refusal in refused {
        let error = refusal.unwrap_err();
        assert!(matches!(error, Error::InsufficientStock(_)), "{error:?}");
    }
    assert_eq!(db.stock("TEA-003").await, 1);
    assert_eq!(db.number("SELECT COUNT(*) FROM orders").await, 10);
}

pub(crate) async fn carts_in_opposite_order_do_not_lock_each_other_out(db: &Database) {
    let skus = ["TEA-001", "TEA-002", "TEA-003", "TEA-004", "TEA-005"];
    let placing = (0..32).map(|index| {
        let store = Arc::clone(&db.store);
        let mut items = skus.map(|sku| (sku, 1));
        if index % 2 == 0 {
            items.reverse();
        }
        async move { store.place(&new_order("ada", &items)).await.unwrap() }
    });
    for outcome in join_all(placing.map(tokio::spawn)).await {
        outcome.unwrap();
    }
    assert_eq!(db.stock("TEA-005").await, PLENTY - 32);
    let metrics = db.registry.render();
    assert!(metrics.contains("\ndb_transaction_retries_total 0\n"), "a deadlock was retried");
}

pub(crate) async fn the_tables_are_brought_up_to_date_once(db: &Database) {
    db.change("UPDATE products SET stock = 7 WHERE sku = 'TEA-001'").await;
    db.store.open().await.unwrap();
    assert_eq!(db.stock("TEA-001").await, 7);
    assert_eq!(db.store.products().await.unwrap().len(), 12);
}
