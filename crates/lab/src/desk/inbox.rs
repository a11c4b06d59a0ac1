//! The inbox: the alerts that fire, and those that have been resolved.
//!
//! It is what Alertmanager delivers to (`POST /alerts`, its webhook). Where there is no
//! Alertmanager, in the embedded lab, Prometheus itself delivers here, by the API that
//! Alertmanager has for it (`POST /api/v2/alerts`): without grouping and inhibition.

use std::{
    collections::{BTreeMap, VecDeque},
    fmt,
    sync::{Arc, Mutex},
};

use axum::{
    Json, Router,
    extract::{Path, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use chrono::{DateTime, TimeDelta, Utc};
use include_dir::{Dir, include_dir};
use serde::{Deserialize, Serialize};

use super::{
    Parts,
    answer::{Refusal, Wants},
};

/// How long an alert fires that is not told of again: Alertmanager repeats itself every minute, and
/// never says that an alert it inhibits was resolved.
const SILENCE: TimeDelta = TimeDelta::minutes(3);
/// How many resolved alerts are remembered.
const REMEMBERED: usize = 100;

static RUNBOOKS: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../../docs/runbooks");

/// One alert, as Prometheus and Alertmanager tell of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Alert {
    /// What tells it from others.
    pub(crate) labels: BTreeMap<String, String>,
    /// What is said about it.
    #[serde(default)]
    pub(crate) annotations: BTreeMap<String, String>,
    /// Since when it fires.
    pub(crate) starts_at: DateTime<Utc>,
    /// When it was resolved; in the future, or in the year 1, while it fires.
    #[serde(default)]
    pub(crate) ends_at: Option<DateTime<Utc>>,
}

/// What Alertmanager's webhook delivers.
#[derive(Debug, Deserialize)]
struct Delivery {
    alerts: Vec<Alert>,
}

/// The alerts that were delivered.
#[derive(Debug, Default)]
pub(crate) struct Inbox(Mutex<Contents>);

/// What is in the inbox.
#[derive(Clone, Debug, Default, Serialize)]
struct Contents {
    /// Whether anyone has ever delivered anything.
    delivered: bool,
    firing: Vec<Alert>,
    /// The latest first.
    resolved: VecDeque<Alert>,
}

pub(super) fn router() -> Router<Arc<Parts>> {
    Router::new()
        .route("/alerts", get(list).post(deliver))
        .route("/api/v2/alerts", post(deliver_plainly))
        .route("/runbooks/{name}", get(runbook))
}

async fn list(State(parts): State<Arc<Parts>>, wants: Wants) -> Response {
    wants.answer(parts.inbox.contents(Utc::now()))
}

async fn deliver(State(parts): State<Arc<Parts>>, Json(delivery): Json<Delivery>) -> StatusCode {
    parts.inbox.take(delivery.alerts, Utc::now());
    StatusCode::OK
}

async fn deliver_plainly(
    State(parts): State<Arc<Parts>>,
    Json(alerts): Json<Vec<Alert>>,
) -> StatusCode {
    parts.inbox.take(alerts, Utc::now());
    StatusCode::OK
}

async fn runbook(Path(name): Path<String>, wants: Wants) -> Response {
    match RUNBOOKS.get_file(format!("{name}.md")).and_then(include_dir::File::contents_utf8) {
        Some(text) => ([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], text).into_response(),
        None => {
            let files = RUNBOOKS.files().filter_map(|file| file.path().file_stem()?.to_str());
            let error = format!("there is no runbook {name:?}");
            let possible = files.map(str::to_owned).collect();
            wants.refuse(Refusal::new(StatusCode::NOT_FOUND, error, possible))
        }
    }
}

impl Inbox {
    fn take(&self, alerts: Vec<Alert>, now: DateTime<Utc>) {
        let mut contents = self.0.lock().expect("no holder of the lock panics");
        contents.delivered = true;
        for mut alert in alerts {
            contents.forget(&alert);
            if alert.has_no_end() {
                alert.ends_at = Some(now + SILENCE);
            }
            if alert.is_firing(now) {
                contents.firing.push(alert);
            } else {
                contents.resolved.push_front(alert);
            }
        }
        contents.resolved.truncate(REMEMBERED);
    }

    /// What fires and what did; an alert whose sender has gone silent has ended by itself.
    fn contents(&self, now: DateTime<Utc>) -> Contents {
        let mut contents = self.0.lock().expect("no holder of the lock panics");
        let ended: Vec<_> = contents.firing.extract_if(.., |alert| !alert.is_firing(now)).collect();
        ended.into_iter().for_each(|alert| contents.resolved.push_front(alert));
        contents.firing.sort_by_key(|alert| (!alert.is_page(), alert.starts_at));
        contents.clone()
    }
}

impl Contents {
    /// One alert that comes again is one alert.
    fn forget(&mut self, alert: &Alert) {
        self.firing.retain(|known| known.labels != alert.labels);
        self.resolved
            .retain(|known| known.labels != alert.labels || known.starts_at != alert.starts_at);
    }
}

impl Alert {
    fn is_firing(&self, now: DateTime<Utc>) -> bool {
        self.ends_at.is_none_or(|end| end > now)
    }

    /// Alertmanager ends what fires in the year 1.
    fn has_no_end(&self) -> bool {
        self.ends_at.is_none_or(|end| end < self.starts_at)
    }

    fn is_page(&self) -> bool {
        self.label("severity") == "page"
    }

    fn label(&self, name: &str) -> &str {
        self.labels.get(name).map_or("", String::as_str)
    }

    fn annotation(&self, name: &str) -> &str {
        self.annotations.get(name).map_or("", String::as_str)
    }
}

impl fmt::Display for Contents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.delivered {
            f.write_str("nobody has delivered an alert yet; it takes a Prometheus to do so\n")?;
        }
        f.write_str("firing")?;
        if self.firing.is_empty() {
            f.write_str("\n  nothing")?;
        }
        for alert in &self.firing {
            write!(f, "\n  {alert}, since {}", alert.starts_at.format("%T UTC"))?;
            write!(f, "\n          {}", alert.annotation("description"))?;
            write!(f, "\n          runbook {}", alert.annotation("runbook_url"))?;
            write!(f, "\n          dashboard {}", alert.annotation("dashboard_url"))?;
        }
        f.write_str("\nresolved")?;
        if self.resolved.is_empty() {
            f.write_str("\n  nothing")?;
        }
        for alert in &self.resolved {
            let end = alert.ends_at.unwrap_or(alert.starts_at).format("%T UTC");
            write!(f, "\n  {alert}, {} to {end}", alert.starts_at.format("%T"))?;
        }
        Ok(())
    }
}

