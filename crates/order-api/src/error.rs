//! What can go wrong in order-api, and what a client is told of it.

use contract::{order::Invalid, refusal::Reason};
use faults::Failure;
use identity::{Denied, Role};
use sqlx::migrate::MigrateError;
use tonic::Status as Answer;

use crate::{payments::Problem, status::Status};

/// Why a call was refused or failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The request breaks a rule of the contract.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// The shop does not sell it.
    #[error("there is no product {0}")]
    UnknownSku(String),
    /// There is less of it than was ordered.
    #[error("there is not enough of {0} in stock")]
    InsufficientStock(String),
    /// The key belongs to an earlier order of other items.
    #[error("the idempotency key was used for another order")]
    KeyReused,
    /// No page ended with this cursor.
    #[error("the cursor is not one that a page ended with")]
    InvalidCursor,
    /// There is no order of this id.
    #[error("there is no such order")]
    NotFound,
    /// The payment provider will not pay.
    #[error("the payment was declined")]
    Declined,
    /// The payment provider cannot be asked, or did not answer.
    #[error("cannot have it paid")]
    Payment(#[from] Problem),
    /// The provider has not answered for an order.
    #[error("there is no payment for this order")]
    NoPayment,
    /// Somebody else was at the same rows just then.
    #[error("another call came in between")]
    Collided,
    /// The order has reached another final status.
    #[error("the order is {} already", .0.as_str())]
    NotOpen(Status),
    /// No good token was presented; the text is fit for the client.
    #[error("{0}")]
    Unauthenticated(String),
    /// This call is not for this role.
    #[error("this call is not for the role {0}")]
    NotForRole(Role),
    /// These are somebody else's orders.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// Nobody has this name and this password.
    #[error("the name or the password is wrong")]
    InvalidCredentials,
    /// There is no such account.
    #[error("there is no such account")]
    NoAccount,
    /// More passwords are to be verified than can be.
    #[error("too many passwords are being verified")]
    Overloaded,
    /// The database is known to be away, so nothing was tried.
    #[error("the database is away")]
    Away,
    /// The database hangs, as far as anybody can tell.
    #[error("the database did not answer in time")]
    Late,
    /// The connection to the database was dead before anything was done on it.
    #[error("cannot begin a transaction")]
    NotBegun(#[source] sqlx::Error),
    /// The database did not do what it was asked to.
    #[error("cannot use the database")]
    Store(#[from] sqlx::Error),
    /// The tables could not be brought up to date.
    #[error("cannot migrate the database")]
    Migrate(#[from] MigrateError),
    /// No product can cost this.
    #[error("cannot make sense of the price of {sku}: {price}")]
    NoPrice {
        /// The product.
        sku: String,
        /// What it would cost.
        price: i64,
    },
    /// What was stored makes no sense.
    #[error("cannot make sense of {0}")]
    Corrupt(&'static str),
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        Self::Store(std::io::Error::new(std::io::ErrorKind::ConnectionReset, failure).into())
    }
}

impl Error {
    /// What kept a transaction from beginning. A server that was stopped in an orderly way says so
    /// (57P01) to whoever comes next on a connection of before.
    pub(crate) fn not_begun(error: sqlx::Error) -> Self {
        let dead = matches!(error, sqlx::Error::Io(_)) || code(&error).as_deref() == Some("57P01");
        if dead { Self::NotBegun(error) } else { Self::Store(error) }
    }

    /// The stable reason that a client is told.
    pub fn reason(&self) -> Reason {
        match self {
            Self::Invalid(_) => Reason::InvalidOrder,
            Self::UnknownSku(_) => Reason::UnknownSku,
            Self::InsufficientStock(_) => Reason::InsufficientStock,
            Self::KeyReused => Reason::IdempotencyKeyReused,
            Self::InvalidCursor => Reason::InvalidCursor,
            Self::NotFound => Reason::OrderNotFound,
            Self::NotOpen(_) => Reason::OrderNotOpen,
            Self::Declined => Reason::PaymentDeclined,
            Self::Payment(problem) if problem.may_pass() => Reason::PaymentUnavailable,
            Self::NoPayment => Reason::PaymentNotFound,
            Self::Unauthenticated(_) => Reason::Unauthenticated,
            Self::NotForRole(_) | Self::Denied(_) => Reason::PermissionDenied,
            Self::InvalidCredentials => Reason::InvalidCredentials,
            Self::NoAccount => Reason::AccountNotFound,
            Self::Overloaded => Reason::Overloaded,
            Self::Away | Self::Late | Self::NotBegun(_) | Self::Collided => Reason::Unavailable,
            Self::Store(error) if may_pass(error) => Reason::Unavailable,
            Self::Store(_)
            | Self::Payment(_)
            | Self::Migrate(_)
            | Self::NoPrice { .. }
            | Self::Corrupt(_) => Reason::Internal,
        }
    }

    /// Whether doing the whole transaction again at once is safe and may help.
    pub fn is_transient(&self) -> bool {
        match self {
            // Serialization failure and deadlock: Postgres has undone the transaction.
            Self::Store(error) => matches!(code(error).as_deref(), Some("40001" | "40P01")),
            Self::NotBegun(_) | Self::Collided => true,
            _ => false,
        }
    }

    /// The error with its causes, in one line for the log.
    pub(crate) fn chain(&self) -> String {
        let causes = std::iter::successors(std::error::Error::source(self), |cause| cause.source());
        causes.fold(self.to_string(), |text, cause| format!("{text}: {cause}"))
    }

    /// The answer to the client, which tells nothing internal.
    pub fn answer(&self) -> Answer {
        match self.reason() {
            Reason::Unavailable => Reason::Unavailable.status("try again later"),
            Reason::PaymentUnavailable => {
                Reason::PaymentUnavailable.status("nobody can be paid now; try again later")
            }
            Reason::Internal => Reason::Internal.status("something went wrong"),
            reason => reason.status(self.to_string()),
        }
    }
}

/// Whether the database is away or saturated, rather than asked something wrong.
fn may_pass(error: &sqlx::Error) -> bool {
    use sqlx::Error as E;
    match error {
        E::Io(_) | E::Tls(_) | E::PoolTimedOut | E::PoolClosed | E::WorkerCrashed => true,
        E::Database(_) => match code(error).as_deref() {
            // Postgres, by class: connection lost, rolled back, out of resources, stopped by an
            // operator, system error.
            Some(code) if code.len() == 5 => {
                ["08", "40", "53", "57", "58"].iter().any(|class| code.starts_with(class))
            }
            // SQLite: 5 is busy, 6 is locked; the rest of the number says why.
            Some(code) => code.parse::<u32>().is_ok_and(|code| matches!(code & 0xff, 5 | 6)),
            None => false,
        },
        _ => false,
    }
}

fn code(error: &sqlx::Error) -> Option<String> {
    Some(error.as_database_error()?.code()?.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_is_told_nothing_internal() {
        let secret = "host=10.0.0.7 user=shop";
        let away = Error::Store(sqlx::Error::Io(std::io::Error::other(secret)));
        assert_eq!(away.reason(), Reason::Unavailable);
        assert!(!format!("{:?}", away.answer()).contains(secret));
        let defect = Error::Store(sqlx::Error::Protocol(secret.to_owned()));
        assert_eq!(defect.reason(), Reason::Internal);
        assert!(!format!("{:?}", defect.answer()).contains(secret));
    }

    #[test]
    fn a_saturated_pool_may_pass_and_is_not_tried_again_at_once() {
        let saturated = Error::Store(sqlx::Error::PoolTimedOut);
        assert_eq!(saturated.reason(), Reason::Unavailable);
        assert!(!saturated.is_transient());
    }
}
