//! Orders and products, read.

use std::{collections::HashSet, sync::Arc};

use order_api::{
    error::Error,
    status::Status,
    store::{Ending, Filter},
};
use uuid::Uuid;

use crate::database::{Database, new_order};

pub(crate) async fn what_is_not_there_is_not_found(db: &Database) {
    let error = db.store.order(Uuid::now_v7()).await.unwrap_err();
    assert!(matches!(error, Error::NotFound), "{error:?}");
    assert_eq!(db.store.orders(&Filter::default(), None, 10).await.unwrap(), []);
}

pub(crate) async fn pages_hold_still_while_orders_come_in(db: &Database) {
    let mut placed = Vec::new();
    for _ in 0..25 {
        placed.push(db.place("ada", &[("TEA-001", 1), ("TEA-002", 1)]).await.order.id);
    }
    let store = Arc::clone(&db.other);
    let newcomers = tokio::spawn(async move {
        for _ in 0..25 {
            store.place(&new_order("bob", &[("TEA-003", 1)])).await.unwrap();
        }
    });
    let (mut seen, mut before) = (Vec::new(), None);
    loop {
        let page = db.store.orders(&Filter::default(), before, 7).await.unwrap();
        let Some(last) = page.last() else { break };
        before = Some(last.id);
        assert!(page.iter().all(|order| !order.items.is_empty()));
        seen.extend(page.into_iter().map(|order| order.id));
        assert!(seen.len() <= 50, "an order was seen twice");
    }
    newcomers.await.unwrap();
    assert_eq!(seen.iter().collect::<HashSet<_>>().len(), seen.len(), "an order was seen twice");
    assert!(seen.is_sorted_by(|newer, older| newer > older));
    assert!(placed.iter().all(|id| seen.contains(id)), "an order was left out");
}

pub(crate) async fn a_list_is_filtered_by_customer_and_status(db: &Database) {
    let first = db.place("ada", &[("TEA-001", 1)]).await.order.id;
    let second = db.place("bob", &[("TEA-001", 1)]).await.order.id;
    let third = db.place("ada", &[("TEA-001", 1), ("TEA-002", 2)]).await.order.id;
    for order_id in [first, second] {
        let message_id = "m".to_owned();
        let ending = Ending { order_id, message_id, to: Status::Fulfilled, reason: None };
        db.store.record(&ending).await.unwrap();
    }
    let listed = async |customer_id: Option<&str>, status| {
        let filter = Filter { customer_id: customer_id.map(str::to_owned), status };
        let orders = db.store.orders(&filter, None, 10).await.unwrap();
        orders.into_iter().map(|order| order.id).collect::<Vec<_>>()
    };
    assert_eq!(listed(None, None).await, [third, second, first]);
    assert_eq!(listed(Some("ada"), None).await, [third, first]);
    assert_eq!(listed(None, Some(Status::Fulfilled)).await, [second, first]);
    assert_eq!(listed(Some("ada"), Some(Status::Fulfilled)).await, [first]);
    assert!(listed(Some("ada"), Some(Status::Failed)).await.is_empty());
    assert!(listed(Some("eve"), None).await.is_empty());
}

pub(crate) async fn products_are_listed_by_sku(db: &Database) {
    let products = db.store.products().await.unwrap();
    assert_eq!(products.len(), 12);
    assert!(products.is_sorted_by_key(|product| product.sku.clone()));
    let tea = products.iter().find(|product| product.sku == "TEA-001").unwrap();
    assert_eq!((tea.unit_price_minor, tea.stock), (590, 1_000_000));
}
