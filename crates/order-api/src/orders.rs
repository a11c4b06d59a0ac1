//! The subject of this service: placing orders, reading them, and recording how they end.

use std::sync::Arc;

use faults::{Seam, Switchboard};
use instrumentation::trace::{Span, SpanKind};
use tokio::sync::Mutex;
use uuid::Uuid;

use crate::{
    error::Error,
    metrics::{Metrics, Outcome, Refusal},
    saga::Saga,
    status::Status,
    store::{Ending, Filter, Moved, NewOrder, Order, Placed, Product, Store},
};

/// The orders of the shop and what may be done with them.
#[derive(Clone, Debug)]
pub(crate) struct Orders {
    pub(crate) store: Arc<Store>,
    pub(crate) saga: Saga,
    pub(crate) faults: Arc<Switchboard>,
    pub(crate) metrics: Metrics,
    /// Held by whoever places an order, if only one may at a time.
    pub(crate) turn: Arc<Mutex<()>>,
    /// Held by whoever asks the carrier.
    pub(crate) carrier: Arc<Mutex<()>>,
}

impl Orders {
    /// Stores an order and has it paid, or finds what an earlier call with its key came to.
    pub(crate) async fn place(&self, new: NewOrder) -> Result<Placed, Error> {
        self.faults.strike(Seam::ReadOrder).await?;
        // The other way: one order at a time, from its first step to its last.
        let _turn = match self.faults.detours(Seam::PlaceOrder) {
            true => Some(self.turn.lock().await),
            false => None,
        };
        let placed = self.try_place(&new).await.inspect_err(|error| self.count_refusal(error))?;
        if placed.order.status == Status::Declined {
            return Err(Error::Declined);
        }
        Ok(placed)
    }

    async fn try_place(&self, new: &NewOrder) -> Result<Placed, Error> {
        self.faults.strike(Seam::StoreOrder).await?;
        let admitted = match self.saga.payments.admit() {
            Ok(admitted) => admitted,
            // Nothing is stored that cannot be paid; what is known can be said all the same.
            Err(away) => {
                let answered = self.store.answered(new).await?;
                return answered.map(|placed| self.repeated(placed)).ok_or(away);
            }
        };
        let stored = self.stored(new).await?;
        if stored.replayed {
            return Ok(self.repeated(stored));
        }
        let order = self.saga.pay(stored.order, &new.thread(), admitted).await;
        Ok(Placed { order, replayed: false })
    }

    async fn stored(&self, new: &NewOrder) -> Result<Placed, Error> {
        // The other way: its products in any order, and a call after each.
        match self.faults.detours(Seam::ReserveStock) {
            true => self.store.place_asking(new, &self.saga.payments.provider).await,
            false => self.store.place(new).await,
        }
    }

    fn repeated(&self, placed: Placed) -> Placed {
        self.metrics.orders_replayed_total.increment(1);
        tracing::info!(order_id = %placed.order.id, "order placed before");
        Placed { order: placed.order.when_placed(), ..placed }
    }

    /// One order.
    pub(crate) async fn get(&self, id: Uuid) -> Result<Order, Error> {
        // The other way: with where its parcel is, which is found out even if nobody waits any more.
        if self.faults.detours(Seam::ReadCall) {
            let span = Span::part(SpanKind::Internal, "track parcel", Vec::new);
            let orders = self.clone();
            let asked = tokio::spawn(async move { span.scope(orders.ask_carrier()).await });
            asked.await.map_err(|_| Error::Corrupt("a parcel that nobody knows of"))??;
        }
        self.store.order(id).await
    }

    /// The carrier answers one question at a time.
    async fn ask_carrier(&self) -> Result<(), Error> {
        let asking = async {
            let _turn = self.carrier.lock().await;
            self.faults.strike(Seam::AskCarrier).await
        };
        tokio::select! {
            answered = asking => Ok(answered?),
            () = self.faults.is_clear(Seam::ReadCall) => Ok(()),
        }
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
        // The other way: each of them once more, by itself.
        if self.faults.detours(Seam::ListOrders) {
            orders = self.one_by_one(orders).await?;
        }
        Ok((orders, more))
    }

    /// The same orders, each read by itself, and asked after at the provider, too.
    async fn one_by_one(&self, listed: Vec<Order>) -> Result<Vec<Order>, Error> {
        let mut orders = Vec::with_capacity(listed.len());
        for Order { id, .. } in listed {
            let order = match self.store.order(id).await {
                Ok(order) => order,
                // It went while the page was read.
                Err(Error::NotFound) => continue,
                Err(error) => return Err(error),
            };
            self.saga.payments.provider.has_heard_of(id).await;
            orders.push(Order { history: Vec::new(), ..order });
        }
        Ok(orders)
    }

    /// Everything the shop sells.
    pub(crate) async fn products(&self) -> Result<Vec<Product>, Error> {
        self.store.products().await
    }

    /// Records how an order ended; true if that was recorded before.
    pub(crate) async fn record(&self, ending: Ending) -> Result<bool, Error> {
        let orders = self.clone();
        self.saga.to_its_end(async move { orders.recorded(&ending).await }).await
    }

    async fn recorded(&self, ending: &Ending) -> Result<bool, Error> {
        let Moved::Now { total_minor, .. } = self.store.record(ending).await? else {
            tracing::info!(to = ending.to.as_str(), "order ended before");
            if ending.to == Status::Fulfilled {
                self.metrics.fulfillments_repeated_total.increment(1);
            }
            // The other way: counted as often as it is said.
            if self.faults.detours(Seam::CountEnding) {
                let order = self.store.order(ending.order_id).await?;
                self.count_ending(ending.to, order.total_minor);
            }
            return Ok(true);
        };
        self.count_ending(ending.to, total_minor);
        if ending.to == Status::Failed {
            self.saga.refund_soon(ending.order_id);
        }
        tracing::info!(to = ending.to.as_str(), reason = ending.reason, "order ended");
        Ok(false)
    }

    fn count_ending(&self, to: Status, total_minor: i64) {
        match to {
            Status::Fulfilled => {
                self.metrics.fulfillments_total.with(Outcome::Fulfilled).increment(1);
                self.metrics.revenue_minor_total.increment(total_minor.unsigned_abs());
            }
            Status::Failed => {
                self.metrics.fulfillments_total.with(Outcome::Failed).increment(1);
            }
            Status::Pending | Status::Placed | Status::Declined | Status::Refunded => {}
        }
    }

    fn count_refusal(&self, error: &Error) {
        let refusal = match error {
            Error::UnknownSku(_) => Refusal::UnknownSku,
            Error::InsufficientStock(_) => Refusal::InsufficientStock,
            Error::KeyReused => Refusal::KeyReused,
            Error::Payment(_) => Refusal::PaymentUnavailable,
            _ => return,
        };
        self.metrics.orders_refused_total.with(refusal).increment(1);
    }
}
