//! Placing an order, as far as its payment: stock, order and lines, all or nothing.

use chrono::{DateTime, Utc};
use contract::{
    CURRENCY,
    order::{Cart, IdempotencyKey},
};
use faults::Seam;
use instrumentation::trace::Carried;
use sqlx::QueryBuilder;
use uuid::Uuid;

use super::{
    Came, Item, Order, Store, Thread, history,
    idempotency::{self, Answer, First, Refused},
    moving::IN_HAND,
    now,
    session::{Link, Session},
    stock::{self, Way},
};
use crate::{error::Error, payments::Provider, status::Status};

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

/// An order that is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placed {
    /// The order as it is.
    pub order: Order,
    /// Whether an earlier call with the same key had stored it.
    pub replayed: bool,
}

impl NewOrder {
    /// What the order is part of.
    pub fn thread(&self) -> Thread {
        Thread {
            payment_method: self.cart.payment_method().as_str().to_owned(),
            correlation_id: self.correlation_id.clone(),
            trace: self.trace.clone(),
        }
    }
}

impl Store {
    /// Stores an order that is yet to be paid, or finds the one that its key has stored.
    ///
    /// # Errors
    /// [`Error::UnknownSku`], [`Error::InsufficientStock`], [`Error::KeyReused`]; or the database's.
    pub async fn place(&self, new: &NewOrder) -> Result<Placed, Error> {
        self.retried(|| self.try_place(new, Way::Sorted)).await
    }

    /// The same the other way: products are taken as the cart has them, and the provider is asked after
    /// each whether it has heard of the order.
    ///
    /// # Errors
    /// As of [`Store::place`].
    pub(crate) async fn place_asking(
        &self,
        new: &NewOrder,
        provider: &Provider,
    ) -> Result<Placed, Error> {
        self.retried(|| self.try_place(new, Way::Asking(provider))).await
    }

    /// What a key has been answered, if it has been.
    ///
    /// # Errors
    /// As of [`Store::place`].
    pub async fn answered(&self, new: &NewOrder) -> Result<Option<Placed>, Error> {
        let Some(key) = &new.key else { return Ok(None) };
        let mut session = self.session().await?;
        match idempotency::first(session.link(), key, &new.cart).await? {
            Some(first) => replay(&mut session, first).await.map(Some),
            None => Ok(None),
        }
    }

    /// Does something while nobody else can have the products of an order.
    ///
    /// # Errors
    /// The database's.
    pub(crate) async fn holding<T>(
        &self,
        order: &Order,
        work: impl Future<Output = T>,
    ) -> Result<T, Error> {
        let mut session = self.session().await?;
        let mut unit = session.begin().await?;
        stock::hold(unit.link(), &order.items).await?;
        let done = work.await;
        unit.undo().await?;
        Ok(done)
    }

    async fn try_place(&self, new: &NewOrder, way: Way<'_>) -> Result<Placed, Error> {
        let mut session = self.session().await?;
        let mut unit = session.begin().await?;
        if let Some(key) = &new.key
            && !idempotency::claim(unit.link(), key, new, Answer::Order).await?
        {
            unit.undo().await?;
            return repeat(&mut session, key, new).await;
        }
        match stock::reserve(unit.link(), new, way).await? {
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

/// Gives the answer to a key that has one, unless that was forgotten just then.
async fn repeat(
    session: &mut Session,
    key: &IdempotencyKey,
    new: &NewOrder,
) -> Result<Placed, Error> {
    let first = idempotency::first(session.link(), key, &new.cart).await?;
    replay(session, first.ok_or(Error::Collided)?).await
}

/// Gives the first answer again: a refusal is one, too.
async fn replay(session: &mut Session, first: First) -> Result<Placed, Error> {
    let id = match first {
        First::Order(id) => id,
        First::Refused(error) => return Err(error),
    };
    let order = super::reading::order(session, id).await?;
    Ok(Placed { order: order.ok_or(Error::Corrupt("an order that is gone"))?, replayed: true })
}

/// Remembers a refusal, for a call with a key. If another call was answered in the meantime, its
/// answer is the first.
async fn refuse(session: &mut Session, new: &NewOrder, refused: Refused) -> Result<Placed, Error> {
    let Some(key) = &new.key else { return Err(refused.into()) };
    let answer = Answer::Refused(&refused);
    if idempotency::claim(session.writing(), key, new, answer).await? {
        return Err(refused.into());
    }
    repeat(session, key, new).await
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
        status: Status::Pending,
        items,
        total_minor,
        currency: CURRENCY.to_owned(),
        created_at: at,
        updated_at: at,
        history: vec![Came { status: Status::Pending, at }],
    }
}

/// Writes the row of an order; with columns more, and their values, if there are some.
macro_rules! insert_order {
    ($columns:literal, $values:literal) => {
        concat!(
            "INSERT INTO orders (id, customer_id, status, total_minor, currency, correlation_id,
                                 created_at, updated_at, payment_method, due_at, traceparent,
                                 tracestate",
            $columns,
            ") VALUES ($1, $2, $3, $4, $5, $6, $7, $7, $8, $9, $10, $11",
            $values,
            ")"
        )
    };
}

async fn write(mut link: Link<'_>, order: &Order, new: &NewOrder) -> Result<(), Error> {
    // The other way: with a column that no migration has added.
    let insert = match link.faults.detours(Seam::StoreOrder) {
        true => insert_order!(", channel", ", 'shop'"),
        false => insert_order!("", ""),
    };
    statement!(
        link,
        InsertOrder,
        execute,
        sqlx::query(insert)
            .bind(order.id)
            .bind(&order.customer_id)
            .bind(order.status.as_str())
            .bind(order.total_minor)
            .bind(&order.currency)
            .bind(&new.correlation_id)
            .bind(order.created_at)
            .bind(new.cart.payment_method().as_str())
            .bind(order.created_at + IN_HAND)
            .bind(&new.trace.traceparent)
            .bind(&new.trace.tracestate)
    )?;
    write_items(&mut link, order).await?;
    history::write(link, order.id, order.status, order.created_at).await
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
