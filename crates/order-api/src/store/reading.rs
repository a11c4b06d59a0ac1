//! Reading orders and products.

use chrono::{DateTime, Utc};
use sqlx::QueryBuilder;
use uuid::Uuid;

use super::{Item, Order, Product, Store, history, session::Session};
use crate::{error::Error, status::Status};

/// Which orders to list.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Only this customer's.
    pub customer_id: Option<String>,
    /// Only those that stand here.
    pub status: Option<Status>,
}

/// One line of an order, with its order.
#[derive(sqlx::FromRow)]
struct Row {
    id: Uuid,
    customer_id: String,
    #[sqlx(try_from = "String")]
    status: Status,
    total_minor: i64,
    currency: String,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    sku: String,
    quantity: i64,
    unit_price_minor: i64,
}

impl Store {
    /// One order.
    ///
    /// # Errors
    /// [`Error::NotFound`], or the database's.
    pub async fn order(&self, id: Uuid) -> Result<Order, Error> {
        order(&mut self.session().await?, id).await?.ok_or(Error::NotFound)
    }

    /// At most `limit` orders, newest first, those older than `before` if that is given.
    ///
    /// An order never moves to another page, since pages are cut by ids: what is placed while
    /// someone turns pages is newer than all of them.
    ///
    /// # Errors
    /// The database's.
    pub async fn orders(
        &self,
        filter: &Filter,
        before: Option<Uuid>,
        limit: u32,
    ) -> Result<Vec<Order>, Error> {
        let mut session = self.session().await?;
        let mut link = session.link();
        let rows = statement!(link, ListOrders, on => {
            // The text depends only on which filters there are: a plan for each, and each has
            // its index.
            let mut select = QueryBuilder::new(
                "SELECT id, customer_id, status, total_minor, currency, created_at, updated_at,
                        sku, quantity, unit_price_minor
                 FROM (SELECT * FROM orders WHERE id < ",
            );
            select.push_bind(before.unwrap_or(Uuid::max()));
            if let Some(customer_id) = &filter.customer_id {
                select.push(" AND customer_id = ").push_bind(customer_id);
            }
            if let Some(status) = filter.status {
                select.push(" AND status = ").push_bind(status.as_str());
            }
            select.push(" ORDER BY id DESC LIMIT ").push_bind(i64::from(limit));
            select.push(
                ") AS page JOIN order_items ON order_items.order_id = page.id
                 ORDER BY id DESC, line",
            );
            async move { select.build_query_as::<Row>().fetch_all(on).await }
        })?;
        fold(rows)
    }

    /// Every product, by SKU.
    ///
    /// # Errors
    /// The database's.
    pub async fn products(&self) -> Result<Vec<Product>, Error> {
        let mut session = self.session().await?;
        let mut link = session.link();
        let products = statement!(
            link,
            ListProducts,
            fetch_all,
            sqlx::query_as("SELECT sku, name, unit_price_minor, stock FROM products ORDER BY sku",)
        )?;
        Ok(products)
    }
}

/// One order with its history, if there is one.
pub(super) async fn order(session: &mut Session, id: Uuid) -> Result<Option<Order>, Error> {
    let mut link = session.link();
    let rows = statement!(
        link,
        GetOrder,
        fetch_all,
        sqlx::query_as::<_, Row>(
            "SELECT id, customer_id, status, total_minor, currency, created_at, updated_at,
                sku, quantity, unit_price_minor
         FROM orders JOIN order_items ON order_items.order_id = orders.id
         WHERE id = $1 ORDER BY line",
        )
        .bind(id)
    )?;
    let Some(order) = fold(rows)?.pop() else { return Ok(None) };
    let history = history::read(link, id).await?;
    Ok(Some(Order { history, ..order }))
}

/// Gathers lines into their orders; the lines of an order follow each other.
fn fold(rows: Vec<Row>) -> Result<Vec<Order>, Error> {
    let mut orders: Vec<Order> = Vec::new();
    for row in rows {
        let quantity = u32::try_from(row.quantity).map_err(|_| Error::Corrupt("a quantity"))?;
        let item = Item { sku: row.sku, quantity, unit_price_minor: row.unit_price_minor };
        match orders.last_mut() {
            Some(order) if order.id == row.id => order.items.push(item),
            _ => orders.push(Order {
                id: row.id,
                customer_id: row.customer_id,
                status: row.status,
                items: vec![item],
                total_minor: row.total_minor,
                currency: row.currency,
                created_at: row.created_at,
                updated_at: row.updated_at,
                history: Vec::new(),
            }),
        }
    }
    Ok(orders)
}
