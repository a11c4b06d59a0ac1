//! OTLP receiver and a bounded store of the last traces and logs.
//!
//! - [`receiver`]: the gRPC services that take spans and log records.
//! - [`store`]: keeps the last of both in bounded memory, and finds them again.
//! - [`trace`], [`span`] and [`log`]: what is kept.
//! - [`waterfall`]: a trace, drawn for a terminal.
//! - [`id`], [`value`] and [`time`]: how identifiers, attributes and times are read and shown.

mod contents;
mod decode;
mod follower;
pub mod id;
mod kept;
pub mod log;
mod numbered;
pub mod receiver;
mod said;
mod sent;
pub mod span;
pub mod store;
mod strings;
pub mod time;
pub mod trace;
pub mod value;
pub mod waterfall;
mod wire;

pub use contents::{Limits, Stats};
pub use follower::Follower;
pub use store::{Found, Store};
