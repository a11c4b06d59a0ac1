//! What the services of the shop agree upon.
//!
//! - [`shop::v1`]: the gRPC contract, generated from `proto/shop/v1`.
//! - [`order`]: the rules that every order obeys, as types that cannot hold anything else.
//! - [`refusal`]: the stable reasons with which order-api refuses a call.
//! - [`event`]: what order-api announces on the queue.
//! - [`message`]: what a message carries beside its body.
//! - [`broker`]: connecting to the queue.
//! - [`topology`]: exchanges and queues, declared the same way by everyone who uses them.

pub mod broker;
pub mod event;
pub mod message;
pub mod order;
pub mod refusal;
pub mod topology;

/// The protobuf packages of the shop.
pub mod shop {
    /// Version 1 of the contract; every item is documented in `proto/shop/v1`.
    #[expect(missing_docs, clippy::allow_attributes, reason = "generated code")]
    pub mod v1 {
        tonic::include_proto!("shop.v1");

        impl std::fmt::Debug for AuthenticateRequest {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("AuthenticateRequest")
            }
        }
    }
}

/// The compiled contract, for gRPC reflection.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/shop.v1.bin"));

/// The correlation id's name, as an HTTP header and as gRPC metadata.
pub const CORRELATION_ID: &str = "x-correlation-id";

/// The one currency of the shop, ISO 4217.
pub const CURRENCY: &str = "EUR";
