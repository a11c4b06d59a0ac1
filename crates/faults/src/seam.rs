//! The steps of the services at which something can go wrong.

use serde::{Deserialize, Serialize};

/// One of the three services.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
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

/// Declares the seams: each with its service and what its step is.
macro_rules! seams {
    ($($(#[doc = $step:literal])+ $service:ident $seam:ident;)+) => {
        /// A step about to happen: verb and noun, in words of the business.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum Seam {
            $($(#[doc = $step])+ $seam,)+
        }

        impl Seam {
            /// Every seam.
            pub const ALL: &[Self] = &[$(Self::$seam),+];

            /// The service whose step it is.
            pub fn service(self) -> Service {
                match self {
                    $(Self::$seam => Service::$service,)+
                }
            }
        }
    };
}

seams! {
    /// web-gateway has an answer and is about to count it.
    WebGateway CountAnswer;
    /// web-gateway is about to show the products.
    WebGateway ShowProducts;
    /// web-gateway is about to call order-api.
    WebGateway CallOrderApi;
    /// order-api has the head of a call and waits for its message.
    OrderApi ReceiveCall;
    /// order-api has read a call to place an order.
    OrderApi ReadOrder;
    /// order-api is about to store an order.
    OrderApi StoreOrder;
    /// order-api is about to take an order from its first step to its last.
    OrderApi PlaceOrder;
    /// order-api is about to reserve the stock of an order.
    OrderApi ReserveStock;
    /// order-api is about to have an order paid.
    OrderApi PayOrder;
    /// order-api is about to let go of an order whose payment was declined.
    OrderApi DeclineOrder;
    /// order-api is about to count an order that was placed.
    OrderApi CountOrder;
    /// order-api is about to count how an order ended.
    OrderApi CountEnding;
    /// order-api has a call to read an order.
    OrderApi ReadCall;
    /// order-api is about to ask the carrier where a parcel is.
    OrderApi AskCarrier;
    /// order-api is about to read a page of orders.
    OrderApi ListOrders;
    /// order-api has a statement to run.
    OrderApi RunStatement;
    /// order-api is about to renew its key to the payment provider.
    OrderApi RenewKey;
    /// order-api is about to publish an event from its outbox.
    OrderApi PublishEvent;
    /// fulfillment-worker is about to take a message.
    FulfillmentWorker TakeMessage;
    /// fulfillment-worker has a message whose trace it is about to go on with.
    FulfillmentWorker ContinueTrace;
    /// fulfillment-worker is about to give up a message that it cannot read.
    FulfillmentWorker ParkMessage;
    /// fulfillment-worker is about to ask whether an order is done already.
    FulfillmentWorker AskOrder;
    /// fulfillment-worker is about to pick and pack an order.
    FulfillmentWorker FulfillOrder;
    /// fulfillment-worker has done its work and is about to say so.
    FulfillmentWorker SettleMessage;
    /// fulfillment-worker is about to acknowledge a message.
    FulfillmentWorker AcknowledgeMessage;
}

impl Seam {
    /// Whether what takes the other way here goes wrong once, in a process, and ends with it: a task
    /// that has died. Elsewhere the other way is code, which is there again after a restart.
    pub fn dies_with_its_process(self) -> bool {
        matches!(self, Self::TakeMessage | Self::RenewKey)
    }

    pub(crate) fn bit(self) -> u64 {
        1 << self as u64
    }
}
