//! What order-api measures, beside the process.

use instrumentation::{metrics::Declaration, net, rpc::ServerMetrics};

use crate::status::Status;

/// All that order-api measures, beside what every process does.
pub const CATALOGUES: &[&[Declaration]] =
    &[Metrics::CATALOGUE, net::Metrics::<Peer>::CATALOGUE, ServerMetrics::CATALOGUE];

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
        /// Stock of one product, taken.
        ReserveStock = "reserve_stock",
        /// Whether a product exists.
        FindProduct = "find_product",
        /// The order itself.
        InsertOrder = "insert_order",
        /// Its lines.
        InsertItems = "insert_items",
        /// Its event.
        InsertEvent = "insert_event",
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
        /// Whether the database answers.
        Ping = "ping",
        /// The outbox, for metrics.
        SampleOutbox = "sample_outbox",
        /// The stock, for metrics.
        SampleStock = "sample_stock",
        /// The oldest open order, for metrics.
        SampleOldest = "sample_oldest",
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
        /// Orders placed; a repeated call counts once.
        orders_created_total: Counter<()>, Count;
        /// Valid orders that were refused.
        orders_refused_total: Counter<Refusal>, Count;
        /// Repeated calls that got the first answer again.
        orders_replayed_total: Counter<()>, Count;
        /// Orders whose end was recorded.
        fulfillments_total: Counter<Outcome>, Count;
        /// Price of the orders that were fulfilled.
        revenue_minor_total: Counter<()>, Minor;
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
