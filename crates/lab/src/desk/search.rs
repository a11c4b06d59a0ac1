//! What is asked for of traces and logs, read from a query.

use std::{str::FromStr, time::Duration};

use axum::http::StatusCode;
use telemetry::{
    id::TraceId,
    log::{Level, LogFilter},
    trace::TraceFilter,
};

use super::answer::{Given, Refusal};

/// How long a trace takes that is slow, where no duration is given.
pub(crate) const SLOW: &str = "500ms";
/// How many traces are listed, where no number is given.
pub(crate) const TRACES: usize = 20;
/// How many log records are listed, where no number is given.
pub(crate) const LOG_RECORDS: usize = 100;
/// The most of either that can be asked for.
const MOST: usize = 10_000;

/// Which traces, and how many at most.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TraceSearch {
    pub(super) filter: TraceFilter,
    pub(super) limit: usize,
}

/// Which log records, how many at most, and whether also those that come.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct LogSearch {
    pub(super) filter: LogFilter,
    pub(super) limit: usize,
    pub(super) follow: bool,
}

impl TraceSearch {
    pub(super) fn read(given: &Given) -> Result<Self, Refusal> {
        let search = Self { filter: TraceFilter::default(), limit: TRACES };
        given.iter().try_fold(search, Self::set).map_err(|problem| {
            let possible = [
                format!("slow={SLOW} (that took at least so long)"),
                "error=true or false (with a step that failed)".to_owned(),
                "route=/orders (with a step about this route)".to_owned(),
                "service=order-api (that went through this service)".to_owned(),
                "without=order-api (that did not)".to_owned(),
                "root=GET /orders (that begin with this step)".to_owned(),
                "step=get_order (with this step)".to_owned(),
                "version=0.1.0 (with a step, or that step, of this version)".to_owned(),
                "instance=ID (with a step, or that step, of this process)".to_owned(),
                "lasting=100ms (with a step, or that step, that took at least so long)".to_owned(),
                "repeated=5 (with so many such steps)".to_owned(),
                format!("limit=1 to {MOST} ({TRACES}, if it is not given)"),
            ];
            Refusal::new(StatusCode::BAD_REQUEST, problem, possible.into())
        })
    }

    fn set(mut self, (name, value): (&str, &str)) -> Result<Self, String> {
        match name {
            "slow" => self.filter.slow = Some(duration(value)?),
            "error" => self.filter.error = truth(name, value)?,
            "route" => self.filter.route = Some(some(name, value)?),
            "service" => self.filter.service = Some(some(name, value)?),
            "without" => self.filter.without = Some(some(name, value)?),
            "root" => self.filter.root = Some(some(name, value)?),
            "step" => self.filter.step = Some(some(name, value)?),
            "version" => self.filter.version = Some(some(name, value)?),
            "instance" => self.filter.instance = Some(some(name, value)?),
            "lasting" => self.filter.lasting = Some(lasting(value)?),
            "repeated" => self.filter.repeated = Some(limit(value)?),
            "limit" => self.limit = limit(value)?,
            _ => return Err(format!("there is no setting {name:?}")),
        }
        Ok(self)
    }
}

impl LogSearch {
    pub(super) fn read(given: &Given) -> Result<Self, Refusal> {
        let search = Self { filter: LogFilter::default(), limit: LOG_RECORDS, follow: false };
        given.iter().try_fold(search, Self::set).map_err(|problem| {
            let possible = [
                "order=ID (with this order_id)".to_owned(),
                "trace=ID (of this trace: 32 hexadecimal digits, or a traceparent)".to_owned(),
                "correlation=ID (with this correlation_id)".to_owned(),
                "service=order-api (of this service)".to_owned(),
                "level=trace, debug, info, warn, error or fatal (at least this grave)".to_owned(),
                "text=stored (with this in what is said)".to_owned(),
                format!("limit=1 to {MOST} ({LOG_RECORDS}, if it is not given)"),
                "follow=true or false (also those that come)".to_owned(),
            ];
            Refusal::new(StatusCode::BAD_REQUEST, problem, possible.into())
        })
    }

    fn set(mut self, (name, value): (&str, &str)) -> Result<Self, String> {
        match name {
            "order" => self.filter.order = Some(some(name, value)?),
            "trace" => self.filter.trace = Some(trace_id(value)?),
            "correlation" => self.filter.correlation = Some(some(name, value)?),
            "service" => self.filter.service = Some(some(name, value)?),
            "level" => self.filter.level = Some(Level::from_str(value)?),
            "text" => self.filter.text = Some(some(name, value)?),
            "limit" => self.limit = limit(value)?,
            "follow" => self.follow = truth(name, value)?,
            _ => return Err(format!("there is no setting {name:?}")),
        }
        Ok(self)
    }
}

fn trace_id(value: &str) -> Result<TraceId, String> {
    value.parse().map_err(|error: telemetry::id::NoTraceId| error.to_string())
}

fn duration(value: &str) -> Result<Duration, String> {
    let value = if value.is_empty() { SLOW } else { value };
    humantime::parse_duration(value).map_err(|_| format!("slow={value} is no duration"))
}

fn lasting(value: &str) -> Result<Duration, String> {
    humantime::parse_duration(value).map_err(|_| format!("lasting={value} is no duration"))
}

/// A name alone means yes.
fn truth(name: &str, value: &str) -> Result<bool, String> {
    match value {
        "" | "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(format!("{name}={value} is neither true nor false")),
    }
}

fn some(name: &str, value: &str) -> Result<String, String> {
    match value {
        "" => Err(format!("{name} has no value")),
        value => Ok(value.to_owned()),
    }
}

fn limit(value: &str) -> Result<usize, String> {
    match value.parse() {
        Ok(limit @ 1..=MOST) => Ok(limit),
        _ => Err(format!("limit={value} is not a number from 1 to {MOST}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_alone_means_yes_or_the_usual() {
        let search = TraceSearch { filter: TraceFilter::default(), limit: TRACES };
        let read = search.set(("slow", "")).and_then(|search| search.set(("error", ""))).unwrap();
        let slow = Some(Duration::from_millis(500));
        assert_eq!(read.filter, TraceFilter { slow, error: true, ..TraceFilter::default() });
    }

    #[test]
    fn what_is_not_possible_is_refused() {
        let search = || LogSearch { filter: LogFilter::default(), limit: 1, follow: false };
        for bad in [
            ("trace", "ada"),
            ("order", ""),
            ("level", "loud"),
            ("limit", "0"),
            ("limit", "10001"),
            ("follow", "perhaps"),
            ("speed", "1"),
        ] {
            assert!(search().set(bad).is_err(), "{bad:?}");
        }
    }
}
