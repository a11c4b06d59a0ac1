//! What the provider says, and what that means.

use reqwest::StatusCode;
use serde::Deserialize;

use super::PaymentStatus;

/// What the provider said to a charge.
#[derive(Debug)]
pub(crate) struct Authorization {
    pub(crate) id: String,
    pub(crate) status: PaymentStatus,
    pub(crate) decline_reason: Option<String>,
}

/// What taking held money came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Captured {
    Taken,
    /// It was let go.
    Closed,
}

/// What giving money back came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reversed {
    Voided,
    Refunded,
}

/// An authorization, as it is sent.
#[derive(Deserialize)]
pub(super) struct Body {
    id: String,
    status: Decision,
    decline_reason: Option<String>,
    /// Whether it was authorized and has been let go since.
    #[serde(default)]
    voided: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Decision {
    Authorized,
    Declined,
}

/// What was given back, as it is sent.
#[derive(Deserialize)]
pub(super) struct Reversal {
    kind: Kind,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Void,
    Refund,
}

impl From<Body> for Authorization {
    fn from(Body { id, status, decline_reason, voided }: Body) -> Self {
        let status = match status {
            Decision::Authorized if voided => PaymentStatus::Voided,
            Decision::Authorized => PaymentStatus::Authorized,
            Decision::Declined => PaymentStatus::Declined,
        };
        Self { id, status, decline_reason }
    }
}

impl From<Reversal> for Reversed {
    fn from(Reversal { kind }: Reversal) -> Self {
        match kind {
            Kind::Void => Self::Voided,
            Kind::Refund => Self::Refunded,
        }
    }
}

impl Authorization {
    /// The provider does not take the charge as it is, and would not the next time.
    pub(super) fn refused() -> Self {
        let decline_reason = Some("refused".to_owned());
        Self { id: String::new(), status: PaymentStatus::Declined, decline_reason }
    }
}

/// Whether an answer to a charge is the same however often it is sent: the provider has understood
/// it and takes fault with it. Not if the key, the address or the moment is at fault.
pub(super) fn is_final(status: StatusCode) -> bool {
    let may_change = [
        StatusCode::UNAUTHORIZED,
        StatusCode::FORBIDDEN,
        StatusCode::NOT_FOUND,
        StatusCode::REQUEST_TIMEOUT,
        StatusCode::CONFLICT,
        StatusCode::TOO_MANY_REQUESTS,
    ];
    status.is_client_error() && !may_change.contains(&status)
}
