//! The settings of traces and of OTLP, under the names that OpenTelemetry gives them.

use std::{ffi::OsStr, fmt, str::FromStr, time::Duration};

use clap::{ValueEnum as _, builder::TypedValueParser, error::ErrorKind};
use http::Uri;
use opentelemetry_sdk::trace::Sampler;
use percent_encoding::percent_decode_str;
use tonic::metadata::{Ascii, MetadataKey, MetadataMap, MetadataValue};

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

/// What is sent with every request to a collector. It may be a secret, and is not shown.
#[derive(Clone)]
pub struct Headers {
    text: String,
    headers: MetadataMap,
}

/// What is sent, how much of it and where to; flattened into the settings of each service.
#[derive(Clone, Debug, clap::Args)]
#[group(skip)]
pub struct Config {
    /// Where traces and logs are sent over OTLP (gRPC), `http://host:4317`; without it they are
    /// sent nowhere.
    #[arg(long, env = "OTEL_EXPORTER_OTLP_ENDPOINT", value_name = "URL")]
    pub otlp_endpoint: Option<Uri>,

    /// What a collector asks for beside, such as a key: `name=value`, the next one behind a comma, with
    /// `%2C` for a comma in a value. It is sent as it is, so trust the way there.
    #[arg(long, env = "OTEL_EXPORTER_OTLP_HEADERS", value_name = "HEADERS", hide_env_values = true,
          value_parser = HeadersParser)]
    pub otlp_headers: Option<Headers>,

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

    /// How many spans are sent together at most, if they are less than 2 MiB; of log records never more
    /// than 512.
    #[arg(long, env = "OTEL_BSP_MAX_EXPORT_BATCH_SIZE", default_value_t = 4096,
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

    /// The setting that says to another process what no command line should show.
    pub fn secrets(&self) -> Option<(&'static str, String)> {
        self.otlp_headers.as_ref().map(|it| ("OTEL_EXPORTER_OTLP_HEADERS", it.text.clone()))
    }

    pub(super) fn headers(&self) -> MetadataMap {
        self.otlp_headers.as_ref().map(|it| it.headers.clone()).unwrap_or_default()
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

impl FromStr for Headers {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut headers = MetadataMap::new();
        for pair in text.split(',').map(str::trim).filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').ok_or("expected name=value,name=value")?;
            let name = name.trim().to_ascii_lowercase().parse::<MetadataKey<Ascii>>();
            let name = name.map_err(|_| "a name must be that of a header, such as api-key")?;
            let value = percent_decode_str(value.trim()).decode_utf8().ok();
            let value = value.filter(|value| value.is_ascii()).and_then(|value| value.parse().ok());
            let mut value: MetadataValue<Ascii> =
                value.ok_or_else(|| format!("the value of {name} must be visible ASCII"))?;
            value.set_sensitive(true);
            headers.insert(name, value);
        }
        Ok(Self { text: text.to_owned(), headers })
    }
}

/// Reads headers, and does not repeat what it was given if it cannot.
#[derive(Clone)]
struct HeadersParser;

impl TypedValueParser for HeadersParser {
    type Value = Headers;

    fn parse_ref(
        &self,
        command: &clap::Command,
        _: Option<&clap::Arg>,
        value: &OsStr,
    ) -> Result<Headers, clap::Error> {
        let headers = value.to_str().ok_or_else(|| "it must be text".to_owned());
        headers.and_then(str::parse).map_err(|problem: String| {
            let problem = format!("OTEL_EXPORTER_OTLP_HEADERS, or --otlp-headers: {problem}\n");
            clap::Error::raw(ErrorKind::ValueValidation, problem).with_cmd(command)
        })
    }
}

impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Headers")
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
    fn headers_are_read_as_opentelemetry_writes_them_and_not_shown() {
        let given = ["service", "--otlp-headers", "Api-Key=a%2Cb%3D=, tenant = shop,"];
        let config = Cli::parse_from(given).config;
        let headers = config.headers();
        assert_eq!(headers.get("api-key").unwrap(), "a,b==");
        assert_eq!(headers.get("tenant").unwrap(), "shop");
        assert_eq!(headers.len(), 2);
        let told = config.secrets().unwrap();
        assert_eq!(told, ("OTEL_EXPORTER_OTLP_HEADERS", given[2].to_owned()));
        let shown = format!("{config:?} {:?}", config.flags());
        assert!(!shown.contains("shop") && !shown.contains("a%2C"), "{shown}");
        assert!(!format!("{headers:?}").contains("shop"), "{headers:?}");
        let wrong = Cli::try_parse_from(["service", "--otlp-headers", "my key=s3cret"]);
        let error = wrong.map(drop).unwrap_err();
        assert_eq!(error.exit_code(), 2);
        let error = error.to_string();
        assert!(error.contains("name must be") && !error.contains("s3cret"), "{error}");
    }

    #[test]
    fn what_cannot_be_is_refused() {
        for bad in [
            ["--traces-sampler", "sometimes"],
            ["--traces-sampler-arg", "2"],
            ["--schedule-delay", "0"],
            ["--batch-size", "0"],
            ["--otlp-headers", "key"],
            ["--otlp-headers", "two words=1"],
            ["--otlp-headers", "key=%00"],
            ["--otlp-headers", "key=%FF"],
            ["--otlp-headers", "key=ä"],
        ] {
            assert!(Cli::try_parse_from(["service"].iter().chain(&bad)).is_err(), "{bad:?}");
        }
    }
}
