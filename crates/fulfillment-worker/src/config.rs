//! The settings of fulfillment-worker.

use std::{fmt, net::SocketAddr, str::FromStr};

use instrumentation::service;
use lapin::uri::AMQPUri;
use resilience::Urls;

/// The settings; each has a flag, a variable and a default that works in compose.
#[derive(Clone, Debug, clap::Args)]
pub struct Config {
    /// Where `/metrics`, `/health`, `/ready` and control are served.
    #[arg(
        long,
        env = "FULFILLMENT_WORKER_SIDE_LISTEN",
        default_value = "0.0.0.0:2112",
        value_name = "ADDRESS"
    )]
    pub side_listen: SocketAddr,

    /// The broker.
    #[arg(
        long,
        env = "AMQP_URL",
        default_value = "amqp://shop:shop@rabbitmq:5672/%2f",
        hide_env_values = true,
        value_name = "URL"
    )]
    pub amqp_url: AmqpUrl,

    /// Where order-api answers: one URL, or several with commas between.
    #[arg(
        long,
        env = "ORDER_API_URL",
        default_value = "http://order-api:50051",
        value_name = "URLS"
    )]
    pub order_api_url: Urls,

    /// How many orders are worked on at once.
    #[arg(long, env = "FULFILLMENT_WORKER_PREFETCH", default_value_t = 16, value_name = "COUNT",
          value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub prefetch: u16,

    /// How long half of the orders of one line take at most to be picked and packed.
    #[arg(
        long,
        env = "FULFILLMENT_WORKER_PICKING_MEDIAN",
        default_value = "60ms",
        value_name = "DURATION"
    )]
    pub picking_median: humantime::Duration,

    /// Share of orders whose goods are not where they should be, 0 to 1.
    #[arg(long, env = "FULFILLMENT_WORKER_GOODS_MISSING_RATE", default_value = "0",
          value_name = "SHARE", value_parser = share)]
    pub goods_missing_rate: f64,

    /// What it is known by.
    #[command(flatten)]
    pub identity: identity::Config,

    /// The settings that every service has.
    #[command(flatten)]
    pub instrumentation: instrumentation::config::Config,
}

impl service::Config for Config {
    const SERVICE: &'static str = "fulfillment-worker";
    const ABOUT: &'static str =
        "Takes orders from the queue, has them picked and packed, and tells order-api";

    fn instrumentation(&self) -> &instrumentation::config::Config {
        &self.instrumentation
    }

    fn side_listen(&self) -> SocketAddr {
        self.side_listen
    }
}

/// A broker's address, which keeps its password to itself.
#[derive(Clone, PartialEq, Eq)]
pub struct AmqpUrl(AMQPUri);

impl AmqpUrl {
    /// The address with everything that is needed to connect.
    pub fn expose(&self) -> AMQPUri {
        self.0.clone()
    }
}

impl FromStr for AmqpUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        text.parse().map(Self)
    }
}

impl fmt::Display for AmqpUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let AMQPUri { scheme, authority, vhost, .. } = &self.0;
        write!(f, "{scheme}://{}:{} vhost {vhost}", authority.host, authority.port)
    }
}

impl fmt::Debug for AmqpUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

fn share(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(share) if (0.0..=1.0).contains(&share) => Ok(share),
        _ => Err("must be a number from 0 to 1".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_keeps_its_password_to_itself() {
        let url: AmqpUrl = "amqp://shop:secret@queue:5673/%2f".parse().unwrap();
        for shown in [url.to_string(), format!("{url:?}")] {
            assert_eq!(shown, "amqp://queue:5673 vhost /");
        }
        assert_eq!(url.expose().authority.userinfo.password, "secret");
    }

    #[test]
    fn a_share_is_a_number_from_0_to_1() {
        assert_eq!(share("0.25"), Ok(0.25));
        for bad in ["-0.1", "1.1", "NaN", "half"] {
            assert!(share(bad).is_err(), "{bad}");
        }
    }
}
