//! Moving an order on, as its table of transitions has it.

use uuid::Uuid;

use super::{
    Store, now,
    session::{Link, Unit},
    stock,
};
use crate::{
    error::Error,
    status::{Status, Step, Transition},
};

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

/// What recording an ending came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moved {
    /// The order moved.
    Now {
        /// Its price, in minor units.
        total_minor: i64,
    },
    /// It was there already.
    Before,
}

impl Store {
    /// Records how fulfilling an order ended; a failed one returns its stock with it. Recording
    /// it again changes nothing.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::NotOpen`] if the order ended otherwise; or the database's.
    pub async fn record(&self, ending: &Ending) -> Result<Moved, Error> {
        self.retried(|| self.try_record(ending)).await
    }

    async fn try_record(&self, ending: &Ending) -> Result<Moved, Error> {
        let mut session = self.session().await?;
        loop {
            let status = status(session.link(), ending.order_id).await?;
            let transition = match status.step(ending.to) {
                Step::Take(transition) => transition,
                Step::Taken => return Ok(Moved::Before),
                Step::Barred => return Err(Error::NotOpen(status)),
            };
            let mut unit = session.begin().await?;
            // None: another call was faster, and what is barred now is decided anew.
            if let Some(total_minor) = take(&mut unit, ending, transition).await? {
                unit.commit().await?;
                return Ok(Moved::Now { total_minor });
            }
            unit.undo().await?;
        }
    }
}

async fn take(
    unit: &mut Unit<'_>,
    ending: &Ending,
    transition: Transition,
) -> Result<Option<i64>, Error> {
    let Some(total_minor) = move_order(unit.link(), ending.order_id, transition).await? else {
        return Ok(None);
    };
    if transition.returns_stock {
        stock::give_back(unit.link(), ending.order_id).await?;
    }
    write(unit.link(), ending).await?;
    Ok(Some(total_minor))
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
    transition: Transition,
) -> Result<Option<i64>, Error> {
    let total_minor = statement!(
        link,
        MoveOrder,
        fetch_optional,
        sqlx::query_scalar(
            "UPDATE orders SET status = $1, updated_at = $2 WHERE id = $3 AND status = $4
         RETURNING total_minor",
        )
        .bind(transition.to.as_str())
        .bind(now())
        .bind(id)
        .bind(transition.from.as_str())
    )?;
    Ok(total_minor)
}

async fn write(mut link: Link<'_>, ending: &Ending) -> Result<(), Error> {
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
        .bind(now())
    )?;
    Ok(())
}
