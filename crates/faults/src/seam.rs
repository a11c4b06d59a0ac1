//! The steps of the services at which something can go wrong.

use serde::{Deserialize, Serialize};

/// One of the three services.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Service {
    /// The HTTP edge.
    WebGateway,
    /// The owner of orders.
    OrderApi,
    /// The one who picks and packs.
    FulfillmentWorker,
}

impl Service {
    /// Every service, in the direction an order flows.
    pub const ALL: [Self; 3] = [Self::WebGateway, Self::OrderApi, Self::FulfillmentWorker];

    /// The service's name, as in logs, metrics and compose.
    pub fn name(self) -> &'static str {
        match self {
            Self::WebGateway => "web-gateway",
            Self::OrderApi => "order-api",
            Self::FulfillmentWorker => "fulfillment-worker",
        }
    }
}

/// A step about to happen: verb and noun, in words of the business.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Seam {
    /// web-gateway is about to call order-api.
    CallOrderApi,
    /// order-api is about to store an order.
    StoreOrder,
    /// order-api is about to publish an event from its outbox.
    PublishEvent,
    /// fulfillment-worker is about to pick and pack an order.
    FulfillOrder,
}

impl Seam {
    /// Every seam.
    pub const ALL: [Self; 4] =
        [Self::CallOrderApi, Self::StoreOrder, Self::PublishEvent, Self::FulfillOrder];

    /// The service whose step it is.
    pub fn service(self) -> Service {
        match self {
            Self::CallOrderApi => Service::WebGateway,
            Self::StoreOrder | Self::PublishEvent => Service::OrderApi,
            Self::FulfillOrder => Service::FulfillmentWorker,
        }
    }

    pub(crate) fn bit(self) -> u64 {
        1 << self as u64
    }
}
