//! Whoever calls, and the rules of whose orders they may see and place.

use std::{fmt, str::FromStr};

use contract::order::CustomerId;
use serde::{Deserialize, Serialize};

/// What a caller is to the shop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Sees and places orders of their own.
    Customer,
    /// Sees all orders, and places them for anybody.
    Admin,
    /// A service of the shop: records what becomes of orders, and places none.
    Service,
}

/// Whoever calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// Their customer id; of a service, its name.
    pub subject: CustomerId,
    /// What they are.
    pub role: Role,
}

/// These are somebody else's orders.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("orders of other customers are not yours to see or place")]
pub struct Denied;

impl Role {
    /// Every role.
    pub const ALL: [Self; 3] = [Self::Customer, Self::Admin, Self::Service];

    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Customer => "customer",
            Self::Admin => "admin",
            Self::Service => "service",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Role {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut all = Self::ALL.into_iter();
        all.find(|role| role.as_str() == text).ok_or_else(|| format!("there is no role {text:?}"))
    }
}

impl TryFrom<String> for Role {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl Caller {
    /// A customer.
    pub fn customer(subject: CustomerId) -> Self {
        Self { subject, role: Role::Customer }
    }

    /// A service of the shop, by its name.
    ///
    /// # Panics
    /// If the name is not one that a customer could have.
    pub fn service(name: &str) -> Self {
        let subject = CustomerId::parse("name", name).expect("services have plain names");
        Self { subject, role: Role::Service }
    }

    /// Whether they may see this customer's orders and, where their role may, act on them.
    pub fn may_act_for(&self, customer_id: &str) -> bool {
        match self.role {
            Role::Customer => self.subject.as_str() == customer_id,
            Role::Admin | Role::Service => true,
        }
    }

    /// Whose orders a list has if these are asked for; none means everybody's.
    ///
    /// # Errors
    /// If they are not theirs to see.
    pub fn whose_orders(&self, asked: Option<CustomerId>) -> Result<Option<CustomerId>, Denied> {
        match (self.role, asked) {
            (Role::Admin | Role::Service, asked) => Ok(asked),
            (Role::Customer, Some(other)) if other != self.subject => Err(Denied),
            (Role::Customer, _) => Ok(Some(self.subject.clone())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(name: &str) -> CustomerId {
        CustomerId::parse("name", name).unwrap()
    }

    #[test]
    fn a_customer_acts_for_themselves_only() {
        let ada = Caller::customer(id("ada"));
        assert!(ada.may_act_for("ada"));
        for other in ["grace", "Ada", "ada ", "", "adaa"] {
            assert!(!ada.may_act_for(other), "{other:?}");
        }
        assert_eq!(ada.whose_orders(None), Ok(Some(id("ada"))));
        assert_eq!(ada.whose_orders(Some(id("ada"))), Ok(Some(id("ada"))));
        assert_eq!(ada.whose_orders(Some(id("grace"))), Err(Denied));
    }

    #[test]
    fn an_admin_sees_everybodys_orders_or_those_of_one() {
        let admin = Caller { subject: id("admin"), role: Role::Admin };
        assert!(admin.may_act_for("ada"));
        assert_eq!(admin.whose_orders(None), Ok(None));
        assert_eq!(admin.whose_orders(Some(id("ada"))), Ok(Some(id("ada"))));
    }

    #[test]
    fn a_role_is_called_the_same_everywhere() {
        for role in Role::ALL {
            assert_eq!(role.as_str().parse(), Ok(role));
            assert_eq!(serde_json::to_value(role).unwrap(), role.as_str());
        }
        assert!(Role::from_str("root").is_err());
    }
}
