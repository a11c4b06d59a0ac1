//! What the store promises, whatever the database.

pub(crate) mod ending;
pub(crate) mod forgetting;
pub(crate) mod outbox;
pub(crate) mod paying;
pub(crate) mod placing;
pub(crate) mod reading;
pub(crate) mod repeating;
pub(crate) mod users;
