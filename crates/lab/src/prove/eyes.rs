//! Whether a sign of a contract can be seen, by those who look where a learner looks.

use std::{
    collections::BTreeSet,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use anyhow::Context as _;
use faults::contract::{Logs, Look, Sign, Slo, Traces};
use serde_json::Value;

use super::stage::Stage;

/// How far back traces and logs are looked at.
pub(super) const RECENT: Duration = Duration::from_secs(60);
/// A trace that is younger may not be over.
const SETTLED: Duration = Duration::from_secs(12);
/// How far back they are looked at once a fault is healed, of which there was much just before.
const LATELY: Duration = Duration::from_secs(20);
/// As many as are asked for.
const MANY: &str = "2000";

/// Whether it can be seen now, of what has happened since then.
pub(super) async fn sees(stage: &Stage, sign: &Sign, since: SystemTime) -> anyhow::Result<bool> {
    match &sign.look {
        Look::Metrics(query) => Ok(!query_all(stage, query).await?.is_empty()),
        Look::Traces(traces) => sees_traces(stage, traces, since).await,
        Look::Logs(logs) => sees_logs(stage, logs, since).await,
        Look::Database(query) => stage.has_row(*query).await,
        Look::Grown(query) => stage.has_grown(*query).await,
    }
}

/// Whether it can still be seen, when it should be no more: fewer traces and lines say so, since they are
/// of a shorter time.
pub(super) async fn still_sees(stage: &Stage, sign: &Sign) -> anyhow::Result<bool> {
    let since = SystemTime::now() - LATELY;
    let share = |at_least: usize, now: Duration, else_of: Duration| {
        (at_least as f64 * now.as_secs_f64() / else_of.as_secs_f64()).ceil() as usize
    };
    match sign.look {
        Look::Traces(traces) => {
            let at_least = share(traces.at_least, LATELY - SETTLED, RECENT - SETTLED);
            sees_traces(stage, &Traces { at_least, ..traces }, since).await
        }
        Look::Logs(logs) => {
            let at_least = share(logs.at_least, LATELY, RECENT);
            sees_logs(stage, &Logs { at_least, ..logs }, since).await
        }
        // It does not fall again.
        Look::Grown(_) => Ok(false),
        Look::Metrics(_) | Look::Database(_) => sees(stage, sign, since).await,
    }
}

/// Whether all of them can be seen.
pub(super) async fn sees_all<'a>(
    stage: &Stage,
    signs: impl IntoIterator<Item = &'a Sign>,
    since: SystemTime,
) -> anyhow::Result<bool> {
    for sign in signs {
        if !sees(stage, sign, since).await? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The value of the first result of a query, if there is one.
pub(super) async fn value(stage: &Stage, query: &str) -> anyhow::Result<Option<f64>> {
    let found = query_all(stage, query).await?;
    let text = found.first().and_then(|result| result["value"][1].as_str());
    Ok(text.and_then(|text| text.parse().ok()).filter(|value: &f64| value.is_finite()))
}

/// Alerts that fire.
#[derive(Debug, Default)]
pub(super) struct Alerts {
    pub(super) all: BTreeSet<String>,
    /// Without tickets of a promise whose budget was spent already: they look back a quarter of an hour, and
    /// so at what was on before.
    pub(super) of_now: BTreeSet<String>,
}

/// The promises whose budget for a quarter of an hour is spent; as in `prometheus/rules/slo.yml`.
const SPENT: [(Slo, &str); 6] = [
    (Slo::Availability, "gateway:availability_errors:ratio_rate15m > 1 * 0.005"),
    (Slo::Latency, "gateway:latency_slow:ratio_rate15m > 1 * 0.05"),
    (Slo::Browsing, "gateway:browsing_slow:ratio_rate15m > 1 * 0.1"),
    (Slo::Fulfillment, "orders:fulfillment_late:ratio15m > 1 * 0.01"),
    (Slo::Correctness, "orders:fulfilled_twice:ratio_rate15m > 1 * 0.01"),
    (Slo::Payment, "payments:undecided:ratio_rate15m > 1 * 0.01"),
];

/// The names of the promises whose budget is spent.
pub(super) async fn spent(stage: &Stage) -> anyhow::Result<BTreeSet<&'static str>> {
    let mut spent = BTreeSet::new();
    for (slo, query) in SPENT {
        if !query_all(stage, query).await?.is_empty() {
            spent.insert(slo.name());
        }
    }
    Ok(spent)
}

/// The alerts that fire, where these promises' budgets were spent before.
pub(super) async fn alerts(
    stage: &Stage,
    spent: &BTreeSet<&'static str>,
) -> anyhow::Result<Alerts> {
    let url = format!("{}/api/v1/alerts", stage.prometheus);
    let answer: Value = stage.client.get(url).send().await?.error_for_status()?.json().await?;
    let all = answer["data"]["alerts"].as_array().context("Prometheus lists no alerts")?;
    let mut alerts = Alerts::default();
    for labels in
        all.iter().filter(|alert| alert["state"] == "firing").map(|alert| &alert["labels"])
    {
        let name = labels["alertname"].as_str().unwrap_or_default().to_owned();
        let of_before = labels["slo"].as_str().is_some_and(|slo| spent.contains(slo));
        if !(of_before && labels["severity"] == "ticket") {
            alerts.of_now.insert(name.clone());
        }
        alerts.all.insert(name);
    }
    Ok(alerts)
}

async fn query_all(stage: &Stage, query: &str) -> anyhow::Result<Vec<Value>> {
    let url = format!("{}/api/v1/query", stage.prometheus);
    let request = stage.client.get(url).query(&[("query", query)]);
    let answer: Value = request.send().await?.json().await?;
    let result = answer["data"]["result"].as_array();
    Ok(result.with_context(|| format!("Prometheus does not understand {query}: {answer}"))?.clone())
}

async fn sees_traces(stage: &Stage, traces: &Traces, since: SystemTime) -> anyhow::Result<bool> {
    let mut asked = vec![("limit", MANY)];
    asked.extend_from_slice(traces.like);
    asked.extend(
        [("root", traces.root), ("without", traces.without)]
            .iter()
            .filter(|(_, value)| !value.is_empty()),
    );
    let answer = stage.get("/traces", &asked).await?;
    let all = answer["traces"].as_array().context("the desk lists no traces")?;
    let now = SystemTime::now();
    let (from, to) = (nanos(since.max(now - RECENT)), nanos(now - SETTLED));
    let recent = all.iter().filter(|trace| {
        trace["start_unix_nano"].as_u64().is_some_and(|start| (from..to).contains(&start))
    });
    Ok(recent.count() >= traces.at_least)
}

async fn sees_logs(stage: &Stage, logs: &Logs, since: SystemTime) -> anyhow::Result<bool> {
    let mut asked = vec![("limit", MANY)];
    asked.extend_from_slice(logs.like);
    let answer = stage.get("/logs", &asked).await?;
    let all = answer["logs"].as_array().context("the desk lists no log records")?;
    let from = nanos(since.max(SystemTime::now() - RECENT));
    let recent =
        all.iter().filter(|record| record["time_unix_nano"].as_u64().is_some_and(|at| at >= from));
    Ok(recent.count() >= logs.at_least)
}

fn nanos(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_is_spent_when_its_ticket_says_so() {
        let rules = include_str!("../../../../prometheus/rules/slo.yml");
        for (slo, query) in SPENT {
            assert!(rules.contains(&format!(" {query} and ")), "{}", slo.name());
        }
    }
}
