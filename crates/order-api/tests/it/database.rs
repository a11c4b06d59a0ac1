//! A database of its own for each test, with the store on it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use contract::order::{Cart, IdempotencyKey};
use instrumentation::{metrics::Registry, trace::Carried};
use order_api::{
    config::DatabaseUrl,
    metrics::Metrics,
    store::{NewOrder, Placed, Store},
};
use sqlx::{PgPool, SqlitePool};
use tempfile::TempDir;
use testbed::Postgres;
use tokio::sync::OnceCell;
use uuid::Uuid;

/// One server for all tests of this process, which ends with it.
static SERVER: OnceCell<Postgres> = OnceCell::const_new();
static DATABASES: AtomicU32 = AtomicU32::new(0);

/// A database and two replicas' stores on it.
pub(crate) struct Database {
    pub(crate) store: Arc<Store>,
    pub(crate) other: Arc<Store>,
    pub(crate) registry: Registry,
    pub(crate) inside: Inside,
    pub(crate) url: String,
    _directory: Option<TempDir>,
}

/// The way around the store, to see what it did.
pub(crate) enum Inside {
    Postgres(PgPool),
    Sqlite(SqlitePool),
}

/// An empty shop in a file.
pub(crate) async fn sqlite() -> Database {
    let directory = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", directory.path().join("shop.db").display());
    let mut database =
        open(&url, |url| Inside::Sqlite(SqlitePool::connect_lazy(url).unwrap())).await;
    database._directory = Some(directory);
    database
}

/// An empty shop on a server.
pub(crate) async fn postgres() -> Database {
    let server = SERVER.get_or_init(async || Postgres::start().await.unwrap()).await;
    let name = format!("shop{}", DATABASES.fetch_add(1, Ordering::Relaxed));
    let url = server.create_database(&name).unwrap();
    open(&url, |url| Inside::Postgres(PgPool::connect_lazy(url).unwrap())).await
}

async fn open(url: &str, inside: impl FnOnce(&str) -> Inside) -> Database {
    let parsed: DatabaseUrl = url.parse().unwrap();
    let registry = Registry::new("order-api", &[Metrics::CATALOGUE]);
    let metrics = Metrics::register(&registry);
    let store = || {
        let patience = Duration::from_secs(20);
        Arc::new(Store::new(&parsed, 8, patience, metrics.clone(), Arc::default()))
    };
    let (store, other) = (store(), store());
    store.open().await.unwrap();
    other.open().await.unwrap();
    let (inside, url) = (inside(url), url.to_owned());
    Database { store, other, registry, inside, url, _directory: None }
}

impl Database {
    /// A number that SQL says.
    pub(crate) async fn number(&self, sql: &'static str) -> i64 {
        let number = match &self.inside {
            Inside::Postgres(pool) => sqlx::query_scalar(sql).fetch_one(pool).await,
            Inside::Sqlite(pool) => sqlx::query_scalar(sql).fetch_one(pool).await,
        };
        number.unwrap()
    }

    /// Changes what the store would not.
    pub(crate) async fn change(&self, sql: &'static str) {
        match &self.inside {
            Inside::Postgres(pool) => drop(sqlx::raw_sql(sql).execute(pool).await.unwrap()),
            Inside::Sqlite(pool) => drop(sqlx::raw_sql(sql).execute(pool).await.unwrap()),
        }
    }

    pub(crate) async fn stock(&self, sku: &str) -> i64 {
        let products = self.store.products().await.unwrap();
        products.iter().find(|product| product.sku == sku).unwrap().stock
    }

    /// Places an order that must be accepted, and is paid.
    pub(crate) async fn place(&self, customer: &str, items: &[(&str, i64)]) -> Placed {
        let new = new_order(customer, items);
        let placed = self.store.place(&new).await.unwrap();
        self.confirm(placed, &new).await
    }

    /// As if the order had been paid.
    pub(crate) async fn confirm(&self, placed: Placed, new: &NewOrder) -> Placed {
        self.store.confirm(&placed.order, &new.thread()).await.unwrap();
        let order = self.store.order(placed.order.id).await.unwrap();
        Placed { order, ..placed }
    }
}

pub(crate) fn new_order(customer: &str, items: &[(&str, i64)]) -> NewOrder {
    let items = items.iter().map(|(sku, quantity)| ((*sku).to_owned(), *quantity));
    let cart = Cart::parse(customer, items).unwrap();
    NewOrder {
        id: Uuid::now_v7(),
        cart,
        key: None,
        correlation_id: Some("thread-1".to_owned()),
        trace: Carried::default(),
    }
}

pub(crate) fn with_key(key: &str, new: NewOrder) -> NewOrder {
    NewOrder { key: Some(IdempotencyKey::parse("key", key).unwrap()), ..new }
}
