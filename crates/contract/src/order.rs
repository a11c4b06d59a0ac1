//! The rules that every order obeys, as types that cannot hold anything else.

use std::{collections::HashSet, fmt};

/// The longest customer id or SKU, in characters.
pub const NAME_LENGTH: usize = 64;
/// The most lines an order may have.
pub const MAX_ITEMS: usize = 50;
/// The most units of one SKU in one order.
pub const MAX_QUANTITY: u32 = 1000;
/// The longest idempotency key, in characters.
pub const KEY_LENGTH: usize = 255;

/// What is paid with if nobody says with what.
pub const DEFAULT_PAYMENT_METHOD: &str = "card";

/// Why something is not an order; the text is fit for the client.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {problem}")]
pub struct Invalid {
    /// The field that is wrong, as a JSON path such as `items[2].quantity`.
    pub field: String,
    /// What is wrong with it and what is expected.
    pub problem: String,
}

impl Invalid {
    fn new(field: impl Into<String>, problem: impl Into<String>) -> Self {
        Self { field: field.into(), problem: problem.into() }
    }
}

/// Who orders: 1 to 64 characters of `A-Z a-z 0-9 . _ -`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CustomerId(String);

/// What is ordered: 1 to 64 characters of `A-Z a-z 0-9 . _ -`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Sku(String);

/// How many: 1 to 1000.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quantity(u32);

/// The client's name for one attempt to order: 1 to 255 visible ASCII characters.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct IdempotencyKey(String);

/// What an order is paid with, as the payment provider calls it: 1 to 64 characters of
/// `A-Z a-z 0-9 . _ -`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PaymentMethod(String);

/// One line of a cart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CartItem {
    /// What.
    pub sku: Sku,
    /// How many.
    pub quantity: Quantity,
}

/// A valid order that nobody has placed yet: at least one line, each SKU once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cart {
    customer_id: CustomerId,
    items: Vec<CartItem>,
    payment_method: PaymentMethod,
}

impl CustomerId {
    /// Accepts `text` if it is a customer id; `field` names it in the error.
    pub fn parse(field: &str, text: impl Into<String>) -> Result<Self, Invalid> {
        name(field, text.into()).map(Self)
    }
}

impl Sku {
    /// Accepts `text` if it is a SKU; `field` names it in the error.
    pub fn parse(field: &str, text: impl Into<String>) -> Result<Self, Invalid> {
        name(field, text.into()).map(Self)
    }
}

impl PaymentMethod {
    /// Accepts `text` if it is a payment method; `field` names it in the error.
    pub fn parse(field: &str, text: impl Into<String>) -> Result<Self, Invalid> {
        name(field, text.into()).map(Self)
    }

    /// Whether nobody chose it.
    pub fn is_default(&self) -> bool {
        self.0 == DEFAULT_PAYMENT_METHOD
    }
}

impl Default for PaymentMethod {
    fn default() -> Self {
        Self(DEFAULT_PAYMENT_METHOD.to_owned())
    }
}

impl Quantity {
    /// Accepts a number from 1 to 1000; `field` names it in the error.
    pub fn parse(field: &str, number: i64) -> Result<Self, Invalid> {
        match u32::try_from(number) {
            Ok(quantity @ 1..=MAX_QUANTITY) => Ok(Self(quantity)),
            _ => Err(Invalid::new(field, format!("must be a number from 1 to {MAX_QUANTITY}"))),
        }
    }

    /// The number.
    pub fn get(self) -> u32 {
        self.0
    }
}

impl IdempotencyKey {
    /// Accepts `text` if it is a key; `field` names it in the error.
    pub fn parse(field: &str, text: impl Into<String>) -> Result<Self, Invalid> {
        let text = text.into();
        let fits = (1..=KEY_LENGTH).contains(&text.len());
        if fits && text.bytes().all(|byte| byte.is_ascii_graphic()) {
            Ok(Self(text))
        } else {
            Err(Invalid::new(field, format!("must be 1 to {KEY_LENGTH} visible ASCII characters")))
        }
    }
}

