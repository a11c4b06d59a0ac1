//! web-gateway as its clients see it, in front of the real order-api.

#![expect(clippy::unwrap_used, reason = "in a test, a panic is how one fails")]

mod away;
mod bad_requests;
mod description;
mod line;
mod metrics;
mod orders;
mod protocol;
mod shop;
