//! Private real servers for tests: each on free ports, in a directory of its own, gone when dropped.
//!
//! - [`Postgres`], [`RabbitMq`] and [`Prometheus`] start a server that no other test shares, can
//!   kill it as a crash would and start it again on the same data and port.
//! - [`Gate`] is a way to one of them that can be made to hang.
//! - [`left_out()`] lets a test return early, and say so, where a server is not installed.
//! - [`eventually()`] polls instead of sleeping, and [`free_port()`] finds a place to listen.
//!
//! Every server started here ends with the test process, even if that is killed (see `process`).

mod eventually;
mod gate;
mod left_out;
mod port;
mod postgres;
mod process;
mod program;
mod prometheus;
mod rabbitmq;

pub use eventually::eventually;
pub use gate::Gate;
pub use left_out::left_out;
pub use port::free_port;
pub use postgres::Postgres;
pub use prometheus::Prometheus;
pub use rabbitmq::RabbitMq;
