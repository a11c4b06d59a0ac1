//! The bodies of good answers.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{keys::Key, request::Currency};

/// What was done, now or before.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Done<T> {
    pub(crate) content: T,
    /// Whether it had been done before.
    pub(crate) again: bool,
}

/// Whether a card can be charged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Status {
    Authorized,
    Declined,
}

/// Why a card cannot be charged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum DeclineReason {
    InsufficientFunds,
    CardDeclined,
}

/// What was said when it was asked for.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Authorization {
    pub(crate) id: Uuid,
    pub(crate) status: Status,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) decline_reason: Option<DeclineReason>,
    pub(crate) amount_minor: u64,
    pub(crate) currency: Currency,
    pub(crate) reference: Arc<str>,
}

/// What was said then, and what has become of it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Present {
    #[serde(flatten)]
    pub(crate) authorization: Authorization,
    pub(crate) captured_minor: u64,
    pub(crate) refunded_minor: u64,
    pub(crate) voided: bool,
}

/// The customer has paid.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Capture {
    pub(crate) id: Uuid,
    pub(crate) authorization_id: Uuid,
    pub(crate) amount_minor: u64,
}

/// The customer need not pay, or has the money back.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Reversal {
    pub(crate) id: Uuid,
    pub(crate) authorization_id: Uuid,
    pub(crate) kind: ReversalKind,
    pub(crate) amount_minor: u64,
}

/// How something was reversed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ReversalKind {
    /// It had not been captured.
    Void,
    /// It had been.
    Refund,
}

/// Where an authorization stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum State {
    Declined,
    Authorized,
    Captured,
    Voided,
    Refunded,
}

/// What all requests add up to, those that are no longer remembered included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// Charges that were promised.
    pub authorizations: u64,
    /// What was promised.
    pub authorized_minor: u64,
    /// Charges that were made.
    pub captures: u64,
    /// What was charged.
    pub captured_minor: u64,
    /// Charges that were given back.
    pub refunds: u64,
    /// What was given back.
    pub refunded_minor: u64,
    /// Promises that were let go.
    pub voids: u64,
    /// What was let go.
    pub voided_minor: u64,
    /// Cards that were declined.
    pub declined: u64,
    /// Authorizations, declined ones included, that are no longer remembered.
    pub forgotten: u64,
}

impl Totals {
    /// Adds an authorization that has come to a state.
    pub(crate) fn add(&mut self, state: State, amount_minor: u64) {
        let (count, sum) = match state {
            State::Declined => {
                self.declined += 1;
                return;
            }
            State::Authorized => (&mut self.authorizations, &mut self.authorized_minor),
            State::Captured => (&mut self.captures, &mut self.captured_minor),
            State::Voided => (&mut self.voids, &mut self.voided_minor),
            State::Refunded => (&mut self.refunds, &mut self.refunded_minor),
        };
        *count += 1;
        *sum += amount_minor;
    }
}

/// A part of the ledger, and what all of it adds up to.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Page {
    pub(crate) totals: Totals,
    pub(crate) entries: Vec<Line>,
    /// After which number the next page begins; none on the last.
    pub(crate) next: Option<u64>,
}

/// One authorization in the ledger.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Line {
    pub(crate) number: u64,
    pub(crate) id: Uuid,
    pub(crate) idempotency_key: Key,
    pub(crate) reference: Arc<str>,
    pub(crate) amount_minor: u64,
    pub(crate) currency: Currency,
    pub(crate) state: State,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) decline_reason: Option<DeclineReason>,
    /// How often the customer has paid.
    pub(crate) captures: u32,
    /// How often the customer was paid back.
    pub(crate) refunds: u32,
}

/// A token.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Token {
    pub(crate) access_token: String,
    pub(crate) token_type: &'static str,
    /// In seconds.
    pub(crate) expires_in: u64,
}
