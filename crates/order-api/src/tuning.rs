//! What of the settings can be changed while order-api runs.

use std::time::Duration;

use instrumentation::settings::{Live, Settings};
use resilience::{breaker, budget, setting};

use crate::config::Config;

/// The settings of calls to the payment provider.
#[derive(Clone, Debug)]
pub(crate) struct Tuning {
    pub(crate) timeout: Live<Duration>,
    pub(crate) breaker: Live<breaker::Settings>,
    pub(crate) retries: Live<budget::Settings>,
}

impl Tuning {
    pub(crate) fn of(config: &Config) -> Self {
        Self {
            timeout: Live::new(config.payment_provider_timeout.into()),
            breaker: Live::new(config.breaker),
            retries: Live::new(config.retries),
        }
    }

    /// Under the names of their flags.
    pub(crate) fn offered(&self) -> Settings {
        let settings =
            Settings::default().with("payment-provider-timeout", &self.timeout, setting::some_time);
        budget::Settings::offer(&self.retries, breaker::Settings::offer(&self.breaker, settings))
    }
}
