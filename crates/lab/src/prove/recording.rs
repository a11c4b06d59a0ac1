//! Numbers that anybody would record who does not know what to look for: the same for every fault.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use anyhow::Context as _;
use serde::{Deserialize as _, Deserializer, Serializer, de};
use serde_json::Value;

use super::{eyes, stage::Stage};

/// One recording: each number by its name; what cannot be said is left out.
pub(super) type Numbers = BTreeMap<String, f64>;

/// What a number is taken from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pillar {
    Metrics,
    Traces,
    Logs,
}

impl Pillar {
    /// The pillar of a number, by its name.
    pub(super) fn of(name: &str) -> Self {
        match name.split_once(':') {
            Some(("traces", _)) => Self::Traces,
            Some(("logs", _)) => Self::Logs,
            _ => Self::Metrics,
        }
    }
}

/// How far back traces and logs are counted.
const RECENT: Duration = Duration::from_secs(40);
/// A trace that is younger may not be over.
const SETTLED: Duration = Duration::from_secs(10);

/// Requests, errors and durations of every service, and what they use.
const METRICS: &[(&str, &str)] = &[
    (
        "gateway requests",
        r#"sum(rate(http_requests_total{job="web-gateway", route=~"/orders.*|/products"}[30s]))"#,
    ),
    (
        "gateway errors",
        r#"sum(rate(http_requests_total{job="web-gateway", status_code=~"5.."}[30s])) / sum(rate(http_requests_total{job="web-gateway"}[30s]))"#,
    ),
    (
        "gateway declined",
        r#"sum(rate(http_requests_total{job="web-gateway", status_code="402"}[30s]))"#,
    ),
    (
        "gateway accepted",
        r#"sum(rate(http_requests_total{job="web-gateway", status_code="202"}[30s]))"#,
    ),
    (
        "gateway p90 of orders",
        r#"histogram_quantile(0.9, sum by (le) (rate(http_request_duration_seconds_bucket{job="web-gateway", method="POST", route="/orders"}[30s])))"#,
    ),
    (
        "gateway p90 of pages",
        r#"histogram_quantile(0.9, sum by (le) (rate(http_request_duration_seconds_bucket{job="web-gateway", method="GET", route="/orders"}[30s])))"#,
    ),
    (
        "gateway p90 of products",
        r#"histogram_quantile(0.9, sum by (le) (rate(http_request_duration_seconds_bucket{job="web-gateway", route="/products"}[30s])))"#,
    ),
    (
        "gateway attempts per request",
        r#"sum(rate(grpc_client_attempts_total{job="web-gateway"}[30s])) / sum(rate(grpc_client_requests_total{job="web-gateway"}[30s]))"#,
    ),
    (
        "gateway calls per request",
        r#"sum(rate(grpc_client_requests_total{job="web-gateway"}[30s])) / sum(rate(http_requests_total{job="web-gateway", route=~"/orders.*|/products"}[30s]))"#,
    ),
    (
        "cache misses",
        r#"sum(rate(cache_requests_total{result="miss"}[30s])) / sum(rate(cache_requests_total[30s]))"#,
    ),
    (
        "customer errors",
        r#"sum(rate(lab_customer_requests_total{outcome=~"failed|timed_out|unreachable"}[30s]))"#,
    ),
    (
        "order-api p90 of placing",
        r#"histogram_quantile(0.9, sum by (le) (rate(grpc_request_duration_seconds_bucket{job="order-api", method="PlaceOrder"}[30s])))"#,
    ),
    (
        "order-api p90 of reading",
        r#"histogram_quantile(0.9, sum by (le) (rate(grpc_request_duration_seconds_bucket{job="order-api", method="GetOrder"}[30s])))"#,
    ),
    ("order-api in hand", r#"sum(avg_over_time(grpc_requests_active{job="order-api"}[20s]))"#),
    (
        "order-api errors",
        r#"sum(rate(grpc_requests_total{job="order-api", status=~"UNAVAILABLE|INTERNAL|DEADLINE_EXCEEDED|CANCELLED"}[30s]))"#,
    ),
    ("order-api orders", "sum(rate(orders_created_total[30s]))"),
    ("order-api processor", r#"rate(process_cpu_seconds_total{job="order-api"}[30s])"#),
    ("gateway processor", r#"rate(process_cpu_seconds_total{job="web-gateway"}[30s])"#),
    (
        "order-api memory growth",
        r#"deriv(process_resident_memory_bytes{job="order-api"}[1m]) / 1e5"#,
    ),
    (
        "order-api lag",
        r#"histogram_quantile(0.99, sum by (le) (rate(runtime_lag_seconds_bucket{job="order-api"}[30s])))"#,
    ),
    ("order-api samples growth", r#"deriv(scrape_samples_scraped{job="order-api"}[1m])"#),
    ("order-api log bytes", r#"rate(log_bytes_total{job="order-api"}[30s]) / 1e3"#),
    ("pool in use", r#"avg_over_time(db_pool_connections{state="used"}[20s])"#),
    (
        "pool wait",
        "histogram_quantile(0.9, sum by (le) (rate(db_pool_wait_duration_seconds_bucket[30s])))",
    ),
    (
        "statements per call",
        r#"sum(rate(db_statement_duration_seconds_count{query=~"get_order|list_orders|list_products|reserve_stock"}[30s])) / sum(rate(grpc_requests_total{job="order-api"}[30s]))"#,
    ),
    (
        "statement p90",
        "histogram_quantile(0.9, sum by (le) (rate(db_statement_duration_seconds_bucket[30s])))",
    ),
    (
        "provider p90",
        r#"histogram_quantile(0.9, sum by (le) (rate(payment_provider_request_duration_seconds_bucket[30s])))"#,
    ),
    (
        "provider rejections",
        r#"sum(rate(payment_provider_requests_total{outcome="rejected"}[30s]))"#,
    ),
    (
        "provider failures",
        r#"sum(rate(payment_provider_requests_total{outcome=~"failed|timed_out|unreachable"}[30s]))"#,
    ),
    ("payments undecided", "sum(rate(payments_undecided_total[30s]))"),
    (
        "circuits not closed",
        r#"sum(1 - avg_over_time(circuit_breaker_state{state="closed"}[30s]))"#,
    ),
    ("queue ready", r#"sum(rabbitmq_queue_messages_ready{queue="fulfillment.orders"})"#),
    ("queue unacknowledged", r#"sum(rabbitmq_queue_messages_unacked{queue="fulfillment.orders"})"#),
    ("queue consumers", r#"sum(rabbitmq_queue_consumers{queue="fulfillment.orders"})"#),
    ("worker messages", "sum(rate(fulfillment_messages_total[30s]))"),
    ("worker fulfilled", r#"sum(rate(fulfillment_messages_total{outcome="fulfilled"}[30s]))"#),
    ("worker in hand", "sum(avg_over_time(fulfillment_messages_in_flight[20s]))"),
    ("worker redeliveries", "sum(rate(fulfillment_redeliveries_total[30s]))"),
    ("worker calls", r#"sum(rate(grpc_client_attempts_total{job="fulfillment-worker"}[30s]))"#),
    ("oldest unfulfilled", "orders_oldest_unfulfilled_age_seconds"),
];

/// Records everything once.
pub(super) async fn take(stage: &Stage) -> anyhow::Result<Numbers> {
    let mut numbers = Numbers::new();
    for (name, query) in METRICS {
        if let Some(value) = eyes::value(stage, query).await? {
            numbers.insert((*name).to_owned(), value);
        }
    }
    numbers.extend(traces(stage).await?);
    numbers.extend(logs(stage).await?);
    numbers.values_mut().for_each(|value| *value = rounded(*value));
    Ok(numbers)
}

async fn traces(stage: &Stage) -> anyhow::Result<Numbers> {
    let answer = stage.get("/traces", &[("limit", "1500")]).await?;
    let all = answer["traces"].as_array().context("the desk lists no traces")?;
    let now = SystemTime::now();
    let (from, to) = (nanos(now - RECENT), nanos(now - SETTLED));
    let recent: Vec<_> = all
        .iter()
        .filter(|trace| {
            trace["start_unix_nano"].as_u64().is_some_and(|at| (from..to).contains(&at))
        })
        .collect();
    let mut numbers = Numbers::new();
    let mut set = |name: &str, value: f64| {
        numbers.insert(format!("traces:{name}"), value);
    };
    let share = |such: &dyn Fn(&Value) -> bool, of: &[&Value]| {
        of.iter().filter(|trace| such(trace)).count() as f64 / of.len().max(1) as f64
    };
    let reaches = |trace: &Value, service: &str| {
        trace["services"].as_array().is_some_and(|all| all.iter().any(|known| known == service))
    };
    set("errors", share(&|trace| trace["error"] == true, &recent));
    set("begun by the worker", share(&|trace| trace["service"] == "fulfillment-worker", &recent));
    for root in ["place order", "GET /orders", "GET /products", "GET /orders/{id}"] {
        let such: Vec<_> = recent.iter().copied().filter(|trace| trace["name"] == root).collect();
        let number = |name: &str| such.iter().filter_map(|trace| trace[name].as_f64()).collect();
        set(&format!("duration of {root}"), median(number("duration_ms")));
        set(&format!("steps of {root}"), median(number("spans")));
        set(&format!("errors of {root}"), share(&|trace| trace["error"] == true, &such));
        set(
            &format!("{root} with the worker"),
            share(&|trace| reaches(trace, "fulfillment-worker"), &such),
        );
        set(&format!("{root} with order-api"), share(&|trace| reaches(trace, "order-api"), &such));
    }
    Ok(numbers)
}

async fn logs(stage: &Stage) -> anyhow::Result<Numbers> {
    let answer = stage.get("/logs", &[("limit", "10000")]).await?;
    let all = answer["logs"].as_array().context("the desk lists no log records")?;
    let from = nanos(SystemTime::now() - RECENT);
    let recent: Vec<_> = all
        .iter()
        .filter(|record| record["time_unix_nano"].as_u64().is_some_and(|at| at >= from))
        .collect();
    let mut numbers = Numbers::new();
    for service in ["web-gateway", "order-api", "fulfillment-worker"] {
        let lines = recent.iter().filter(|record| record["service"] == service);
        let grave = |record: &&&&Value| record["level"] == "warn" || record["level"] == "error";
        let per_second = |count: usize| count as f64 / RECENT.as_secs_f64();
        let all: Vec<_> = lines.collect();
        numbers.insert(format!("logs:lines of {service}"), per_second(all.len()));
        let warnings = all.iter().filter(grave).count();
        numbers.insert(format!("logs:warnings of {service}"), per_second(warnings));
    }
    Ok(numbers)
}

/// Writes recordings number by number: a name once, and its values in their order.
pub(super) fn in_columns<S: Serializer>(
    recordings: &[Numbers],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let names: BTreeSet<_> = recordings.iter().flat_map(BTreeMap::keys).collect();
    let values = |name: &String| -> Vec<_> {
        recordings.iter().map(|numbers| numbers.get(name).copied()).collect()
    };
    serializer.collect_map(names.into_iter().map(|name| (name, values(name))))
}

/// Reads what was written so.
pub(super) fn from_columns<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Vec<Numbers>, D::Error> {
    let columns = BTreeMap::<String, Vec<Option<f64>>>::deserialize(deserializer)?;
    let mut recordings = Vec::new();
    for (name, values) in columns {
        recordings.resize_with(values.len().max(recordings.len()), Numbers::new);
        for (numbers, value) in recordings.iter_mut().zip(values) {
            numbers.extend(value.map(|value| (name.clone(), value)));
        }
    }
    Ok(recordings)
}

/// Reads a fault that the catalogue has.
pub(super) fn known<'de, D: Deserializer<'de>>(deserializer: D) -> Result<&'static str, D::Error> {
    named(&String::deserialize(deserializer)?)
}

/// The same for all that something is said of.
pub(super) fn all_known<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<BTreeMap<&'static str, bool>, D::Error> {
    let said = BTreeMap::<String, bool>::deserialize(deserializer)?;
    said.into_iter().map(|(name, held)| Ok((named(&name)?, held))).collect()
}

fn named<E: de::Error>(name: &str) -> Result<&'static str, E> {
    let fault = faults::find(name);
    fault.map(|fault| fault.name).ok_or_else(|| E::custom(format!("there is no fault {name:?}")))
}

/// With as many digits as it is worth: four that count.
fn rounded(value: f64) -> f64 {
    format!("{value:.3e}").parse().unwrap_or(value)
}

/// The number in the middle; 0 if there is none.
pub(super) fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    match numbers.len() {
        0 => 0.0,
        count if count % 2 == 1 => numbers[count / 2],
        count => (numbers[count / 2 - 1] + numbers[count / 2]) / 2.0,
    }
}

fn nanos(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recordings_are_written_number_by_number_with_the_digits_that_count() {
        let first = Numbers::from([("a".to_owned(), rounded(0.123_456)), ("b".to_owned(), 2.0)]);
        let second = Numbers::from([("a".to_owned(), rounded(-98_765.4))]);
        let mut text = Vec::new();
        let mut json = serde_json::Serializer::new(&mut text);
        let written = [first, second];
        in_columns(&written, &mut json).unwrap();
        let text = String::from_utf8(text).unwrap();
        assert_eq!(text, r#"{"a":[0.1235,-98770.0],"b":[2.0,null]}"#);
        let read = from_columns(&mut serde_json::Deserializer::from_str(&text)).unwrap();
        assert_eq!(read, written);
    }
}
