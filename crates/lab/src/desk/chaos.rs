//! Faults: listed, turned on, turned off.

use std::{fmt, sync::Arc};

use axum::{
    Json, Router,
    extract::{Path, State},
    http::StatusCode,
    response::Response,
    routing::{get, post},
};
use faults::{FAULTS, Fault, Needs, Service};
use futures_util::future::join_all;
use serde::Serialize;

use super::{
    Parts,
    answer::{Given, Refusal, Wants},
    catalogue::{Catalogue, Description, Hint},
    hands::Turn,
    ledger::ArmedFault,
    status::Listed,
};

/// Where Grafana is in compose, if nobody has moved it.
const DASHBOARDS: &str = "http://localhost:3001";

pub(super) fn router() -> Router<Arc<Parts>> {
    Router::new()
        .route("/faults", get(async |State(parts): State<Arc<Parts>>| Json(Catalogue::of(&parts))))
        .route("/chaos", get(list).delete(heal_all))
        .route("/chaos/status", get(status))
        .route("/chaos/{name}", post(arm).get(describe).delete(heal))
        .route("/chaos/{name}/hint/{step}", get(hint))
}

/// What was turned on.
#[derive(Serialize)]
struct Armed {
    armed: ArmedFault,
    /// Who could not be told yet.
    unreachable: Vec<&'static str>,
}

/// What was turned off.
#[derive(Serialize)]
struct Healed {
    healed: Vec<String>,
    /// Who could not be told yet.
    unreachable: Vec<&'static str>,
}

/// What is on.
#[derive(Serialize)]
struct On {
    armed: Vec<ArmedFault>,
    /// What was on until operators had repaired it.
    repaired: Vec<&'static str>,
}

async fn list(State(parts): State<Arc<Parts>>, wants: Wants) -> Response {
    wants.answer(Catalogue::of(&parts))
}

async fn status(State(parts): State<Arc<Parts>>, wants: Wants) -> Response {
    wants.answer(On { armed: parts.ledger.on(), repaired: parts.ledger.all_repaired() })
}

async fn describe(Path(name): Path<String>, wants: Wants) -> Response {
    match find(&name) {
        Ok(fault) => wants.answer(Description::of(fault)),
        Err(refusal) => wants.refuse(refusal),
    }
}

async fn hint(Path((name, step)): Path<(String, String)>, wants: Wants) -> Response {
    let hint = find(&name).and_then(|fault| {
        Hint::of(fault, &step).ok_or_else(|| {
            let error = format!("there is no hint {step:?} about {name}");
            let possible = (1..=fault.hints.len()).map(|step| step.to_string()).collect();
            Refusal::new(StatusCode::NOT_FOUND, error, possible)
        })
    });
    match hint {
        Ok(hint) => wants.answer(hint),
        Err(refusal) => wants.refuse(refusal),
    }
}

async fn arm(
    State(parts): State<Arc<Parts>>,
    Path(name): Path<String>,
    wants: Wants,
    given: Given,
) -> Response {
    match turn_on(&parts, &name, &given).await {
        Ok(armed) => wants.answer(armed),
        Err(refusal) => wants.refuse(refusal),
    }
}

async fn turn_on(parts: &Parts, name: &str, given: &Given) -> Result<Armed, Refusal> {
    let fault = find(name)?;
    if fault.needs() > parts.offers() {
        return Err(cannot_be_here(fault));
    }
    let settings = fault.settings(given.iter()).map_err(|rejected| {
        Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, rejected.problem, rejected.possible)
    })?;
    if fault.needs_canary() && !parts.has_canary().await {
        return Err(there_is_no_canary(fault));
    }
    let turn = parts.hands.turn().await;
    let armed = parts.ledger.arm(fault, settings);
    tracing::info!(fault = armed.name, settings = armed.settings, "turned on");
    let unreachable = tell(parts, &fault.services(), turn).await;
    Ok(Armed { armed, unreachable })
}

async fn heal(State(parts): State<Arc<Parts>>, Path(name): Path<String>, wants: Wants) -> Response {
    match turn_off(&parts, &name).await {
        Ok(healed) => wants.answer(healed),
        Err(refusal) => wants.refuse(refusal),
    }
}

async fn turn_off(parts: &Parts, name: &str) -> Result<Healed, Refusal> {
    let fault = find(name)?;
    let turn = parts.hands.turn().await;
    if !parts.ledger.heal(fault) {
        let on = parts.ledger.on().into_iter().map(|fault| fault.name).collect();
        return Err(Refusal::new(StatusCode::NOT_FOUND, format!("{name} is not on"), on));
    }
    tracing::info!(fault = name, "turned off");
    let unreachable = tell(parts, &Service::ALL, turn).await;
    Ok(Healed { healed: vec![name.to_owned()], unreachable })
}

