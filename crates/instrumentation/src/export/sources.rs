//! How spans and log records get into the queues.

use std::{sync::Arc, time::Duration};

use opentelemetry::{Context, logs::Logger as _};
use opentelemetry_sdk::{
    error::OTelSdkResult,
    logs::{SdkLogRecord, SdkLogger},
    trace::{Span, SpanData, SpanProcessor},
};

use super::queue::Queue;

/// Takes spans that ended.
#[derive(Clone, Debug)]
pub(super) struct Spans(pub(super) Arc<Queue<SpanData>>);

/// Takes log records.
#[derive(Clone, Debug)]
pub(crate) struct Records {
    /// Only makes them: through its processors each would be copied once more.
    pub(super) logger: SdkLogger,
    pub(super) queue: Arc<Queue<SdkLogRecord>>,
}

impl Records {
    /// A record yet to be written.
    pub(crate) fn blank(&self) -> SdkLogRecord {
        self.logger.create_log_record()
    }

    /// Takes one on its way; nobody waits.
    pub(crate) fn take(&self, record: SdkLogRecord) {
        self.queue.push(record);
    }
}

impl SpanProcessor for Spans {
    fn on_start(&self, _: &mut Span, _: &Context) {}

    fn on_end(&self, span: SpanData) {
        self.0.push(span);
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        Ok(())
    }
}
