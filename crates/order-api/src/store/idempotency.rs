//! The first answer to each idempotency key, as long as it is remembered.

use chrono::{DateTime, Utc};
use contract::{
    order::{Cart, IdempotencyKey},
    refusal::Reason,
};
use uuid::Uuid;

use super::{
    Store,
    placing::NewOrder,
    session::{Borrowed, Link},
};
use crate::{error::Error, store::now};

/// The statement that forgets: as in the outbox, several writers pass over each other's rows. Of an
/// order the age counts, since its key is written before it.
macro_rules! forget {
    ($lock:literal) => {
        concat!(
            "WITH old AS MATERIALIZED (
                 SELECT customer_id, key FROM idempotency_keys
                 WHERE created_at < $1 AND NOT EXISTS (
                     SELECT 1 FROM orders
                     WHERE orders.id = idempotency_keys.order_id AND orders.created_at >= $1)
                 ORDER BY created_at LIMIT $2 ",
            $lock,
            ") DELETE FROM idempotency_keys
             WHERE (customer_id, key) IN (SELECT customer_id, key FROM old)"
        )
    };
}

/// What was answered first.
pub(super) enum First {
    Order(Uuid),
    Refused(Error),
}

/// What to write beside a key.
pub(super) enum Answer<'a> {
    Order,
    Refused(&'a Refused),
}

/// A refusal that a repeated call gets again.
#[derive(Clone, Debug)]
pub(super) enum Refused {
    UnknownSku(String),
    InsufficientStock(String),
}

#[derive(sqlx::FromRow)]
struct Row {
    fingerprint: String,
    order_id: Option<Uuid>,
    refusal: Option<String>,
    refused_sku: Option<String>,
}

impl Refused {
    fn parts(&self) -> (Reason, &str) {
        match self {
            Self::UnknownSku(sku) => (Reason::UnknownSku, sku),
            Self::InsufficientStock(sku) => (Reason::InsufficientStock, sku),
        }
    }
}

impl From<Refused> for Error {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::UnknownSku(sku) => Self::UnknownSku(sku),
            Refused::InsufficientStock(sku) => Self::InsufficientStock(sku),
        }
    }
}

impl Store {
    /// Forgets at most `limit` of the oldest keys that were answered before this time; how many it
    /// were. Whoever comes with one of them again places a new order.
    ///
    /// Times are by the clocks of the replicas, which have to be right by much less than keys are
    /// remembered.
    ///
    /// # Errors
    /// The database's.
    pub async fn forget_keys(&self, before: DateTime<Utc>, limit: u32) -> Result<u64, Error> {
        self.in_time(self.retried(|| self.try_forget(before, limit))).await
    }

    async fn try_forget(&self, before: DateTime<Utc>, limit: u32) -> Result<u64, Error> {
        let mut session = self.session().await?;
        let mut link = session.writing();
        let text = match link.connection {
            Borrowed::Postgres(_) => forget!("FOR UPDATE SKIP LOCKED"),
            Borrowed::Sqlite(_) => forget!(""),
        };
        let forgotten = statement!(
            link,
            ForgetKeys,
            execute,
            sqlx::query(text).bind(before).bind(i64::from(limit))
        )?;
        Ok(forgotten)
    }
}

/// Writes the first answer to a key; false if the key has one. Waits for a call that is just
/// answering the same key, until it has committed or given up.
pub(super) async fn claim(
    mut link: Link<'_>,
    key: &IdempotencyKey,
    new: &NewOrder,
    answer: Answer<'_>,
) -> Result<bool, Error> {
    let (order_id, refusal, refused_sku) = match answer {
        Answer::Order => (Some(new.id), None, None),
        Answer::Refused(refused) => {
            let (reason, sku) = refused.parts();
            (None, Some(reason.as_str()), Some(sku))
        }
    };
    let fingerprint = fingerprint(&new.cart);
    let inserted = statement!(
        link,
        ClaimKey,
        execute,
        sqlx::query(
            "INSERT INTO idempotency_keys
             (customer_id, key, fingerprint, order_id, refusal, refused_sku, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7)
         ON CONFLICT DO NOTHING",
        )
        .bind(new.cart.customer_id().as_str())
        .bind(key.as_str())
        .bind(&fingerprint)
        .bind(order_id)
        .bind(refusal)
        .bind(refused_sku)
        .bind(now())
    )?;
    Ok(inserted == 1)
}

/// The first answer to a key, if it has one.
pub(super) async fn first(
    mut link: Link<'_>,
    key: &IdempotencyKey,
    cart: &Cart,
) -> Result<Option<First>, Error> {
    let row: Option<Row> = statement!(
        link,
        ReadKey,
        fetch_optional,
        sqlx::query_as(
            "SELECT fingerprint, order_id, refusal, refused_sku FROM idempotency_keys
         WHERE customer_id = $1 AND key = $2",
        )
        .bind(cart.customer_id().as_str())
        .bind(key.as_str())
    )?;
    let Some(row) = row else { return Ok(None) };
    if row.fingerprint != fingerprint(cart) {
        return Err(Error::KeyReused);
    }
    let known = |reason: Reason| row.refusal.as_deref() == Some(reason.as_str());
    match (row.order_id, row.refused_sku) {
        (Some(id), None) => Ok(Some(First::Order(id))),
        (None, Some(sku)) if known(Reason::UnknownSku) => {
            Ok(Some(First::Refused(Error::UnknownSku(sku))))
        }
        (None, Some(sku)) if known(Reason::InsufficientStock) => {
            Ok(Some(First::Refused(Error::InsufficientStock(sku))))
        }
        _ => Err(Error::Corrupt("an idempotency key")),
    }
}

/// The cart in its canonical form: two carts of the same goods have the same one, whatever the
/// order of their lines. Neither SKUs nor payment methods have `=`, `,` or `;` in them.
fn fingerprint(cart: &Cart) -> String {
    let mut lines: Vec<_> =
        cart.items().iter().map(|item| format!("{}={}", item.sku, item.quantity.get())).collect();
    lines.sort_unstable();
    let lines = lines.join(",");
    match cart.payment_method() {
        method if method.is_default() => lines,
        method => format!("{lines};{method}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cart(items: &[(&str, i64)]) -> Cart {
        let items = items.iter().map(|(sku, quantity)| ((*sku).to_owned(), *quantity));
        Cart::parse("ada", items).unwrap()
    }

    #[test]
    fn the_order_of_lines_makes_no_other_cart_and_a_quantity_does() {
        let one = fingerprint(&cart(&[("TEA-001", 1), ("CUP-001", 2)]));
        assert_eq!(one, fingerprint(&cart(&[("CUP-001", 2), ("TEA-001", 1)])));
        assert_ne!(one, fingerprint(&cart(&[("CUP-001", 1), ("TEA-001", 2)])));
    }
}