async fn heal_all(State(parts): State<Arc<Parts>>, wants: Wants) -> Response {
    let turn = parts.hands.turn().await;
    let healed: Vec<_> = parts.ledger.heal_all().into_iter().map(|fault| fault.name).collect();
    tracing::info!(faults = healed.join(" "), "turned off");
    wants.answer(Healed { healed, unreachable: tell(&parts, &Service::ALL, turn).await })
}

fn find(name: &str) -> Result<&'static Fault, Refusal> {
    faults::find(name).ok_or_else(|| {
        let possible =
            FAULTS.iter().map(|fault| format!("{:<20}{}", fault.name, fault.summary())).collect();
        Refusal::new(StatusCode::NOT_FOUND, format!("there is no fault {name:?}"), possible)
    })
}

/// Says how to get the second replica that a fault needs.
fn there_is_no_canary(fault: &Fault) -> Refusal {
    let error = format!("{} needs a second replica of order-api, and there is none", fault.name);
    let possible = vec![
        "cargo run -- --canary (or LAB_CANARY=true), instead of cargo run".to_owned(),
        "just up canary, or docker compose --profile canary up -d --wait".to_owned(),
    ];
    Refusal::new(StatusCode::CONFLICT, error, possible)
}

/// Says what a fault needs that is not here.
fn cannot_be_here(fault: &Fault) -> Refusal {
    let possible = match fault.needs() {
        Needs::Nothing | Needs::Database => {
            vec!["lab desk --database-url URL (the shop's, or LAB_DATABASE_URL)".to_owned()]
        }
        Needs::Postgres => vec![
            "cargo run -- --database-url postgres://user:password@host/database".to_owned(),
            "docker compose up (just up), which has one".to_owned(),
        ],
        Needs::Proxy => vec![
            "cargo run -- --database-url postgres://user:password@host/database, over TCP and without --no-database-proxy".to_owned(),
            "docker compose up (just up), which has one".to_owned(),
            "lab desk --database-proxy-url URL (or LAB_DATABASE_PROXY_URL)".to_owned(),
        ],
    };
    let (name, needs) = (fault.name, fault.needs());
    let error = format!("{name} needs {}, which is not here: {}", needs.name(), needs.why());
    Refusal::new(StatusCode::CONFLICT, error, possible)
}

/// Tells services at once, and then does what is to be done elsewhere; returns those that could not
/// be told. They will be, when they answer.
async fn tell(parts: &Parts, services: &[Service], turn: Turn<'_>) -> Vec<&'static str> {
    let told = parts.known().filter(|remote| services.contains(&remote.service));
    let told = told.map(async |remote| remote.tell().await.err().map(|_| remote.name()));
    let mut missed: Vec<_> = join_all(told).await.into_iter().flatten().collect();
    // Services first: what comes from outside is to find them as they will be.
    missed.extend(turn.settle(&parts.ledger, parts.reach()).await);
    missed
}

/// What is on and where to look, but not what it does: that is to be found.
impl fmt::Display for Armed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = &self.armed.name;
        write!(f, "on: {}", self.armed)?;
        later(f, &self.unreachable)?;
        write!(
            f,
            "\n\nwhere to look:  just status, just alerts, just traces; with compose the dashboards \
             at {DASHBOARDS}\nneed a hint?    just hint {name}, then just hint {name} 2 and 3\nthe \
             answer:     just story {name}\nturn it off:    just heal {name}\n(without just: cargo \
             run hint {name}, and so on)"
        )
    }
}

impl fmt::Display for Healed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.healed.as_slice() {
            [] => f.write_str("nothing was on")?,
            healed => write!(f, "off: {}", healed.join(", "))?,
        }
        later(f, &self.unreachable)
    }
}

impl fmt::Display for On {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "on\n{}", Listed(&self.armed))?;
        match self.repaired.as_slice() {
            [] => Ok(()),
            names => write!(f, "\nrepaired\n  {}", names.join("\n  ")),
        }
    }
}

fn later(f: &mut fmt::Formatter<'_>, unreachable: &[&str]) -> fmt::Result {
    match unreachable {
        [] => Ok(()),
        names => write!(f, "\n{} cannot be reached; it follows when it can", names.join(", ")),
    }
}
