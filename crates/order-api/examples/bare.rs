//! What is left of the shop if it does nothing but its work: no identity, limits, metrics, traces, logs,
//! retries or payment, no worker and no faults. `tests/throughput` holds the shop against it.
//!
//! ```text
//! bare axum ADDRESS DATABASE_URL       GET /orders/{id}, by the queries of order-api
//! bare tonic ADDRESS DATABASE_URL      GetOrder, by the same; PlaceOrder, by the statements of an order
//! bare gateway ADDRESS http://TONIC    GET /orders/{id} and POST /orders, by that
//! ```

use std::sync::Arc;

use anyhow::{Context as _, bail};
use axum::{
    Json, Router,
    extract::{Path, State},
    http::StatusCode,
    routing::{get, post},
};
use chrono::{DateTime, Utc};
use contract::shop::v1::{
    CartItem, CompleteFulfillmentRequest, CompleteFulfillmentResponse, FailFulfillmentRequest,
    FailFulfillmentResponse, GetOrderRequest, GetOrderResponse, ListOrdersRequest,
    ListOrdersResponse, ListProductsRequest, ListProductsResponse, Order, OrderEvent, OrderItem,
    OrderStatus, PlaceOrderRequest, PlaceOrderResponse,
    orders_client::OrdersClient,
    orders_server::{Orders, OrdersServer},
};
use prost_types::Timestamp;
use serde_json::{Value, json};
use sqlx::{
    PgPool, Row as _,
    postgres::{PgPoolOptions, PgRow},
};
use tonic::{Request, Response, Status, transport::Channel};
use uuid::Uuid;

const USAGE: &str = "bare axum|tonic ADDRESS DATABASE_URL, or bare gateway ADDRESS http://TONIC";
const CONNECTIONS: u32 = 16;

const ORDER: &str = "SELECT id, customer_id, status, total_minor, currency, created_at, updated_at,
                sku, quantity, unit_price_minor
         FROM orders JOIN order_items ON order_items.order_id = orders.id
         WHERE id = $1 ORDER BY line";
const HISTORY: &str = "SELECT status, at FROM order_history WHERE order_id = $1";

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let mut next = || arguments.next().context(USAGE);
    let (kind, address, behind) = (next()?, next()?, next()?);
    let router = match kind.as_str() {
        "axum" => {
            let pool = Arc::new(connect(&behind).await?);
            Router::new().route("/orders/{id}", get(read_order)).with_state(pool)
        }
        "tonic" => {
            let orders = OrdersServer::new(Bare(connect(&behind).await?));
            let server = tonic::transport::Server::builder().add_service(orders);
            return Ok(server.serve(address.parse()?).await?);
        }
        "gateway" => Router::new()
            .route("/orders/{id}", get(get_order))
            .route("/orders", post(place_order))
            .with_state(OrdersClient::connect(behind).await?),
        _ => bail!(USAGE),
    };
    let listener = tokio::net::TcpListener::bind(address).await?;
    Ok(axum::serve(listener, router).await?)
}

async fn connect(url: &str) -> sqlx::Result<PgPool> {
    PgPoolOptions::new().max_connections(CONNECTIONS).connect(url).await
}

/// The lines of an order, and its history.
async fn read(pool: &PgPool, id: Uuid) -> sqlx::Result<(Vec<PgRow>, Vec<PgRow>)> {
    let mut connection = pool.acquire().await?;
    let lines = sqlx::query(ORDER).bind(id).fetch_all(&mut *connection).await?;
    let history = sqlx::query(HISTORY).bind(id).fetch_all(&mut *connection).await?;
    Ok((lines, history))
}

