//! When an order came to each status.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::session::Link;
use crate::{error::Error, status::Status};

/// An order came to a status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Came {
    /// Where it stood from then on.
    #[sqlx(try_from = "String")]
    pub status: Status,
    /// When.
    pub at: DateTime<Utc>,
}

pub(super) async fn write(
    mut link: Link<'_>,
    id: Uuid,
    status: Status,
    at: DateTime<Utc>,
) -> Result<(), Error> {
    statement!(
        link,
        InsertHistory,
        execute,
        sqlx::query("INSERT INTO order_history (order_id, status, at) VALUES ($1, $2, $3)",)
            .bind(id)
            .bind(status.as_str())
            .bind(at)
    )?;
    Ok(())
}

/// Everywhere it has been, oldest first: in the order in which it can have been there, whatever the
/// clocks say of who recorded it.
pub(super) async fn read(mut link: Link<'_>, id: Uuid) -> Result<Vec<Came>, Error> {
    let mut history: Vec<Came> = statement!(
        link,
        ReadHistory,
        fetch_all,
        sqlx::query_as("SELECT status, at FROM order_history WHERE order_id = $1",).bind(id)
    )?;
    history.sort_by_key(|came| (came.status.rank(), came.at));
    Ok(history)
}
