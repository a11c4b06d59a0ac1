//! Events, claimed and settled.

use std::{collections::HashSet, sync::Arc, time::Duration};

use chrono::Utc;
use contract::event::{ORDER_PLACED, OrderPlaced};
use order_api::store::{Event, Store};
use uuid::Uuid;

use crate::{database::Database, shop::SOON};

const LONG: Duration = Duration::from_secs(60);

async fn claim(store: &Store, lease: Duration) -> Vec<Event> {
    store.claim_events(100, lease).await.unwrap().events
}

async fn claim_eventually(store: &Store) -> Vec<Event> {
    testbed::eventually(SOON, "an event to claim", async || {
        let events = claim(store, LONG).await;
        (!events.is_empty()).then_some(events)
    })
    .await
}

pub(crate) async fn an_order_leaves_an_event(db: &Database) {
    let order = db.place("ada", &[("TEA-001", 2), ("CUP-001", 1)]).await.order;
    let events = claim(&db.store, LONG).await;
    let [event] = events.as_slice() else { panic!("{events:?}") };
    assert_eq!((event.order_id, event.kind.as_str(), event.attempts), (order.id, ORDER_PLACED, 0));
    assert_eq!(event.correlation_id.as_deref(), Some("thread-1"));
    assert_eq!(event.id.get_version_num(), 7);
    let body: OrderPlaced = serde_json::from_str(&event.payload).unwrap();
    assert_eq!((body.order_id, body.total_minor), (order.id, order.total_minor));
    assert_eq!((body.customer_id.as_str(), body.currency.as_str()), ("ada", "EUR"));
    assert_eq!(body.placed_at, order.updated_at);
    let items: Vec<_> = body.items.iter().map(|item| (item.sku.as_str(), item.quantity)).collect();
    assert_eq!(items, [("TEA-001", 2), ("CUP-001", 1)]);
}

pub(crate) async fn an_order_that_was_announced_in_vain_is_announced_again(db: &Database) {
    let order = db.place("ada", &[("TEA-001", 2)]).await.order;
    let (long_ago, now) = (Utc::now() - LONG, Utc::now() + LONG);
    assert_eq!(db.store.announce_again(now).await.unwrap(), 0, "an event waits");
    let lost = claim(&db.store, LONG).await;
    db.store.delete_events(&[lost[0].id]).await.unwrap();
    assert_eq!(db.store.announce_again(long_ago).await.unwrap(), 0, "it is too soon to tell");
    let announced = Utc::now();
    assert_eq!(db.store.announce_again(now).await.unwrap(), 1);
    let again = claim(&db.other, LONG).await;
    assert_eq!((again.len(), again[0].order_id), (1, order.id));
    assert_eq!(
        (&again[0].payload, &again[0].traceparent),
        (&lost[0].payload, &lost[0].traceparent)
    );
    assert_ne!(again[0].id, lost[0].id);
    let waits_since = again[0].created_at;
    assert!(waits_since + Duration::from_millis(1) > announced, "{waits_since} < {announced}");
}

pub(crate) async fn a_claimed_event_is_held_until_its_lease_ends(db: &Database) {
    db.place("ada", &[("TEA-001", 1)]).await;
    // Connected by then, it asks within the lease.
    db.other.products().await.unwrap();
    let held = claim(&db.store, Duration::from_secs(3)).await;
    assert_eq!(held.len(), 1);
    assert_eq!(claim(&db.other, LONG).await, []);
    assert_eq!(claim_eventually(&db.other).await[0].id, held[0].id);
    assert_eq!(claim(&db.store, LONG).await, []);
}

pub(crate) async fn two_relays_never_hold_the_same_event(db: &Database) {
    for _ in 0..60 {
        db.place("ada", &[("TEA-001", 1)]).await;
    }
    let drain = |store: &Arc<Store>| {
        let store = Arc::clone(store);
        tokio::spawn(async move {
            let mut held: Vec<Uuid> = Vec::new();
            loop {
                let claimed = store.claim_events(7, LONG).await.unwrap();
                assert!(claimed.events.len() <= 7, "more than asked for");
                held.extend(claimed.events.iter().map(|event| event.id));
                if !claimed.full {
                    return held;
                }
            }
        })
    };
    let relays = [&db.store, &db.other, &db.store, &db.other].map(drain);
    let mut held = Vec::new();
    for relay in relays {
        held.extend(relay.await.unwrap());
    }
    // One that found too few stopped, since others held the rest at that moment.
    held.extend(claim(&db.store, LONG).await.iter().map(|event| event.id));
    assert_eq!(held.len(), 60);
    assert_eq!(held.iter().collect::<HashSet<_>>().len(), 60, "an event was held twice");
}

pub(crate) async fn an_event_that_failed_comes_back_later(db: &Database) {
    db.place("ada", &[("TEA-001", 1)]).await;
    let event = claim(&db.store, LONG).await.remove(0);
    db.store.release_event(event.id, Duration::from_secs(3)).await.unwrap();
    assert_eq!(claim(&db.store, LONG).await, []);
    let again = claim_eventually(&db.other).await.remove(0);
    assert_eq!((again.id, again.attempts), (event.id, 1));
}

pub(crate) async fn a_published_event_is_gone(db: &Database) {
    for _ in 0..3 {
        db.place("ada", &[("TEA-001", 1)]).await;
    }
    let events = claim(&db.store, Duration::ZERO).await;
    db.store.delete_events(&[events[0].id, events[2].id]).await.unwrap();
    db.store.delete_events(&[]).await.unwrap();
    let left: Vec<_> = claim(&db.store, LONG).await.iter().map(|event| event.id).collect();
    assert_eq!(left, [events[1].id]);
}
