//! What a result means for the message: done, try again, give up.

use contract::topology::{self, RetryQueue};
use instrumentation::trace::Span;

use crate::{
    error::Error,
    fulfillment::Done,
    metrics::{Ending, Reason},
};

/// What is to become of a message.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// The order is fulfilled: the message is done with.
    Fulfilled,
    /// The order has failed, and order-api knows: the message is done with.
    Failed,
    /// There was nothing left to do: the message is done with.
    Duplicate,
    /// It waits in this queue and is tried again.
    Retried(&'static RetryQueue, Error),
    /// It goes back to the end of its queue, as it came.
    Returned(Error),
    /// It is given up, and lies where it can be looked at.
    Parked(Reason, Error),
}

impl Outcome {
    /// Decides, for a message that has failed `attempts` times before.
    pub(crate) fn of(result: Result<Done, Error>, attempts: usize) -> Self {
        match result {
            Ok(Done::Fulfilled) => Self::Fulfilled,
            Ok(Done::Failed) => Self::Failed,
            Ok(Done::Before) => Self::Duplicate,
            Err(error) => match (error.permanent(), topology::retry(attempts)) {
                (Some(reason), _) => Self::Parked(reason, error),
                (None, Some(queue)) => Self::Retried(queue, error),
                (None, None) => Self::Parked(Reason::TriesExhausted, error),
            },
        }
    }

    /// Whether nothing is left to do but to acknowledge the message.
    pub(crate) fn is_done(&self) -> bool {
        match self {
            Self::Fulfilled | Self::Failed | Self::Duplicate => true,
            Self::Retried(..) | Self::Returned(_) | Self::Parked(..) => false,
        }
    }

    /// Says on the span of the work what made it fail, if it did.
    pub(crate) fn show(&self, span: &Span) {
        match self {
            Self::Fulfilled | Self::Failed | Self::Duplicate => {}
            Self::Retried(_, error) => {
                span.fail("retried", "");
                span.record_error(error.to_string());
            }
            Self::Returned(error) => {
                span.fail("returned", "");
                span.record_error(error.to_string());
            }
            Self::Parked(reason, error) => {
                span.fail(reason.as_str(), "");
                span.record_error(error.to_string());
            }
        }
    }

    /// Logs it.
    pub(crate) fn tell(&self, attempts: usize) {
        match self {
            Self::Fulfilled => tracing::info!("order fulfilled"),
            Self::Failed => tracing::warn!("order failed: goods missing"),
            Self::Duplicate => tracing::info!("order was done before"),
            Self::Retried(queue, error) => {
                let retry_in_seconds = queue.delay.as_secs();
                tracing::warn!(%error, attempts = attempts + 1, retry_in_seconds, "order put back");
            }
            Self::Returned(error) => {
                tracing::warn!(%error, attempts, "cannot read the message: put back")
            }
            Self::Parked(reason, error) => {
                tracing::error!(%error, attempts, reason = reason.as_str(), "message given up");
            }
        }
    }

    /// Its name, as it is counted.
    pub(crate) fn ending(&self) -> Ending {
        match self {
            Self::Fulfilled => Ending::Fulfilled,
            Self::Failed => Ending::Failed,
            Self::Duplicate => Ending::Duplicate,
            Self::Retried(..) => Ending::Retried,
            Self::Returned(_) => Ending::Returned,
            Self::Parked(..) => Ending::Parked,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use contract::topology::{RETRIES, TRIES};
    use tonic::Status;

    use super::*;

    fn unavailable() -> Result<Done, Error> {
        Err(Status::unavailable("connection refused").into())
    }

    #[test]
    fn failed_tries_wait_longer_but_never_for_a_minute_and_the_last_one_parks() {
        let mut waits = Vec::new();
        for attempts in 0.. {
            match Outcome::of(unavailable(), attempts) {
                Outcome::Retried(queue, _) => waits.push(queue.delay),
                last => {
                    assert!(matches!(last, Outcome::Parked(Reason::TriesExhausted, _)), "{last:?}");
                    break;
                }
            }
        }
        assert_eq!(waits.len() + 1, TRIES);
        assert!(waits.is_sorted() && waits[..RETRIES.len()].is_sorted_by(|a, b| a < b));
        assert!(waits.iter().all(|wait| *wait < Duration::from_secs(60)));
        assert_eq!(waits.iter().sum::<Duration>(), Duration::from_secs(6 * 60 + 21));
    }

    #[test]
    fn what_can_never_work_is_parked_at_the_first_try() {
        let unknown = contract::refusal::Reason::OrderNotFound.status("no such order");
        let outcome = Outcome::of(Err(unknown.into()), 0);
        assert!(matches!(outcome, Outcome::Parked(Reason::UnknownOrder, _)), "{outcome:?}");
    }
}
