//! The thread that empties the queues.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use opentelemetry::InstrumentationScope;
use opentelemetry_otlp::{LogExporter, SpanExporter, WithExportConfig as _};
use opentelemetry_sdk::{
    Resource,
    error::OTelSdkResult,
    logs::{LogBatch, LogExporter as _, SdkLogRecord},
    trace::{SpanData, SpanExporter as _},
};
use tokio::{
    runtime,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use super::{FLUSH_LIMIT, queue::Queue};

/// How long the collector may take for a batch.
const PATIENCE: Duration = Duration::from_secs(3);

/// What the thread does.
pub(super) struct Job {
    pub(super) endpoint: String,
    pub(super) resource: Resource,
    pub(super) delay: Duration,
    pub(super) spans: Arc<Queue<SpanData>>,
    pub(super) logs: Arc<Queue<SdkLogRecord>>,
    pub(super) stop: CancellationToken,
}

impl Job {
    /// Sends until it is to stop, and then what is left.
    pub(super) fn run(self) {
        let runtime = runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.expect("a process that got this far can have one more runtime");
        runtime.block_on(self.send());
    }

    async fn send(self) {
        let (mut spans, mut logs) = match (self.span_exporter(), self.log_exporter()) {
            (Ok(spans), Ok(logs)) => (spans, logs),
            (Err(error), _) | (_, Err(error)) => {
                let endpoint = self.endpoint;
                return tracing::error!(%error, endpoint, "cannot send traces and logs");
            }
        };
        spans.set_resource(&self.resource);
        logs.set_resource(&self.resource);
        let (spans, logs) = (&spans, &logs);
        let scope = &InstrumentationScope::default();
        let collector = &Collector { endpoint: &self.endpoint, away: AtomicBool::new(false) };
        let both = async {
            tokio::join!(
                self.empty(&self.spans, collector, |batch| spans.export(batch)),
                self.empty(&self.logs, collector, |batch| async move {
                    let records: Vec<_> = batch.iter().map(|record| (record, scope)).collect();
                    logs.export(LogBatch::new(&records)).await
                }),
            )
        };
        let late = async {
            self.stop.cancelled().await;
            sleep(FLUSH_LIMIT).await;
        };
        tokio::select! {
            _ = both => {}
            () = late => {}
        }
    }

    /// Sends what is in a queue, batch by batch, whenever there is a whole one or it has waited
    /// long enough.
    async fn empty<T, F>(
        &self,
        queue: &Queue<T>,
        collector: &Collector<'_>,
        export: impl Fn(Vec<T>) -> F,
    ) where
        F: Future<Output = OTelSdkResult>,
    {
        loop {
            // Asked before taking, so that what came before the stop is taken.
            let last = self.stop.is_cancelled();
            loop {
                let batch = queue.take();
                if batch.is_empty() {
                    break;
                }
                let number = batch.len();
                let sent = matches!(timeout(PATIENCE, export(batch)).await, Ok(Ok(())));
                queue.flow.ended(sent, number);
                collector.answers(sent);
            }
            if last {
                return;
            }
            tokio::select! {
                () = sleep(self.delay) => {}
                () = queue.ready() => {}
                () = self.stop.cancelled() => {}
            }
        }
    }

    fn span_exporter(&self) -> Result<SpanExporter, opentelemetry_otlp::ExporterBuildError> {
        let builder = SpanExporter::builder().with_tonic();
        builder.with_endpoint(&self.endpoint).with_timeout(PATIENCE).build()
    }

    fn log_exporter(&self) -> Result<LogExporter, opentelemetry_otlp::ExporterBuildError> {
        let builder = LogExporter::builder().with_tonic();
        builder.with_endpoint(&self.endpoint).with_timeout(PATIENCE).build()
    }
}

/// Whoever takes what is sent; its absence is said once, and so is its return.
struct Collector<'a> {
    endpoint: &'a str,
    away: AtomicBool,
}

impl Collector<'_> {
    fn answers(&self, yes: bool) {
        let endpoint = self.endpoint;
        match (self.away.swap(!yes, Ordering::Relaxed), yes) {
            (false, false) => tracing::warn!(endpoint, "traces and logs are lost: no collector"),
            (true, true) => tracing::info!(endpoint, "traces and logs are collected again"),
            (false, true) | (true, false) => {}
        }
    }
}
