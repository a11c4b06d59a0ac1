//! What of the settings can be changed while the gateway runs.

use std::time::Duration;

use instrumentation::settings::{Live, Settings};
use resilience::{breaker, budget};

use crate::config::{Config, some_time};

/// The settings of calls to order-api.
#[derive(Clone, Debug)]
pub(crate) struct Tuning {
    pub(crate) request_deadline: Live<Duration>,
    pub(crate) attempt_timeout: Live<Duration>,
    pub(crate) breaker: Live<breaker::Settings>,
    pub(crate) retry: Live<budget::Settings>,
}

impl Tuning {
    pub(crate) fn of(config: &Config) -> Self {
        Self {
            request_deadline: Live::new(config.request_deadline),
            attempt_timeout: Live::new(config.attempt_timeout),
            breaker: Live::new(config.breaker),
            retry: Live::new(config.retry),
        }
    }

    /// Under the names of their flags.
    pub(crate) fn offered(&self) -> Settings {
        let settings = Settings::default()
            .with("request-deadline", &self.request_deadline, some_time)
            .with("attempt-timeout", &self.attempt_timeout, some_time);
        budget::Settings::offer(&self.retry, breaker::Settings::offer(&self.breaker, settings))
    }
}
