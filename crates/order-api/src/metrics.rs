//! What order-api measures, beside the process.

use instrumentation::{metrics::Declaration, net, rpc::ServerMetrics};

use resilience::{breaker, budget, bulkhead};

use crate::{
    payments::PaymentStatus,
    status::{Owed, Status},
};

/// All that order-api measures, beside what every process does.
pub const CATALOGUES: &[&[Declaration]] = &[
    Metrics::CATALOGUE,
    breaker::Metrics::<Circuit>::CATALOGUE,
    budget::Metrics::CATALOGUE,
    net::Metrics::<Peer>::CATALOGUE,
    ServerMetrics::CATALOGUE,
    bulkhead::Metrics::CATALOGUE,
];

instrumentation::label! {
    /// What a circuit breaker stands before.
    pub enum Circuit as "circuit" {
        /// The payment provider.
        PaymentProvider = "payment_provider",
    }
}

instrumentation::label! {
    /// What the payment provider is asked for.
    pub enum Operation as "operation" {
        /// Hold money.
        Authorize = "authorize",
        /// What became of holding money.
        Find = "find",
        /// Take the money that is held.
        Capture = "capture",
        /// Give money back.
        Refund = "refund",
    }
}

impl Operation {
    /// The HTTP method and the path that ask for it.
    pub(crate) fn route(self) -> (&'static str, &'static str) {
        match self {
            Self::Authorize => ("POST", "/authorizations"),
            Self::Find => ("GET", "/authorizations/{idempotency_key}"),
            Self::Capture => ("POST", "/captures"),
            Self::Refund => ("POST", "/refunds"),
        }
    }
}

instrumentation::label! {
    /// How a request to the payment provider ended.
    pub enum Answered as "outcome" {
        /// With an answer, a declined payment or a closed one included.
        Ok = "ok",
        /// With an answer that says nothing.
        Failed = "failed",
        /// Without an answer in time.
        TimedOut = "timed_out",
        /// The connection could not be made, or broke.
        Unreachable = "unreachable",
        /// It was not sent: too many were on their way.
        Rejected = "rejected",
    }
}

instrumentation::label! {
    /// How going on with an overdue order ended.
    pub enum Resumed as "outcome" {
        /// A step further.
        Done = "done",
        /// It will be tried again.
        Postponed = "postponed",
    }
}

instrumentation::label! {
    /// Who is at the other end of a connection.
    pub enum Peer as "peer" {
        /// web-gateway, fulfillment-worker, and whoever else calls.
        Clients = "clients",
    }
}

instrumentation::label! {
    /// Why a valid order was not placed.
    pub enum Refusal as "reason" {
        /// The shop does not sell it.
        UnknownSku = "unknown_sku",
        /// There is less of it than was ordered.
        InsufficientStock = "insufficient_stock",
        /// The idempotency key belongs to another order.
        KeyReused = "idempotency_key_reused",
        /// The payment provider will not pay.
        PaymentDeclined = "payment_declined",
        /// The payment provider is known to be away.
        PaymentUnavailable = "payment_unavailable",
    }
}

instrumentation::label! {
    /// How fulfilling an order ended.
    pub enum Outcome as "outcome" {
        /// Picked and packed.
        Fulfilled = "fulfilled",
        /// Could not be; stock returned.
        Failed = "failed",
    }
}

instrumentation::label! {
    /// What a pooled connection does.
    pub enum ConnectionState as "state" {
        /// It waits for work.
        Idle = "idle",
        /// A call has it.
        Used = "used",
    }
}

instrumentation::label! {
    /// A statement, by name.
    pub enum Query as "query" {
        /// A transaction's first.
        Begin = "begin",
        /// A transaction's last.
        Commit = "commit",
        /// The claim of an idempotency key.
        ClaimKey = "claim_key",
        /// The first answer to a key.
        ReadKey = "read_key",
        /// Keys whose time is over, forgotten.
        ForgetKeys = "forget_keys",
        /// Stock of one product, taken.
        ReserveStock = "reserve_stock",
        /// Stock of one product, kept from others.
        HoldStock = "hold_stock",
        /// Whether a product exists.
        FindProduct = "find_product",
        /// The order itself.
        InsertOrder = "insert_order",
        /// Its lines.
        InsertItems = "insert_items",
        /// Its event.
        InsertEvent = "insert_event",
        /// Its next status, in its history.
        InsertHistory = "insert_history",
        /// Its history.
        ReadHistory = "read_history",
        /// Overdue orders, leased.
        ClaimDue = "claim_due",
        /// An order for which nothing is left to be done.
        SettleOrder = "settle_order",
        /// An overdue order that could not be gone on with.
        PostponeOrder = "postpone_order",
        /// What the payment provider answered.
        InsertPayment = "insert_payment",
        /// A payment.
        ReadPayment = "read_payment",
        /// A payment's next status.
        MovePayment = "move_payment",
        /// One order with its lines.
        GetOrder = "get_order",
        /// A page of orders with their lines.
        ListOrders = "list_orders",
        /// All products.
        ListProducts = "list_products",
        /// An order's status.
        ReadStatus = "read_status",
        /// An order's next status.
        MoveOrder = "move_order",
        /// How an order ended.
        InsertFulfillment = "insert_fulfillment",
        /// The lines whose stock goes back.
        ReadItems = "read_items",
        /// Stock of one product, returned.
        ReturnStock = "return_stock",
        /// Events to publish, leased.
        ClaimEvents = "claim_events",
        /// Published events.
        DeleteEvents = "delete_events",
        /// An event that could not be published.
        ReleaseEvent = "release_event",
        /// Orders that were announced in vain.
        FindForgotten = "find_forgotten",
        /// Somebody who signs in.
        FindUser = "find_user",
        /// How many may sign in.
        CountUsers = "count_users",
        /// The first users.
        InsertUsers = "insert_users",
        /// Whether the database answers.
        Ping = "ping",
        /// The outbox, for metrics.
        SampleOutbox = "sample_outbox",
        /// The stock, for metrics.
        SampleStock = "sample_stock",
        /// The oldest open order, for metrics.
        SampleOldest = "sample_oldest",
        /// The order that is overdue longest, for metrics.
        SampleOverdue = "sample_overdue",
        /// Orders by status, for metrics.
        CountOrders = "count_orders",
    }
}

