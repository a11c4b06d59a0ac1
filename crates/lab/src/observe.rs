//! Traces and logs, asked for from the command line.

use std::process::ExitCode;

use axum::http::Method;
use telemetry::id::TraceId;

use crate::{
    client::Desk,
    desk::{LOG_RECORDS, SLOW, TRACES},
};

/// One trace, drawn.
#[derive(Clone, Debug, clap::Args)]
pub struct Trace {
    #[command(flatten)]
    desk: Desk,
    /// The trace: its id, or a whole traceparent or traceresponse.
    id: TraceId,
    /// How many columns wide it is drawn.
    #[arg(long, env = "COLUMNS", default_value_t = telemetry::waterfall::WIDTH, hide_env_values = true)]
    width: usize,
}

/// The last traces.
#[derive(Clone, Debug, clap::Args)]
pub struct Traces {
    #[command(flatten)]
    desk: Desk,
    /// That took at least so long.
    #[arg(long, num_args = 0..=1, default_missing_value = SLOW, value_name = "DURATION")]
    slow: Option<String>,
    /// With a step that failed.
    #[arg(long)]
    error: bool,
    /// With a step about this route, such as `/orders`.
    #[arg(long)]
    route: Option<String>,
    /// That went through this service.
    #[arg(long)]
    service: Option<String>,
    /// That did not go through this service.
    #[arg(long, value_name = "SERVICE")]
    without: Option<String>,
    /// That begin with this step, such as `GET /orders`.
    #[arg(long, value_name = "STEP")]
    root: Option<String>,
    /// With this step, such as `get_order`.
    #[arg(long)]
    step: Option<String>,
    /// With a step, or that step, of a process that reports this version.
    #[arg(long)]
    version: Option<String>,
    /// With a step, or that step, of this process, as `service.instance.id` says it.
    #[arg(long, value_name = "ID")]
    instance: Option<String>,
    /// With a step, or that step, that took at least so long.
    #[arg(long, value_name = "DURATION")]
    lasting: Option<String>,
    /// With so many such steps.
    #[arg(long, value_name = "COUNT")]
    repeated: Option<usize>,
    /// How many at most.
    #[arg(long, default_value_t = TRACES, value_name = "COUNT")]
    limit: usize,
}

/// The last log lines.
#[derive(Clone, Debug, clap::Args)]
pub struct Logs {
    #[command(flatten)]
    desk: Desk,
    /// About this order.
    #[arg(long, value_name = "ID")]
    order: Option<String>,
    /// Of this trace: its id, or a whole traceparent or traceresponse.
    #[arg(long, value_name = "ID")]
    trace: Option<TraceId>,
    /// With this correlation id.
    #[arg(long, value_name = "ID")]
    correlation: Option<String>,
    /// Of this service.
    #[arg(long)]
    service: Option<String>,
    /// At least this grave: trace, debug, info, warn, error or fatal.
    #[arg(long)]
    level: Option<String>,
    /// With this in what is said, in capitals or not.
    #[arg(long)]
    text: Option<String>,
    /// How many at most.
    #[arg(long, default_value_t = LOG_RECORDS, value_name = "COUNT")]
    limit: usize,
    /// And then those that come, until Ctrl-C.
    #[arg(long, short)]
    follow: bool,
}

impl Trace {
    /// Draws it.
    pub async fn show(self) -> anyhow::Result<ExitCode> {
        let settings = [setting("width", self.width)];
        self.desk.ask(Method::GET, &format!("/traces/{}", self.id), &settings).await
    }
}

impl Traces {
    /// Lists them.
    pub async fn show(self) -> anyhow::Result<ExitCode> {
        let given = [
            self.slow.map(|slow| setting("slow", slow)),
            self.error.then(|| setting("error", true)),
            self.route.map(|route| setting("route", route)),
            self.service.map(|service| setting("service", service)),
            self.without.map(|service| setting("without", service)),
            self.root.map(|step| setting("root", step)),
            self.step.map(|step| setting("step", step)),
            self.version.map(|version| setting("version", version)),
            self.instance.map(|instance| setting("instance", instance)),
            self.lasting.map(|lasting| setting("lasting", lasting)),
            self.repeated.map(|repeated| setting("repeated", repeated)),
            Some(setting("limit", self.limit)),
        ];
        let settings: Vec<_> = given.into_iter().flatten().collect();
        self.desk.ask(Method::GET, "/traces", &settings).await
    }
}

impl Logs {
    /// Lists them, and follows those that come if that is wanted.
    pub async fn show(self) -> anyhow::Result<ExitCode> {
        let given = [
            self.order.map(|order| setting("order", order)),
            self.trace.map(|trace| setting("trace", trace)),
            self.correlation.map(|correlation| setting("correlation", correlation)),
            self.service.map(|service| setting("service", service)),
            self.level.map(|level| setting("level", level)),
            self.text.map(|text| setting("text", text)),
            Some(setting("limit", self.limit)),
            self.follow.then(|| setting("follow", true)),
        ];
        let settings: Vec<_> = given.into_iter().flatten().collect();
        match self.follow {
            true => self.desk.follow("/logs", &settings).await,
            false => self.desk.ask(Method::GET, "/logs", &settings).await,
        }
    }
}

fn setting(name: &str, value: impl ToString) -> (String, String) {
    (name.to_owned(), value.to_string())
}
