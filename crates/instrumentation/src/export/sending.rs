//! The thread that empties the queues.

use std::{
    fmt::Display,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use opentelemetry::InstrumentationScope;
use opentelemetry_otlp::{LogExporter, WithExportConfig as _, WithTonicConfig as _};
use opentelemetry_sdk::{
    Resource,
    logs::{LogBatch, LogExporter as _, SdkLogRecord},
};
use tokio::{
    runtime,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use tonic::{metadata::MetadataMap, transport::Endpoint};

use super::{
    FLUSH_LIMIT,
    messages::Messages,
    queue::{Batch, Queue},
    request::SpanExporter,
};

/// How long the collector may take for a batch.
const PATIENCE: Duration = Duration::from_secs(3);

/// What the thread does.
pub(super) struct Job {
    pub(super) service: &'static str,
    pub(super) endpoint: String,
    pub(super) headers: MetadataMap,
    pub(super) resource: Resource,
    pub(super) delay: Duration,
    pub(super) spans: Arc<Queue<Messages>>,
    pub(super) logs: Arc<Queue<Vec<SdkLogRecord>>>,
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
        let (spans, mut logs) = match self.exporters() {
            Ok(exporters) => exporters,
            Err(error) => {
                let endpoint = self.endpoint;
                return tracing::error!(%error, endpoint, "cannot send traces and logs");
            }
        };
        logs.set_resource(&self.resource);
        let (spans, logs) = (&spans, &logs);
        let scope = &InstrumentationScope::default();
        let collector = &Collector { endpoint: &self.endpoint, away: AtomicBool::new(false) };
        let both = async {
            tokio::join!(
                self.empty(&self.spans, collector, |batch| spans.send(batch)),
                self.empty(&self.logs, collector, |batch: Vec<_>| async move {
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
    async fn empty<B: Default, F, E>(
        &self,
        queue: &Queue<B>,
        collector: &Collector<'_>,
        export: impl Fn(B) -> F,
    ) where
        F: Future<Output = Result<(), E>>,
        E: Display,
    {
        loop {
            // Asked before taking, so that what came before the stop is taken.
            let last = self.stop.is_cancelled();
            while let Some(Batch { items, number, whole }) = queue.take() {
                let sent = match timeout(PATIENCE, export(items)).await {
                    Ok(sent) => sent.map_err(|error| error.to_string()),
                    Err(_) => Err(format!("no answer within {PATIENCE:?}")),
                };
                queue.flow.ended(sent.is_ok(), number);
                collector.answers(sent.err());
                // It was the last, and what came meanwhile has time.
                if !whole && !last {
                    break;
                }
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

    fn exporters(&self) -> anyhow::Result<(SpanExporter, LogExporter)> {
        let endpoint = Endpoint::from_shared(self.endpoint.clone())?;
        let spans = SpanExporter::new(endpoint, self.headers.clone(), &self.resource, self.service);
        let logs = LogExporter::builder().with_tonic().with_metadata(self.headers.clone());
        let logs = logs.with_endpoint(&self.endpoint).with_timeout(PATIENCE).build()?;
        Ok((spans, logs))
    }
}

/// Whoever takes what is sent; its absence is said once, and so is its return.
struct Collector<'a> {
    endpoint: &'a str,
    away: AtomicBool,
}

impl Collector<'_> {
    fn answers(&self, refusal: Option<String>) {
        let endpoint = self.endpoint;
        match (self.away.swap(refusal.is_some(), Ordering::Relaxed), refusal) {
            (false, Some(reason)) => {
                tracing::warn!(endpoint, reason, "traces and logs are lost: no collector");
            }
            (true, None) => tracing::info!(endpoint, "traces and logs are collected again"),
            (false, None) | (true, Some(_)) => {}
        }
    }
}
