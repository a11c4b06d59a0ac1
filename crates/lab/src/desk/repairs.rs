//! Whether what operators did has helped: then the fault is over, without anybody having healed it.
//!
//! It has when what the contract says is gone ([`Contract::gone`], or else the witness) and the promise
//! that it breaks, if it does, was kept for a minute. Nothing counts by itself: a restart after which all is well
//! for a while has repaired nothing, and a fault about which nobody did anything is still there.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use faults::contract::{Contract, Look, Sign};
use reqwest::Client;
use serde_json::Value;
use tokio::time::{MissedTickBehavior, interval, timeout};
use uuid::Uuid;

use super::{
    database::Database,
    ledger::{Ledger, Touched},
};

/// How often it is looked.
const PAUSE: Duration = Duration::from_secs(5);
/// For how long all must be well.
pub const CALM: Duration = Duration::from_secs(60);
/// How long Prometheus may take to answer, and the database.
const PATIENCE: Duration = Duration::from_secs(4);
/// Events are published, and the exchange has a queue for each of them.
const ROUTED: &str = "sum(rate(outbox_publishes_total{result=\"confirmed\"}[30s])) > 0 unless on () \
                      (sum(rate(rabbitmq_global_messages_unroutable_dropped_total[30s])) > 0)";
/// For how long a fault must be on before [`ROUTED`] is of the time with it, as far as that is scraped.
const ROUTED_AFTER: Duration = Duration::from_secs(45);

/// Looks whether faults are repaired.
#[derive(Debug)]
pub(crate) struct Repairs {
    client: Client,
    /// None if nobody measures: then nothing is known.
    prometheus: Option<String>,
    /// For how long all must be well.
    calm: Duration,
}

/// Since when all has been well, for each fault about which something was done.
#[derive(Debug)]
struct Calm {
    since: BTreeMap<Uuid, Instant>,
    enough: Duration,
}

impl Repairs {
    pub(crate) fn new(prometheus: Option<String>, calm: Duration) -> anyhow::Result<Self> {
        let client = Client::builder().no_proxy().timeout(PATIENCE).build();
        Ok(Self { client: client.context("cannot make an HTTP client")?, prometheus, calm })
    }

    /// Ends what is repaired, for as long as this is polled.
    pub(crate) async fn keep(&self, ledger: &Ledger, database: &Database) {
        let mut calm = Calm::new(self.calm);
        let mut ticks = interval(PAUSE);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            if ledger.is_unbound_for(ROUTED_AFTER) && self.sees(ROUTED).await.unwrap_or(false) {
                ledger.bound_again();
            }
            let touched = ledger.touched();
            calm.forget_all_but(&touched);
            for one in touched {
                let is_well = self.is_well(&one, database).await.unwrap_or(false);
                if calm.lasts(one.id, is_well, Instant::now()) {
                    ledger.repaired(one);
                    tracing::info!(fault = one.fault.name, "repaired");
                }
            }
        }
    }

    /// Whether what must be gone is, and the promise that it breaks is kept. Where nothing can be seen of the
    /// fault, it is gone if all of it was rolled back.
    async fn is_well(&self, touched: &Touched, database: &Database) -> anyhow::Result<bool> {
        let can_see = |look: &Look| match look {
            Look::Metrics(_) => true,
            Look::Database(query) => database.can_ask(*query),
            Look::Traces(_) | Look::Logs(_) | Look::Grown(_) => false,
        };
        let is_there = match must_be_gone(&touched.fault.contract, can_see) {
            None => !touched.rolled_back,
            Some(Look::Database(query)) => timeout(PATIENCE, database.has_row(query)).await??,
            Some(Look::Metrics(query)) => self.sees(query).await?,
            Some(Look::Traces(_) | Look::Logs(_) | Look::Grown(_)) => true,
        };
        let is_broken = match touched.fault.contract.impact {
            Some(promise) => self.sees(&promise.is_broken()).await?,
            None => false,
        };
        Ok(!is_there && !is_broken)
    }

    async fn sees(&self, query: &str) -> anyhow::Result<bool> {
        let prometheus = self.prometheus.as_ref().context("nobody measures")?;
        let request = self.client.get(format!("{prometheus}/api/v1/query"));
        let answer: Value = request.query(&[("query", query)]).send().await?.json().await?;
        let result = answer["data"]["result"].as_array().context("Prometheus has no result")?;
        Ok(!result.is_empty())
    }
}

