//! What order-api announces on the queue, as JSON.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The `type` property of a message that carries an [`OrderPlaced`].
pub const ORDER_PLACED: &str = "shop.v1.OrderPlaced";

/// An order was placed and waits to be fulfilled.
///
/// Readers ignore fields they do not know, so that fields can be added.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderPlaced {
    /// The order.
    pub order_id: Uuid,
    /// Who ordered.
    pub customer_id: String,
    /// What to pick.
    pub items: Vec<PlacedItem>,
    /// The price of it all, in minor units of `currency`.
    pub total_minor: i64,
    /// ISO 4217.
    pub currency: String,
    /// When the order was placed, UTC.
    pub placed_at: DateTime<Utc>,
}

/// One line to pick.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlacedItem {
    /// What.
    pub sku: String,
    /// How many.
    pub quantity: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_ignores_fields_it_does_not_know() {
        let json = r#"{"order_id":"01980000-0000-7000-8000-000000000000","customer_id":"ada",
            "items":[{"sku":"TEA-01","quantity":2,"shelf":"B7"}],"total_minor":900,
            "currency":"EUR","placed_at":"2026-01-02T03:04:05Z","gift":true}"#;
        let event: OrderPlaced = serde_json::from_str(json).unwrap();
        assert_eq!(event.items, [PlacedItem { sku: "TEA-01".into(), quantity: 2 }]);
    }
}
