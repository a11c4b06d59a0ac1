//! What the desk does in the shop's database, over connections of its own.
//!
//! - [`connection`]: a connection to either database.
//! - [`index`]: the index of the orders, dropped and made again; [`bulk`]: old orders, brought into
//!   their table and taken away.
//! - [`price`]: the price of a product, spoiled and corrected.
//! - [`lock`]: sessions that keep the table of orders from everybody.
//!
//! What is undone can be undone again, and is looked up in the database rather than remembered: so a
//! desk can undo what somebody else has undone halfway.

mod bulk;
mod connection;
mod index;
mod lock;
mod price;

use std::{sync::Arc, time::Duration};

use anyhow::Context as _;
use faults::{Deed, Needs, contract::Sql};
use order_api::config::DatabaseUrl;
use tokio::{sync::Mutex, time::timeout};

pub(crate) use self::connection::Connection;
use self::{bulk::Import, lock::Lock};

/// How long it may take to connect.
const PATIENCE: Duration = Duration::from_secs(3);

/// The shop's database, as the desk reaches it.
#[derive(Clone, Debug)]
pub(crate) struct Database {
    url: Option<DatabaseUrl>,
    /// Whoever brings old orders in, or takes them away.
    bulk: Arc<Mutex<()>>,
}

/// A deed that is done, or still being done.
#[derive(Debug)]
pub(super) enum Done {
    Dropped(Import),
    Mispriced,
    Locked(Lock),
}

impl Database {
    /// The one at this address, or none.
    pub(crate) fn new(url: Option<DatabaseUrl>) -> Self {
        Self { url, bulk: Arc::default() }
    }

    /// What can be done with it.
    pub(crate) fn offers(&self) -> Needs {
        offers(self.url.as_ref())
    }

    /// Does something; what takes long goes on by itself.
    pub(super) async fn apply(&self, deed: Deed) -> anyhow::Result<Done> {
        let mut connection = self.connect().await?;
        match deed {
            Deed::DropIndex { orders } => {
                index::drop(&mut connection).await.context("cannot drop the index")?;
                Ok(Done::Dropped(Import::start(connection, orders, Arc::clone(&self.bulk))))
            }
            Deed::Misprice(sku) => {
                price::spoil(&mut connection, sku).await.context("cannot change the price")?;
                Ok(Done::Mispriced)
            }
            Deed::LockOrders => Ok(Done::Locked(Lock::start(self.url()?).await?)),
        }
    }

    /// Undoes it; what takes long goes on by itself.
    pub(super) async fn undo(&self, done: &mut Done) -> anyhow::Result<()> {
        match done {
            Done::Dropped(import) => {
                import.stop().await;
                let mut connection = self.connect().await?;
                index::make(&mut connection).await.context("cannot make the index")?;
                bulk::take_away(self.clone());
                Ok(())
            }
            Done::Mispriced => {
                let mut connection = self.connect().await?;
                price::correct(&mut connection).await.context("cannot correct the price")
            }
            Done::Locked(lock) => {
                lock.end().await;
                Ok(())
            }
        }
    }

    /// Whether somebody has put it right in the meantime.
    pub(super) async fn is_repaired(&self, done: &Done) -> anyhow::Result<bool> {
        Ok(match done {
            Done::Dropped(_) => index::is_there(&mut self.connect().await?).await?,
            Done::Mispriced => price::is_right(&mut self.connect().await?).await?,
            Done::Locked(lock) => lock.is_over(),
        })
    }

    /// Whether this can be asked here: of this database, in its dialect.
    pub(super) fn can_ask(&self, query: Sql) -> bool {
        match &self.url {
            None => false,
            Some(DatabaseUrl::Postgres(_)) => !query.postgres.is_empty(),
            Some(DatabaseUrl::Sqlite(_)) => !query.sqlite.is_empty(),
        }
    }

    /// Whether a query has a row.
    pub(super) async fn has_row(&self, query: Sql) -> anyhow::Result<bool> {
        Ok(self.connect().await?.has_row(query).await?)
    }

    /// Undoes what a desk before this one has left.
    pub(super) async fn tidy(&self) -> anyhow::Result<()> {
        if self.url.is_none() {
            return Ok(());
        }
        let mut connection = self.connect().await?;
        index::make(&mut connection).await?;
        if !price::is_as_ever(&mut connection).await? {
            price::correct(&mut connection).await?;
        }
        if bulk::is_there(&mut connection).await? {
            bulk::take_away(self.clone());
        }
        Ok(())
    }

    async fn connect(&self) -> anyhow::Result<Connection> {
        let connecting = timeout(PATIENCE, Connection::open(self.url()?));
        let connected = connecting.await.context("the shop's database does not answer")?;
        connected.context("cannot connect to the shop's database")
    }

    fn url(&self) -> anyhow::Result<&DatabaseUrl> {
        self.url.as_ref().context("the desk does not know the shop's database")
    }
}

/// What can be done with the database at this address.
pub(crate) fn offers(url: Option<&DatabaseUrl>) -> Needs {
    match url {
        None => Needs::Nothing,
        Some(DatabaseUrl::Sqlite(_)) => Needs::Database,
        Some(DatabaseUrl::Postgres(_)) => Needs::Postgres,
    }
}
