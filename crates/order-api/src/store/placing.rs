//! Placing an order: stock, order, lines and event, all or nothing.

use chrono::{DateTime, Utc};
use contract::{
    CURRENCY,
    event::{ORDER_PLACED, OrderPlaced, PlacedItem},
    order::{Cart, IdempotencyKey},
};
use instrumentation::trace::Carried;
use sqlx::QueryBuilder;
use uuid::Uuid;

use super::{
    Item, Order, Store,
    idempotency::{self, Answer, First, Refused},
    now,
    session::{Link, Session},
    stock,
};
use crate::{error::Error, status::Status};

/// An order to be placed.
#[derive(Clone, Debug)]
pub struct NewOrder {
    /// UUIDv7.
    pub id: Uuid,
    /// What is ordered, and by whom.
    pub cart: Cart,
    /// The client's name for this attempt.
    pub key: Option<IdempotencyKey>,
    /// The business thread it belongs to.
    pub correlation_id: Option<String>,
    /// The trace it belongs to.
    pub trace: Carried,
}

/// An order that is placed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placed {
    /// The order as it was when it was placed.
    pub order: Order,
    /// Whether an earlier call with the same key had placed it.
    pub replayed: bool,
}

impl Store {
    /// Places an order, or gives the first answer to its key again.
    ///
    /// # Errors
    /// [`Error::UnknownSku`], [`Error::InsufficientStock`], [`Error::KeyReused`]; or the database's.
    pub async fn place(&self, new: &NewOrder) -> Result<Placed, Error> {
        let placed = self.retried(|| self.try_place(new)).await?;
        if !placed.replayed {
            self.event_written.notify_one();
        }
        Ok(placed)
    }

    async fn try_place(&self, new: &NewOrder) -> Result<Placed, Error> {
        let mut session = self.session().await?;
        let mut unit = session.begin().await?;
        if let Some(key) = &new.key
            && !idempotency::claim(unit.link(), key, new, Answer::Order).await?
        {
            unit.undo().await?;
            return replay(&mut session, key, new).await;
        }
        match stock::reserve(unit.link(), new.cart.items()).await? {
            Ok(prices) => {
                let order = order(new, &prices, now());
                write(unit.link(), &order, new).await?;
                unit.commit().await?;
                Ok(Placed { order, replayed: false })
            }
            Err(refused) => {
                unit.undo().await?;
                refuse(&mut session, new, refused).await
            }
        }
    }
}

/// Gives the first answer again: a refusal is one, too.
async fn replay(
    session: &mut Session,
    key: &IdempotencyKey,
    new: &NewOrder,
) -> Result<Placed, Error> {
    let id = match idempotency::first(session.link(), key, &new.cart).await? {
        First::Order(id) => id,
        First::Refused(error) => return Err(error),
    };
    let order = super::reading::order(session.link(), id).await?;
    let order = order.ok_or(Error::Corrupt("an order that is gone"))?;
    let (status, updated_at) = (Status::Placed, order.created_at);
    Ok(Placed { order: Order { status, updated_at, ..order }, replayed: true })
}

/// Remembers a refusal, for a call with a key. If another call was answered in the meantime, its
/// answer is the first.
async fn refuse(session: &mut Session, new: &NewOrder, refused: Refused) -> Result<Placed, Error> {
    let Some(key) = &new.key else { return Err(refused.into()) };
    let answer = Answer::Refused(&refused);
    if idempotency::claim(session.link(), key, new, answer).await? {
        return Err(refused.into());
    }
    replay(session, key, new).await
}

fn order(new: &NewOrder, prices: &[i64], at: DateTime<Utc>) -> Order {
    let items: Vec<_> = new
        .cart
        .items()
        .iter()
        .zip(prices)
        .map(|(item, price)| Item {
            sku: item.sku.as_str().to_owned(),
            quantity: item.quantity.get(),
            unit_price_minor: *price,
        })
        .collect();
    // At most 50 lines of 1000 units at 10^9, which the tables check: far from overflow.
    let total_minor =
        items.iter().map(|item| i64::from(item.quantity) * item.unit_price_minor).sum();
    Order {
        id: new.id,
        customer_id: new.cart.customer_id().as_str().to_owned(),
        status: Status::Placed,
        items,
        total_minor,
        currency: CURRENCY.to_owned(),
        created_at: at,
        updated_at: at,
    }
}

async fn write(mut link: Link<'_>, order: &Order, new: &NewOrder) -> Result<(), Error> {
    statement!(
        link,
        InsertOrder,
        execute,
        sqlx::query(
            "INSERT INTO orders (id, customer_id, status, total_minor, currency, correlation_id,
                             created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $7)",
        )
        .bind(order.id)
        .bind(&order.customer_id)
        .bind(order.status.as_str())
        .bind(order.total_minor)
        .bind(&order.currency)
        .bind(&new.correlation_id)
        .bind(order.created_at)
    )?;
    write_items(&mut link, order).await?;
    write_event(link, order, new).await
}

async fn write_items(link: &mut Link<'_>, order: &Order) -> Result<(), Error> {
    statement!(link, InsertItems, on => {
        let mut insert = QueryBuilder::new(
            "INSERT INTO order_items (order_id, line, sku, quantity, unit_price_minor) ",
        );
        insert.push_values((0_i64..).zip(&order.items), |mut row, (line, item)| {
            row.push_bind(order.id)
                .push_bind(line)
                .push_bind(&item.sku)
                .push_bind(i64::from(item.quantity))
                .push_bind(item.unit_price_minor);
        });
        async move { insert.build().execute(on).await.map(|done| done.rows_affected()) }
    })?;
    Ok(())
}

async fn write_event(mut link: Link<'_>, order: &Order, new: &NewOrder) -> Result<(), Error> {
    let items = order.items.iter();
    let event = OrderPlaced {
        order_id: order.id,
        customer_id: order.customer_id.clone(),
        items: items
            .map(|item| PlacedItem { sku: item.sku.clone(), quantity: item.quantity })
            .collect(),
        total_minor: order.total_minor,
        currency: order.currency.clone(),
        placed_at: order.created_at,
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
        .bind(&new.correlation_id)
        .bind(&new.trace.traceparent)
        .bind(&new.trace.tracestate)
        .bind(order.created_at)
    )?;
    Ok(())
}
