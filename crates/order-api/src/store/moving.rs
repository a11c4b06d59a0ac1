//! Moving an order on, as its table of transitions has it.

use std::time::Duration;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{
    Order, Store, Thread, history, now, outbox,
    session::{Link, Unit},
    stock,
};
use crate::{
    error::Error,
    status::{Leaves, Status, Step, TRANSITIONS, Transition, With},
};

/// For how long an order is left to whoever has it in hand, before another goes on with it: longer
/// than a call may take.
pub(super) const IN_HAND: Duration = Duration::from_secs(10);

/// How fulfilling an order ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ending {
    /// The order.
    pub order_id: Uuid,
    /// The message that asked for it.
    pub message_id: String,
    /// Where the order goes.
    pub to: Status,
    /// Why it failed, if it did and someone said why.
    pub reason: Option<&'static str>,
}

/// What asking an order to move came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moved {
    /// It moved.
    Now {
        /// Its price, in minor units.
        total_minor: i64,
        /// When.
        at: DateTime<Utc>,
    },
    /// It was there already, or has been.
    Before,
}

/// What is written beside a move.
#[derive(Clone, Copy)]
enum Beside<'a> {
    Nothing,
    Event(&'a Order, &'a Thread),
    Ending(&'a Ending),
}

impl Store {
    /// Records how fulfilling an order ended; a failed one returns its stock with it. Recording
    /// it again changes nothing.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::NotOpen`] if the order ended otherwise; or the database's.
    pub async fn record(&self, ending: &Ending) -> Result<Moved, Error> {
        self.move_on(ending.order_id, ending.to, Beside::Ending(ending)).await
    }

    /// Records that an order is paid, and asks for its fulfillment.
    ///
    /// # Errors
    /// As of [`Store::record`].
    pub async fn confirm(&self, order: &Order, thread: &Thread) -> Result<Moved, Error> {
        let moved = self.move_on(order.id, Status::Placed, Beside::Event(order, thread)).await?;
        if let Moved::Now { .. } = moved {
            self.event_written.notify_one();
        }
        Ok(moved)
    }

    /// Records that an order will not be paid, and returns its stock.
    ///
    /// # Errors
    /// As of [`Store::record`].
    pub async fn decline(&self, id: Uuid) -> Result<Moved, Error> {
        self.move_on(id, Status::Declined, Beside::Nothing).await
    }

    /// Records that a failed order has its money back.
    ///
    /// # Errors
    /// As of [`Store::record`].
    pub async fn refund(&self, id: Uuid) -> Result<Moved, Error> {
        self.move_on(id, Status::Refunded, Beside::Nothing).await
    }

    async fn move_on(&self, id: Uuid, to: Status, beside: Beside<'_>) -> Result<Moved, Error> {
        self.retried(|| self.try_move(id, to, beside)).await
    }

    /// Most orders stand where they are expected: so the move is tried before anybody looks.
    async fn try_move(&self, id: Uuid, to: Status, beside: Beside<'_>) -> Result<Moved, Error> {
        let mut session = self.session().await?;
        for transition in TRANSITIONS.iter().filter(|transition| transition.to == to) {
            let mut unit = session.begin().await?;
            if let Some(moved) = take(&mut unit, id, transition, beside).await? {
                unit.commit().await?;
                return Ok(moved);
            }
            unit.undo().await?;
        }
        let status = status(session.link(), id).await?;
        match status.step(to) {
            Step::Taken => Ok(Moved::Before),
            Step::Barred => Err(Error::NotOpen(status)),
            // It came to where it may move from since the move was tried.
            Step::Take(_) => Err(Error::Collided),
        }
    }
}

async fn take(
    unit: &mut Unit<'_>,
    id: Uuid,
    transition: &Transition,
    beside: Beside<'_>,
) -> Result<Option<Moved>, Error> {
    let at = now();
    let Some(total_minor) = move_order(unit.link(), id, transition, at).await? else {
        return Ok(None);
    };
    history::write(unit.link(), id, transition.to, at).await?;
    if transition.with == With::Stock {
        stock::give_back(unit.link(), id).await?;
    }
    match beside {
        Beside::Nothing => {}
        Beside::Event(order, thread) => outbox::write(unit.link(), order, thread, at, at).await?,
        Beside::Ending(ending) => write_ending(unit.link(), ending, at).await?,
    }
    Ok(Some(Moved::Now { total_minor, at }))
}

async fn status(mut link: Link<'_>, id: Uuid) -> Result<Status, Error> {
    let status: Option<String> = statement!(
        link,
        ReadStatus,
        fetch_optional,
        sqlx::query_scalar("SELECT status FROM orders WHERE id = $1",).bind(id)
    )?;
    let status = status.ok_or(Error::NotFound)?;
    Status::try_from(status).map_err(|_| Error::Corrupt("an order's status"))
}

/// Moves the order if it still stands where it comes from, and returns its price.
async fn move_order(
    mut link: Link<'_>,
    id: Uuid,
    transition: &Transition,
    at: DateTime<Utc>,
) -> Result<Option<i64>, Error> {
    let due_at = match transition.leaves {
        Leaves::Step => Some(at + IN_HAND),
        Leaves::Nothing | Leaves::Same => None,
    };
    let total_minor = statement!(
        link,
        MoveOrder,
        fetch_optional,
        sqlx::query_scalar(
            "UPDATE orders SET status = $1, updated_at = $2, attempts = 0,
                due_at = CASE WHEN $3 THEN due_at ELSE $4 END
         WHERE id = $5 AND status = $6 RETURNING total_minor",
        )
        .bind(transition.to.as_str())
        .bind(at)
        .bind(transition.leaves == Leaves::Same)
        .bind(due_at)
        .bind(id)
        .bind(transition.from.as_str())
    )?;
    Ok(total_minor)
}

async fn write_ending(mut link: Link<'_>, ending: &Ending, at: DateTime<Utc>) -> Result<(), Error> {
    statement!(
        link,
        InsertFulfillment,
        execute,
        sqlx::query(
            "INSERT INTO fulfillments (order_id, message_id, outcome, reason, recorded_at)
         VALUES ($1, $2, $3, $4, $5)",
        )
        .bind(ending.order_id)
        .bind(&ending.message_id)
        .bind(ending.to.as_str())
        .bind(ending.reason)
        .bind(at)
    )?;
    Ok(())
}
