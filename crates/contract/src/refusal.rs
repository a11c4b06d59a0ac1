//! The stable reasons with which order-api refuses a call, carried as `google.rpc.ErrorInfo`.

use std::collections::HashMap;

use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt as _};

/// The domain of every reason below.
pub const DOMAIN: &str = "shop.v1";

macro_rules! reasons {
    ($($(#[doc = $doc:literal])* $name:ident = $text:literal, $code:ident;)*) => {
        /// Why order-api refused a call.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Reason {
            $($(#[doc = $doc])* $name,)*
        }

        impl Reason {
            /// Every reason.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// Its name on the wire.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                }
            }

            /// The gRPC status code it comes with.
            pub fn code(self) -> Code {
                match self {
                    $(Self::$name => Code::$code,)*
                }
            }
        }
    };
}

reasons! {
    /// The request is not an order.
    InvalidOrder = "INVALID_ORDER", InvalidArgument;
    /// The shop does not sell this SKU.
    UnknownSku = "UNKNOWN_SKU", FailedPrecondition;
    /// There is less in stock than was ordered.
    InsufficientStock = "INSUFFICIENT_STOCK", FailedPrecondition;
    /// The payment provider will not pay; the stock is back.
    PaymentDeclined = "PAYMENT_DECLINED", FailedPrecondition;
    /// The payment provider cannot be asked now; try again.
    PaymentUnavailable = "PAYMENT_UNAVAILABLE", Unavailable;
    /// There is no such order.
    OrderNotFound = "ORDER_NOT_FOUND", NotFound;
    /// Nobody has tried to pay for this order.
    PaymentNotFound = "PAYMENT_NOT_FOUND", NotFound;
    /// The idempotency key belongs to an earlier, different order.
    IdempotencyKeyReused = "IDEMPOTENCY_KEY_REUSED", FailedPrecondition;
    /// The cursor is not one that a page ended with.
    InvalidCursor = "INVALID_CURSOR", InvalidArgument;
    /// The order has reached another final status.
    OrderNotOpen = "ORDER_NOT_OPEN", FailedPrecondition;
    /// There is no token, or it is not good.
    Unauthenticated = "UNAUTHENTICATED", Unauthenticated;
    /// The caller's role may not do this, or not for this customer.
    PermissionDenied = "PERMISSION_DENIED", PermissionDenied;
    /// Nobody has this name and this password.
    InvalidCredentials = "INVALID_CREDENTIALS", Unauthenticated;
    /// There is no such account.
    AccountNotFound = "ACCOUNT_NOT_FOUND", NotFound;
    /// Something that order-api needs cannot be reached or is saturated; try again.
    Unavailable = "UNAVAILABLE", Unavailable;
    /// order-api has too much to do, and has done nothing of this; to try again at once would not
    /// help.
    Overloaded = "OVERLOADED", ResourceExhausted;
    /// A defect or an unexpected failure.
    Internal = "INTERNAL", Internal;
}

impl Reason {
    /// The status that tells a client of this reason; `message` must be fit for the client.
    pub fn status(self, message: impl Into<String>) -> Status {
        let info = ErrorDetails::with_error_info(self.as_str(), DOMAIN, HashMap::new());
        Status::with_error_details(self.code(), message, info)
    }

    /// The reason that a status carries, if it comes from order-api.
    pub fn of(status: &Status) -> Option<Self> {
        let info = status.get_details_error_info()?;
        if info.domain != DOMAIN {
            return None;
        }
        Self::ALL.iter().copied().find(|reason| reason.as_str() == info.reason)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_survives_the_wire() {
        for reason in Reason::ALL {
            let status = reason.status("because");
            assert_eq!(Reason::of(&status), Some(*reason));
            assert_eq!(status.code(), reason.code());
        }
    }

    #[test]
    fn a_status_of_someone_else_has_no_reason() {
        assert_eq!(Reason::of(&Status::unavailable("connection refused")), None);
    }
}
