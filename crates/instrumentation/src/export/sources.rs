//! How spans and log records get into the queues.

use std::{sync::Arc, time::Duration};

use opentelemetry::{Context, logs::Logger as _};
use opentelemetry_sdk::{
    error::OTelSdkResult,
    logs::{SdkLogRecord, SdkLogger},
    trace::{Span, SpanData, SpanProcessor},
};

use super::{encode, messages::Messages, queue::Queue};

/// What a span takes at most, most of the time, in bytes.
const USUAL: usize = 512;

/// Takes spans that ended, and encodes them at once: what they say is still at hand, and is freed by who
/// made it.
#[derive(Clone, Debug)]
pub(super) struct Spans(pub(super) Arc<Queue<Messages>>);

/// Takes log records.
#[derive(Clone, Debug)]
pub(crate) struct Records {
    /// Only makes them: through its processors each would be copied once more.
    pub(super) logger: SdkLogger,
    pub(super) queue: Arc<Queue<Vec<SdkLogRecord>>>,
}

impl Records {
    /// A record yet to be written.
    pub(crate) fn blank(&self) -> SdkLogRecord {
        self.logger.create_log_record()
    }

    /// Takes one on its way; nobody waits.
    pub(crate) fn take(&self, record: SdkLogRecord) {
        self.queue.push(|batch| {
            batch.push(record);
            false
        });
    }
}

impl SpanProcessor for Spans {
    fn on_start(&self, _: &mut Span, _: &Context) {}

    fn on_end(&self, span: SpanData) {
        if self.0.refuses() {
            return;
        }
        // Before the queue is locked: nobody else waits for it to be encoded.
        let mut message = Vec::with_capacity(USUAL);
        encode::span(&span, &mut message);
        self.0.push(|batch| batch.add(&message));
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        Ok(())
    }
}
