//! Why an order could not be fulfilled this time.

use contract::refusal;
use tonic::{Code, Status};

use crate::metrics::Reason;

/// What went wrong with one message.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The body is not an order.
    #[error("cannot read the message: {0}")]
    Malformed(#[from] serde_json::Error),
    /// order-api refused, or could not be asked.
    #[error("order-api answered {}: {}", code(.0), .0.message())]
    OrderApi(#[from] Box<Status>),
    /// The way to the shelves failed.
    #[error("cannot reach the warehouse: {0}")]
    Warehouse(#[from] faults::Failure),
}

impl Error {
    /// Why trying again cannot help, if it cannot.
    pub(crate) fn permanent(&self) -> Option<Reason> {
        match self {
            Self::Malformed(_) => Some(Reason::Malformed),
            Self::OrderApi(status) => match refusal::Reason::of(status) {
                Some(refusal::Reason::OrderNotFound) => Some(Reason::UnknownOrder),
                Some(refusal::Reason::OrderNotOpen) => Some(Reason::OrderNotOpen),
                _ => None,
            },
            Self::Warehouse(_) => None,
        }
    }
}

impl From<Status> for Error {
    fn from(status: Status) -> Self {
        Self::OrderApi(Box::new(status))
    }
}

fn code(status: &Status) -> Code {
    status.code()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_can_never_work_is_permanent() {
        let refused = |reason: refusal::Reason| Error::from(reason.status("no")).permanent();
        assert_eq!(refused(refusal::Reason::OrderNotFound), Some(Reason::UnknownOrder));
        assert_eq!(refused(refusal::Reason::OrderNotOpen), Some(Reason::OrderNotOpen));
        assert_eq!(refused(refusal::Reason::Unavailable), None);
        assert_eq!(refused(refusal::Reason::Internal), None);
        // A worker with a wrong secret must not give orders up.
        assert_eq!(refused(refusal::Reason::Unauthenticated), None);
        assert_eq!(refused(refusal::Reason::PermissionDenied), None);

        for code in [
            Code::Unavailable,
            Code::DeadlineExceeded,
            Code::Cancelled,
            Code::Internal,
            Code::Unknown,
            // Not from order-api itself: it gives its reason.
            Code::NotFound,
        ] {
            assert_eq!(Error::from(Status::new(code, "no")).permanent(), None, "{code:?}");
        }
        assert_eq!(Error::from(faults::Failure).permanent(), None);
    }
}