/// What must be gone for a fault to be repaired, where that can be seen: what its contract says, or its
/// witness, or else its first sign that can be.
fn must_be_gone(contract: &Contract, can_see: impl Fn(&Look) -> bool) -> Option<Look> {
    let signs: Vec<&Sign> = match &contract.gone {
        Some(gone) => vec![gone],
        None => [&contract.witness].into_iter().chain(contract.signature).collect(),
    };
    signs.into_iter().map(|sign| sign.look).find(can_see)
}

impl Calm {
    fn new(enough: Duration) -> Self {
        Self { since: BTreeMap::new(), enough }
    }

    /// Whether all has been well for long enough.
    fn lasts(&mut self, id: Uuid, is_well: bool, now: Instant) -> bool {
        if !is_well {
            self.since.remove(&id);
            return false;
        }
        let since = *self.since.entry(id).or_insert(now);
        now.duration_since(since) >= self.enough
    }

    fn forget_all_but(&mut self, touched: &[Touched]) {
        self.since.retain(|id, _| touched.iter().any(|one| one.id == *id));
    }
}

#[cfg(test)]
mod tests {
    use faults::FAULTS;

    use super::*;

    fn of(name: &str) -> Contract {
        faults::find(name).expect("the catalogue has it").contract
    }

    fn in_metrics(look: &Look) -> bool {
        matches!(look, Look::Metrics(_))
    }

    #[test]
    fn what_a_contract_says_must_be_gone_is_looked_at_instead_of_the_witness() {
        let query = |look| match look {
            Some(Look::Metrics(query)) => query,
            other => panic!("looks at {other:?}"),
        };
        let of_zombie = of("zombie-consumer");
        let witness = query(Some(of_zombie.witness.look));
        let signature = query(must_be_gone(&of_zombie, in_metrics));
        assert_eq!(signature, witness);
        let gone = Some(Sign { says: "other", look: Look::Metrics("up == 0") });
        assert_eq!(query(must_be_gone(&Contract { gone, ..of_zombie }, in_metrics)), "up == 0");
    }

    #[test]
    fn of_a_fault_in_the_database_its_witness_must_be_gone() {
        let look = must_be_gone(&of("missing-index"), |look| {
            matches!(look, Look::Metrics(_) | Look::Database(_))
        });
        assert!(matches!(look, Some(Look::Database(_))), "{look:?}");
        let elsewhere = must_be_gone(&of("missing-index"), in_metrics);
        assert!(matches!(elsewhere, Some(Look::Metrics(_))), "{elsewhere:?}");
    }

    /// Else nobody could ever repair it.
    #[test]
    fn a_fault_of_which_nothing_can_be_seen_is_one_of_code_alone() {
        for fault in FAULTS {
            if fault.is_control() || must_be_gone(&fault.contract, in_metrics).is_some() {
                continue;
            }
            let mechanism = fault.actions();
            let is_code = mechanism.iter().all(
                |action| matches!(action, faults::Action::Strike(_, effect) if effect.is_code()),
            );
            assert!(is_code, "{}", fault.name);
        }
    }

    #[test]
    fn all_must_be_well_for_a_minute_without_a_break() {
        let (mut calm, id, start) = (Calm::new(CALM), Uuid::new_v4(), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        assert!(!calm.lasts(id, true, at(0)));
        assert!(!calm.lasts(id, true, at(59)));
        assert!(!calm.lasts(id, false, at(60)));
        assert!(!calm.lasts(id, true, at(65)));
        assert!(!calm.lasts(id, true, at(124)));
        assert!(calm.lasts(id, true, at(125)));
    }
}
