//! Orders between being stored and being placed, payments, and what is overdue.

use std::{collections::HashSet, sync::Arc, time::Duration};

use futures_util::future::join_all;
use order_api::{
    error::Error,
    payments::PaymentStatus,
    status::Status,
    store::{Due, Ending, Moved, Payment},
};
use uuid::Uuid;

use crate::database::{Database, new_order};

const PLENTY: i64 = 1_000_000;
/// As if every order had been in hand for too long.
const OVERDUE: &str = "UPDATE orders SET due_at = created_at WHERE due_at IS NOT NULL";

async fn claim(db: &Database) -> Vec<Due> {
    db.change(OVERDUE).await;
    db.store.claim_due(100).await.unwrap()
}

async fn fail(db: &Database, order_id: Uuid) {
    let (message_id, reason) = ("m-1".to_owned(), Some("goods_missing"));
    let ending = Ending { order_id, message_id, to: Status::Failed, reason };
    db.store.record(&ending).await.unwrap();
}

pub(crate) async fn an_order_is_announced_once_it_is_paid(db: &Database) {
    let new = new_order("ada", &[("TEA-001", 2)]);
    let placed = db.store.place(&new).await.unwrap();
    assert_eq!(placed.order.status, Status::Pending);
    assert_eq!(db.number("SELECT COUNT(*) FROM outbox").await, 0);
    for store in [&db.store, &db.other, &db.store] {
        store.confirm(&placed.order, &new.thread()).await.unwrap();
    }
    assert_eq!(db.number("SELECT COUNT(*) FROM outbox").await, 1);
    assert_eq!(db.store.order(placed.order.id).await.unwrap().status, Status::Placed);
    assert_eq!(db.stock("TEA-001").await, PLENTY - 2);
}

pub(crate) async fn a_declined_order_returns_its_stock_once_and_stays_declined(db: &Database) {
    let new = new_order("ada", &[("TEA-001", 2), ("TEA-002", 3)]);
    let order = db.store.place(&new).await.unwrap().order;
    assert!(matches!(db.store.decline(order.id).await.unwrap(), Moved::Now { .. }));
    assert_eq!(db.other.decline(order.id).await.unwrap(), Moved::Before);
    let error = db.store.confirm(&order, &new.thread()).await.unwrap_err();
    assert!(matches!(error, Error::NotOpen(Status::Declined)), "{error:?}");
    assert_eq!(db.stock("TEA-001").await, PLENTY);
    assert_eq!(db.stock("TEA-002").await, PLENTY);
    assert_eq!(db.number("SELECT COUNT(*) FROM outbox").await, 0);
    assert!(claim(db).await.is_empty(), "nothing is to be done for it");
}

pub(crate) async fn an_order_decided_by_many_at_once_goes_one_way(db: &Database) {
    let new = new_order("ada", &[("TEA-001", 2)]);
    let order = db.store.place(&new).await.unwrap().order;
    let deciding = (0..16).map(|index| {
        let store = Arc::clone(if index % 2 == 0 { &db.store } else { &db.other });
        let (order, thread) = (order.clone(), new.thread());
        async move {
            match index % 4 {
                0 | 1 => store.confirm(&order, &thread).await,
                _ => store.decline(order.id).await,
            }
        }
    });
    let outcomes: Vec<_> = join_all(deciding.map(tokio::spawn)).await;
    let outcomes: Vec<_> = outcomes.into_iter().map(Result::unwrap).collect();
    let moved = |outcome: &&Result<Moved, Error>| matches!(outcome, Ok(Moved::Now { .. }));
    assert_eq!(outcomes.iter().filter(moved).count(), 1);
    let placed = db.store.order(order.id).await.unwrap().status == Status::Placed;
    assert_eq!(db.stock("TEA-001").await, if placed { PLENTY - 2 } else { PLENTY });
    assert_eq!(db.number("SELECT COUNT(*) FROM outbox").await, i64::from(placed));
    assert_eq!(db.number("SELECT COUNT(*) FROM order_history").await, 2);
}

