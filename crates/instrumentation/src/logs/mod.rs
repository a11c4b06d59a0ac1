//! One line per thing that happened: JSON for machines, text on a terminal; and the same over OTLP.
//!
//! - [`line`](mod@line): what happened, with everything that is known about it.
//! - `fields`: what an event or a span says.
//! - `layer`: gathers lines and hands them on.
//! - `level`: what is logged, and how to change it while the service runs.
//! - `waiting`: lines on their way to stdout, written some at a time.

mod fields;
mod layer;
mod level;
mod line;
mod waiting;
mod written;

use std::io::{self, IsTerminal as _};

use tracing_subscriber::{layer::SubscriberExt as _, util::SubscriberInitExt as _};

pub use level::{BadLevel, level, set_level};
pub(crate) use written::written;
pub use written::{Flushing, flush};

use crate::{
    config::{Config, LogFormat},
    export::Export,
};
use layer::Lines;
use line::{Origin, Shape};

/// Starts logging for this process, until what it returns is dropped; a second call changes nothing.
///
/// # Panics
///
/// If `log_level` is not a filter: a setting that cannot be honored is not ignored.
pub fn start(service: &'static str, config: &Config, export: &Export) -> Flushing {
    let filter = level::filter(&config.log_level)
        .unwrap_or_else(|error| panic!("LOG_LEVEL={:?}: {error}", config.log_level));
    let shape = match config.log_format {
        LogFormat::Auto if io::stdout().is_terminal() => Shape::Text { colored: true },
        LogFormat::Auto | LogFormat::Json => Shape::Json,
        LogFormat::Text => Shape::Text { colored: io::stdout().is_terminal() },
    };
    let (version, environment) = (config.service_version.clone(), config.environment.clone());
    let origin = Origin { service, version, environment };
    let lines = Lines { origin, shape, records: export.records(), write: written::write };
    // An error means that a test has started logging already.
    let _ = tracing_subscriber::registry()
        .with(level::changeable(filter, &config.log_level))
        .with(lines)
        .try_init();
    Flushing::begin()
}
