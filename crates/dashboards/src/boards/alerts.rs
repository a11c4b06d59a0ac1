//! Alerts: who is woken and why, and whether the watchers themselves are well.

use crate::{
    model::{Dashboard, Level, Panel, Unit},
    promql::{per_minute, rate},
};

pub(super) fn dashboard() -> Dashboard {
    Dashboard::new(
        "alerts",
        "Alerts",
        "What fires, since when, and whether Prometheus and Alertmanager can be believed. Each \
         alert's runbook is at localhost:4000/runbooks/NAME.",
    )
    .next(&["start-here", "slos", "hosts", "telemetry"])
    .row("What fires", firing())
    .row("Over time", history())
    .row("Are the watchers well?", watchers())
    .row("Are people told? (in compose)", told())
}

fn count(matchers: &str) -> String {
    format!("count(ALERTS{{{matchers}}}) or vector(0)")
}

fn firing() -> [Panel; 4] {
    [
        Panel::stat("Pages", Unit::Count)
            .says("Someone is woken: customers are hurt. Good: 0.")
            .draws(count(r#"alertstate="firing", severity="page""#), "pages")
            .bad_from(1.0)
            .size(4, 8),
        Panel::stat("Tickets", Unit::Count)
            .says("Can wait until morning, or explains a page. Good: 0.")
            .draws(count(r#"alertstate="firing", severity="ticket""#), "tickets")
            .too_high(1.0, 5.0)
            .size(4, 8),
        Panel::stat("Pending", Unit::Count)
            .says("True, and not yet for long enough. Good: 0.")
            .draws(count(r#"alertstate="pending""#), "pending")
            .too_high(1.0, 5.0)
            .size(4, 8),
        Panel::table("Firing now", Unit::Count)
            .says("Empty is good. A page first: the tickets beside it are mostly its causes.")
            .column(
                "firing for",
                Unit::Seconds,
                "time() - ALERTS_FOR_STATE and ignoring (alertstate) ALERTS{alertstate=\"firing\"}",
            )
            .size(12, 8),
    ]
}

fn history() -> [Panel; 2] {
    let states = "max by (alertname, severity) \
                  (2 * ALERTS{alertstate=\"firing\"} or ALERTS{alertstate=\"pending\"})";
    [
        Panel::timeline("Alerts")
            .says("Which alert was pending or firing when, and so which came first. Good: empty.")
            .draws(states, "{{alertname}} ({{severity}})")
            .means(1, "pending", Level::Warn)
            .means(2, "firing", Level::Bad)
            .size(12, 10),
        Panel::timeline("Scrape targets")
            .says("Whether Prometheus reaches them. Good: all up (alert TargetDown).")
            .draws("up", "{{job}}")
            .means(1, "up", Level::Good)
            .means(0, "down", Level::Bad)
            .size(12, 10),
    ]
}

fn watchers() -> Vec<Panel> {
    vec![
        Panel::lines("Scrape duration", Unit::Seconds)
            .says("Good: below 100 ms; from 1 s on the alert ScrapeSlow fires.")
            .draws("scrape_duration_seconds", "{{job}}")
            .too_high(0.5, 1.0),
        Panel::lines("Samples per scrape", Unit::Count)
            .says("Good: flat. A slope is a label without bounds (alert SeriesGrowth).")
            .draws("scrape_samples_scraped", "{{job}}"),
        Panel::lines("Series in memory", Unit::Count)
            .says("Good: flat after the first minutes.")
            .draws("prometheus_tsdb_head_series", "series"),
        Panel::lines("Samples stored", Unit::PerSecond)
            .says("Good: samples per scrape divided by 5 s; a gap is data that is gone.")
            .draws(rate("", "prometheus_tsdb_head_samples_appended_total"), "samples"),
        Panel::lines("Time to evaluate rules", Unit::Seconds)
            .says("Of the slowest group. Good: far below the 5 s between evaluations.")
            .draws("max(prometheus_rule_group_last_duration_seconds)", "slowest group")
            .too_high(1.0, 5.0),
        Panel::lines("Rules that failed", Unit::PerSecond)
            .says("Good: 0. A rule that fails is an alert that never comes.")
            .draws(rate("", "prometheus_rule_evaluation_failures_total"), "failed")
            .bad_from(0.001),
    ]
}

fn told() -> [Panel; 2] {
    let webhook = |what: &str| {
        per_minute("", &format!(r#"alertmanager_notifications_{what}{{integration="webhook"}}"#))
    };
    [
        Panel::areas("Alerts in Alertmanager", Unit::Count)
            .says("Active ones are told, suppressed ones are explained by another. Good: none.")
            .draws("sum by (state) (alertmanager_alerts)", "{{state}}")
            .size(12, 8),
        Panel::lines("Notifications to the inbox", Unit::PerMinute)
            .says(
                "Good: none at rest, one soon after a page fires, none that failed; else nobody \
                 was told.",
            )
            .draws(webhook("total"), "sent")
            .draws(webhook("failed_total"), "failed")
            .tone("failed", Level::Bad)
            .size(12, 8),
    ]
}