instrumentation::label! {
    /// How publishing an event ended.
    pub enum Published as "result" {
        /// The broker has it.
        Confirmed = "confirmed",
        /// The broker refused it.
        Nacked = "nacked",
        /// No queue takes it.
        Returned = "returned",
        /// The broker did not answer in time.
        TimedOut = "timed_out",
        /// The connection failed.
        Failed = "failed",
    }
}

instrumentation::metrics! {
    /// The metrics of order-api.
    pub struct Metrics {
        /// gRPC calls that were refused without any work, so that others can be answered.
        grpc_requests_shed_total: Counter<()>, Count;
        /// Orders placed, which is stored and paid; a repeated call counts once.
        orders_created_total: Counter<()>, Count;
        /// Valid orders that were refused.
        orders_refused_total: Counter<Refusal>, Count;
        /// Repeated calls that got the first answer again.
        orders_replayed_total: Counter<()>, Count;
        /// Orders whose end was recorded.
        fulfillments_total: Counter<Outcome>, Count;
        /// Times an order was said to be fulfilled that was fulfilled already.
        fulfillments_repeated_total: Counter<()>, Count;
        /// Price of the orders that were fulfilled.
        revenue_minor_total: Counter<()>, Minor;
        /// Payments that came to a status, an order's at most once each.
        payments_total: Counter<PaymentStatus>, Count;
        /// Orders answered before anybody knew whether they are paid.
        payments_undecided_total: Counter<()>, Count;
        /// Money taken from customers.
        captured_minor_total: Counter<()>, Minor;
        /// Money given back to customers after it had been taken.
        refunds_minor_total: Counter<()>, Minor;
        /// Requests to the payment provider.
        payment_provider_requests_total: Counter<(Operation, Answered)>, Count;
        /// Time the payment provider took to answer, or was waited for in vain.
        payment_provider_request_duration_seconds: Timer<Operation>, Seconds;
        /// Requests to the payment provider that were sent again.
        payment_provider_retries_total: Counter<()>, Count;
        /// Steps for orders that were overdue.
        orders_resumed_total: Counter<(Owed, Resumed)>, Count;
        /// How long the order that is overdue longest has been so; 0 if there is none.
        orders_longest_overdue_seconds: Gauge<()>, Seconds;
        /// Orders by where they stand.
        orders: Gauge<Status>, Count;
        /// Age of the oldest order that is neither fulfilled nor failed; 0 if there is none.
        orders_oldest_unfulfilled_age_seconds: Gauge<()>, Seconds;
        /// Units of all products together that can still be ordered.
        stock_units: Gauge<()>, Count;
        /// Units of the product that there is least of.
        stock_lowest_units: Gauge<()>, Count;
        /// Products of which nothing is left.
        stock_sold_out_products: Gauge<()>, Count;
        /// Pooled connections to the database.
        db_pool_connections: Gauge<ConnectionState>, Count;
        /// Most connections that the pool may open.
        db_pool_connections_max: Gauge<()>, Count;
        /// Calls that wait for a connection.
        db_pool_waiters: Gauge<()>, Count;
        /// Time a call waited for a connection, in vain or not.
        db_pool_wait_duration_seconds: Timer<()>, Seconds;
        /// Time a call kept its connection.
        db_pool_use_duration_seconds: Timer<()>, Seconds;
        /// Calls that waited for a connection in vain.
        db_pool_timeouts_total: Counter<()>, Count;
        /// Time a statement took, failed or not.
        db_statement_duration_seconds: Timer<Query>, Seconds;
        /// Transactions done again after a conflict with another.
        db_transaction_retries_total: Counter<()>, Count;
        /// Events that wait to be published and confirmed.
        outbox_depth: Gauge<()>, Count;
        /// Age of the oldest event that waits; 0 if there is none.
        outbox_oldest_age_seconds: Gauge<()>, Seconds;
        /// Attempts to publish an event.
        outbox_publishes_total: Counter<Published>, Count;
        /// Time from an event's writing to the broker's confirmation.
        outbox_delay_seconds: Timer<()>, Seconds;
        /// Whether the relay is connected to the broker.
        outbox_broker_connected: Gauge<()>, Count;
    }
}
