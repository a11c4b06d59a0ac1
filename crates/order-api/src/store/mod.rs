//! Where orders live: the same statements on Postgres and on SQLite.
//!
//! - `database`: the two databases behind one enum, and how each is connected to.
//! - `session`: a pooled connection and a transaction on it, measured.
//! - `placing`, `idempotency`, `reading`, `moving`, `history`, `stock`: what orders need.
//! - `due`: orders that somebody has to go on with; `again`: those that were announced in vain.
//! - `payments`: what is known of payments, apart from orders.
//! - `users`: who may sign in.
//! - `outbox`: events that wait to be published.
//! - `keeper`: migrates and watches the database; `sample`: shows what is in it.

// First, for its macro.
#[macro_use]
mod statement;
mod again;
mod database;
mod due;
mod history;
mod idempotency;
mod keeper;
mod moving;
mod outbox;
mod payments;
mod placing;
mod reading;
mod sample;
mod session;
mod stock;
mod users;

use std::{sync::Arc, time::Duration};

use backon::{ExponentialBuilder, Retryable as _};
use chrono::{DateTime, Utc};
use faults::Switchboard;
use instrumentation::trace::Carried;
use tokio::{
    sync::{Notify, watch},
    time::timeout,
};
use uuid::Uuid;

use self::{
    database::{Database, Outage},
    session::Session,
};
use crate::{config::DatabaseUrl, error::Error, metrics::Metrics, status::Status};

pub(crate) use self::{database::HANGS_AFTER, keeper::keep};
pub use self::{
    due::Due,
    history::Came,
    moving::{Ending, Moved},
    outbox::{Claimed, Event},
    payments::Payment,
    placing::{NewOrder, Placed},
    reading::Filter,
    users::User,
};

/// The orders, products and events of the shop.
#[derive(Debug)]
pub struct Store {
    url: DatabaseUrl,
    database: Database,
    /// Connections of its own for whoever watches the database: a pool that is exhausted is slow,
    /// not away.
    watched: Database,
    outage: Outage,
    available: watch::Sender<bool>,
    event_written: Notify,
    metrics: Metrics,
    faults: Arc<Switchboard>,
}

/// One order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// UUIDv7.
    pub id: Uuid,
    /// Who ordered.
    pub customer_id: String,
    /// Where it stands.
    pub status: Status,
    /// What was ordered, in the customer's order.
    pub items: Vec<Item>,
    /// Minor units of `currency`.
    pub total_minor: i64,
    /// ISO 4217.
    pub currency: String,
    /// When it was placed.
    pub created_at: DateTime<Utc>,
    /// When it last moved.
    pub updated_at: DateTime<Utc>,
    /// Where it has been, oldest first; empty in lists.
    pub history: Vec<Came>,
}

/// What an order is part of, and paid with: all that it takes to go on with it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Thread {
    /// What it is paid with.
    pub payment_method: String,
    /// The business thread.
    pub correlation_id: Option<String>,
    /// The trace.
    pub trace: Carried,
}

/// One line of an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// What.
    pub sku: String,
    /// How many.
    pub quantity: u32,
    /// At what price each, in minor units of the order's currency.
    pub unit_price_minor: i64,
}

/// Something the shop sells.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Product {
    /// Its name for machines.
    pub sku: String,
    /// Its name for people.
    pub name: String,
    /// Minor units of the shop's currency.
    pub unit_price_minor: i64,
    /// Units that can still be ordered.
    pub stock: i64,
}

impl Order {
    /// The order as it was when it was placed, or as it is if it has not been yet.
    pub fn when_placed(mut self) -> Self {
        if let Some(placed) = self.history.iter().position(|came| came.status == Status::Placed) {
            self.history.truncate(placed + 1);
        }
        match self.history.last() {
            Some(last) => Self { status: last.status, updated_at: last.at, ..self },
            None => self,
        }
    }
}

