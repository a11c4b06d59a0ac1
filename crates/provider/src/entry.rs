//! One authorization in the books.

use uuid::Uuid;

use crate::{
    answer::{Authorization, DeclineReason, Line, Present, State, Status},
    keys::Key,
    request::NewAuthorization,
};

/// One authorization.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) key: Key,
    pub(crate) request: NewAuthorization,
    pub(crate) decline_reason: Option<DeclineReason>,
    pub(crate) state: State,
    captures: u32,
    refunds: u32,
}

impl Entry {
    pub(crate) fn new(
        key: Key,
        request: NewAuthorization,
        decline_reason: Option<DeclineReason>,
    ) -> Self {
        let state = match decline_reason {
            Some(_) => State::Declined,
            None => State::Authorized,
        };
        Self { key, request, decline_reason, state, captures: 0, refunds: 0 }
    }

    pub(crate) fn amount_minor(&self) -> u64 {
        self.request.amount_minor
    }

    /// Counts rather than notes that money moved, so that moving it twice would be seen.
    pub(crate) fn move_to(&mut self, state: State) {
        self.state = state;
        match state {
            State::Captured => self.captures += 1,
            State::Refunded => self.refunds += 1,
            State::Declined | State::Authorized | State::Voided => {}
        }
    }

    /// What was answered when it was asked for.
    pub(crate) fn authorization(&self, id: Uuid) -> Authorization {
        let status = match self.decline_reason {
            Some(_) => Status::Declined,
            None => Status::Authorized,
        };
        Authorization {
            id,
            status,
            decline_reason: self.decline_reason,
            amount_minor: self.amount_minor(),
            currency: self.request.currency,
            reference: self.request.reference.clone(),
        }
    }

    /// What has become of it.
    pub(crate) fn present(&self, id: Uuid) -> Present {
        Present {
            authorization: self.authorization(id),
            captured_minor: self.amount_minor() * u64::from(self.captures),
            refunded_minor: self.amount_minor() * u64::from(self.refunds),
            voided: self.state == State::Voided,
        }
    }

    /// What the ledger has of it.
    pub(crate) fn line(&self, number: u64, id: Uuid) -> Line {
        Line {
            number,
            id,
            idempotency_key: self.key.clone(),
            reference: self.request.reference.clone(),
            amount_minor: self.amount_minor(),
            currency: self.request.currency,
            state: self.state,
            decline_reason: self.decline_reason,
            captures: self.captures,
            refunds: self.refunds,
        }
    }
}
