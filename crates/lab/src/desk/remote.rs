//! One service as the desk sees it, over its side port: is it there, and does its switchboard hold
//! what it must.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use anyhow::Context as _;
use axum::http::StatusCode;
use faults::{Arming, Service, control};
use reqwest::{Client, Response};
use serde::{Deserialize, Serialize};
use tokio::{sync::Mutex, time::MissedTickBehavior};
use uuid::Uuid;

use super::ledger::Ledger;

/// How often a switchboard is compared with the truth.
const PAUSE: Duration = Duration::from_secs(1);
/// How long a side port may take to answer.
const PATIENCE: Duration = Duration::from_secs(1);

/// How a service is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceStatus {
    /// Which one.
    pub service: Service,
    /// Whether it answers.
    pub up: bool,
    /// Whether it can do its work.
    pub ready: bool,
}

/// One service, over its side port.
#[derive(Debug)]
pub(crate) struct Remote {
    pub(crate) service: Service,
    url: String,
    client: Client,
    ledger: Arc<Ledger>,
    /// Held from reading the truth to having told it, so that no older truth comes last.
    turn: Mutex<()>,
}

impl Remote {
    pub(crate) fn new(service: Service, url: &str, ledger: Arc<Ledger>) -> anyhow::Result<Self> {
        let client = Client::builder()
            .no_proxy()
            .timeout(PATIENCE)
            .build()
            .context("cannot make an HTTP client")?;
        let url = url.trim_end_matches('/').to_owned();
        Ok(Self { service, url, client, ledger, turn: Mutex::new(()) })
    }

    /// Tells the service what its switchboard must hold.
    pub(crate) async fn tell(&self) -> reqwest::Result<()> {
        let _turn = self.turn.lock().await;
        self.put().await
    }

    /// Compares, and tells, for as long as this is polled: a service that has come back gets back
    /// what is on.
    pub(crate) async fn keep(&self) {
        let mut ticks = tokio::time::interval(PAUSE);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut reached = true;
        loop {
            ticks.tick().await;
            let result = self.compare().await;
            match &result {
                Ok(()) if !reached => tracing::info!(peer = self.service.name(), "reached"),
                Err(error) if reached => {
                    tracing::warn!(peer = self.service.name(), %error, "not reached");
                }
                Ok(()) | Err(_) => {}
            }
            reached = result.is_ok();
        }
    }

    /// How the service is.
    pub(crate) async fn status(&self) -> ServiceStatus {
        let answer = self.client.get(format!("{}/ready", self.url)).send().await;
        let ready = answer.as_ref().is_ok_and(|answer| answer.status() == StatusCode::OK);
        ServiceStatus { service: self.service, up: answer.is_ok(), ready }
    }

    async fn compare(&self) -> reqwest::Result<()> {
        let _turn = self.turn.lock().await;
        let answer = self.client.get(self.switchboard()).send().await?;
        let held: Vec<Arming> = answer.error_for_status()?.json().await?;
        match ids(&held) == ids(&self.ledger.armings(self.service)) {
            true => Ok(()),
            false => self.put().await,
        }
    }

    async fn put(&self) -> reqwest::Result<()> {
        let armings = self.ledger.armings(self.service);
        let answer = self.client.put(self.switchboard()).json(&armings).send().await;
        answer.and_then(Response::error_for_status).map(drop)
    }

    fn switchboard(&self) -> String {
        format!("{}{}", self.url, control::PATH)
    }
}

fn ids(armings: &[Arming]) -> BTreeSet<Uuid> {
    armings.iter().map(|arming| arming.id).collect()
}
