//! The settings of web-gateway.

use std::{net::SocketAddr, str::FromStr, time::Duration};

use http::{Uri, uri::Scheme};

/// The longest deadline that makes sense.
const LONGEST_DEADLINE: Duration = Duration::from_secs(600);

/// Settings: each is a flag and an environment variable.
#[derive(Clone, Debug, clap::Args)]
pub struct Config {
    /// Where customers' requests come in.
    #[arg(
        long,
        env = "WEB_GATEWAY_LISTEN",
        default_value = "0.0.0.0:3000",
        value_name = "ADDRESS"
    )]
    pub listen: SocketAddr,

    /// Where metrics, health and control are served to machines.
    #[arg(
        long,
        env = "WEB_GATEWAY_SIDE_LISTEN",
        default_value = "0.0.0.0:3100",
        value_name = "ADDRESS"
    )]
    pub side_listen: SocketAddr,

    /// Where order-api answers.
    #[arg(long, env = "ORDER_API_URL", default_value = "http://order-api:50051",
          value_name = "URL", value_parser = plain_http)]
    pub order_api_url: Uri,

    /// How long a request may take, all of it; what remains is passed on.
    #[arg(long, env = "WEB_GATEWAY_REQUEST_DEADLINE", default_value = "5s",
          value_name = "DURATION", value_parser = some_time)]
    pub request_deadline: Duration,

    /// The largest body of a request that is accepted, in bytes.
    #[arg(long, env = "WEB_GATEWAY_BODY_LIMIT", default_value_t = 65_536, value_name = "BYTES")]
    pub body_limit: usize,

    /// Where a trace can be looked at: an address with `{trace_id}` in it. Answers say it in
    /// `x-trace-url`.
    #[arg(long, env = "WEB_GATEWAY_TRACE_URL", value_name = "URL")]
    pub trace_url: Option<TraceUrl>,

    /// Settings that every service has.
    #[command(flatten)]
    pub instrumentation: instrumentation::config::Config,
}

impl instrumentation::service::Config for Config {
    const SERVICE: &'static str = "web-gateway";
    const ABOUT: &'static str = "The HTTP edge of the shop.";

    fn instrumentation(&self) -> &instrumentation::config::Config {
        &self.instrumentation
    }

    fn side_listen(&self) -> SocketAddr {
        self.side_listen
    }
}

/// The address of a trace, for whoever has its id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraceUrl {
    before: String,
    after: String,
}

impl TraceUrl {
    /// The address of this trace.
    pub fn of(&self, trace_id: &str) -> String {
        format!("{}{trace_id}{}", self.before, self.after)
    }
}

impl FromStr for TraceUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text
            .split_once("{trace_id}")
            .filter(|_| text.bytes().all(|byte| byte.is_ascii_graphic()));
        let (before, after) = parts.ok_or("expected an address with {trace_id} in it")?;
        Ok(Self { before: before.to_owned(), after: after.to_owned() })
    }
}

fn plain_http(text: &str) -> Result<Uri, String> {
    let uri: Uri = text.parse().map_err(|error| format!("{error}"))?;
    match (uri.scheme() == Some(&Scheme::HTTP), uri.host()) {
        (true, Some(_)) => Ok(uri),
        _ => Err("expected http://host:port".to_owned()),
    }
}

fn some_time(text: &str) -> Result<Duration, String> {
    match humantime::parse_duration(text) {
        Ok(time) if time.is_zero() || time > LONGEST_DEADLINE => {
            Err("expected more than nothing and at most 10m".to_owned())
        }
        Ok(time) => Ok(time),
        Err(error) => Err(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_api_is_reached_over_plain_http_only() {
        assert!(plain_http("http://order-api:50051").is_ok());
        for bad in ["https://order-api:50051", "order-api:50051", "/orders", ""] {
            assert!(plain_http(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_trace_is_looked_at_where_its_id_says() {
        let url: TraceUrl = "http://localhost:16686/trace/{trace_id}?x=1".parse().unwrap();
        assert_eq!(url.of("abc"), "http://localhost:16686/trace/abc?x=1");
        for bad in ["http://localhost:16686/trace/", "http://local host/{trace_id}", ""] {
            assert!(bad.parse::<TraceUrl>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_deadline_of_no_time_or_of_hours_is_refused() {
        assert_eq!(some_time("5s"), Ok(Duration::from_secs(5)));
        assert!(some_time("0s").is_err());
        assert!(some_time("11m").is_err());
    }
}
