//! The subject of this service: placing orders, reading them, and recording how they end.

use std::sync::Arc;

use faults::{Seam, Switchboard};
use uuid::Uuid;

use crate::{
    error::Error,
    metrics::{Metrics, Outcome, Refusal},
    status::Status,
    store::{Ending, Filter, Moved, NewOrder, Order, Placed, Product, Store},
};

/// The orders of the shop and what may be done with them.
#[derive(Clone, Debug)]
pub(crate) struct Orders {
    pub(crate) store: Arc<Store>,
    pub(crate) faults: Arc<Switchboard>,
    pub(crate) metrics: Metrics,
}

impl Orders {
    /// Stores an order, or gives the first answer to its idempotency key again.
    pub(crate) async fn place(&self, new: NewOrder) -> Result<Placed, Error> {
        self.faults.strike(Seam::StoreOrder).await?;
        let placed = self.store.place(&new).await.inspect_err(|error| self.count_refusal(error))?;
        let order = &placed.order;
        if placed.replayed {
            self.metrics.orders_replayed_total.increment(1);
            tracing::info!(order_id = %order.id, "order placed before");
        } else {
            self.metrics.orders_created_total.increment(1);
            let (lines, total_minor) = (order.items.len(), order.total_minor);
            tracing::info!(order_id = %order.id, lines, total_minor, "order placed");
        }
        Ok(placed)
    }

    /// One order.
    pub(crate) async fn get(&self, id: Uuid) -> Result<Order, Error> {
        self.store.order(id).await
    }

    /// A page of orders, newest first, and whether there are more.
    pub(crate) async fn list(
        &self,
        filter: &Filter,
        before: Option<Uuid>,
        limit: u32,
    ) -> Result<(Vec<Order>, bool), Error> {
        let mut orders = self.store.orders(filter, before, limit + 1).await?;
        let more = orders.len() > limit as usize;
        orders.truncate(limit as usize);
        Ok((orders, more))
    }

    /// Everything the shop sells.
    pub(crate) async fn products(&self) -> Result<Vec<Product>, Error> {
        self.store.products().await
    }

    /// Records how an order ended; true if that was recorded before.
    pub(crate) async fn record(&self, ending: &Ending) -> Result<bool, Error> {
        let Moved::Now { total_minor } = self.store.record(ending).await? else {
            tracing::info!(to = ending.to.as_str(), "order ended before");
            return Ok(true);
        };
        self.count_ending(ending.to, total_minor);
        tracing::info!(to = ending.to.as_str(), reason = ending.reason, "order ended");
        Ok(false)
    }

    fn count_ending(&self, to: Status, total_minor: i64) {
        match to {
            Status::Placed => {}
            Status::Fulfilled => {
                self.metrics.fulfillments_total.with(Outcome::Fulfilled).increment(1);
                self.metrics.revenue_minor_total.increment(total_minor.unsigned_abs());
            }
            Status::Failed => {
                self.metrics.fulfillments_total.with(Outcome::Failed).increment(1);
            }
        }
    }

    fn count_refusal(&self, error: &Error) {
        let refusal = match error {
            Error::UnknownSku(_) => Refusal::UnknownSku,
            Error::InsufficientStock(_) => Refusal::InsufficientStock,
            Error::KeyReused => Refusal::KeyReused,
            _ => return,
        };
        self.metrics.orders_refused_total.with(refusal).increment(1);
    }
}
