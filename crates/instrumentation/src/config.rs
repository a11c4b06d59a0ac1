//! The settings that every service has.

use crate::{
    export,
    metrics::{Declaration, Registry},
};

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// Text on a terminal, JSON elsewhere.
    Auto,
    /// One JSON object per line.
    Json,
    /// Readable text.
    Text,
}

/// Settings of logs, of traces and of the runtime; flattened into each service's own.
#[derive(Clone, Debug, clap::Args)]
#[group(skip)]
pub struct Config {
    /// What is logged: a level, or tracing directives such as `info,order_api=debug`.
    #[arg(long, env = "LOG_LEVEL", default_value = "info", value_name = "FILTER")]
    pub log_level: String,

    /// How log lines look.
    #[arg(long, env = "LOG_FORMAT", default_value = "auto", value_enum)]
    pub log_format: LogFormat,

    /// Where this runs, as every log line says it.
    #[arg(long, env = "DEPLOYMENT_ENVIRONMENT", default_value = "lab", value_name = "NAME")]
    pub environment: String,

    /// The version that it reports: in its log lines, its traces and `build_info`.
    #[arg(long, env = "SERVICE_VERSION", default_value = crate::VERSION, value_name = "VERSION")]
    pub service_version: String,

    /// Threads that run the service's tasks.
    #[arg(long, env = "WORKER_THREADS", default_value_t = 2, value_name = "COUNT",
          value_parser = clap::value_parser!(u16).range(1..=64))]
    pub worker_threads: u16,

    /// Whether metrics are recorded; false only to measure what they cost.
    #[arg(long, env = "METRICS", default_value_t = true, value_name = "BOOL",
          action = clap::ArgAction::Set)]
    pub metrics: bool,

    /// Traces, and where they and the logs are sent.
    #[command(flatten)]
    pub export: export::Config,
}

impl Config {
    /// The registry of `service`; it records what these catalogues declare, if anything.
    pub fn registry(
        &self,
        service: &'static str,
        catalogues: &[&'static [Declaration]],
    ) -> Registry {
        let version = &self.service_version;
        match self.metrics {
            true => Registry::versioned(service, version, catalogues),
            false => Registry::mute(service, version),
        }
    }
}
