//! A bare axum handler that reads an order as order-api does, and nothing else: what
//! `tests/throughput` holds `GET /orders/{id}` against.
//!
//! `bare_reader ADDRESS DATABASE_URL`

use anyhow::Context as _;
use axum::{
    Json, Router,
    extract::{Path, State},
    routing::get,
};
use serde_json::{Value, json};
use sqlx::{PgPool, Row as _, postgres::PgPoolOptions};
use uuid::Uuid;

const ORDER: &str = "SELECT id, customer_id, status, total_minor, currency, created_at, updated_at,
                sku, quantity, unit_price_minor
         FROM orders JOIN order_items ON order_items.order_id = orders.id
         WHERE id = $1 ORDER BY line";
const HISTORY: &str = "SELECT status, at FROM order_history WHERE order_id = $1";

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let address = arguments.next().context("bare_reader ADDRESS DATABASE_URL")?;
    let url = arguments.next().context("bare_reader ADDRESS DATABASE_URL")?;
    let pool = PgPoolOptions::new().max_connections(16).connect(&url).await?;
    let router = Router::new().route("/orders/{id}", get(order)).with_state(pool);
    let listener = tokio::net::TcpListener::bind(address).await?;
    Ok(axum::serve(listener, router).await?)
}

async fn order(State(pool): State<PgPool>, Path(id): Path<Uuid>) -> Json<Value> {
    Json(read(&pool, id).await.unwrap_or_else(|error| json!({"error": error.to_string()})))
}

async fn read(pool: &PgPool, id: Uuid) -> sqlx::Result<Value> {
    let mut connection = pool.acquire().await?;
    let rows = sqlx::query(ORDER).bind(id).fetch_all(&mut *connection).await?;
    let history = sqlx::query(HISTORY).bind(id).fetch_all(&mut *connection).await?;
    let first = rows.first().ok_or(sqlx::Error::RowNotFound)?;
    let items = rows.iter().map(|row| {
        Ok(json!({
            "sku": row.try_get::<String, _>("sku")?,
            "quantity": row.try_get::<i64, _>("quantity")?,
            "unit_price_minor": row.try_get::<i64, _>("unit_price_minor")?,
        }))
    });
    let history = history.iter().map(|row| {
        let at: chrono::DateTime<chrono::Utc> = row.try_get("at")?;
        Ok(json!({"status": row.try_get::<String, _>("status")?, "at": at.to_rfc3339()}))
    });
    Ok(json!({
        "id": first.try_get::<Uuid, _>("id")?,
        "customer_id": first.try_get::<String, _>("customer_id")?,
        "status": first.try_get::<String, _>("status")?,
        "items": items.collect::<sqlx::Result<Vec<_>>>()?,
        "total_minor": first.try_get::<i64, _>("total_minor")?,
        "currency": first.try_get::<String, _>("currency")?,
        "history": history.collect::<sqlx::Result<Vec<_>>>()?,
    }))
}
