//! Why the payment provider did not answer, and what that says of it.

use std::time::Duration;

use reqwest::StatusCode;

use crate::metrics::{Answered, Operation};

/// Why the provider did not answer a question.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    /// It is known to be away, so it was not asked.
    #[error("the payment provider is away")]
    Away(Duration),
    /// Too many requests are in flight.
    #[error("too many requests to the payment provider are in flight")]
    Crowded,
    /// It did not answer in time.
    #[error("the payment provider did not answer in time")]
    TimedOut,
    /// It could not be reached, or the connection broke.
    #[error("cannot reach the payment provider")]
    Unreachable(#[source] reqwest::Error),
    /// It answered what says nothing about the question.
    #[error("the payment provider answered {0}")]
    Answered(StatusCode),
    /// It gave no key to ask it anything with.
    #[error("the payment provider gives no key: it answered {0}")]
    NoKey(StatusCode),
    /// It does not know what is to be captured or given back, and never will.
    #[error("the payment provider knows of no such authorization")]
    Unknown,
    /// It answered what makes no sense.
    #[error("cannot make sense of the payment provider's answer")]
    Malformed(#[source] reqwest::Error),
}

impl From<reqwest::Error> for Problem {
    fn from(error: reqwest::Error) -> Self {
        if error.is_timeout() {
            Self::TimedOut
        } else if error.is_decode() {
            Self::Malformed(error)
        } else {
            Self::Unreachable(error)
        }
    }
}

impl Problem {
    /// Whether asking again may help.
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Away(_)
            | Self::Crowded
            | Self::TimedOut
            | Self::Unreachable(_)
            | Self::NoKey(_) => true,
            // A key that has expired is renewed.
            Self::Answered(status) => {
                status.is_server_error()
                    || [StatusCode::TOO_MANY_REQUESTS, StatusCode::UNAUTHORIZED].contains(status)
            }
            Self::Unknown | Self::Malformed(_) => false,
        }
    }

    /// What is not there to be captured or given back will not be there later either.
    pub(super) fn or_unknown(self) -> Self {
        match self {
            Self::Answered(StatusCode::NOT_FOUND) => Self::Unknown,
            problem => problem,
        }
    }

    /// Whether it speaks against the provider's health.
    pub(super) fn is_failure(&self) -> bool {
        self.may_pass() && !matches!(self, Self::Away(_) | Self::Crowded)
    }

    /// What a request is counted as that ended so.
    pub(super) fn outcome(&self, operation: Operation) -> Answered {
        match (operation, self) {
            // That there is none, and that it was let go, are answers.
            (Operation::Find, Self::Answered(StatusCode::NOT_FOUND))
            | (Operation::Capture, Self::Answered(StatusCode::CONFLICT)) => Answered::Ok,
            (_, Self::Away(_) | Self::Crowded) => Answered::Rejected,
            (_, Self::TimedOut) => Answered::TimedOut,
            (_, Self::Unreachable(_)) => Answered::Unreachable,
            (_, Self::Answered(_) | Self::NoKey(_) | Self::Unknown | Self::Malformed(_)) => {
                Answered::Failed
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_counted_as_one() {
        let (none, closed) = (StatusCode::NOT_FOUND, StatusCode::CONFLICT);
        let outcome = |operation, status| Problem::Answered(status).outcome(operation);
        assert_eq!(outcome(Operation::Find, none), Answered::Ok);
        assert_eq!(outcome(Operation::Capture, closed), Answered::Ok);
        assert_eq!(outcome(Operation::Capture, none), Answered::Failed);
        assert_eq!(outcome(Operation::Authorize, closed), Answered::Failed);
        assert_eq!(outcome(Operation::Find, StatusCode::UNAUTHORIZED), Answered::Failed);
    }
}
