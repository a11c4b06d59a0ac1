//! What only a database with several writers can show.

use std::time::Duration;

use chrono::Utc;
use testbed::Postgres;

use crate::{
    database::{Database, Inside, new_order, postgres, with_key},
    shop::SOON,
};

const LONG: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_claim_passes_over_what_another_is_just_claiming() {
    if testbed::left_out(Postgres::available()) {
        return;
    }
    let db = postgres().await;
    for _ in 0..3 {
        db.place("ada", &[("TEA-001", 1)]).await;
    }
    let Database { inside: Inside::Postgres(pool), .. } = &db else { panic!("not Postgres") };
    let mut another = pool.begin().await.unwrap();
    let oldest = "SELECT 1 FROM outbox ORDER BY id LIMIT 1 FOR UPDATE";
    sqlx::query(oldest).execute(&mut *another).await.unwrap();
    let claiming = db.store.claim_events(100, LONG);
    let claimed = tokio::time::timeout(SOON, claiming).await;
    assert_eq!(claimed.expect("a claim waited for another").unwrap().events.len(), 2);
    another.rollback().await.unwrap();
    assert_eq!(db.other.claim_events(100, LONG).await.unwrap().events.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_forgets_passes_over_what_another_is_just_forgetting() {
    if testbed::left_out(Postgres::available()) {
        return;
    }
    let db = postgres().await;
    for key in ["k-1", "k-2", "k-3"] {
        let new = with_key(key, new_order("ada", &[("TEA-001", 1)]));
        db.store.place(&new).await.unwrap();
    }
    let Database { inside: Inside::Postgres(pool), .. } = &db else { panic!("not Postgres") };
    let mut another = pool.begin().await.unwrap();
    let oldest = "DELETE FROM idempotency_keys WHERE key = 'k-1'";
    sqlx::query(oldest).execute(&mut *another).await.unwrap();
    let forgetting = db.store.forget_keys(Utc::now() + LONG, 100);
    let forgotten = tokio::time::timeout(SOON, forgetting).await;
    assert_eq!(forgotten.expect("whoever forgets waited for another").unwrap(), 2);
    another.rollback().await.unwrap();
    assert_eq!(db.other.forget_keys(Utc::now() + LONG, 100).await.unwrap(), 1);
}
