//! One service as the desk sees it, over its side port: is it there, and does its switchboard hold
//! what it must.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use anyhow::Context as _;
use axum::http::StatusCode;
use faults::{Arming, Service, control};
use instrumentation::settings::{self, Setting};
use order_api::control::{ANNOUNCEMENTS, Announced, Forgotten};
use reqwest::{Client, Response};
use serde::{Deserialize, Serialize};
use tokio::{sync::Mutex, time::MissedTickBehavior};
use uuid::Uuid;

use super::ledger::Ledger;

/// How often a switchboard is compared with the truth.
const PAUSE: Duration = Duration::from_secs(1);
/// How long a side port may take to answer.
const PATIENCE: Duration = Duration::from_secs(1);

/// How long it may take to do something for many orders.
const LONG_PATIENCE: Duration = Duration::from_secs(30);

/// How a service is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceStatus {
    /// Which one.
    pub service: Service,
    /// Whether it is the second replica of it.
    #[serde(default)]
    pub canary: bool,
    /// Whether it answers.
    pub up: bool,
    /// Whether it can do its work.
    pub ready: bool,
}

/// One service, over its side port.
#[derive(Debug)]
pub(crate) struct Remote {
    pub(crate) service: Service,
    /// Whether it is the second replica of the service.
    pub(crate) canary: bool,
    /// Whether it is there, as far as is known. The second replica is not, before it has answered.
    known: AtomicBool,
    url: String,
    client: Client,
    ledger: Arc<Ledger>,
    /// Held from reading the truth to having told it, so that no older truth comes last.
    turn: Mutex<Told>,
}

/// What a service was told.
#[derive(Debug, Default)]
struct Told {
    /// What its switchboard holds.
    armings: BTreeSet<Uuid>,
    /// The names of the settings that are as they must be.
    settings: BTreeSet<String>,
}

/// Why a setting was not changed.
#[derive(Debug)]
pub(crate) enum NotSet {
    /// It cannot be that.
    Refused(String),
    /// Nobody was reached who could.
    Unreachable,
}

impl From<reqwest::Error> for NotSet {
    fn from(_: reqwest::Error) -> Self {
        Self::Unreachable
    }
}

impl Remote {
    /// The service, or its first replica.
    pub(crate) fn first(service: Service, url: &str, ledger: Arc<Ledger>) -> anyhow::Result<Self> {
        Self::new(service, false, url, ledger)
    }

    /// The second replica of order-api, which may not be there.
    pub(crate) fn canary(url: &str, ledger: Arc<Ledger>) -> anyhow::Result<Self> {
        Self::new(Service::OrderApi, true, url, ledger)
    }

    fn new(service: Service, canary: bool, url: &str, ledger: Arc<Ledger>) -> anyhow::Result<Self> {
        let client = Client::builder()
            .no_proxy()
            .timeout(PATIENCE)
            .build()
            .context("cannot make an HTTP client")?;
        let url = url.trim_end_matches('/').to_owned();
        let known = AtomicBool::new(!canary);
        Ok(Self { service, canary, known, url, client, ledger, turn: Mutex::default() })
    }

