//! Payments: the money of orders, at the payment provider.
//!
//! They stand behind a gRPC service of their own, `shop.v1.Payments`, have a table of their own,
//! and know of an order nothing but its id and price: they could be moved to another process.
//!
//! - `provider`: the provider over HTTP, with all that keeps its trouble from becoming ours.
//! - `problem`: why it did not answer, and what that says of it.
//! - `answer`: what it says.
//! - `access`: the key to it, which expires.
//! - `rpc`: the calls of the contract.

mod access;
mod answer;
mod problem;
mod provider;
mod rpc;

use std::sync::Arc;

use uuid::Uuid;

use self::answer::{Authorization, Captured, Reversed};
pub use self::problem::Problem;
pub(crate) use self::{
    access::Credentials,
    provider::{Admitted, Charge, Provider, Settings},
};
use crate::{
    error::Error,
    metrics::Metrics,
    store::{Payment, Store, now},
};

instrumentation::label! {
    /// Where a payment stands.
    pub enum PaymentStatus as "status" {
        /// The money is held.
        Authorized = "authorized",
        /// The provider will not pay. Final.
        Declined = "declined",
        /// The money is taken.
        Captured = "captured",
        /// The money was let go before it was taken. Final.
        Voided = "voided",
        /// The money was returned. Final.
        Refunded = "refunded",
    }
}

impl PaymentStatus {
    /// Whether a payment may come from here to there.
    fn may_become(self, to: Self) -> bool {
        match to {
            Self::Captured | Self::Voided => self == Self::Authorized,
            Self::Refunded => matches!(self, Self::Authorized | Self::Captured),
            Self::Authorized | Self::Declined => false,
        }
    }
}

impl TryFrom<String> for PaymentStatus {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let mut all = Self::ALL.iter().copied();
        all.find(|status| status.as_str() == text).ok_or(format!("no payment is {text:?}"))
    }
}

/// The payments of the shop and what may be done with them.
#[derive(Clone, Debug)]
pub(crate) struct Payments {
    pub(crate) store: Arc<Store>,
    pub(crate) provider: Arc<Provider>,
    pub(crate) metrics: Metrics,
}

impl Payments {
    /// Whether the provider may be asked now; refused at once while it is known to be away.
    pub(crate) fn admit(&self) -> Result<Admitted, Error> {
        Ok(self.provider.admit()?)
    }

    /// Has the price of an order held, or finds out what an earlier call came to: the provider knows
    /// the order by its id, whoever asks and however often.
    pub(crate) async fn authorize(
        &self,
        charge: &Charge,
        admitted: Option<Admitted>,
    ) -> Result<Payment, Error> {
        let Authorization { id, status, decline_reason } = match admitted {
            Some(admitted) => self.provider.authorize(charge, admitted).await?,
            None => self.provider.find_or_authorize(charge).await?,
        };
        let at = now();
        let payment = Payment {
            order_id: charge.order_id,
            status,
            amount_minor: charge.amount_minor,
            currency: charge.currency.clone(),
            authorization_id: id,
            decline_reason,
            created_at: at,
            updated_at: at,
        };
        if self.store.insert_payment(&payment).await? {
            self.metrics.payments_total.with(status).increment(1);
        } else if status == PaymentStatus::Voided {
            // Known from when it was still held.
            return self.moved(self.get(charge.order_id).await?, status).await;
        }
        Ok(payment)
    }

    /// Takes the money that is held for an order.
    pub(crate) async fn capture(&self, order_id: Uuid) -> Result<Payment, Error> {
        self.take(self.get(order_id).await?).await
    }

    /// Takes the money of a payment, if it is held.
    pub(crate) async fn take(&self, payment: Payment) -> Result<Payment, Error> {
        if payment.status != PaymentStatus::Authorized {
            return Ok(payment);
        }
        match self.provider.capture(payment.order_id, &payment.authorization_id).await? {
            Captured::Taken => self.moved(payment, PaymentStatus::Captured).await,
            // Whoever gave it back was faster, and records so; or the provider has let it go.
            Captured::Closed => Ok(payment),
        }
    }

    /// Gives the money of an order back, whether it is only held or taken.
    pub(crate) async fn refund(&self, order_id: Uuid) -> Result<Payment, Error> {
        let payment = self.get(order_id).await?;
        if !matches!(payment.status, PaymentStatus::Authorized | PaymentStatus::Captured) {
            return Ok(payment);
        }
        match self.provider.reverse(order_id, &payment.authorization_id).await? {
            Reversed::Voided => self.moved(payment, PaymentStatus::Voided).await,
            Reversed::Refunded => self.moved(payment, PaymentStatus::Refunded).await,
        }
    }

    /// The payment of an order.
    pub(crate) async fn get(&self, order_id: Uuid) -> Result<Payment, Error> {
        self.store.payment(order_id).await?.ok_or(Error::NoPayment)
    }

    /// Records where a payment has come to, from wherever it stands: what is recorded of a capture
    /// and of a refund may come in either order. Counted by whoever recorded it.
    async fn moved(&self, mut payment: Payment, to: PaymentStatus) -> Result<Payment, Error> {
        while payment.status.may_become(to) {
            let from = payment.status;
            if self.store.move_payment(payment.order_id, from, to).await? {
                // The record of a capture was overtaken or lost: what is given back was taken.
                if (from, to) == (PaymentStatus::Authorized, PaymentStatus::Refunded) {
                    self.count(PaymentStatus::Captured, payment.amount_minor);
                }
                self.count(to, payment.amount_minor);
                return Ok(Payment { status: to, ..payment });
            }
            payment = self.get(payment.order_id).await?;
        }
        Ok(payment)
    }

    fn count(&self, to: PaymentStatus, amount_minor: i64) {
        self.metrics.payments_total.with(to).increment(1);
        let minor = amount_minor.unsigned_abs();
        match to {
            PaymentStatus::Captured => self.metrics.captured_minor_total.increment(minor),
            PaymentStatus::Refunded => self.metrics.refunds_minor_total.increment(minor),
            PaymentStatus::Authorized | PaymentStatus::Declined | PaymentStatus::Voided => {}
        }
    }
}
