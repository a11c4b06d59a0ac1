//! What fulfillment-worker measures, beside the process.

use instrumentation::{metrics::Declaration, net, rpc::ClientMetrics};

/// All that fulfillment-worker measures, beside what every process does.
pub const CATALOGUES: &[&[Declaration]] =
    &[Metrics::CATALOGUE, net::Metrics::<Peer>::CATALOGUE, ClientMetrics::CATALOGUE];

instrumentation::label! {
    /// Who is at the other end of a connection.
    pub enum Peer as "peer" {
        /// order-api.
        OrderApi = "order_api",
    }
}

instrumentation::label! {
    /// What became of a message that was taken.
    pub enum Ending as "outcome" {
        /// The order was picked and packed, and is recorded as fulfilled.
        Fulfilled = "fulfilled",
        /// The goods were missing; the order is recorded as failed.
        Failed = "failed",
        /// The order had been recorded before.
        Duplicate = "duplicate",
        /// It did not work this time; the message waits in a retry queue.
        Retried = "retried",
        /// It never will; the message lies in the dead-letter queue.
        Parked = "parked",
        /// The message could not be handed on and went back to its queue.
        Returned = "returned",
    }
}

instrumentation::label! {
    /// Why a message was given up.
    pub enum Reason as "reason" {
        /// It is not an order.
        Malformed = "malformed",
        /// order-api does not know the order.
        UnknownOrder = "unknown_order",
        /// The order has reached another final status.
        OrderNotOpen = "order_not_open",
        /// Every try failed.
        TriesExhausted = "tries_exhausted",
    }
}

instrumentation::metrics! {
    /// What fulfillment-worker measures of its work.
    pub struct Metrics {
        /// Messages taken from the queue, by what became of them.
        fulfillment_messages_total: Counter<Ending>, Count;
        /// Time from taking a message to settling it.
        fulfillment_processing_duration_seconds: Timer<Ending>, Seconds;
        /// Time from placing an order to taking its message, at every try.
        fulfillment_message_age_seconds: Timer<()>, Seconds;
        /// Messages that the broker had delivered before and had not seen settled.
        fulfillment_redeliveries_total: Counter<()>, Count;
        /// Messages that are being worked on.
        fulfillment_messages_in_flight: Gauge<()>, Count;
        /// Messages that may be worked on at once.
        fulfillment_prefetch: Gauge<()>, Count;
        /// Messages given up, by why.
        fulfillment_dead_lettered_total: Counter<Reason>, Count;
        /// Whether the worker takes messages from the broker: 1 if it does.
        fulfillment_connected: Gauge<()>, Count;
    }
}
