//! What is logged, and how to change it while the service runs.

use std::sync::{Mutex, OnceLock};

use tracing_subscriber::{EnvFilter, Registry, reload};

/// What the libraries underneath say matters only when something is wrong with them.
const LIBRARIES: [&str; 7] = [
    "h2=warn",
    "hyper=warn",
    "tower=warn",
    "tonic=warn",
    "lapin=error",
    "sqlx=warn",
    "opentelemetry=off",
];

/// The filter in force, and what it was made of.
static CURRENT: OnceLock<(reload::Handle<EnvFilter, Registry>, Mutex<String>)> = OnceLock::new();

/// What was asked for is not a level or filter.
#[derive(Debug, thiserror::Error)]
#[error(
    "expected error, warn, info, debug, trace, off, or directives such as info,order_api=debug"
)]
pub struct BadLevel;

pub(super) fn filter(level: &str) -> Result<EnvFilter, BadLevel> {
    // An empty one would log nothing, which `off` says better.
    if level.trim().is_empty() {
        return Err(BadLevel);
    }
    EnvFilter::try_new(format!("{},{level}", LIBRARIES.join(","))).map_err(|_| BadLevel)
}

/// The filter as a layer that [`set_level`] can change.
pub(super) fn changeable(filter: EnvFilter, level: &str) -> reload::Layer<EnvFilter, Registry> {
    let (layer, handle) = reload::Layer::new(filter);
    // A second one belongs to a second call of `start`, which changes nothing.
    let _ = CURRENT.set((handle, Mutex::new(level.to_owned())));
    layer
}

/// What is logged now.
pub fn level() -> String {
    let current = CURRENT.get().map(|(_, level)| level.lock().expect("no holder panics").clone());
    current.unwrap_or_else(|| "off".to_owned())
}

/// Logs this from now on: a level, or directives such as `info,order_api=debug`.
///
/// # Errors
/// If it is neither; what was logged before goes on being logged.
pub fn set_level(level: &str) -> Result<(), BadLevel> {
    let filter = filter(level)?;
    if let Some((handle, current)) = CURRENT.get() {
        let mut current = current.lock().expect("no holder panics");
        // An error means that logging has ended with the process.
        let _ = handle.reload(filter);
        level.clone_into(&mut current);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_that_cannot_be_parsed_is_an_error() {
        assert!(filter("info,order_api=debug").is_ok());
        for bad in ["order_api=loud", "", " "] {
            assert!(filter(bad).is_err(), "{bad:?}");
        }
    }
}
