//! The settings of the payment provider.

use std::{fmt, ops::RangeInclusive, str::FromStr, time::Duration};

use ::provider::{Behaviour, Config, Credentials};

/// How the payment provider begins, and who it lets in.
#[derive(Clone, Debug, clap::Args)]
pub struct ProviderSettings {
    /// Requests that the payment provider serves at a time.
    #[arg(
        long,
        env = "LAB_PROVIDER_CAPACITY",
        default_value = "16",
        value_name = "COUNT",
        value_parser = capacity
    )]
    pub provider_capacity: usize,

    /// Half of the payment provider's requests are served within this time.
    #[arg(
        long,
        env = "LAB_PROVIDER_MEDIAN",
        default_value = "8ms",
        value_name = "TIME",
        value_parser = median
    )]
    pub provider_median: Duration,

    /// Share of cards that the payment provider declines.
    #[arg(
        long,
        env = "LAB_PROVIDER_DECLINE_RATE",
        default_value = "0.02",
        value_name = "SHARE",
        value_parser = decline_rate
    )]
    pub provider_decline_rate: f64,

    /// How long a token of the payment provider is valid.
    #[arg(
        long,
        env = "LAB_PROVIDER_TOKEN_TTL",
        default_value = "5m",
        value_name = "TIME",
        value_parser = token_ttl
    )]
    pub provider_token_ttl: Duration,

    /// Who the payment provider knows.
    #[arg(long, env = "PAYMENT_PROVIDER_CLIENT_ID", default_value = "shop", value_name = "NAME")]
    pub provider_client_id: String,

    /// By what it knows them.
    #[arg(
        long,
        env = "PAYMENT_PROVIDER_CLIENT_SECRET",
        hide_env_values = true,
        default_value = "shop-secret",
        value_name = "SECRET"
    )]
    pub provider_client_secret: Secret,
}

/// A text that is not shown.
#[derive(Clone)]
pub struct Secret(pub String);

impl ProviderSettings {
    /// What the provider is made with; the seed decides who is declined, and how long all takes.
    pub(super) fn config(&self, seed: u64) -> Config {
        let behaviour = Behaviour {
            capacity: self.provider_capacity,
            median: self.provider_median,
            decline_rate: self.provider_decline_rate,
            token_ttl: self.provider_token_ttl,
            ..Behaviour::default()
        };
        let credentials = Credentials {
            client_id: self.provider_client_id.clone(),
            client_secret: self.provider_client_secret.0.clone(),
        };
        Config { credentials, seed, behaviour, ..Config::default() }
    }
}

impl FromStr for Secret {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

fn capacity(text: &str) -> Result<usize, String> {
    number(text, Behaviour::CAPACITIES)
}

fn median(text: &str) -> Result<Duration, String> {
    duration(text, Behaviour::MEDIANS)
}

fn decline_rate(text: &str) -> Result<f64, String> {
    number(text, Behaviour::DECLINE_RATES)
}

fn token_ttl(text: &str) -> Result<Duration, String> {
    duration(text, Behaviour::TOKEN_TTLS)
}

/// Reads a number that is possible.
pub(super) fn number<T: FromStr + PartialOrd + fmt::Display>(
    text: &str,
    possible: RangeInclusive<T>,
) -> Result<T, String> {
    match text.parse() {
        Ok(number) if possible.contains(&number) => Ok(number),
        _ => Err(format!("must be a number from {} to {}", possible.start(), possible.end())),
    }
}

fn duration(text: &str, possible: RangeInclusive<Duration>) -> Result<Duration, String> {
    match humantime::parse_duration(text) {
        Ok(duration) if possible.contains(&duration) => Ok(duration),
        _ => {
            let [least, most] = [possible.start(), possible.end()];
            let shown = |duration: &Duration| humantime::format_duration(*duration).to_string();
            Err(format!("must be a time from {} to {}, such as 5m", shown(least), shown(most)))
        }
    }
}