impl Cart {
    /// Accepts a customer's lines if together they are an order.
    pub fn parse(
        customer_id: impl Into<String>,
        items: impl IntoIterator<Item = (String, i64)>,
    ) -> Result<Self, Invalid> {
        let customer_id = CustomerId::parse("customer_id", customer_id)?;
        let items = items
            .into_iter()
            .take(MAX_ITEMS + 1)
            .enumerate()
            .map(|(index, (sku, quantity))| {
                let sku = Sku::parse(&format!("items[{index}].sku"), sku)?;
                let quantity = Quantity::parse(&format!("items[{index}].quantity"), quantity)?;
                Ok(CartItem { sku, quantity })
            })
            .collect::<Result<Vec<_>, Invalid>>()?;
        if !(1..=MAX_ITEMS).contains(&items.len()) {
            return Err(Invalid::new("items", format!("must have 1 to {MAX_ITEMS} lines")));
        }
        let mut seen = HashSet::new();
        if let Some(twice) = items.iter().position(|item| !seen.insert(&item.sku)) {
            let problem = "appears twice; order each SKU in one line";
            return Err(Invalid::new(format!("items[{twice}].sku"), problem));
        }
        Ok(Self { customer_id, items, payment_method: PaymentMethod::default() })
    }

    /// The same, paid with something else.
    pub fn paid_with(self, payment_method: PaymentMethod) -> Self {
        Self { payment_method, ..self }
    }

    /// Who orders.
    pub fn customer_id(&self) -> &CustomerId {
        &self.customer_id
    }

    /// What is ordered, in the customer's order; never empty.
    pub fn items(&self) -> &[CartItem] {
        &self.items
    }

    /// What it is paid with.
    pub fn payment_method(&self) -> &PaymentMethod {
        &self.payment_method
    }
}

fn name(field: &str, text: String) -> Result<String, Invalid> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    if (1..=NAME_LENGTH).contains(&text.len()) && text.bytes().all(allowed) {
        Ok(text)
    } else {
        let problem = format!("must be 1 to {NAME_LENGTH} characters of A-Z a-z 0-9 . _ -");
        Err(Invalid::new(field, problem))
    }
}

macro_rules! text {
    ($($name:ident),*) => {$(
        impl $name {
            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )*};
}

text!(CustomerId, Sku, PaymentMethod, IdempotencyKey);

#[cfg(test)]
mod tests {
    use super::*;

    fn cart(items: &[(&str, i64)]) -> Result<Cart, Invalid> {
        Cart::parse("ada", items.iter().map(|(sku, quantity)| ((*sku).to_owned(), *quantity)))
    }

    #[test]
    fn a_cart_keeps_the_order_of_its_lines() {
        let cart = cart(&[("TEA-02", 1), ("TEA-01", 1000)]).unwrap();
        let skus: Vec<_> = cart.items().iter().map(|item| item.sku.as_str()).collect();
        assert_eq!(skus, ["TEA-02", "TEA-01"]);
    }

    #[test]
    fn what_is_wrong_is_named_by_its_path() {
        let field = |items: &[(&str, i64)]| cart(items).unwrap_err().field;
        assert_eq!(field(&[]), "items");
        assert_eq!(field(&[("TEA-01", 1), ("TEA-02", 0)]), "items[1].quantity");
        assert_eq!(field(&[("TEA-01", 1001)]), "items[0].quantity");
        assert_eq!(field(&[("TEA-01", i64::MAX)]), "items[0].quantity");
        assert_eq!(field(&[("TEA 01", 1)]), "items[0].sku");
        assert_eq!(field(&[("TEA-01", 1), ("TEA-01", 1)]), "items[1].sku");
    }

    #[test]
    fn a_cart_of_fifty_one_lines_is_too_large() {
        let lines = |count: usize| (0..count).map(|index| (format!("SKU-{index}"), 1));
        assert!(Cart::parse("ada", lines(MAX_ITEMS)).is_ok());
        assert_eq!(Cart::parse("ada", lines(MAX_ITEMS + 1)).unwrap_err().field, "items");
    }

    #[test]
    fn names_are_plain_ascii_of_bounded_length() {
        assert!(CustomerId::parse("customer_id", "a".repeat(NAME_LENGTH)).is_ok());
        for bad in ["", "ädä", "a b", "a/b", &"a".repeat(NAME_LENGTH + 1)] {
            assert!(CustomerId::parse("customer_id", bad).is_err(), "{bad:?}");
        }
        assert!(IdempotencyKey::parse("idempotency_key", "k y").is_err());
        assert!(IdempotencyKey::parse("idempotency_key", "k".repeat(KEY_LENGTH + 1)).is_err());
    }
}
