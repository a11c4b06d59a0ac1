//! What metrics say of the database's contents.

use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};

use super::{Store, moving::IN_HAND, now, session::Link};
use crate::{
    error::Error,
    metrics::{ConnectionState, Metrics},
    status::Status,
};

/// Counting all orders takes longer the more there are; it may take this share of the time.
const COUNTING_SHARE: u32 = 50;

/// When orders were last counted, and how long that took.
#[derive(Debug, Default)]
pub(super) struct Counted(Option<(Instant, Duration)>);

impl Counted {
    fn is_due(&self) -> bool {
        self.0.is_none_or(|(at, took)| at.elapsed() > took * COUNTING_SHARE)
    }
}

#[derive(sqlx::FromRow)]
struct Outbox {
    depth: i64,
    oldest: Option<DateTime<Utc>>,
}

/// SKUs are data and not code: a label of them would have no bounds. The sum and the scarcest
/// product say what there is to know before anything is sold out.
#[derive(sqlx::FromRow)]
struct Stock {
    units: i64,
    lowest: i64,
    sold_out: i64,
}

impl Store {
    /// Whether the database answers.
    pub(super) async fn ping(&self) -> Result<(), Error> {
        let mut session = self.aside().await?;
        let mut link = session.link();
        statement!(link, Ping, execute, sqlx::query("SELECT 1"))?;
        Ok(())
    }

    /// Shows what is in the database.
    pub(super) async fn sample(&self, counted: &mut Counted) -> Result<(), Error> {
        let mut session = self.aside().await?;
        sample_outbox(session.link(), &self.metrics).await?;
        sample_stock(session.link(), &self.metrics).await?;
        sample_oldest(session.link(), &self.metrics).await?;
        sample_overdue(session.link(), &self.metrics).await?;
        if counted.is_due() {
            let started = Instant::now();
            let done = count_orders(session.link(), &self.metrics).await;
            // A count that took too long took its time too.
            counted.0 = Some((Instant::now(), started.elapsed()));
            done?;
        }
        Ok(())
    }

    /// Shows what the pool's connections do.
    pub(super) fn sample_pool(&self) {
        let (open, idle) = self.database.connections();
        let used = f64::from(open) - idle as f64;
        let connections = &self.metrics.db_pool_connections;
        connections.with(ConnectionState::Idle).set(idle as f64);
        connections.with(ConnectionState::Used).set(used.max(0.0));
    }
}

async fn sample_outbox(mut link: Link<'_>, metrics: &Metrics) -> Result<(), Error> {
    let outbox: Outbox = statement!(
        link,
        SampleOutbox,
        fetch_one,
        sqlx::query_as("SELECT COUNT(*) AS depth, MIN(created_at) AS oldest FROM outbox",)
    )?;
    metrics.outbox_depth.set(outbox.depth as f64);
    metrics.outbox_oldest_age_seconds.set(age(outbox.oldest));
    Ok(())
}

async fn sample_stock(mut link: Link<'_>, metrics: &Metrics) -> Result<(), Error> {
    let stock: Stock = statement!(
        link,
        SampleStock,
        fetch_one,
        sqlx::query_as(
            "SELECT CAST(COALESCE(SUM(stock), 0) AS BIGINT) AS units,
                COALESCE(MIN(stock), 0) AS lowest,
                COUNT(*) FILTER (WHERE stock = 0) AS sold_out
         FROM products",
        )
    )?;
    metrics.stock_units.set(stock.units as f64);
    metrics.stock_lowest_units.set(stock.lowest as f64);
    metrics.stock_sold_out_products.set(stock.sold_out as f64);
    Ok(())
}

async fn sample_oldest(mut link: Link<'_>, metrics: &Metrics) -> Result<(), Error> {
    let oldest = statement!(
        link,
        SampleOldest,
        fetch_optional,
        sqlx::query_scalar("SELECT created_at FROM orders WHERE status = $1 ORDER BY id LIMIT 1",)
            .bind(Status::Placed.as_str())
    )?;
    metrics.orders_oldest_unfulfilled_age_seconds.set(age(oldest));
    Ok(())
}

/// Of an order that something is to be done for, `due_at` goes on whenever somebody takes it up in
/// vain. It was due for the first time when whoever moved it last had it in hand for long enough.
async fn sample_overdue(mut link: Link<'_>, metrics: &Metrics) -> Result<(), Error> {
    let moved_at: Option<DateTime<Utc>> = statement!(
        link,
        SampleOverdue,
        fetch_one,
        sqlx::query_scalar("SELECT MIN(updated_at) FROM orders WHERE due_at IS NOT NULL",)
    )?;
    metrics.orders_longest_overdue_seconds.set(age(moved_at.map(|moved_at| moved_at + IN_HAND)));
    Ok(())
}

async fn count_orders(mut link: Link<'_>, metrics: &Metrics) -> Result<(), Error> {
    let counts: Vec<(String, i64)> = statement!(
        link,
        CountOrders,
        fetch_all,
        sqlx::query_as("SELECT status, COUNT(*) FROM orders GROUP BY status",)
    )?;
    for status in Status::ALL {
        let count = counts.iter().find(|(name, _)| name == status.as_str());
        metrics.orders.with(*status).set(count.map_or(0, |(_, count)| *count) as f64);
    }
    Ok(())
}

fn age(since: Option<DateTime<Utc>>) -> f64 {
    since.map_or(0.0, |since| (now() - since).as_seconds_f64().max(0.0))
}
