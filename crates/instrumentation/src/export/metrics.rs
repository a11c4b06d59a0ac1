//! What is measured of the telemetry itself.

use super::flow::{self, Flow};
use crate::logs;

crate::label! {
    /// A kind of telemetry that is sent.
    pub enum Signal as "signal" {
        /// Spans of traces.
        Spans = "spans",
        /// Log records.
        Logs = "logs",
    }
}

crate::label! {
    /// Why something was not sent.
    pub enum Loss as "reason" {
        /// Too much was waiting already.
        QueueFull = "queue_full",
        /// The collector did not take it.
        NotSent = "not_sent",
    }
}

crate::label! {
    /// How much a log line matters.
    pub enum Level as "level" {
        /// Something failed that should not have.
        Error = "error",
        /// Something is not as it should be.
        Warn = "warn",
        /// Something happened.
        Info = "info",
        /// For whoever looks closely.
        Debug = "debug",
        /// For whoever looks very closely.
        Trace = "trace",
    }
}

crate::metrics! {
    /// What every process measures of its traces and logs.
    pub struct Metrics {
        /// Spans and log records sent over OTLP.
        telemetry_sent_total: Counter<Signal>, Count;
        /// Spans and log records that were lost.
        telemetry_dropped_total: Counter<(Signal, Loss)>, Count;
        /// Spans and log records that wait to be sent.
        telemetry_waiting: Gauge<Signal>, Count;
        /// Lines written to the log.
        log_lines_total: Counter<Level>, Count;
        /// Bytes written to the log.
        log_bytes_total: Counter<()>, Bytes;
    }
}

impl Metrics {
    /// Shows how things stand.
    pub(crate) fn show(&self) {
        for (signal, flow) in [(Signal::Spans, &flow::SPANS), (Signal::Logs, &flow::LOGS)] {
            self.show_flow(signal, flow);
        }
        for (level, lines) in Level::ALL.iter().zip(logs::written().lines()) {
            self.log_lines_total.with(*level).absolute(lines);
        }
        self.log_bytes_total.with(()).absolute(logs::written().bytes());
    }

    fn show_flow(&self, signal: Signal, flow: &Flow) {
        self.telemetry_sent_total.with(signal).absolute(flow.sent());
        let dropped = &self.telemetry_dropped_total;
        dropped.with((signal, Loss::QueueFull)).absolute(flow.too_many());
        dropped.with((signal, Loss::NotSent)).absolute(flow.failed());
        self.telemetry_waiting.with(signal).set(flow.waiting() as f64);
    }
}
