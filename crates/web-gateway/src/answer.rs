//! The bodies of good answers, made from what order-api answers.

use chrono::{DateTime, Utc};
use contract::shop::v1 as proto;
use prost_types::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::error::Error;

/// Where an order stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum OrderStatus {
    /// Stored, stock reserved, not known to be paid yet.
    Pending,
    /// Stock reserved and paid, waiting to be fulfilled.
    Placed,
    /// Not paid; its stock is back. Final.
    Declined,
    /// Picked and packed. Final.
    Fulfilled,
    /// Could not be fulfilled; its stock is back, its money on the way.
    Failed,
    /// Could not be fulfilled; its stock and its money are back. Final.
    Refunded,
}

/// One order.
#[derive(Debug, Serialize, ToSchema)]
pub struct Order {
    /// A UUIDv7, so ids sort by the time of placing.
    #[schema(example = "01980000-0000-7000-8000-000000000000")]
    pub id: Uuid,
    /// Who ordered.
    #[schema(example = "ada")]
    pub customer_id: String,
    /// Where it stands.
    pub status: OrderStatus,
    /// What was ordered, in the customer's order.
    pub items: Vec<OrderItem>,
    /// Sum of quantity times unit price, in minor units of `currency` (cents of EUR).
    #[schema(minimum = 0, example = 1180)]
    pub total_minor: i64,
    /// ISO 4217.
    #[schema(example = "EUR")]
    pub currency: String,
    /// When it was placed, UTC.
    #[schema(example = "2026-01-02T03:04:05.678901Z")]
    pub created_at: DateTime<Utc>,
    /// When its status last changed, UTC.
    #[schema(example = "2026-01-02T03:04:05.678901Z")]
    pub updated_at: DateTime<Utc>,
    /// Every status that it has had, oldest first; not in lists.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub history: Vec<OrderEvent>,
}

/// An order came to a status.
#[derive(Debug, Serialize, ToSchema)]
pub struct OrderEvent {
    /// Where it stood from then on.
    pub status: OrderStatus,
    /// When, UTC.
    #[schema(example = "2026-01-02T03:04:05.678901Z")]
    pub at: DateTime<Utc>,
}

/// One line of an order, at the price of the moment it was placed.
#[derive(Debug, Serialize, ToSchema)]
pub struct OrderItem {
    /// What.
    #[schema(example = "TEA-001")]
    pub sku: String,
    /// How many.
    #[schema(minimum = 1, maximum = 1000, example = 2)]
    pub quantity: u32,
    /// Minor units of the order's currency, for one.
    #[schema(minimum = 0, example = 590)]
    pub unit_price_minor: i64,
}

/// A page of orders, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct OrderPage {
    /// The orders.
    pub orders: Vec<Order>,
    /// `cursor` of the next page; null on the last.
    #[schema(required, example = json!(null))]
    pub next_cursor: Option<String>,
}

/// Something the shop sells.
#[derive(Debug, Serialize, ToSchema)]
pub struct Product {
    /// What it is ordered by.
    #[schema(example = "TEA-001")]
    pub sku: String,
    /// What it is called.
    #[schema(example = "Assam breakfast tea, 100 g")]
    pub name: String,
    /// Minor units of `currency`, for one.
    #[schema(minimum = 0, example = 590)]
    pub unit_price_minor: i64,
    /// ISO 4217.
    #[schema(example = "EUR")]
    pub currency: String,
    /// Units that can still be ordered.
    #[schema(minimum = 0, example = 1000)]
    pub stock: i64,
}

/// Everything the shop sells, by SKU.
#[derive(Debug, Serialize, ToSchema)]
pub struct ProductList {
    /// The products.
    pub products: Vec<Product>,
}

impl TryFrom<proto::Order> for Order {
    type Error = Error;

    fn try_from(order: proto::Order) -> Result<Self, Error> {
        Ok(Self {
            id: order.id.parse().map_err(|_| Error::Answer("order id"))?,
            status: order.status().try_into()?,
            customer_id: order.customer_id,
            items: order.items.into_iter().map(OrderItem::from).collect(),
            total_minor: order.total_minor,
            currency: order.currency,
            created_at: time(order.created_at).ok_or(Error::Answer("created_at"))?,
            updated_at: time(order.updated_at).ok_or(Error::Answer("updated_at"))?,
            history: order
                .history
                .into_iter()
                .map(OrderEvent::try_from)
                .collect::<Result<_, _>>()?,
        })
    }
}

impl TryFrom<proto::OrderEvent> for OrderEvent {
    type Error = Error;

    fn try_from(event: proto::OrderEvent) -> Result<Self, Error> {
        let at = time(event.at).ok_or(Error::Answer("history"))?;
        Ok(Self { status: event.status().try_into()?, at })
    }
}

impl TryFrom<proto::OrderStatus> for OrderStatus {
    type Error = Error;

    fn try_from(status: proto::OrderStatus) -> Result<Self, Error> {
        match status {
            proto::OrderStatus::Unspecified => Err(Error::Answer("order status")),
            proto::OrderStatus::Pending => Ok(Self::Pending),
            proto::OrderStatus::Placed => Ok(Self::Placed),
            proto::OrderStatus::Declined => Ok(Self::Declined),
            proto::OrderStatus::Fulfilled => Ok(Self::Fulfilled),
            proto::OrderStatus::Failed => Ok(Self::Failed),
            proto::OrderStatus::Refunded => Ok(Self::Refunded),
        }
    }
}

impl From<proto::OrderItem> for OrderItem {
    fn from(item: proto::OrderItem) -> Self {
        let proto::OrderItem { sku, quantity, unit_price_minor } = item;
        Self { sku, quantity, unit_price_minor }
    }
}

impl TryFrom<proto::ListOrdersResponse> for OrderPage {
    type Error = Error;

    fn try_from(page: proto::ListOrdersResponse) -> Result<Self, Error> {
        let orders = page.orders.into_iter().map(Order::try_from).collect::<Result<_, _>>()?;
        let next_cursor = Some(page.next_cursor).filter(|cursor| !cursor.is_empty());
        Ok(Self { orders, next_cursor })
    }
}

impl From<proto::Product> for Product {
    fn from(product: proto::Product) -> Self {
        let proto::Product { sku, name, unit_price_minor, currency, stock } = product;
        Self { sku, name, unit_price_minor, currency, stock }
    }
}

fn time(timestamp: Option<Timestamp>) -> Option<DateTime<Utc>> {
    let Timestamp { seconds, nanos } = timestamp?;
    DateTime::from_timestamp(seconds, u32::try_from(nanos).ok()?)
}