impl fmt::Display for Alert {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (severity, name) = (self.label("severity"), self.label("alertname"));
        write!(f, "{severity:<7} {name}: {}", self.annotation("summary"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alert(name: &str, severity: &str, ends_in: i64) -> Alert {
        let starts_at = Utc::now() - TimeDelta::seconds(60);
        let labels = [("alertname", name), ("severity", severity)];
        Alert {
            labels: labels.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
            annotations: BTreeMap::new(),
            starts_at,
            ends_at: Some(Utc::now() + TimeDelta::seconds(ends_in)),
        }
    }

    fn names(alerts: impl IntoIterator<Item = Alert>) -> Vec<String> {
        alerts.into_iter().map(|alert| alert.label("alertname").to_owned()).collect()
    }

    #[test]
    fn pages_come_first_and_resolved_alerts_are_kept() {
        let inbox = Inbox::default();
        inbox.take(vec![alert("Ticket", "ticket", 60), alert("Page", "page", 60)], Utc::now());
        inbox.take(vec![alert("Old", "page", -1)], Utc::now());
        let contents = inbox.contents(Utc::now());
        assert_eq!(names(contents.firing), ["Page", "Ticket"]);
        assert_eq!(names(contents.resolved), ["Old"]);
    }

    #[test]
    fn an_alert_that_is_told_again_is_one_and_moves_when_it_is_resolved() {
        let inbox = Inbox::default();
        let firing = alert("Page", "page", 60);
        inbox.take(vec![firing.clone(), firing.clone()], Utc::now());
        assert_eq!(inbox.contents(Utc::now()).firing.len(), 1);
        let resolved = Alert { ends_at: Some(Utc::now()), ..firing };
        inbox.take(vec![resolved], Utc::now());
        let contents = inbox.contents(Utc::now());
        assert_eq!((contents.firing.len(), contents.resolved.len()), (0, 1));
    }

    #[test]
    fn an_alert_whose_sender_is_silent_ends_by_itself() {
        let inbox = Inbox::default();
        inbox.take(vec![alert("Page", "page", 60)], Utc::now());
        let later = inbox.contents(Utc::now() + TimeDelta::seconds(61));
        assert_eq!((later.firing.len(), later.resolved.len()), (0, 1));
    }

    #[test]
    fn the_year_one_means_that_it_fires_until_it_is_no_longer_told_of() {
        let delivery = r#"{"alerts":[{"status":"firing","labels":{"alertname":"Page"},
            "annotations":{},"startsAt":"2026-01-02T03:04:05Z","endsAt":"0001-01-01T00:00:00Z"}]}"#;
        let delivery: Delivery = serde_json::from_str(delivery).unwrap();
        let (inbox, now) = (Inbox::default(), Utc::now());
        inbox.take(delivery.alerts, now);
        assert_eq!(inbox.contents(now + TimeDelta::minutes(2)).firing.len(), 1);
        assert_eq!(inbox.contents(now + TimeDelta::minutes(4)).firing.len(), 0);
    }
}
