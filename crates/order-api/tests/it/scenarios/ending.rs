//! How orders end.

use std::sync::Arc;

use futures_util::future::join_all;
use order_api::{
    error::Error,
    status::Status,
    store::{Ending, Moved},
};
use uuid::Uuid;

use crate::database::Database;

const PLENTY: i64 = 1_000_000;

fn ending(order_id: Uuid, to: Status) -> Ending {
    let reason = (to == Status::Failed).then_some("goods_missing");
    Ending { order_id, message_id: "m-1".to_owned(), to, reason }
}

pub(crate) async fn an_order_is_fulfilled_once(db: &Database) {
    let order = db.place("ada", &[("TEA-001", 2)]).await.order;
    let fulfilled = ending(order.id, Status::Fulfilled);
    let moved = db.store.record(&fulfilled).await.unwrap();
    assert!(matches!(moved, Moved::Now { total_minor: 1180, .. }), "{moved:?}");
    assert_eq!(db.other.record(&fulfilled).await.unwrap(), Moved::Before);

    let ended = db.store.order(order.id).await.unwrap();
    assert_eq!(ended.status, Status::Fulfilled);
    assert!(ended.updated_at > order.updated_at);
    assert_eq!(ended.created_at, order.created_at);
    assert_eq!(db.stock("TEA-001").await, PLENTY - 2);
    let rows = "SELECT COUNT(*) FROM fulfillments WHERE message_id = 'm-1' \
                AND outcome = 'fulfilled' AND reason IS NULL";
    assert_eq!(db.number(rows).await, 1);
}

pub(crate) async fn a_failed_order_returns_its_stock_once(db: &Database) {
    let order = db.place("ada", &[("TEA-002", 5), ("TEA-001", 2)]).await.order;
    let failed = ending(order.id, Status::Failed);
    assert!(matches!(db.store.record(&failed).await.unwrap(), Moved::Now { .. }));
    assert_eq!(db.store.record(&failed).await.unwrap(), Moved::Before);
    assert_eq!(db.stock("TEA-001").await, PLENTY);
    assert_eq!(db.stock("TEA-002").await, PLENTY);
    assert_eq!(db.store.order(order.id).await.unwrap().status, Status::Failed);
    let rows = "SELECT COUNT(*) FROM fulfillments WHERE outcome = 'failed' \
                AND reason = 'goods_missing'";
    assert_eq!(db.number(rows).await, 1);
}

pub(crate) async fn an_ended_order_cannot_end_otherwise(db: &Database) {
    for (first, second) in
        [(Status::Fulfilled, Status::Failed), (Status::Failed, Status::Fulfilled)]
    {
        let id = db.place("ada", &[("TEA-001", 2)]).await.order.id;
        db.store.record(&ending(id, first)).await.unwrap();
        let error = db.store.record(&ending(id, second)).await.unwrap_err();
        assert!(matches!(error, Error::NotOpen(status) if status == first), "{error:?}");
        assert_eq!(db.store.order(id).await.unwrap().status, first);
    }
    assert_eq!(db.stock("TEA-001").await, PLENTY - 2);
    let nobody = ending(Uuid::now_v7(), Status::Fulfilled);
    let error = db.store.record(&nobody).await.unwrap_err();
    assert!(matches!(error, Error::NotFound), "{error:?}");
}

pub(crate) async fn an_order_ended_by_many_at_once_ends_one_way(db: &Database) {
    let id = db.place("ada", &[("TEA-001", 2)]).await.order.id;
    let recording = (0..16).map(|index| {
        let store = Arc::clone(if index % 2 == 0 { &db.store } else { &db.other });
        let to = if index % 4 < 2 { Status::Fulfilled } else { Status::Failed };
        async move { store.record(&ending(id, to)).await }
    });
    let outcomes: Vec<_> = join_all(recording.map(tokio::spawn)).await;
    let moved = |outcome: &Result<Moved, Error>| matches!(outcome, Ok(Moved::Now { .. }));
    let outcomes: Vec<_> = outcomes.into_iter().map(Result::unwrap).collect();
    assert_eq!(outcomes.iter().filter(|outcome| moved(outcome)).count(), 1);
    let barred = outcomes.iter().filter(|outcome| matches!(outcome, Err(Error::NotOpen(_))));
    assert_eq!(barred.count(), 8);
    let returned = db.store.order(id).await.unwrap().status == Status::Failed;
    assert_eq!(db.stock("TEA-001").await, if returned { PLENTY } else { PLENTY - 2 });
    assert_eq!(db.number("SELECT COUNT(*) FROM fulfillments").await, 1);
}
