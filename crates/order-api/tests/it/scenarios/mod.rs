//! What the store promises, whatever the database.

pub(crate) mod ending;
pub(crate) mod outbox;
pub(crate) mod placing;
pub(crate) mod reading;
pub(crate) mod repeating;
