//! Events that wait to be published: claimed by lease, deleted once the broker has them.

use std::time::Duration;

use chrono::{DateTime, Utc};
use contract::event::{ORDER_PLACED, OrderPlaced, PlacedItem};
use instrumentation::trace::Carried;
use sqlx::QueryBuilder;
use uuid::Uuid;

use super::{
    Order, Store, Thread, now,
    session::{Borrowed, Link},
};
use crate::error::Error;

/// The statement that claims. Only Postgres has several writers at once, who pass over the rows
/// that another is just claiming. Materialized, so that the limit is applied once.
macro_rules! claim {
    ($lock:literal) => {
        concat!(
            "WITH picked AS MATERIALIZED (
                 SELECT id FROM outbox
                 WHERE claimed_until IS NULL OR claimed_until <= $2
                 ORDER BY id LIMIT $3 ",
            $lock,
            ") UPDATE outbox SET claimed_until = $1 WHERE id IN (SELECT id FROM picked)
             RETURNING id, order_id, kind, payload, correlation_id, traceparent, tracestate,
                       created_at, attempts"
        )
    };
}

/// An event to be published.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Event {
    /// UUIDv7; the message's id.
    pub id: Uuid,
    /// The order it is about.
    pub order_id: Uuid,
    /// What happened.
    pub kind: String,
    /// JSON.
    pub payload: String,
    /// The business thread it belongs to.
    pub correlation_id: Option<String>,
    /// The trace it belongs to, as W3C has it.
    pub traceparent: Option<String>,
    /// What tracing systems keep with it.
    pub tracestate: Option<String>,
    /// When it was written.
    pub created_at: DateTime<Utc>,
    /// How often publishing it has failed.
    pub attempts: i64,
}

/// Events that nobody else publishes before the lease ends.
#[derive(Debug)]
pub struct Claimed {
    /// Oldest first.
    pub events: Vec<Event>,
    /// Whether there may be more.
    pub full: bool,
}

impl Event {
    /// The trace it belongs to.
    pub fn trace(&self) -> Carried {
        Carried { traceparent: self.traceparent.clone(), tracestate: self.tracestate.clone() }
    }
}

impl Store {
    /// Claims at most `limit` of the oldest events that nobody holds, for the time of `lease`.
    ///
    /// Safe with any number of relays; one that dies holds its events until the lease ends.
    /// Leases are read by the clocks of the replicas: a wrong one may make an event go out twice,
    /// which its readers have to expect anyway, and loses none.
    ///
    /// # Errors
    /// The database's.
    pub async fn claim_events(&self, limit: u32, lease: Duration) -> Result<Claimed, Error> {
        self.in_time(self.retried(|| self.try_claim(limit, lease))).await
    }

    async fn try_claim(&self, limit: u32, lease: Duration) -> Result<Claimed, Error> {
        let mut session = self.session().await?;
        let mut link = session.writing();
        let text = match link.connection {
            Borrowed::Postgres(_) => claim!("FOR UPDATE SKIP LOCKED"),
            Borrowed::Sqlite(_) => claim!(""),
        };
        let now = now();
        let mut events: Vec<Event> = statement!(
            link,
            ClaimEvents,
            fetch_all,
            sqlx::query_as(text).bind(now + lease).bind(now).bind(i64::from(limit))
        )?;
        events.sort_unstable_by_key(|event| event.id);
        let full = events.len() == limit as usize;
        Ok(Claimed { events, full })
    }

    /// Deletes events that the broker has confirmed.
    ///
    /// # Errors
    /// The database's; the events then go out once more after their lease.
    pub async fn delete_events(&self, ids: &[Uuid]) -> Result<(), Error> {
        if ids.is_empty() {
            return Ok(());
        }
        self.in_time(self.retried(|| self.try_delete(ids))).await
    }

    async fn try_delete(&self, ids: &[Uuid]) -> Result<(), Error> {
        let mut session = self.session().await?;
        let mut link = session.writing();
        statement!(link, DeleteEvents, on => {
            let mut delete = QueryBuilder::new("DELETE FROM outbox WHERE id IN (");
            let mut list = delete.separated(", ");
            for id in ids {
                list.push_bind(*id);
            }
            delete.push(")");
            // Not worth a place among the prepared statements: each number of ids is another.
            async move { delete.build().persistent(false).execute(on).await.map(drop) }
        })?;
        Ok(())
    }

    /// Lets an event that could not be published be claimed again after `delay`.
    ///
    /// # Errors
    /// The database's; the event can then be claimed after its lease.
    pub async fn release_event(&self, id: Uuid, delay: Duration) -> Result<(), Error> {
        self.in_time(self.try_release(id, delay)).await
    }

    async fn try_release(&self, id: Uuid, delay: Duration) -> Result<(), Error> {
        let mut session = self.session().await?;
        let mut link = session.writing();
        statement!(
            link,
            ReleaseEvent,
            execute,
            sqlx::query(
                "UPDATE outbox SET claimed_until = $1, attempts = attempts + 1 WHERE id = $2",
            )
            .bind(now() + delay)
            .bind(id)
        )?;
        Ok(())
    }
}

/// Writes the event of an order that was placed some time ago, and waits to be announced since
/// another.
pub(super) async fn write(
    mut link: Link<'_>,
    order: &Order,
    thread: &Thread,
    placed_at: DateTime<Utc>,
    since: DateTime<Utc>,
) -> Result<(), Error> {
    let items = order.items.iter();
    let event = OrderPlaced {
        order_id: order.id,
        customer_id: order.customer_id.clone(),
        items: items
            .map(|item| PlacedItem { sku: item.sku.clone(), quantity: item.quantity })
            .collect(),
        total_minor: order.total_minor,
        currency: order.currency.clone(),
        placed_at,
    };
    let payload = serde_json::to_string(&event).expect("an event has only what JSON can say");
    statement!(
        link,
        InsertEvent,
        execute,
        sqlx::query(
            "INSERT INTO outbox (id, order_id, kind, payload, correlation_id, traceparent,
                             tracestate, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        )
        .bind(Uuid::now_v7())
        .bind(order.id)
        .bind(ORDER_PLACED)
        .bind(&payload)
        .bind(&thread.correlation_id)
        .bind(&thread.trace.traceparent)
        .bind(&thread.trace.tracestate)
        .bind(since)
    )?;
    Ok(())
}
