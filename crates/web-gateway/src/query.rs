//! The query of `GET /orders`, each parameter at most once and none that is not known.

use axum::extract::Query;
use contract::{
    order::{CustomerId, Invalid},
    shop::v1::OrderStatus,
};
use http::Uri;
use utoipa::IntoParams;

use crate::{
    answer,
    error::Error,
    orders::{Filter, PAGE_LIMIT},
};

/// The longest cursor that is passed on, in bytes.
const CURSOR_LENGTH: usize = 512;

/// Which orders; all that the caller may see if nothing is said.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "describes the query in /openapi.json; `parse` reads it")]
pub(crate) struct ListOrders {
    /// Only those of this customer.
    #[param(
        min_length = 1,
        max_length = 64,
        pattern = "^[A-Za-z0-9._-]+$",
        nullable = false,
        example = "ada"
    )]
    customer_id: Option<String>,
    /// Only those that stand there.
    #[param(nullable = false)]
    status: Option<answer::OrderStatus>,
    /// At most this many.
    #[param(minimum = 1, maximum = 100, default = 20, nullable = false)]
    limit: Option<u32>,
    /// `next_cursor` of the page before.
    #[param(min_length = 1, max_length = 512, nullable = false)]
    cursor: Option<String>,
}

/// Reads a query. Parameters that are not known are refused, so that a misspelled filter does not
/// answer with everyone's orders.
pub(crate) fn parse(uri: &Uri) -> Result<Filter, Error> {
    read(uri).map_err(Error::InvalidQuery)
}

fn read(uri: &Uri) -> Result<Filter, Invalid> {
    let pairs = Query::<Vec<(String, String)>>::try_from_uri(uri);
    let Query(mut pairs) = pairs.map_err(|_| invalid("$", "is not a query string"))?;
    let mut take = |name: &str| -> Result<Option<String>, Invalid> {
        let Some(place) = pairs.iter().position(|pair| pair.0 == name) else { return Ok(None) };
        let (_, value) = pairs.swap_remove(place);
        match pairs.iter().any(|pair| pair.0 == name) {
            true => Err(invalid(name, "is given twice")),
            false => Ok(Some(value)),
        }
    };
    let customer_id = take("customer_id")?.map(|text| CustomerId::parse("customer_id", text));
    let filter = Filter {
        customer_id: customer_id.transpose()?,
        status: take("status")?.map_or(Ok(OrderStatus::Unspecified), |text| status(&text))?,
        limit: take("limit")?.map_or(Ok(PAGE_LIMIT.1), |text| limit(&text))?,
        cursor: take("cursor")?.map(cursor).transpose()?,
    };
    match pairs.first() {
        None => Ok(filter),
        Some((unknown, _)) => {
            let name: String = unknown.chars().take(64).collect();
            Err(invalid(&name, "is not a parameter of this query"))
        }
    }
}

fn status(text: &str) -> Result<OrderStatus, Invalid> {
    match text {
        "pending" => Ok(OrderStatus::Pending),
        "placed" => Ok(OrderStatus::Placed),
        "declined" => Ok(OrderStatus::Declined),
        "fulfilled" => Ok(OrderStatus::Fulfilled),
        "failed" => Ok(OrderStatus::Failed),
        "refunded" => Ok(OrderStatus::Refunded),
        _ => Err(invalid(
            "status",
            "must be pending, placed, declined, fulfilled, failed or refunded",
        )),
    }
}

fn limit(text: &str) -> Result<u32, Invalid> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match text.parse() {
        Ok(limit) if digits && (1..=PAGE_LIMIT.0).contains(&limit) => Ok(limit),
        _ => Err(invalid("limit", "must be a number from 1 to 100")),
    }
}

fn cursor(text: String) -> Result<String, Invalid> {
    if (1..=CURSOR_LENGTH).contains(&text.len()) {
        Ok(text)
    } else {
        Err(invalid("cursor", "must be the next_cursor of a page"))
    }
}

fn invalid(field: &str, problem: &str) -> Invalid {
    Invalid { field: field.to_owned(), problem: problem.to_owned() }
}
