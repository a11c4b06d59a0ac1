//! Whether what operators did has helped: then the fault is over, without anybody having healed it.
//!
//! It has when the fault's witness is gone and no promise to the customers was broken for a minute.
//! Nothing counts by itself: a restart after which all is well for a while has repaired nothing, and
//! a fault about which nobody did anything is still there.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use faults::{Fault, contract::Look};
use reqwest::Client;
use serde_json::Value;
use tokio::time::{MissedTickBehavior, interval};

use super::ledger::Ledger;

/// How often it is looked.
const PAUSE: Duration = Duration::from_secs(5);
/// For how long all must be well.
const CALM: Duration = Duration::from_secs(60);
/// How long Prometheus may take to answer.
const PATIENCE: Duration = Duration::from_secs(4);
/// A promise to the customers that is being broken.
const BROKEN: &str = "slo:burn_rate:ratio1m > 1";

/// Looks whether faults are repaired.
#[derive(Debug)]
pub(crate) struct Repairs {
    client: Client,
    /// None if nobody measures: then nothing is known.
    prometheus: Option<String>,
}

impl Repairs {
    pub(crate) fn new(prometheus: Option<String>) -> anyhow::Result<Self> {
        let client = Client::builder().no_proxy().timeout(PATIENCE).build();
        Ok(Self { client: client.context("cannot make an HTTP client")?, prometheus })
    }

    /// Ends what is repaired, for as long as this is polled.
    pub(crate) async fn keep(&self, ledger: &Ledger) {
        let mut calm_since = BTreeMap::new();
        let mut ticks = interval(PAUSE);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let touched = ledger.touched();
            calm_since.retain(|name, _| touched.iter().any(|fault| fault.name == *name));
            for fault in touched {
                if !self.is_calm(fault).await.unwrap_or(false) {
                    calm_since.remove(fault.name);
                    continue;
                }
                let since = *calm_since.entry(fault.name).or_insert_with(Instant::now);
                if since.elapsed() >= CALM {
                    ledger.repaired(fault);
                    tracing::info!(fault = fault.name, "repaired");
                }
            }
        }
    }

    /// Whether its witness is gone, or its first sign in the metrics if the witness is elsewhere, and no
    /// promise is being broken.
    async fn is_calm(&self, fault: &Fault) -> anyhow::Result<bool> {
        let signs = [&fault.contract.witness].into_iter().chain(fault.contract.signature);
        let mut queries = signs.filter_map(|sign| match sign.look {
            Look::Metrics(query) => Some(query),
            _ => None,
        });
        let Some(query) = queries.next() else { return Ok(false) };
        Ok(!self.sees(query).await? && !self.sees(BROKEN).await?)
    }

    async fn sees(&self, query: &str) -> anyhow::Result<bool> {
        let prometheus = self.prometheus.as_ref().context("nobody measures")?;
        let request = self.client.get(format!("{prometheus}/api/v1/query"));
        let answer: Value = request.query(&[("query", query)]).send().await?.json().await?;
        let result = answer["data"]["result"].as_array().context("Prometheus has no result")?;
        Ok(!result.is_empty())
    }
}
