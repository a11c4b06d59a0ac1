//! Stock, taken and returned, always in the order of SKUs: so no two transactions can each hold the
//! product that the other waits for.

use std::ops::RangeInclusive;

use contract::order::CartItem;
use uuid::Uuid;

use super::{
    Item,
    idempotency::Refused,
    placing::NewOrder,
    session::{Borrowed, Link},
};
use crate::{error::Error, payments::Provider};

/// What a product may cost, as the tables have it. A price beyond comes from somebody who has turned
/// their checks off, and sums of it would be no sums.
const PRICES: RangeInclusive<i64> = 0..=1_000_000_000;

/// In which order the products of an order are taken.
#[derive(Clone, Copy, Debug)]
pub(super) enum Way<'a> {
    /// By SKU.
    Sorted,
    /// The other way: as the cart has them, and whether the order was not paid before is asked after
    /// each of them.
    Asking(&'a Provider),
}

/// Takes the stock of every line and returns the prices in the order of the lines, or says why
/// not.
pub(super) async fn reserve(
    mut link: Link<'_>,
    new: &NewOrder,
    way: Way<'_>,
) -> Result<Result<Vec<i64>, Refused>, Error> {
    let mut lines: Vec<_> = new.cart.items().iter().enumerate().collect();
    if let Way::Sorted = way {
        lines.sort_unstable_by_key(|(_, item)| &item.sku);
    }
    let mut prices = vec![0; lines.len()];
    for (line, item) in lines {
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
            Some(price) if PRICES.contains(&price) => prices[line] = price,
            Some(price) => return Err(Error::NoPrice { sku: item.sku.as_str().to_owned(), price }),
            None => return Ok(Err(why_not(link, item).await?)),
        }
        if let Way::Asking(provider) = way {
            provider.has_heard_of(new.id).await;
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

/// Keeps the products of an order from everybody else until the transaction ends. SQLite keeps
/// everything from them as it is.
pub(super) async fn hold(mut link: Link<'_>, items: &[Item]) -> Result<(), Error> {
    if let Borrowed::Sqlite(_) = link.connection {
        return Ok(());
    }
    let mut skus: Vec<_> = items.iter().map(|item| &item.sku).collect();
    skus.sort_unstable();
    for sku in skus {
        statement!(
            link,
            HoldStock,
            execute,
            sqlx::query("SELECT stock FROM products WHERE sku = $1 FOR UPDATE",).bind(sku)
        )?;
    }
    Ok(())
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
