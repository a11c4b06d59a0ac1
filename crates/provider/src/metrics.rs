//! What the provider measures.

instrumentation::label! {
    /// What the provider is asked for.
    pub enum Operation as "operation" {
        /// A token.
        Token = "token",
        /// To promise to charge a card.
        Authorize = "authorize",
        /// What has become of such a request.
        LookUp = "look_up",
        /// To charge a card.
        Capture = "capture",
        /// To let a promise go, or to give money back.
        Refund = "refund",
    }
}

instrumentation::label! {
    /// How a request to the provider ended.
    pub enum Outcome as "outcome" {
        /// With what was asked for.
        Done = "done",
        /// With the news that the card is declined.
        Declined = "declined",
        /// With the answer to an earlier request.
        Replayed = "replayed",
        /// With a 4xx: it cannot be.
        Refused = "refused",
        /// With a 401: the token is missing, unknown or expired.
        Unauthorized = "unauthorized",
        /// With a 503: too many wait already.
        Overloaded = "overloaded",
        /// With a 500: what became of it is not said.
        Failed = "failed",
        /// Without an answer: the client has gone, or was cut off.
        Abandoned = "abandoned",
    }
}

instrumentation::metrics! {
    /// The provider's metrics.
    pub struct Metrics {
        /// Requests to the payment provider.
        provider_requests_total: Counter<(Operation, Outcome)>, Count;
        /// Time from a request's arrival at the payment provider to its answer, waiting included.
        provider_request_duration_seconds: Timer<Operation>, Seconds;
        /// Requests that wait for a server of the payment provider.
        provider_queue_depth: Gauge<()>, Count;
        /// Servers of the payment provider that are busy.
        provider_servers_busy: Gauge<()>, Count;
        /// Servers that the payment provider has.
        provider_servers: Gauge<()>, Count;
    }
}
