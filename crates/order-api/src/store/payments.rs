//! What is known of payments. They have a table of their own, which no other statement touches.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{Store, now};
use crate::{error::Error, payments::PaymentStatus};

/// The payment of one order.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Payment {
    /// The order.
    pub order_id: Uuid,
    /// Where it stands.
    #[sqlx(try_from = "String")]
    pub status: PaymentStatus,
    /// Minor units of `currency`.
    pub amount_minor: i64,
    /// ISO 4217.
    pub currency: String,
    /// The provider's name for it.
    pub authorization_id: String,
    /// Why it was declined, if it was.
    pub decline_reason: Option<String>,
    /// When the provider's answer was stored.
    pub created_at: DateTime<Utc>,
    /// When it last moved.
    pub updated_at: DateTime<Utc>,
}

impl Store {
    /// The payment of an order, if the provider has answered for it.
    ///
    /// # Errors
    /// The database's.
    pub async fn payment(&self, order_id: Uuid) -> Result<Option<Payment>, Error> {
        let mut session = self.session().await?;
        let mut link = session.link();
        let payment = statement!(
            link,
            ReadPayment,
            fetch_optional,
            sqlx::query_as(
                "SELECT order_id, status, amount_minor, currency, authorization_id,
                    decline_reason, created_at, updated_at
                 FROM payments WHERE order_id = $1",
            )
            .bind(order_id)
        )?;
        Ok(payment)
    }

    /// Stores what the provider answered, unless that is known; whether it was news.
    ///
    /// # Errors
    /// The database's.
    pub async fn insert_payment(&self, payment: &Payment) -> Result<bool, Error> {
        let mut session = self.session().await?;
        let mut link = session.writing();
        let inserted = statement!(
            link,
            InsertPayment,
            execute,
            sqlx::query(
                "INSERT INTO payments (order_id, status, amount_minor, currency, authorization_id,
                    decline_reason, created_at, updated_at)
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $7) ON CONFLICT DO NOTHING",
            )
            .bind(payment.order_id)
            .bind(payment.status.as_str())
            .bind(payment.amount_minor)
            .bind(&payment.currency)
            .bind(&payment.authorization_id)
            .bind(&payment.decline_reason)
            .bind(payment.created_at)
        )?;
        Ok(inserted == 1)
    }

    /// Moves a payment on if it stands where it comes from; whether it did.
    ///
    /// # Errors
    /// The database's.
    pub async fn move_payment(
        &self,
        order_id: Uuid,
        from: PaymentStatus,
        to: PaymentStatus,
    ) -> Result<bool, Error> {
        let mut session = self.session().await?;
        let mut link = session.writing();
        let moved = statement!(
            link,
            MovePayment,
            execute,
            sqlx::query(
                "UPDATE payments SET status = $1, updated_at = $2
                 WHERE order_id = $3 AND status = $4",
            )
            .bind(to.as_str())
            .bind(now())
            .bind(order_id)
            .bind(from.as_str())
        )?;
        Ok(moved == 1)
    }
}