async fn read_json(pool: &PgPool, id: Uuid) -> sqlx::Result<Value> {
    let (lines, history) = read(pool, id).await?;
    let first = lines.first().ok_or(sqlx::Error::RowNotFound)?;
    let items = lines.iter().map(|row| {
        Ok(json!({
            "sku": row.try_get::<String, _>("sku")?,
            "quantity": row.try_get::<i64, _>("quantity")?,
            "unit_price_minor": row.try_get::<i64, _>("unit_price_minor")?,
        }))
    });
    let history = history.iter().map(|row| {
        let at: DateTime<Utc> = row.try_get("at")?;
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

async fn read_message(pool: &PgPool, id: Uuid) -> sqlx::Result<Order> {
    let (lines, history) = read(pool, id).await?;
    let first = lines.first().ok_or(sqlx::Error::RowNotFound)?;
    let items = lines.iter().map(|row| {
        Ok(OrderItem {
            sku: row.try_get("sku")?,
            quantity: u32::try_from(row.try_get::<i64, _>("quantity")?).unwrap_or_default(),
            unit_price_minor: row.try_get("unit_price_minor")?,
        })
    });
    let history = history.iter().map(|row| {
        let at: DateTime<Utc> = row.try_get("at")?;
        let nanos = at.timestamp_subsec_nanos().cast_signed();
        let at = Some(Timestamp { seconds: at.timestamp(), nanos });
        Ok(OrderEvent { status: status(row)?.into(), at })
    });
    Ok(Order {
        id: first.try_get::<Uuid, _>("id")?.to_string(),
        customer_id: first.try_get("customer_id")?,
        status: status(first)?.into(),
        items: items.collect::<sqlx::Result<_>>()?,
        total_minor: first.try_get("total_minor")?,
        currency: first.try_get("currency")?,
        history: history.collect::<sqlx::Result<_>>()?,
        ..Order::default()
    })
}

fn status(row: &PgRow) -> sqlx::Result<OrderStatus> {
    Ok(match row.try_get::<&str, _>("status")? {
        "pending" => OrderStatus::Pending,
        "placed" => OrderStatus::Placed,
        "fulfilled" => OrderStatus::Fulfilled,
        _ => OrderStatus::Unspecified,
    })
}

/// The statements of an order of one line, as `tests/throughput` has them for pgbench.
async fn write(pool: &PgPool, item: &CartItem) -> sqlx::Result<Uuid> {
    let (id, now) = (Uuid::now_v7(), Utc::now());
    let mut placing = pool.begin().await?;
    let price: i64 = sqlx::query_scalar(
        "UPDATE products SET stock = stock - $2 WHERE sku = $1 AND stock >= $2 RETURNING unit_price_minor",
    )
    .bind(&item.sku)
    .bind(i64::from(item.quantity))
    .fetch_one(&mut *placing)
    .await?;
    sqlx::query(
        "INSERT INTO orders (id, customer_id, status, total_minor, currency, correlation_id, created_at,
            updated_at, payment_method, due_at)
         VALUES ($1, 'bare', 'pending', $2, 'EUR', 'thread', $3, $3, 'card', $3)",
    )
    .bind(id)
    .bind(price)
    .bind(now)
    .execute(&mut *placing)
    .await?;
    sqlx::query(
        "INSERT INTO order_items (order_id, line, sku, quantity, unit_price_minor)
         VALUES ($1, 0, $2, $3, $4)",
    )
    .bind(id)
    .bind(&item.sku)
    .bind(i64::from(item.quantity))
    .bind(price)
    .execute(&mut *placing)
    .await?;
    enter(&mut placing, id, "pending", now).await?;
    placing.commit().await?;

    sqlx::query(
        "INSERT INTO payments (order_id, status, amount_minor, currency, authorization_id, created_at, updated_at)
         VALUES ($1, 'authorized', $2, 'EUR', 'a', $3, $3) ON CONFLICT DO NOTHING",
    )
    .bind(id)
    .bind(price)
    .bind(now)
    .execute(pool)
    .await?;

    let mut paid = pool.begin().await?;
    sqlx::query(
        "UPDATE orders SET status = 'placed', updated_at = $2, attempts = 0, due_at = $2
         WHERE id = $1 AND status = 'pending' RETURNING total_minor",
    )
    .bind(id)
    .bind(now)
    .fetch_one(&mut *paid)
    .await?;
    enter(&mut paid, id, "placed", now).await?;
    sqlx::query(
        "INSERT INTO outbox (id, order_id, kind, payload, correlation_id, created_at)
         VALUES ($1, $2, 'order.placed', $3, 'thread', $4)",
    )
    .bind(Uuid::now_v7())
    .bind(id)
    .bind(
        json!({"order_id": id, "items": [{"sku": item.sku, "quantity": item.quantity}]})
            .to_string(),
    )
    .bind(now)
    .execute(&mut *paid)
    .await?;
    paid.commit().await?;

    sqlx::query("UPDATE payments SET status = 'captured', updated_at = $2 WHERE order_id = $1 AND status = 'authorized'")
        .bind(id)
        .bind(now)
        .execute(pool)
        .await?;
    sqlx::query(
        "UPDATE orders SET due_at = NULL WHERE id = $1 AND status IN ('placed', 'fulfilled')",
    )
    .bind(id)
    .execute(pool)
    .await?;
    Ok(id)
}

async fn enter(
    transaction: &mut sqlx::PgTransaction<'_>,
    id: Uuid,
    status: &str,
    now: DateTime<Utc>,
) -> sqlx::Result<()> {
    sqlx::query("INSERT INTO order_history (order_id, status, at) VALUES ($1, $2, $3)")
        .bind(id)
        .bind(status)
        .bind(now)
        .execute(&mut **transaction)
        .await?;
    Ok(())
}

async fn read_order(
    State(pool): State<Arc<PgPool>>,
    Path(id): Path<Uuid>,
) -> Result<Json<Value>, StatusCode> {
    Ok(Json(read_json(&pool, id).await.map_err(|_| StatusCode::NOT_FOUND)?))
}

async fn get_order(
    State(mut orders): State<OrdersClient<Channel>>,
    Path(id): Path<Uuid>,
) -> Result<Json<Value>, StatusCode> {
    let answer = orders.get_order(GetOrderRequest { id: id.to_string() }).await;
    let order = answer.ok().and_then(|answer| answer.into_inner().order);
    Ok(Json(shown(&order.ok_or(StatusCode::NOT_FOUND)?)))
}

async fn place_order(
    State(mut orders): State<OrdersClient<Channel>>,
    Json(cart): Json<Value>,
) -> Result<(StatusCode, Json<Value>), StatusCode> {
    let item = cart.pointer("/items/0").ok_or(StatusCode::BAD_REQUEST)?;
    let sku = item["sku"].as_str().ok_or(StatusCode::BAD_REQUEST)?.to_owned();
    let quantity = item["quantity"].as_u64().and_then(|quantity| u32::try_from(quantity).ok());
    let quantity = quantity.ok_or(StatusCode::BAD_REQUEST)?;
    let request = PlaceOrderRequest {
        items: vec![CartItem { sku, quantity }],
        ..PlaceOrderRequest::default()
    };
    let answer =
        orders.place_order(request).await.map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
    let order = answer.into_inner().order.unwrap_or_default();
    Ok((StatusCode::CREATED, Json(json!({"id": order.id}))))
}

fn shown(order: &Order) -> Value {
    let items = order.items.iter().map(|item| {
        json!({"sku": item.sku, "quantity": item.quantity, "unit_price_minor": item.unit_price_minor})
    });
    let history = order.history.iter().map(|event| {
        let at =
            event.at.and_then(|at| DateTime::from_timestamp(at.seconds, at.nanos.cast_unsigned()));
        json!({"status": event.status().as_str_name(), "at": at.map(|at| at.to_rfc3339())})
    });
    json!({
        "id": order.id,
        "customer_id": order.customer_id,
        "status": order.status().as_str_name(),
        "items": items.collect::<Vec<_>>(),
        "total_minor": order.total_minor,
        "currency": order.currency,
        "history": history.collect::<Vec<_>>(),
    })
}

struct Bare(PgPool);

#[tonic::async_trait]
impl Orders for Bare {
    async fn get_order(
        &self,
        request: Request<GetOrderRequest>,
    ) -> Result<Response<GetOrderResponse>, Status> {
        let id = request.get_ref().id.parse();
        let id = id.map_err(|_| Status::invalid_argument("an id is a UUID"))?;
        let order = read_message(&self.0, id)
            .await
            .map_err(|error| Status::not_found(error.to_string()))?;
        Ok(Response::new(GetOrderResponse { order: Some(order) }))
    }

    async fn place_order(
        &self,
        request: Request<PlaceOrderRequest>,
    ) -> Result<Response<PlaceOrderResponse>, Status> {
        let item = request.get_ref().items.first();
        let item = item.ok_or(Status::invalid_argument("an order has a line"))?;
        let id = write(&self.0, item).await.map_err(|error| Status::internal(error.to_string()))?;
        let order = Some(Order { id: id.to_string(), ..Order::default() });
        Ok(Response::new(PlaceOrderResponse { order, replayed: false }))
    }

    async fn list_orders(
        &self,
        _: Request<ListOrdersRequest>,
    ) -> Result<Response<ListOrdersResponse>, Status> {
        Err(Status::unimplemented(USAGE))
    }

    async fn list_products(
        &self,
        _: Request<ListProductsRequest>,
    ) -> Result<Response<ListProductsResponse>, Status> {
        Err(Status::unimplemented(USAGE))
    }

    async fn complete_fulfillment(
        &self,
        _: Request<CompleteFulfillmentRequest>,
    ) -> Result<Response<CompleteFulfillmentResponse>, Status> {
        Err(Status::unimplemented(USAGE))
    }

    async fn fail_fulfillment(
        &self,
        _: Request<FailFulfillmentRequest>,
    ) -> Result<Response<FailFulfillmentResponse>, Status> {
        Err(Status::unimplemented(USAGE))
    }
}
