//! What the lab measures: the truth about faults, what the customers see, what it keeps of traces
//! and logs, and what its payment provider does.

use faults::{FAULTS, Fault};
use instrumentation::metrics::{Declaration, LabelSet};
use telemetry::Stats;

/// What the lab exposes, beside what every service does.
pub const CATALOGUES: &[&[Declaration]] = &[Metrics::CATALOGUE, provider::Metrics::CATALOGUE];

instrumentation::label! {
    /// What a customer has come for.
    pub enum Journey as "journey" {
        /// Look at the products.
        Browse = "browse",
        /// Look at the products, order, and look again until the order is fulfilled.
        Order = "order",
        /// Look at earlier orders.
        List = "list",
    }
}

instrumentation::label! {
    /// How a customer's request ended.
    pub enum Outcome as "outcome" {
        /// With what was asked for.
        Served = "served",
        /// With a 402: the customer's card was declined.
        Declined = "declined",
        /// With another 4xx: the shop says that it cannot be.
        Refused = "refused",
        /// With a 5xx: the shop says that it cannot.
        Failed = "failed",
        /// Not within the customer's patience.
        TimedOut = "timed_out",
        /// Without an answer: no connection, or one that broke.
        Unreachable = "unreachable",
        /// Before it began: the customers have too many open already.
        Dropped = "dropped",
    }
}

/// A fault of the catalogue, as a label.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FaultLabel(usize);

impl FaultLabel {
    /// The fault.
    pub fn fault(self) -> &'static Fault {
        FAULTS[self.0]
    }
}

impl LabelSet for FaultLabel {
    fn names() -> Vec<&'static str> {
        vec!["fault"]
    }

    fn all() -> Vec<Self> {
        (0..FAULTS.len()).map(Self).collect()
    }

    fn count() -> usize {
        FAULTS.len()
    }

    fn index(self) -> usize {
        self.0
    }

    fn values(self) -> Vec<&'static str> {
        vec![self.fault().name]
    }
}

instrumentation::metrics! {
    /// The lab's metrics.
    pub struct Metrics {
        /// 1 while the fault is on, else 0.
        fault_armed: Gauge<FaultLabel>, Count;
        /// Requests of the customers; those sent before the shop first opened are left out.
        lab_customer_requests_total: Counter<(Journey, Outcome)>, Count;
        /// Time from when a customer wanted to send a request to its answer.
        lab_customer_request_duration_seconds: Timer<Journey>, Seconds;
        /// Journeys that customers begin per second; 0 while they are off.
        lab_load_rate: Gauge<()>, Count;
        /// Spans that came over OTLP, those without a valid id left out.
        telemetry_spans_received_total: Counter<()>, Count;
        /// Log records that came over OTLP.
        telemetry_log_records_received_total: Counter<()>, Count;
        /// Spans that were let go because their trace was the oldest.
        telemetry_spans_evicted_total: Counter<()>, Count;
        /// Spans that were dropped because the rest of their trace had been let go.
        telemetry_spans_late_total: Counter<()>, Count;
        /// Log records that were let go because they were the oldest.
        telemetry_log_records_evicted_total: Counter<()>, Count;
        /// Spans whose parent had not come when their trace had been quiet for 15 seconds.
        telemetry_orphan_spans_total: Counter<()>, Count;
        /// Traces that are kept.
        telemetry_traces: Gauge<()>, Count;
        /// Memory that the kept traces and logs take, as it is estimated.
        telemetry_memory_bytes: Gauge<()>, Bytes;
    }
}

impl Metrics {
    /// Shows what has come, gone and stayed of traces and logs.
    pub(crate) fn show(&self, stats: Stats) {
        for (counter, count) in [
            (&self.telemetry_spans_received_total, stats.spans_received),
            (&self.telemetry_log_records_received_total, stats.log_records_received),
            (&self.telemetry_spans_evicted_total, stats.spans_evicted),
            (&self.telemetry_spans_late_total, stats.spans_late),
            (&self.telemetry_log_records_evicted_total, stats.log_records_evicted),
            (&self.telemetry_orphan_spans_total, stats.orphan_spans),
        ] {
            counter.with(()).absolute(count);
        }
        self.telemetry_traces.set(stats.traces as f64);
        self.telemetry_memory_bytes.set(stats.bytes as f64);
    }
}
