//! What every service of the shop shares.
//!
//! - [`service`]: a service's `main`: parse, start, run, finish.
//! - [`config`]: the settings that every service has.
//! - [`logs`]: one line per thing that happened: JSON, readable text on a terminal, OTLP.
//! - [`metrics`](mod@metrics): a metric is a sentence, a unit and labels that can list their values.
//! - [`correlation`]: the business thread through every hop.
//! - [`trace`]: spans, and the W3C trace context through every hop.
//! - [`export`]: traces and logs on their way out, over OTLP.
//! - [`rpc`]: one hop over gRPC, as a server and as a client.
//! - [`net`]: connections, and the bytes that go through them.
//! - [`process`]: what a process and its runtime cost.
//! - [`health`]: alive, and ready.
//! - [`settings`]: what can be changed while a service runs.
//! - [`side`]: the side port, on a runtime of its own.
//! - [`shutdown`]: SIGTERM and Ctrl-C as a token.

pub mod config;
pub mod correlation;
pub mod export;
pub mod health;
pub mod logs;
pub mod metrics;
pub mod net;
pub mod process;
pub mod rpc;
pub mod service;
pub mod settings;
pub mod shutdown;
pub mod side;
pub mod trace;

/// The version of the project, as every service reports it that is told no other.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
/// The revision it was built from; `unknown` outside a build that says it.
pub const REVISION: &str = match option_env!("MISHAP_REVISION") {
    Some(revision) => revision,
    None => "unknown",
};