    /// What it is called.
    pub(crate) fn name(&self) -> &'static str {
        name(self.service, self.canary)
    }

    /// Whether it is there, as far as is known: whoever is not has nothing to be told.
    pub(crate) fn is_known(&self) -> bool {
        self.known.load(Ordering::Relaxed)
    }

    /// Tells the service what its switchboard must hold.
    pub(crate) async fn tell(&self) -> reqwest::Result<()> {
        let mut told = self.turn.lock().await;
        self.look(&mut told).await?;
        self.put(&mut told).await?;
        self.hold(&mut told.settings).await
    }

    /// Compares, and tells, for as long as this is polled: a service that has come back gets back
    /// what is on.
    pub(crate) async fn keep(&self) {
        let mut ticks = tokio::time::interval(PAUSE);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut reached = self.is_known();
        loop {
            ticks.tick().await;
            let result = self.compare().await;
            match &result {
                Ok(()) if !reached => tracing::info!(peer = self.name(), "reached"),
                Err(error) if reached => {
                    tracing::warn!(peer = self.name(), %error, "not reached");
                }
                Ok(()) | Err(_) => {}
            }
            reached = result.is_ok();
            self.known.fetch_or(reached, Ordering::Relaxed);
        }
    }

    /// Has order-api announce orders again that were placed longer ago than this.
    pub(crate) async fn announce_again(&self, longer_ago_s: u64) -> reqwest::Result<Announced> {
        let request = self.client.post(format!("{}{ANNOUNCEMENTS}", self.url));
        let answer = request.query(&Forgotten { longer_ago_s }).timeout(LONG_PATIENCE).send().await;
        answer?.error_for_status()?.json().await
    }

    /// How the service is.
    pub(crate) async fn status(&self) -> ServiceStatus {
        let answer = self.client.get(format!("{}/ready", self.url)).send().await;
        let ready = answer.as_ref().is_ok_and(|answer| answer.status() == StatusCode::OK);
        let up = answer.is_ok();
        self.known.fetch_or(up, Ordering::Relaxed);
        ServiceStatus { service: self.service, canary: self.canary, up, ready }
    }

    async fn compare(&self) -> reqwest::Result<()> {
        let mut told = self.turn.lock().await;
        let armed = self.look(&mut told).await?;
        if armed != ids(&self.ledger.armings(self.service, self.canary)) {
            self.put(&mut told).await?;
        }
        self.hold(&mut told.settings).await
    }

    /// What the switchboard holds. If it holds nothing of all that it was told and that has not ended,
    /// the service has started again.
    async fn look(&self, told: &mut Told) -> reqwest::Result<BTreeSet<Uuid>> {
        let answer = self.client.get(self.switchboard()).send().await?;
        let armed: BTreeSet<Uuid> = answer.error_for_status()?.json().await?;
        let wanted = ids(&self.ledger.armings(self.service, self.canary));
        if told.armings.is_disjoint(&armed) && !told.armings.is_disjoint(&wanted) {
            self.ledger.started_again(self.service, self.canary, &told.armings);
        }
        told.armings.clone_from(&armed);
        Ok(armed)
    }

    /// What the service works with, of what can be changed; nothing if it has nothing of the kind.
    pub(crate) async fn settings(&self) -> reqwest::Result<Vec<Setting>> {
        let answer = self.client.get(format!("{}{}", self.url, settings::PATH)).send().await?;
        if answer.status() == StatusCode::NOT_FOUND {
            return Ok(Vec::new());
        }
        answer.error_for_status()?.json().await
    }

    /// Changes settings, all or none, and keeps them so; `default` is what the service was started
    /// with. Returns what there is then.
    pub(crate) async fn change<'a>(
        &self,
        given: impl Iterator<Item = (&'a str, &'a str)>,
    ) -> Result<Vec<Setting>, NotSet> {
        let mut told = self.turn.lock().await;
        let before = self.settings().await?;
        let start = |name| before.iter().find(|setting| setting.name == name);
        let meant = |name, value: &str| match start(name) {
            Some(setting) if value == "default" => setting.started_with.clone(),
            _ => value.to_owned(),
        };
        let changes: BTreeMap<_, _> =
            given.map(|(name, value)| (name.to_owned(), meant(name, value))).collect();
        let answer = self.set(&changes).await?;
        let after: Vec<Setting> = match answer.status() {
            StatusCode::UNPROCESSABLE_ENTITY => return Err(NotSet::Refused(answer.text().await?)),
            StatusCode::NOT_FOUND => {
                return Err(NotSet::Refused("it has no settings to change".to_owned()));
            }
            _ => answer.error_for_status()?.json().await?,
        };
        // As the service writes it.
        for Setting { name, value, .. } in &after {
            if changes.contains_key(name) {
                self.ledger.wish(self.service, name, value);
                told.settings.insert(name.clone());
            }
        }
        Ok(after)
    }

    /// Lets settings be what they must be, and those that need not be any more what they were.
    async fn hold(&self, held: &mut BTreeSet<String>) -> reqwest::Result<()> {
        let wanted = self.ledger.settings(self.service);
        if wanted.is_empty() && held.is_empty() {
            return Ok(());
        }
        let mut changes = BTreeMap::new();
        for Setting { name, value, started_with } in self.settings().await? {
            let was_held = held.contains(&name).then_some(started_with);
            if let Some(must) = wanted.get(&name).cloned().or(was_held)
                && must != value
            {
                changes.insert(name, must);
            }
        }
        if !changes.is_empty() {
            self.set(&changes).await?.error_for_status()?;
        }
        *held = wanted.into_keys().collect();
        Ok(())
    }

    async fn set(&self, changes: &BTreeMap<String, String>) -> reqwest::Result<Response> {
        self.client.put(format!("{}{}", self.url, settings::PATH)).json(changes).send().await
    }

    async fn put(&self, told: &mut Told) -> reqwest::Result<()> {
        let armings = self.ledger.armings(self.service, self.canary);
        let answer = self.client.put(self.switchboard()).json(&armings).send().await;
        answer.and_then(Response::error_for_status)?;
        told.armings = ids(&armings);
        Ok(())
    }

    fn switchboard(&self) -> String {
        format!("{}{}", self.url, control::PATH)
    }
}

impl ServiceStatus {
    /// What it is called.
    pub fn name(&self) -> &'static str {
        name(self.service, self.canary)
    }
}

fn name(service: Service, canary: bool) -> &'static str {
    match (service, canary) {
        (Service::OrderApi, true) => "order-api-canary",
        (Service::WebGateway | Service::OrderApi | Service::FulfillmentWorker, _) => service.name(),
    }
}

fn ids(armings: &[Arming]) -> BTreeSet<Uuid> {
    armings.iter().map(|arming| arming.id).collect()
}
