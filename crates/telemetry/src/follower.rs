//! New log records as they come.

use std::sync::Arc;

use tokio::sync::watch;

use crate::{
    log::{LogFilter, LogRecord},
    store::{Found, Store},
};

/// Follows the log records that are asked for. It keeps none for one who is slow: what goes before
/// it was looked at is counted as lost.
#[derive(Debug)]
pub struct Follower {
    store: Arc<Store>,
    filter: LogFilter,
    /// What there was when it began, until it has been told.
    before: Vec<Arc<LogRecord>>,
    /// The number to go on from.
    number: u64,
    /// The number that the next log record will have.
    next: watch::Receiver<u64>,
}

impl Follower {
    pub(crate) fn new(
        store: Arc<Store>,
        filter: LogFilter,
        before: Vec<Arc<LogRecord>>,
        number: u64,
        next: watch::Receiver<u64>,
    ) -> Self {
        Self { store, filter, before, number, next }
    }

    /// Waits for log records that are asked for, or for some to be lost.
    pub async fn next(&mut self) -> Found {
        if !self.before.is_empty() {
            return Found { log_records: std::mem::take(&mut self.before), lost: 0 };
        }
        loop {
            let number = self.number;
            let come = self.next.wait_for(|next| *next > number).await;
            come.expect("the sender is in the store, which this holds");
            let (found, end) = self.store.log_records_from(number, &self.filter);
            self.number = end;
            if found != Found::default() {
                return found;
            }
        }
    }
}
