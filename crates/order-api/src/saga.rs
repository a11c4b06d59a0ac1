//! The saga of an order: stored, paid, placed, and undone if it cannot be fulfilled.
//!
//! Each step is done by whoever has the order in hand, and is written down before the next one
//! begins. Whoever dies between two steps leaves an order that becomes due; the `reconciler` goes
//! on with it. Every step may be done twice, and counts once: see the table in
//! [`status`](crate::status).

use std::{panic::resume_unwind, sync::Arc, time::Duration};

use faults::{Seam, Switchboard};
use instrumentation::{
    correlation::CorrelationId,
    metrics::Unlisted,
    trace::{FutureExt as _, Span, SpanKind},
};
use tokio::{task::JoinError, time::timeout};
use tokio_util::task::TaskTracker;
use tracing::Instrument as _;
use uuid::Uuid;

use crate::{
    error::Error,
    metrics::{Metrics, Refusal},
    payments::{Admitted, Charge, PaymentStatus, Payments, Problem},
    status::{Owed, Status},
    store::{Came, Due, HANGS_AFTER, Moved, Order, Payment, Store, Thread},
};

/// How long a call waits for its payment; what is not known by then is found out later.
const PATIENCE: Duration = Duration::from_millis(2500);

/// Takes orders from step to step.
#[derive(Clone, Debug)]
pub(crate) struct Saga {
    pub(crate) store: Arc<Store>,
    pub(crate) payments: Payments,
    pub(crate) metrics: Metrics,
    pub(crate) by_order: Unlisted,
    pub(crate) faults: Arc<Switchboard>,
    /// Steps that nobody waits for.
    pub(crate) tasks: TaskTracker,
}

impl Saga {
    /// Has a stored order paid. If nobody can say whether it is, it stays pending: whatever failed,
    /// the order is stored and due, so the reconciler goes on with it. An error would make the
    /// customer order again.
    pub(crate) async fn pay(&self, order: Order, thread: &Thread, admitted: Admitted) -> Order {
        match self.try_pay(&order, thread, admitted).await {
            Ok(decided) => decided,
            Err(error) => {
                self.metrics.payments_undecided_total.increment(1);
                tracing::warn!(order_id = %order.id, error = error.chain(), "payment not decided");
                order
            }
        }
    }

    async fn try_pay(
        &self,
        order: &Order,
        thread: &Thread,
        admitted: Admitted,
    ) -> Result<Order, Error> {
        let charge = charge(order, thread);
        let paying = timeout(PATIENCE, self.payments.authorize(&charge, Some(admitted)));
        // The other way: nobody else can have its products meanwhile.
        let paid = match self.faults.detours(Seam::PayOrder) {
            true => self.store.holding(order, paying).await?,
            false => paying.await,
        };
        let payment = paid.unwrap_or(Err(Problem::TimedOut.into()))?;
        let (saga, order, thread) = (self.clone(), order.clone(), thread.clone());
        self.to_its_end(async move { saga.decide(&order, &thread, &payment).await }).await
    }

    /// Goes on with an order that is overdue; the step that this took.
    pub(crate) async fn resume(&self, due: &Due) -> (Option<Owed>, Result<(), Error>) {
        let order = match self.store.order(due.id).await {
            Ok(order) => order,
            Err(error) => return (None, Err(error)),
        };
        let owed = order.status.owes();
        let done = match owed {
            Some(Owed::Authorization) => self.pay_after_all(order, &due.thread).await,
            Some(Owed::Capture) => self.capture(due.id).await,
            Some(Owed::Refund) => self.refund(due.id).await,
            None => Ok(()),
        };
        (owed, done)
    }

    /// Gives the money of a failed order back, while nobody waits for it.
    pub(crate) fn refund_soon(&self, id: Uuid) {
        let saga = self.clone();
        self.soon("refund payment", id, async move { saga.refund(id).await });
    }

    async fn pay_after_all(&self, order: Order, thread: &Thread) -> Result<(), Error> {
        let payment = self.payments.authorize(&charge(&order, thread), None).await?;
        self.decide(&order, thread, &payment).await.map(drop)
    }

    /// Places an order that is paid, and lets go of one that is not. One that somebody else has
    /// decided meanwhile is what they made of it.
    async fn decide(
        &self,
        order: &Order,
        thread: &Thread,
        payment: &Payment,
    ) -> Result<Order, Error> {
        let (to, moved) = match payment.status {
            PaymentStatus::Authorized | PaymentStatus::Captured => {
                (Status::Placed, self.store.confirm(order, thread).await)
            }
            PaymentStatus::Declined | PaymentStatus::Voided | PaymentStatus::Refunded => {
                (Status::Declined, self.decline(order.id).await)
            }
        };
        let at = match moved {
            Ok(Moved::Now { at, .. }) => at,
            Ok(Moved::Before) => return self.store.order(order.id).await,
            Err(error @ Error::NotOpen(_)) => {
                let (payment, error) = (payment.status.as_str(), error.chain());
                tracing::error!(order_id = %order.id, payment, error, "order decided otherwise");
                return self.store.order(order.id).await;
            }
            Err(error) => return Err(error),
        };
        let mut order = Order { status: to, updated_at: at, ..order.clone() };
        order.history.push(Came { status: to, at });
        self.decided(&order, payment);
        Ok(order)
    }

