//! Traces and logs on their way out, over OTLP.
//!
//! Spans, which are encoded where they end ([`sources`]), and log records wait in bounded queues
//! ([`queue`]) that a thread of its own empties, with a runtime of its own: whatever the collector does,
//! nobody in the service waits for it. What does not fit or cannot be sent is dropped and counted
//! ([`flow`]).

mod config;
mod encode;
mod flow;
mod messages;
mod metrics;
mod queue;
mod request;
mod sending;
mod sources;

use std::{
    sync::Arc,
    thread::{self, JoinHandle},
    time::Duration,
};

use opentelemetry::{KeyValue, logs::LoggerProvider as _, trace::TracerProvider as _};
use opentelemetry_sdk::{
    Resource,
    logs::SdkLoggerProvider,
    trace::{Sampler, SdkTracerProvider},
};
use opentelemetry_semantic_conventions::attribute;
use tokio_util::sync::CancellationToken;

pub use config::{Config, TracesSampler};
pub use metrics::Metrics;
use queue::Queue;
pub(crate) use sources::Records;
use sources::Spans;

use crate::trace;

/// How long the last spans and log records may take to be sent when the process ends.
const FLUSH_LIMIT: Duration = Duration::from_secs(2);

/// How many log records are sent together at most: unlike spans, nobody knows how long they are.
const LOG_RECORDS: usize = 512;

/// What is exported, until [`Export::finish`].
#[must_use = "what was not sent yet is lost unless it is finished"]
#[derive(Debug, Default)]
pub struct Export {
    records: Option<Records>,
    sending: Option<(CancellationToken, JoinHandle<()>)>,
}

/// Starts to trace, and to send spans and log records if there is somewhere to send them to.
///
/// Without an endpoint there are still trace ids, for log lines and answers, but nothing is
/// recorded.
pub fn start(service: &'static str, version: &str, environment: &str, config: &Config) -> Export {
    if config.otel_sdk_disabled {
        return Export::default();
    }
    let Some(endpoint) = &config.otlp_endpoint else {
        let provider = SdkTracerProvider::builder().with_sampler(Sampler::AlwaysOff).build();
        trace::use_tracer(provider.tracer(service));
        return Export::default();
    };
    let resource = resource(service, version, environment);
    let spans = Spans(Arc::new(Queue::new(config.queue_size, config.batch_size, &flow::SPANS)));
    let batch = config.batch_size.min(LOG_RECORDS);
    let logs = Arc::new(Queue::new(config.queue_size, batch, &flow::LOGS));

    let tracers = SdkTracerProvider::builder()
        .with_sampler(config.sampler())
        .with_span_processor(spans.clone())
        .build();
    trace::use_tracer(tracers.tracer(service));
    let logger = SdkLoggerProvider::builder().build().logger(service);
    let records = Records { logger, queue: Arc::clone(&logs) };

    let stop = CancellationToken::new();
    let job = sending::Job {
        service,
        headers: config.headers(),
        endpoint: endpoint.to_string(),
        resource,
        delay: config.schedule_delay(),
        spans: spans.0,
        logs,
        stop: stop.clone(),
    };
    let thread = thread::Builder::new().name("export".to_owned()).spawn(move || job.run());
    let thread = thread.expect("a process that has just begun can have one more thread");
    Export { records: Some(records), sending: Some((stop, thread)) }
}

impl Export {
    /// Whoever takes log records, if they are sent anywhere.
    pub(crate) fn records(&self) -> Option<Records> {
        self.records.clone()
    }

    /// Sends what is left, within two seconds.
    pub fn finish(self) {
        if let Some((stop, thread)) = self.sending {
            stop.cancel();
            // It does not panic; and if it did, there would be nobody left to tell.
            let _ = thread.join();
        }
    }
}

/// Who sends: the service and its version, this process of it, and where it runs; `OTEL_RESOURCE_ATTRIBUTES` adds
/// to it.
fn resource(service: &'static str, version: &str, environment: &str) -> Resource {
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    Resource::builder()
        .with_service_name(service)
        .with_attributes([
            KeyValue::new(attribute::SERVICE_VERSION, version.to_owned()),
            KeyValue::new(attribute::SERVICE_INSTANCE_ID, uuid::Uuid::now_v7().to_string()),
            KeyValue::new(attribute::DEPLOYMENT_ENVIRONMENT_NAME, environment.to_owned()),
            KeyValue::new(attribute::HOST_NAME, host),
            KeyValue::new(attribute::PROCESS_PID, i64::from(std::process::id())),
        ])
        .build()
}
