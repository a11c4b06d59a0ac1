//! What only a database with several writers can show.

use std::time::Duration;

use testbed::Postgres;

use crate::database::{Database, Inside, postgres};

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
    let claimed = tokio::time::timeout(Duration::from_secs(3), claiming).await;
    assert_eq!(claimed.expect("a claim waited for another").unwrap().events.len(), 2);
    another.rollback().await.unwrap();
    assert_eq!(db.other.claim_events(100, LONG).await.unwrap().events.len(), 1);
}
