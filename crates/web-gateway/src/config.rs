//! The settings of web-gateway.

use std::{net::SocketAddr, num::NonZeroU32, str::FromStr, time::Duration};

use contract::order::CustomerId;
use resilience::Urls;

/// The shortest and the longest that a token may be good for.
const LIFETIMES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30 * 86_400));
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

    /// Where order-api answers: one URL, or several with commas between.
    #[arg(
        long,
        env = "ORDER_API_URL",
        default_value = "http://order-api:50051",
        value_name = "URLS"
    )]
    pub order_api_url: Urls,

    /// How long a request may take, all of it; what remains is passed on.
    #[arg(long, env = "WEB_GATEWAY_REQUEST_DEADLINE", default_value = "5s",
          value_name = "DURATION", value_parser = some_time)]
    pub request_deadline: Duration,

    /// How long one attempt to ask order-api may take, of the request's deadline; what is harmless is
    /// then tried again.
    #[arg(long, env = "WEB_GATEWAY_ATTEMPT_TIMEOUT", default_value = "5s",
          value_name = "DURATION", value_parser = some_time)]
    pub attempt_timeout: Duration,

    /// The largest body of a request that is accepted, in bytes.
    #[arg(long, env = "WEB_GATEWAY_BODY_LIMIT", default_value_t = 65_536, value_name = "BYTES")]
    pub body_limit: usize,

    /// Where a trace can be looked at: an address with `{trace_id}` in it. Answers say it in
    /// `x-trace-url`.
    #[arg(long, env = "WEB_GATEWAY_TRACE_URL", value_name = "URL")]
    pub trace_url: Option<TraceUrl>,

    /// Requests that are worked on behind the gateway at once; more wait for a moment.
    #[arg(long, env = "WEB_GATEWAY_CONCURRENCY", default_value_t = 48, value_name = "COUNT",
          value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub concurrency: u32,

    /// How long that moment is, before a request is refused.
    #[arg(long, env = "WEB_GATEWAY_QUEUE_PATIENCE", default_value = "100ms",
          value_name = "DURATION", value_parser = some_time)]
    pub queue_patience: Duration,

    /// Requests a second that one client may make; 0 for any number.
    #[arg(long, env = "WEB_GATEWAY_RATE_LIMIT", default_value_t = 500, value_name = "COUNT")]
    pub rate_limit: u32,

    /// Requests that one client may make at once.
    #[arg(long, env = "WEB_GATEWAY_RATE_BURST", default_value = "1000", value_name = "COUNT")]
    pub rate_burst: NonZeroU32,

    /// Whether one proxy stands before the gateway and adds to `X-Forwarded-For` for whom it asks;
    /// anybody can write that header, so it is not believed otherwise.
    #[arg(long, env = "WEB_GATEWAY_BEHIND_PROXY", default_value_t = false, value_name = "BOOL",
          action = clap::ArgAction::Set)]
    pub behind_proxy: bool,

    /// For how long the list of products is as good as new; 0s to ask for it every time.
    #[arg(long, env = "WEB_GATEWAY_PRODUCTS_FRESH", default_value = "1s",
          value_name = "DURATION", value_parser = humantime::parse_duration)]
    pub products_fresh: Duration,

    /// For how long after that it is shown all the same, while a newer one is asked for.
    #[arg(long, env = "WEB_GATEWAY_PRODUCTS_STALE", default_value = "30s",
          value_name = "DURATION", value_parser = humantime::parse_duration)]
    pub products_stale: Duration,

    /// When order-api is not asked any more.
    #[command(flatten)]
    pub breaker: resilience::breaker::Settings,

    /// What is asked of it again.
    #[command(flatten)]
    pub retry: resilience::budget::Settings,

    /// The customer that requests without a token are of; empty: requests must have one.
    #[arg(
        long,
        env = "WEB_GATEWAY_ANONYMOUS_CUSTOMER",
        default_value = "demo",
        value_name = "NAME"
    )]
    pub anonymous_customer: AnonymousCustomer,

    /// How long whoever has signed in may call with a token.
    #[arg(long, env = "JWT_ACCESS_TTL", default_value = "15m", value_name = "DURATION",
          value_parser = lifetime)]
    pub access_ttl: Duration,

    /// How long they may get another one without their password.
    #[arg(long, env = "JWT_REFRESH_TTL", default_value = "24h", value_name = "DURATION",
          value_parser = lifetime)]
    pub refresh_ttl: Duration,

    /// What everybody is known by.
    #[command(flatten)]
    pub identity: identity::Config,

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

/// Who those are that do not say who they are, if they may come at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnonymousCustomer(pub Option<CustomerId>);

impl FromStr for AnonymousCustomer {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            return Ok(Self(None));
        }
        let id = CustomerId::parse("the customer", text).map_err(|invalid| invalid.to_string())?;
        Ok(Self(Some(id)))
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

pub(crate) fn some_time(text: &str) -> Result<Duration, String> {
    match humantime::parse_duration(text) {
        Ok(time) if time.is_zero() || time > LONGEST_DEADLINE => {
            Err("expected more than nothing and at most 10m".to_owned())
        }
        Ok(time) => Ok(time),
        Err(error) => Err(error.to_string()),
    }
}

fn lifetime(text: &str) -> Result<Duration, String> {
    let (shortest, longest) = LIFETIMES;
    match humantime::parse_duration(text) {
        Ok(time) if time < shortest || time > longest => {
            Err("expected at least 1s and at most 30d".to_owned())
        }
        Ok(time) => Ok(time),
        Err(error) => Err(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_is_looked_at_where_its_id_says() {
        let url: TraceUrl = "http://localhost:16686/trace/{trace_id}?x=1".parse().unwrap();
        assert_eq!(url.of("abc"), "http://localhost:16686/trace/abc?x=1");
        for bad in ["http://localhost:16686/trace/", "http://local host/{trace_id}", ""] {
            assert!(bad.parse::<TraceUrl>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_token_lives_a_second_at_least_and_not_for_ever() {
        assert_eq!(lifetime("15m"), Ok(Duration::from_secs(900)));
        assert!(lifetime("999ms").is_err() && lifetime("31d").is_err());
    }

    #[test]
    fn nobody_is_anonymous_if_no_customer_is_named() {
        assert_eq!("".parse(), Ok(AnonymousCustomer(None)));
        let demo = AnonymousCustomer(Some(CustomerId::parse("name", "demo").unwrap()));
        assert_eq!("demo".parse(), Ok(demo));
        assert!("a b".parse::<AnonymousCustomer>().is_err());
    }

    #[test]
    fn a_deadline_of_no_time_or_of_hours_is_refused() {
        assert_eq!(some_time("5s"), Ok(Duration::from_secs(5)));
        assert!(some_time("0s").is_err());
        assert!(some_time("11m").is_err());
    }
}