    async fn decline(&self, id: Uuid) -> Result<Moved, Error> {
        let moved = self.store.decline(id).await?;
        // The other way: a connection to do more with, which nobody gives back.
        if self.faults.detours(Seam::DeclineOrder)
            && let Ok(connection) = self.store.hold().await
        {
            self.faults.keep(Seam::DeclineOrder, connection);
        }
        Ok(moved)
    }

    fn decided(&self, order: &Order, payment: &Payment) {
        let id = order.id;
        if order.status == Status::Declined {
            let reason = payment.decline_reason.as_deref();
            self.metrics.orders_refused_total.with(Refusal::PaymentDeclined).increment(1);
            tracing::info!(order_id = %id, reason, "order declined");
            return;
        }
        let (lines, total_minor) = (order.items.len(), order.total_minor);
        self.metrics.orders_created_total.increment(1);
        // The other way: counted by its id, too.
        if self.faults.detours(Seam::CountOrder) {
            self.faults.keep(Seam::CountOrder, self.by_order.count(id));
        }
        tracing::info!(order_id = %id, lines, total_minor, "order placed");
        let (saga, payment) = (self.clone(), payment.clone());
        self.soon("capture payment", id, async move {
            let taken = saga.payments.take(payment).await;
            saga.captured(id, taken).await
        });
    }

    /// Takes the money of a placed order after all.
    async fn capture(&self, id: Uuid) -> Result<(), Error> {
        let taken = self.payments.capture(id).await;
        self.captured(id, taken).await
    }

    async fn captured(&self, id: Uuid, taken: Result<Payment, Error>) -> Result<(), Error> {
        match taken {
            // Held no more, and by nobody's will unless the order has failed.
            Ok(payment) if payment.status == PaymentStatus::Authorized => {
                let status = self.store.order(id).await?.status;
                if matches!(status, Status::Placed | Status::Fulfilled) {
                    tracing::error!(order_id = %id, "payment never captured");
                }
            }
            // An order from before there were payments has none.
            Ok(_) | Err(Error::NoPayment) => {}
            // To ask again would not make it known.
            Err(error @ Error::Payment(Problem::Unknown)) => {
                tracing::error!(order_id = %id, error = error.chain(), "payment never captured");
            }
            Err(error) => return Err(error),
        }
        self.store.settle(id).await
    }

    async fn refund(&self, id: Uuid) -> Result<(), Error> {
        match self.payments.refund(id).await {
            Ok(_) | Err(Error::NoPayment) => {}
            // Nobody may say that the money is back: the order stays failed, for people to look at.
            Err(error @ Error::Payment(Problem::Unknown)) => {
                tracing::error!(order_id = %id, error = error.chain(), "payment never refunded");
                return self.store.give_up(id).await;
            }
            Err(error) => return Err(error),
        }
        if let Moved::Now { total_minor, .. } = self.store.refund(id).await? {
            tracing::info!(order_id = %id, total_minor, "order refunded");
        }
        Ok(())
    }

    /// Does what is begun to its end, though whoever waits for it may leave: what was written down is
    /// counted, and what follows from it is done.
    pub(crate) async fn to_its_end<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, Error>> + Send + 'static,
    ) -> Result<T, Error> {
        let work = timeout(HANGS_AFTER, work.with_current_context());
        let work = CorrelationId::keep(work).in_current_span();
        match self.tasks.spawn(work).await.map_err(JoinError::try_into_panic) {
            Ok(done) => done.unwrap_or(Err(Error::Late)),
            Err(Ok(panic)) => resume_unwind(panic),
            Err(Err(_)) => Err(Error::Late),
        }
    }

    /// Does a step in the background; one that fails is left to the reconciler.
    fn soon(
        &self,
        name: &'static str,
        id: Uuid,
        step: impl Future<Output = Result<(), Error>> + Send + 'static,
    ) {
        let span = Span::part(SpanKind::Internal, name, Vec::new);
        let work = async move {
            let done = timeout(HANGS_AFTER, span.scope(step)).await;
            if let Err(error) = done.unwrap_or(Err(Error::Late)) {
                span.fail(error.reason().as_str(), "");
                tracing::warn!(order_id = %id, error = error.chain(), "cannot {name} yet");
            }
        };
        self.tasks.spawn(CorrelationId::keep(work).in_current_span());
    }
}

fn charge(order: &Order, thread: &Thread) -> Charge {
    Charge {
        order_id: order.id,
        amount_minor: order.total_minor,
        currency: order.currency.clone(),
        payment_method: thread.payment_method.clone(),
    }
}
