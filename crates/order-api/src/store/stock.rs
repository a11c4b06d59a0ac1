//! Stock, taken and returned, always in the order of SKUs: so no two transactions can each hold the
//! product that the other waits for.

use contract::order::CartItem;
use uuid::Uuid;

use super::{idempotency::Refused, session::Link};
use crate::error::Error;

/// Takes the stock of every line and returns the prices in the order of the lines, or says why
/// not.
pub(super) async fn reserve(
    mut link: Link<'_>,
    items: &[CartItem],
) -> Result<Result<Vec<i64>, Refused>, Error> {
    let mut sorted: Vec<_> = items.iter().enumerate().collect();
    sorted.sort_unstable_by_key(|(_, item)| &item.sku);
    let mut prices = vec![0; items.len()];
    for (line, item) in sorted {
        let price: Option<i64> = statement!(
            link,
            ReserveStock,
            fetch_optional,
            sqlx::query_scalar(
                "UPDATE products SET stock = stock - $1 WHERE sku = $2 AND stock >= $1
             RETURNING unit_price_minor",
            )
            .bind(i64::from(item.quantity.get()))
            .bind(item.sku.as_str())
        )?;
        match price {
            Some(price) => prices[line] = price,
            None => return Ok(Err(why_not(link, item).await?)),
        }
    }
    Ok(Ok(prices))
}

async fn why_not(mut link: Link<'_>, item: &CartItem) -> Result<Refused, Error> {
    let sku = item.sku.as_str();
    let known: Option<i64> = statement!(
        link,
        FindProduct,
        fetch_optional,
        sqlx::query_scalar("SELECT stock FROM products WHERE sku = $1",).bind(sku)
    )?;
    Ok(match known {
        Some(_) => Refused::InsufficientStock(sku.to_owned()),
        None => Refused::UnknownSku(sku.to_owned()),
    })
}

/// Returns the stock of an order. Sorted here and not by the database, whose collation may be
/// another.
pub(super) async fn give_back(mut link: Link<'_>, id: Uuid) -> Result<(), Error> {
    let mut items: Vec<(String, i64)> = statement!(
        link,
        ReadItems,
        fetch_all,
        sqlx::query_as("SELECT sku, quantity FROM order_items WHERE order_id = $1",).bind(id)
    )?;
    items.sort_unstable();
    for (sku, quantity) in &items {
        statement!(
            link,
            ReturnStock,
            execute,
            sqlx::query("UPDATE products SET stock = stock + $1 WHERE sku = $2",)
                .bind(quantity)
                .bind(sku)
        )?;
    }
    Ok(())
}