/// How long a migration may take: a large table may have to be written anew, and a database that hangs
/// must not be waited for for ever.
const MIGRATED_AFTER: Duration = Duration::from_secs(600);

impl Store {
    /// A store that is connected to nothing yet.
    pub fn new(
        url: &DatabaseUrl,
        connections: u32,
        patience: Duration,
        metrics: Metrics,
        faults: Arc<Switchboard>,
    ) -> Self {
        metrics.db_pool_connections_max.set(connections.into());
        let outage = Outage::default();
        let limit = database::CALL_LIMIT;
        Self {
            url: url.clone(),
            database: Database::new(url, connections, patience, limit, &outage),
            watched: Database::new(url, 1, keeper::PATIENCE, keeper::PATIENCE, &outage),
            outage,
            available: watch::Sender::new(false),
            event_written: Notify::new(),
            metrics,
            faults,
        }
    }

    /// Brings the tables up to date; from then on calls are answered.
    ///
    /// # Errors
    /// If the database cannot be reached, or its tables are not ours.
    pub async fn open(&self) -> Result<(), Error> {
        let outage = Outage::default();
        let database = Database::new(&self.url, 1, keeper::PATIENCE, database::NO_LIMIT, &outage);
        let migrated = timeout(MIGRATED_AFTER, database.migrate()).await;
        // It closes by itself if it cannot be closed in time.
        let _ = timeout(keeper::PATIENCE, database.close()).await;
        migrated.map_err(|_| Error::Late)??;
        self.available.send_replace(true);
        Ok(())
    }

    /// Whether the database answers, as it was last seen.
    pub fn availability(&self) -> watch::Receiver<bool> {
        self.available.subscribe()
    }

    /// Returns when an event was written since the last time.
    pub async fn event_written(&self) {
        self.event_written.notified().await;
    }

    /// Closes every connection; calls are refused from now on.
    pub async fn close(&self) {
        self.available.send_replace(false);
        self.database.close().await;
        self.watched.close().await;
    }

    /// A connection for one call. A database known to be away is not waited for: its callers have
    /// better things to do with their deadlines.
    async fn session(&self) -> Result<Session, Error> {
        if !*self.available.borrow() {
            return Err(Error::Away);
        }
        Session::open(&self.database, &self.metrics, &self.faults).await
    }

    /// A connection, and nothing that could be done with it, until it is dropped.
    ///
    /// # Errors
    /// If none could be had in time.
    pub(crate) async fn hold(&self) -> Result<impl Send + use<>, Error> {
        self.session().await
    }

    /// A connection that no call has to wait for, nor waits for any.
    async fn aside(&self) -> Result<Session, Error> {
        Session::aside(&self.watched, &self.metrics, &self.faults).await
    }

    /// Does what nobody gives up on by leaving: a database that hangs must not keep it for ever.
    async fn in_time<T>(&self, work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        timeout(HANGS_AFTER, work).await.unwrap_or(Err(Error::Late))
    }

    /// Does a transaction again if it collided with another, or could not even begin since its
    /// connection had died while nobody used it.
    async fn retried<T, F>(&self, transaction: impl FnMut() -> F) -> Result<T, Error>
    where
        F: Future<Output = Result<T, Error>>,
    {
        let waits = ExponentialBuilder::default()
            .with_min_delay(Duration::from_millis(5))
            .with_max_times(4)
            .with_jitter();
        transaction
            .retry(waits)
            .when(Error::is_transient)
            .notify(|error, _| {
                self.metrics.db_transaction_retries_total.increment(1);
                tracing::info!(error = error.chain(), "transaction done again");
                if let Error::NotBegun(_) = error {
                    self.outage.noticed();
                }
            })
            .await
    }
}

/// Now, as precisely as both databases keep it.
pub(crate) fn now() -> DateTime<Utc> {
    use chrono::SubsecRound as _;
    Utc::now().trunc_subsecs(6)
}
