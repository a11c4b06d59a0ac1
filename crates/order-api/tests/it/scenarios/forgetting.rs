//! Idempotency keys whose time is over.

use std::{sync::Arc, time::Duration};

use chrono::Utc;
use futures_util::future::join_all;
use order_api::store::Store;
use tokio_util::sync::CancellationToken;

use crate::database::{Database, new_order, with_key};

const HOUR: Duration = Duration::from_secs(3600);
const ALL: u32 = 100;

const KEYS_ARE_OLD: &str = "UPDATE idempotency_keys SET created_at = '2001-01-01T00:00:00+00:00'";
const ORDERS_ARE_OLD: &str = "UPDATE orders SET created_at = '2001-01-01T00:00:00+00:00'";

/// Forgets what is older than an hour.
async fn forget(store: &Store, limit: u32) -> u64 {
    store.forget_keys(Utc::now() - HOUR, limit).await.unwrap()
}

async fn keys(db: &Database) -> i64 {
    db.number("SELECT COUNT(*) FROM idempotency_keys").await
}

pub(crate) async fn a_key_is_forgotten_when_its_time_is_over_and_its_order_stays(db: &Database) {
    let order = |key| with_key(key, new_order("ada", &[("TEA-001", 1)]));
    let old = db.store.place(&order("old")).await.unwrap().order;
    db.store.place(&with_key("refused", new_order("ada", &[("UNICORN", 1)]))).await.unwrap_err();
    db.change(KEYS_ARE_OLD).await;
    db.change(ORDERS_ARE_OLD).await;
    db.store.place(&order("young")).await.unwrap();

    assert_eq!(forget(&db.store, ALL).await, 2);
    assert_eq!(forget(&db.store, ALL).await, 0);
    assert_eq!(keys(db).await, 1);
    assert!(db.store.place(&order("young")).await.unwrap().replayed);
    assert!(db.store.order(old.id).await.is_ok());
    let again = db.store.place(&order("old")).await.unwrap();
    assert!(!again.replayed && again.order.id != old.id);
}

/// A key is written before its order, which may have waited for its stock in between.
pub(crate) async fn a_key_of_a_younger_order_is_never_forgotten(db: &Database) {
    let order = || with_key("k-1", new_order("ada", &[("TEA-001", 1)]));
    db.store.place(&order()).await.unwrap();
    db.change(KEYS_ARE_OLD).await;
    assert_eq!(forget(&db.store, ALL).await, 0);
    assert!(db.store.place(&order()).await.unwrap().replayed);
    db.change(ORDERS_ARE_OLD).await;
    assert_eq!(forget(&db.store, ALL).await, 1);
}

pub(crate) async fn keys_are_forgotten_in_batches_by_any_number_of_replicas(db: &Database) {
    for number in 0..60 {
        let unknown = with_key(&format!("k-{number}"), new_order("ada", &[("UNICORN", 1)]));
        db.store.place(&unknown).await.unwrap_err();
    }
    db.change(KEYS_ARE_OLD).await;
    let drain = |store: &Arc<Store>| {
        let store = Arc::clone(store);
        tokio::spawn(async move {
            let mut forgotten = 0;
            loop {
                let batch = forget(&store, 7).await;
                assert!(batch <= 7, "more than asked for");
                forgotten += batch;
                if batch < 7 {
                    return forgotten;
                }
            }
        })
    };
    let replicas = [&db.store, &db.other, &db.store, &db.other].map(drain);
    let forgotten: u64 = join_all(replicas).await.into_iter().map(Result::unwrap).sum();
    // One that found too few stopped, since others held the rest at that moment.
    assert_eq!(forgotten + forget(&db.store, ALL).await, 60, "a key was forgotten twice");
    assert_eq!(keys(db).await, 0);
}

pub(crate) async fn a_key_that_is_forgotten_while_it_is_used_is_no_defect(db: &Database) {
    let stop = CancellationToken::new();
    let (store, stopped) = (Arc::clone(&db.other), stop.clone());
    let forgetting = tokio::spawn(async move {
        while !stopped.is_cancelled() {
            store.forget_keys(Utc::now() + HOUR, ALL).await.unwrap();
            // Who collides with it each time gives up in the end.
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
    for _ in 0..20 {
        let placing = (0..8).map(|_| {
            let store = Arc::clone(&db.store);
            let new = with_key("k-1", new_order("ada", &[("TEA-001", 1)]));
            tokio::spawn(async move { store.place(&new).await })
        });
        for placed in join_all(placing).await {
            placed.unwrap().unwrap();
        }
    }
    stop.cancel();
    forgetting.await.unwrap();
}
