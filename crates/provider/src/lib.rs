//! The payment provider: a company in the outside world that charges the customers' cards.
//!
//! - [`Provider`]: what it does, over HTTP; [`Behaviour`] says how well, and changes while it runs.
//! - `servers`: a line of bounded length in front of a number of servers.
//! - `books`: what was authorized, captured and given back, and what that adds up to.
//! - `tokens`: who may ask, and until when.
//! - `chance`: who is declined and how long each request takes, the same again for the same seed.
//! - `request`, `routes`, `observe` and `error`: the HTTP hop.
//! - `server`: connections, taken or cut.
//!
//! It is a foreign company: of the shop it knows nothing, and it makes no spans of the shop's
//! traces.

mod answer;
mod behaviour;
mod books;
mod chance;
mod config;
mod entry;
mod error;
mod ids;
mod keys;
mod metrics;
mod observe;
mod provider;
mod request;
mod routes;
mod server;
mod servers;
mod tokens;

pub use answer::Totals;
pub use behaviour::Behaviour;
pub use config::{Config, Credentials};
pub use metrics::{Metrics, Operation, Outcome};
pub use provider::Provider;
pub use servers::Load;
