//! The settings of the control desk.

use std::{net::SocketAddr, time::Duration};

use faults::Service;
use identity::{demo::DemoUsers, hushed::Hushed};
use order_api::config::DatabaseUrl;

use super::{provider_settings::ProviderSettings, repairs::CALM};
use crate::customers::HIGHEST_RATE;

/// Settings: each is a flag and an environment variable, with a default that works in compose.
#[derive(Clone, clap::Args)]
pub struct Config {
    /// Where the control desk listens.
    #[arg(long, env = "LAB_LISTEN", default_value = "0.0.0.0:4000", value_name = "ADDRESS")]
    pub listen: SocketAddr,

    /// Where traces and logs come in over OTLP (gRPC).
    #[arg(long, env = "LAB_OTLP_LISTEN", default_value = "0.0.0.0:4317", value_name = "ADDRESS")]
    pub otlp_listen: SocketAddr,

    /// Where traces and logs go instead; the desk then does not listen for them.
    #[arg(skip)]
    pub otlp_elsewhere: Option<String>,

    /// Where the payment provider is asked.
    #[arg(
        long,
        env = "LAB_PROVIDER_LISTEN",
        default_value = "0.0.0.0:4100",
        value_name = "ADDRESS"
    )]
    pub provider_listen: SocketAddr,

    /// The payment provider.
    #[command(flatten)]
    pub provider: ProviderSettings,

    /// Where the customers go.
    #[arg(
        long,
        env = "LAB_GATEWAY_URL",
        default_value = "http://web-gateway:3000",
        value_name = "URL"
    )]
    pub gateway_url: String,

    /// web-gateway's side port.
    #[arg(
        long,
        env = "LAB_WEB_GATEWAY_SIDE_URL",
        default_value = "http://web-gateway:3100",
        value_name = "URL"
    )]
    pub web_gateway_side_url: String,

    /// order-api's side port.
    #[arg(
        long,
        env = "LAB_ORDER_API_SIDE_URL",
        default_value = "http://order-api:8000",
        value_name = "URL"
    )]
    pub order_api_side_url: String,

    /// The side port of order-api's second replica, if there may be one.
    #[arg(long, env = "LAB_ORDER_API_CANARY_SIDE_URL", value_name = "URL")]
    pub order_api_canary_side_url: Option<String>,

    /// fulfillment-worker's side port.
    #[arg(
        long,
        env = "LAB_FULFILLMENT_WORKER_SIDE_URL",
        default_value = "http://fulfillment-worker:2112",
        value_name = "URL"
    )]
    pub fulfillment_worker_side_url: String,

    /// The broker.
    #[arg(
        long,
        env = "AMQP_URL",
        default_value = "amqp://shop:shop@rabbitmq:5672/%2f",
        hide_env_values = true,
        value_name = "URL"
    )]
    pub amqp_url: String,

    /// Prometheus, who knows whether a repair has helped.
    #[arg(long, env = "LAB_PROMETHEUS_URL", value_name = "URL")]
    pub prometheus_url: Option<String>,

    /// The shop's database, for faults that are in there; without it they cannot be turned on.
    #[arg(long, env = "LAB_DATABASE_URL", hide_env_values = true, value_name = "URL")]
    pub database_url: Option<DatabaseUrl>,

    /// The control of the proxy in the path to the database; without it, that path cannot become slow.
    #[arg(long, env = "LAB_DATABASE_PROXY_URL", value_name = "URL")]
    pub database_proxy_url: Option<String>,

    /// Journeys that customers begin per second.
    #[arg(long, env = "LAB_RATE", default_value = "3", value_name = "RATE", value_parser = rate)]
    pub rate: f64,

    /// Seed of the customers' choices and arrivals.
    #[arg(long, env = "LAB_SEED", default_value_t = 1, value_name = "NUMBER")]
    pub seed: u64,

    /// Whom the customers sign in as: the same users as order-api's.
    #[arg(long, env = "DEMO_USERS", hide_env_values = true, default_value = DemoUsers::DEFAULT,
          value_name = "USERS", value_parser = Hushed::<DemoUsers>::new())]
    pub demo_users: DemoUsers,

    /// For how long all must be well until a fault about which something was done is repaired.
    #[arg(skip = CALM)]
    pub calm: Duration,
}

impl Config {
    /// The side port of a service.
    pub(super) fn side_url(&self, service: Service) -> &str {
        match service {
            Service::WebGateway => &self.web_gateway_side_url,
            Service::OrderApi => &self.order_api_side_url,
            Service::FulfillmentWorker => &self.fulfillment_worker_side_url,
        }
    }
}

/// Reads a rate of customers.
pub fn rate(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(rate) if (0.0..=HIGHEST_RATE).contains(&rate) => Ok(rate),
        _ => Err(format!("must be a number from 0 to {HIGHEST_RATE}")),
    }
}
