//! What operators can do about the services without knowing what is wrong: change a setting, and go
//! back to the release before.
//!
//! The answers say what was done, never whether it helped.

use std::{fmt, sync::Arc};

use axum::{
    Router,
    extract::{Path, State},
    http::StatusCode,
    response::Response,
    routing::{get, post, put},
};
use faults::Service;
use futures_util::future::join_all;
use instrumentation::settings::Setting;
use serde::Serialize;

use super::{
    Parts,
    answer::{Given, Refusal, Wants},
    remote::{NotSet, Remote},
};

pub(super) fn router() -> Router<Arc<Parts>> {
    Router::new()
        .route("/settings", get(list))
        .route("/settings/{service}", put(change))
        .route("/releases/{service}/rollback", post(roll_back))
}

/// What the services work with.
#[derive(Serialize)]
struct Shown {
    services: Vec<OfService>,
}

/// What one of them works with.
#[derive(Serialize)]
struct OfService {
    service: Service,
    settings: Vec<Setting>,
}

/// A service that runs the release before its last one.
#[derive(Serialize)]
struct RolledBack {
    rolled_back: Service,
}

async fn list(State(parts): State<Arc<Parts>>, wants: Wants) -> Response {
    let first = parts.remotes.iter().filter(|remote| !remote.canary);
    let all = first.map(async |remote| {
        let settings = remote.settings().await.ok()?;
        Some(OfService { service: remote.service, settings })
    });
    let services = join_all(all).await.into_iter().flatten().collect();
    wants.answer(Shown { services })
}

async fn change(
    State(parts): State<Arc<Parts>>,
    Path(service): Path<String>,
    wants: Wants,
    given: Given,
) -> Response {
    match try_change(&parts, &service, &given).await {
        Ok(changed) => wants.answer(changed),
        Err(refusal) => wants.refuse(refusal),
    }
}

async fn try_change(parts: &Parts, service: &str, given: &Given) -> Result<Shown, Refusal> {
    let remote = find(parts, service)?;
    let settings = remote.change(given.iter()).await.map_err(|error| refusal(remote, &error))?;
    tracing::info!(service, "settings changed");
    Ok(Shown { services: vec![OfService { service: remote.service, settings }] })
}

async fn roll_back(
    State(parts): State<Arc<Parts>>,
    Path(service): Path<String>,
    wants: Wants,
) -> Response {
    let remote = match find(&parts, &service) {
        Ok(remote) => remote,
        Err(refusal) => return wants.refuse(refusal),
    };
    parts.ledger.roll_back(remote.service);
    tracing::info!(service, "rolled back");
    match remote.tell().await {
        Ok(()) => wants.answer(RolledBack { rolled_back: remote.service }),
        Err(error) => wants.refuse(refusal(remote, &error.into())),
    }
}

fn find<'p>(parts: &'p Parts, name: &str) -> Result<&'p Remote, Refusal> {
    parts.remotes.iter().find(|remote| remote.service.name() == name).ok_or_else(|| {
        let possible = Service::ALL.iter().map(|service| service.name().to_owned()).collect();
        Refusal::new(StatusCode::NOT_FOUND, format!("there is no service {name:?}"), possible)
    })
}

fn refusal(remote: &Remote, not_set: &NotSet) -> Refusal {
    match not_set {
        NotSet::Refused(problem) => {
            Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, problem.clone(), Vec::new())
        }
        NotSet::Unreachable => {
            let error = format!("{} cannot be reached", remote.service.name());
            Refusal::new(StatusCode::SERVICE_UNAVAILABLE, error, Vec::new())
        }
    }
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, OfService { service, settings }) in self.services.iter().enumerate() {
            let gap = if number == 0 { "" } else { "\n" };
            write!(f, "{gap}{}", service.name())?;
            for Setting { name, value, started_with } in settings {
                write!(f, "\n  {name:<26}{value}")?;
                if value != started_with {
                    write!(f, " (started with {started_with})")?;
                }
            }
            if settings.is_empty() {
                f.write_str("\n  nothing that can be changed while it runs")?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for RolledBack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} runs the release before its last one", self.rolled_back.name())
    }
}