pub(crate) async fn an_order_in_hand_is_left_alone_until_it_is_overdue(db: &Database) {
    let new = new_order("ada", &[("TEA-001", 2)]);
    let order = db.store.place(&new).await.unwrap().order;
    assert!(db.store.claim_due(100).await.unwrap().is_empty(), "somebody has it in hand");
    let due = claim(db).await;
    let [due] = due.as_slice() else { panic!("{due:?}") };
    assert_eq!((due.id, due.attempts, &due.thread), (order.id, 0, &new.thread()));
    assert!(db.other.claim_due(100).await.unwrap().is_empty(), "claimed twice");

    db.store.postpone(order.id, Duration::ZERO).await.unwrap();
    let due = db.other.claim_due(100).await.unwrap();
    assert_eq!(due[0].attempts, 1);
    db.store.confirm(&order, &new.thread()).await.unwrap();
    assert_eq!(claim(db).await[0].attempts, 0, "it has gone on since");
}

pub(crate) async fn an_overdue_order_is_claimed_by_one(db: &Database) {
    for _ in 0..40 {
        db.store.place(&new_order("ada", &[("TEA-001", 1)])).await.unwrap();
    }
    db.change(OVERDUE).await;
    let claims = (0..8).map(|index| {
        let store = Arc::clone(if index % 2 == 0 { &db.store } else { &db.other });
        tokio::spawn(async move { store.claim_due(10).await.unwrap() })
    });
    let claimed: Vec<_> = join_all(claims).await.into_iter().flat_map(Result::unwrap).collect();
    let ids: HashSet<_> = claimed.iter().map(|due| due.id).collect();
    assert_eq!(ids.len(), claimed.len(), "an order was claimed twice");
    let rest = db.store.claim_due(100).await.unwrap();
    assert_eq!(ids.len() + rest.len(), 40);
}

pub(crate) async fn a_settled_order_is_due_again_only_for_its_money(db: &Database) {
    let order = db.place("ada", &[("TEA-001", 2)]).await.order;
    db.store.settle(order.id).await.unwrap();
    assert!(claim(db).await.is_empty());
    fail(db, order.id).await;
    // Whoever captured meanwhile has nothing to say any more.
    db.store.settle(order.id).await.unwrap();
    assert_eq!(claim(db).await.len(), 1);
    assert!(matches!(db.store.refund(order.id).await.unwrap(), Moved::Now { .. }));
    assert_eq!(db.store.refund(order.id).await.unwrap(), Moved::Before);
    assert!(claim(db).await.is_empty());
    let history = db.store.order(order.id).await.unwrap().history;
    let history: Vec<_> = history.iter().map(|came| came.status).collect();
    assert_eq!(history, [Status::Pending, Status::Placed, Status::Failed, Status::Refunded]);
}

pub(crate) async fn a_fulfilled_order_is_due_until_it_is_settled(db: &Database) {
    let order = db.place("ada", &[("TEA-001", 2)]).await.order;
    let message_id = "m-1".to_owned();
    let ending = Ending { order_id: order.id, message_id, to: Status::Fulfilled, reason: None };
    db.store.record(&ending).await.unwrap();
    assert_eq!(claim(db).await.len(), 1);
    db.store.settle(order.id).await.unwrap();
    assert!(claim(db).await.is_empty());
}

pub(crate) async fn a_payment_is_what_was_answered_first_and_moves_once(db: &Database) {
    let order_id = Uuid::now_v7();
    assert_eq!(db.store.payment(order_id).await.unwrap(), None);
    let at = db.place("ada", &[("TEA-001", 1)]).await.order.created_at;
    let payment = Payment {
        order_id,
        status: PaymentStatus::Authorized,
        amount_minor: 590,
        currency: "EUR".to_owned(),
        authorization_id: "a-1".to_owned(),
        decline_reason: None,
        created_at: at,
        updated_at: at,
    };
    assert!(db.store.insert_payment(&payment).await.unwrap());
    let other = Payment { authorization_id: "a-2".to_owned(), ..payment.clone() };
    assert!(!db.other.insert_payment(&other).await.unwrap());
    assert_eq!(db.store.payment(order_id).await.unwrap(), Some(payment));
    let (from, to) = (PaymentStatus::Authorized, PaymentStatus::Captured);
    assert!(db.store.move_payment(order_id, from, to).await.unwrap());
    assert!(!db.other.move_payment(order_id, from, to).await.unwrap());
    assert_eq!(db.store.payment(order_id).await.unwrap().unwrap().status, to);
}
