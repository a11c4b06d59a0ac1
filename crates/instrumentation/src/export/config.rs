//! The settings of traces and of OTLP, under the names that OpenTelemetry gives them.

use std::time::Duration;

use clap::ValueEnum as _;
use http::Uri;
use opentelemetry_sdk::trace::Sampler;

/// Which traces are recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum TracesSampler {
    /// All.
    AlwaysOn,
    /// None.
    AlwaysOff,
    /// A share of all.
    #[value(name = "traceidratio")]
    TraceIdRatio,
    /// Those that their caller records, and all that begin here.
    #[value(name = "parentbased_always_on")]
    ParentBasedAlwaysOn,
    /// Those that their caller records.
    #[value(name = "parentbased_always_off")]
    ParentBasedAlwaysOff,
    /// Those that their caller records, and a share of those that begin here.
    #[value(name = "parentbased_traceidratio")]
    ParentBasedTraceIdRatio,
}

/// What is sent, how much of it and where to; flattened into the settings of each service.
#[derive(Clone, Debug, clap::Args)]
#[group(skip)]
pub struct Config {
    /// Where traces and logs are sent over OTLP (gRPC), `http://host:4317`; without it they are
    /// sent nowhere.
    #[arg(long, env = "OTEL_EXPORTER_OTLP_ENDPOINT", value_name = "URL")]
    pub otlp_endpoint: Option<Uri>,

    /// Make no traces at all and send no logs.
    #[arg(long, env = "OTEL_SDK_DISABLED", default_value_t = false, value_name = "BOOL",
          action = clap::ArgAction::Set)]
    pub otel_sdk_disabled: bool,

    /// Which traces are recorded.
    #[arg(
        long,
        env = "OTEL_TRACES_SAMPLER",
        default_value = "parentbased_always_on",
        value_name = "NAME",
        value_enum
    )]
    pub traces_sampler: TracesSampler,

    /// The share of a sampler by ratio, 0 to 1.
    #[arg(long, env = "OTEL_TRACES_SAMPLER_ARG", default_value = "1", value_name = "SHARE",
          value_parser = share)]
    pub traces_sampler_arg: f64,

    /// How long a span or log record waits at most before it is sent, in milliseconds.
    #[arg(long, env = "OTEL_BSP_SCHEDULE_DELAY", default_value_t = 200, value_name = "MS",
          value_parser = clap::value_parser!(u64).range(1..=60_000))]
    pub schedule_delay: u64,

    /// How many spans may wait to be sent, and how many log records; more are dropped.
    #[arg(long, env = "OTEL_BSP_MAX_QUEUE_SIZE", default_value_t = 8192, value_name = "COUNT")]
    pub queue_size: usize,

    /// How many are sent together at most.
    #[arg(long, env = "OTEL_BSP_MAX_EXPORT_BATCH_SIZE", default_value_t = 512,
          value_name = "COUNT", value_parser = at_least_one)]
    pub batch_size: usize,
}

impl Config {
    /// The flags that say the same to another process.
    pub fn flags(&self) -> Vec<(&'static str, String)> {
        let endpoint = self.otlp_endpoint.as_ref();
        let sampler = self.traces_sampler.to_possible_value().expect("no sampler is hidden");
        let mut flags = vec![
            ("--otel-sdk-disabled", self.otel_sdk_disabled.to_string()),
            ("--traces-sampler", sampler.get_name().to_owned()),
            ("--traces-sampler-arg", self.traces_sampler_arg.to_string()),
            ("--schedule-delay", self.schedule_delay.to_string()),
            ("--queue-size", self.queue_size.to_string()),
            ("--batch-size", self.batch_size.to_string()),
        ];
        flags.extend(endpoint.map(|endpoint| ("--otlp-endpoint", endpoint.to_string())));
        flags
    }

    pub(super) fn schedule_delay(&self) -> Duration {
        Duration::from_millis(self.schedule_delay)
    }

    pub(super) fn sampler(&self) -> Sampler {
        let ratio = Sampler::TraceIdRatioBased(self.traces_sampler_arg);
        match self.traces_sampler {
            TracesSampler::AlwaysOn => Sampler::AlwaysOn,
            TracesSampler::AlwaysOff => Sampler::AlwaysOff,
            TracesSampler::TraceIdRatio => ratio,
            TracesSampler::ParentBasedAlwaysOn => Sampler::ParentBased(Box::new(Sampler::AlwaysOn)),
            TracesSampler::ParentBasedAlwaysOff => {
                Sampler::ParentBased(Box::new(Sampler::AlwaysOff))
            }
            TracesSampler::ParentBasedTraceIdRatio => Sampler::ParentBased(Box::new(ratio)),
        }
    }
}

fn share(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(share) if (0.0..=1.0).contains(&share) => Ok(share),
        _ => Err("must be a number from 0 to 1".to_owned()),
    }
}

fn at_least_one(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(count) if count > 0 => Ok(count),
        _ => Err("must be a whole number of at least 1".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    #[derive(clap::Parser)]
    struct Cli {
        #[command(flatten)]
        config: Config,
    }

    fn sampler(arguments: &[&str]) -> String {
        let given = ["service"].iter().chain(arguments);
        format!("{:?}", Cli::try_parse_from(given).unwrap().config.sampler())
    }

    #[test]
    fn samplers_have_the_names_that_opentelemetry_gives_them() {
        assert_eq!(sampler(&[]), "ParentBased(AlwaysOn)");
        assert_eq!(sampler(&["--traces-sampler", "always_off"]), "AlwaysOff");
        let quarter = ["--traces-sampler", "parentbased_traceidratio", "--traces-sampler-arg"];
        assert!(sampler(&[&quarter[..], &["0.25"]].concat()).contains("TraceIdRatioBased(0.25)"));
    }

    #[test]
    fn the_flags_of_a_setting_say_the_same_to_another_process() {
        let given = ["service", "--traces-sampler", "traceidratio", "--traces-sampler-arg", "0.5"];
        let given = Cli::parse_from(given.iter().chain(&["--otlp-endpoint", "http://tempo:4317"]));
        let flags = given.config.flags().into_iter();
        let flags = flags.flat_map(|(flag, value)| [flag.to_owned(), value]);
        let told = Cli::parse_from(std::iter::once("service".to_owned()).chain(flags)).config;
        assert_eq!(format!("{told:?}"), format!("{:?}", given.config));
    }

    #[test]
    fn what_cannot_be_is_refused() {
        for bad in [
            ["--traces-sampler", "sometimes"],
            ["--traces-sampler-arg", "2"],
            ["--schedule-delay", "0"],
            ["--batch-size", "0"],
        ] {
            assert!(Cli::try_parse_from(["service"].iter().chain(&bad)).is_err(), "{bad:?}");
        }
    }
}
