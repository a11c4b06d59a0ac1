//! How a request ended.

use std::time::Duration;

use axum::http::StatusCode;
use serde::Serialize;
use telemetry::id::TraceId;

use super::errand::{Kind, Placed};

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// With what was asked for.
    Served,
    /// With an order whose payment is not decided yet (202).
    Pending,
    /// With a card that was declined (402): the right answer to the wrong card.
    Declined,
    /// With a conflict (409): the right answer where there is not enough in stock.
    Refused,
    /// Turned away at once, to be tried again later (429, 503).
    Shed,
    /// With any other answer, or one that is wrong.
    Failed,
    /// Not within the patience, counted from when it was due.
    TimedOut,
    /// Without an answer: no connection, or one that broke.
    Unreachable,
    /// Before it began: too many were in flight already.
    Dropped,
}

/// What an outcome means to whoever asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// A right answer.
    Success,
    /// A polite no: neither a success nor an error.
    Shed,
    /// Let down.
    Error,
}

/// A request that has ended.
#[derive(Clone, Debug)]
pub struct Ended {
    /// What was asked.
    pub kind: Kind,
    /// When it was due, from the beginning.
    pub due: Duration,
    /// How much later than that it was sent: the generator's own fault.
    pub late: Duration,
    /// How long it took from when it was due, not from when it was sent.
    pub took: Duration,
    /// How it ended.
    pub outcome: Outcome,
    /// The answer's status, if there was an answer.
    pub status: Option<StatusCode>,
    /// The trace that the answer named.
    pub trace: Option<TraceId>,
    /// Its thread through every hop; in every log line that it caused.
    pub correlation_id: String,
    /// The order that was accepted, if one was.
    pub placed: Option<Placed>,
}

impl Outcome {
    /// Every outcome.
    pub const ALL: [Self; 9] = [
        Self::Served,
        Self::Pending,
        Self::Declined,
        Self::Refused,
        Self::Shed,
        Self::Failed,
        Self::TimedOut,
        Self::Unreachable,
        Self::Dropped,
    ];

    /// What a status means.
    pub fn of(status: StatusCode) -> Self {
        match status {
            StatusCode::ACCEPTED => Self::Pending,
            StatusCode::PAYMENT_REQUIRED => Self::Declined,
            StatusCode::CONFLICT => Self::Refused,
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => Self::Shed,
            status if status.is_success() => Self::Served,
            _ => Self::Failed,
        }
    }

    /// What it means to whoever asked.
    pub fn class(self) -> Class {
        match self {
            Self::Served | Self::Pending | Self::Declined | Self::Refused => Class::Success,
            Self::Shed => Class::Shed,
            Self::Failed | Self::TimedOut | Self::Unreachable | Self::Dropped => Class::Error,
        }
    }

    /// In a word or two.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Served => "served",
            Self::Pending => "pending",
            Self::Declined => "declined",
            Self::Refused => "refused",
            Self::Shed => "shed",
            Self::Failed => "failed",
            Self::TimedOut => "timed out",
            Self::Unreachable => "unreachable",
            Self::Dropped => "dropped",
        }
    }
}

/// An answer that took so long, for tests.
#[cfg(test)]
pub(crate) fn served(took: Duration) -> Ended {
    Ended {
        kind: Kind::Browse,
        due: Duration::ZERO,
        late: Duration::ZERO,
        took,
        outcome: Outcome::Served,
        status: Some(StatusCode::OK),
        trace: None,
        correlation_id: "load-1-1".to_owned(),
        placed: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_a_success_a_no_or_an_error() {
        for (status, outcome, class) in [
            (200, Outcome::Served, Class::Success),
            (201, Outcome::Served, Class::Success),
            (202, Outcome::Pending, Class::Success),
            (402, Outcome::Declined, Class::Success),
            (409, Outcome::Refused, Class::Success),
            (429, Outcome::Shed, Class::Shed),
            (503, Outcome::Shed, Class::Shed),
            (404, Outcome::Failed, Class::Error),
            (422, Outcome::Failed, Class::Error),
            (500, Outcome::Failed, Class::Error),
            (504, Outcome::Failed, Class::Error),
        ] {
            let seen = Outcome::of(StatusCode::from_u16(status).unwrap());
            assert_eq!((seen, seen.class()), (outcome, class), "{status}");
        }
    }
}
