//! web-gateway as its clients see it, in front of the real order-api.

#![expect(clippy::unwrap_used, reason = "in a test, a panic is how one fails")]

mod away;
mod bad_requests;
mod description;
mod edges;
mod gullible;
mod line;
mod metrics;
mod orders;
mod other_ways;
mod ownership;
mod protocol;
mod resilience;
mod shop;
mod signing_in;
mod tokens;
