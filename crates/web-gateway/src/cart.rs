//! From a body to a valid order: each field read by name, what is wrong named by its path.

use contract::order::{Cart, CustomerId, Invalid, PaymentMethod};
use serde_json::Value;
use utoipa::ToSchema;

use crate::{
    error::Error,
    fields::{Fields, invalid, text},
};

/// An order yet to be placed.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "items": [{ "sku": "TEA-001", "quantity": 2 }]
}))]
#[expect(dead_code, reason = "describes the body in /openapi.json; `parse` reads it")]
pub(crate) struct NewOrder {
    /// Who orders: whoever asks, unless an admin orders for somebody.
    #[schema(min_length = 1, max_length = 64, pattern = "^[A-Za-z0-9._-]+$", nullable = false)]
    customer_id: Option<String>,
    /// What is ordered: each SKU in one line.
    #[schema(min_items = 1, max_items = 50)]
    items: Vec<NewItem>,
    /// What it is paid with; `card` unless said otherwise. `card-declined` is always declined.
    #[schema(min_length = 1, max_length = 64, pattern = "^[A-Za-z0-9._-]+$", nullable = false)]
    payment_method: Option<String>,
}

/// One line of an order yet to be placed.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "describes the body in /openapi.json; `parse` reads it")]
pub(crate) struct NewItem {
    /// What.
    #[schema(min_length = 1, max_length = 64, pattern = "^[A-Za-z0-9._-]+$")]
    sku: String,
    /// How many: a whole number, however it is written.
    #[schema(minimum = 1, maximum = 1000)]
    quantity: i64,
}

/// Reads an order, which is `whoever` asks's if it does not say otherwise.
///
/// Fields that are not known are refused, so that a misspelled one is not ignored. Of a field that
/// is given twice, the last one counts. A whole number may be written `1`, `1.0` or `1e0`.
pub(crate) fn parse(body: &[u8], whoever: &CustomerId) -> Result<Cart, Error> {
    let body: Value = serde_json::from_slice(body).map_err(Error::MalformedJson)?;
    read(body, whoever).map_err(Error::InvalidOrder)
}

fn read(body: Value, whoever: &CustomerId) -> Result<Cart, Invalid> {
    let mut order = Fields::of("an order", "", body)?;
    let customer_id = match order.take_if_there("customer_id") {
        (path, Some(customer_id)) => text(&path, customer_id)?,
        (_, None) => whoever.to_string(),
    };
    let (items_path, items) = order.take("items")?;
    let Value::Array(items) = items else {
        return Err(invalid(items_path, "must be a list"));
    };
    let payment_method = match order.take_if_there("payment_method") {
        (path, Some(method)) => PaymentMethod::parse(&path, text(&path, method)?)?,
        (_, None) => PaymentMethod::default(),
    };
    order.no_more()?;
    let items = items.into_iter().enumerate().map(|(index, line)| item(index, line));
    let cart = Cart::parse(customer_id, items.collect::<Result<Vec<_>, _>>()?)?;
    Ok(cart.paid_with(payment_method))
}

fn item(index: usize, line: Value) -> Result<(String, i64), Invalid> {
    let mut line = Fields::of("an order", &format!("items[{index}]"), line)?;
    let (sku_path, sku) = line.take("sku")?;
    let (quantity_path, quantity) = line.take("quantity")?;
    line.no_more()?;
    Ok((text(&sku_path, sku)?, whole_number(&quantity_path, &quantity)?))
}

/// What is beyond an `i64` becomes its greatest or least, which no quantity is.
fn whole_number(path: &str, value: &Value) -> Result<i64, Invalid> {
    let number = value.as_number().ok_or_else(|| invalid(path, "must be a number"))?;
    match (number.as_i64(), number.as_f64()) {
        (Some(number), _) => Ok(number),
        (None, Some(number)) if number.fract() == 0.0 => Ok(number as i64),
        _ => Err(invalid(path, "must be a whole number")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(body: &[u8]) -> Result<Cart, Error> {
        super::parse(body, &CustomerId::parse("name", "grace").unwrap())
    }

    fn refused(body: &str) -> String {
        match parse(body.as_bytes()).unwrap_err() {
            Error::InvalidOrder(invalid) => invalid.to_string(),
            other => panic!("{body}: {other}"),
        }
    }

    fn quantity(number: &str) -> Option<u32> {
        let body =
            format!(r#"{{"customer_id":"ada","items":[{{"sku":"TEA-01","quantity":{number}}}]}}"#);
        parse(body.as_bytes()).ok().map(|cart| cart.items()[0].quantity.get())
    }

    #[test]
    fn a_whole_number_may_be_written_in_any_way() {
        for (written, meant) in [("1", 1), ("1.0", 1), ("1e3", 1000), ("10e-1", 1)] {
            assert_eq!(quantity(written), Some(meant), "{written}");
        }
        for bad in ["0", "-0", "-1", "1.5", "1001", "1e400", "9223372036854775808", "1e30", "NaN"] {
            assert_eq!(quantity(bad), None, "{bad}");
        }
    }

    #[test]
    fn what_is_wrong_is_named_by_its_path() {
        assert_eq!(refused("[]"), "$: must be an object");
        assert_eq!(refused("{}"), "items: is missing");
        assert_eq!(refused(r#"{"customer_id":null}"#), "customer_id: must be a string");
        assert_eq!(refused(r#"{"customer_id":"ada"}"#), "items: is missing");
        assert_eq!(refused(r#"{"customer_id":"ada","items":{}}"#), "items: must be a list");
        assert_eq!(
            refused(r#"{"customer_id":"ada","items":[],"payment_method":null}"#),
            "payment_method: must be a string"
        );
        assert_eq!(
            refused(r#"{"customer_id":"ada","items":[{"sku":1,"quantity":1}]}"#),
            "items[0].sku: must be a string"
        );
        assert_eq!(
            refused(r#"{"customer_id":"ada","items":[{"sku":"TEA-01","quantity":1,"qty":1}]}"#),
            "items[0].qty: is not a field of an order"
        );
    }
}
