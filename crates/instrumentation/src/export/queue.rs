//! Where spans and log records wait: bounded, and nobody who adds to it waits.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard},
};

use tokio::sync::Notify;

use super::flow::Flow;

/// What waits to be sent.
#[derive(Debug)]
pub(super) struct Queue<T> {
    items: Mutex<VecDeque<T>>,
    capacity: usize,
    batch: usize,
    /// Told when there is a whole batch.
    ready: Notify,
    pub(super) flow: &'static Flow,
}

impl<T> Queue<T> {
    pub(super) fn new(capacity: usize, batch: usize, flow: &'static Flow) -> Self {
        Self { items: Mutex::default(), capacity, batch, ready: Notify::new(), flow }
    }

    /// Adds one, or drops and counts it if there are too many already.
    pub(super) fn push(&self, item: T) {
        let mut items = self.lock();
        if items.len() >= self.capacity {
            return self.flow.did_not_fit();
        }
        items.push_back(item);
        let waiting = items.len();
        drop(items);
        self.flow.waits(waiting);
        if waiting == self.batch {
            self.ready.notify_one();
        }
    }

    /// The oldest, as many as are sent together.
    pub(super) fn take(&self) -> Vec<T> {
        let mut items = self.lock();
        let number = items.len().min(self.batch);
        let batch = items.drain(..number).collect();
        self.flow.waits(items.len());
        batch
    }

    /// Returns when there is, or was, a whole batch.
    pub(super) async fn ready(&self) {
        self.ready.notified().await;
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<T>> {
        self.items.lock().expect("no holder of the lock panics")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_dropped_and_counted() {
        static FLOW: Flow = Flow::new();
        let queue = Queue::new(3, 2, &FLOW);
        (1..=5).for_each(|number| queue.push(number));
        assert_eq!((FLOW.too_many(), FLOW.waiting()), (2, 3));
        assert_eq!(queue.take(), [1, 2]);
        assert_eq!(queue.take(), [3]);
        assert!(queue.take().is_empty());
        assert_eq!(FLOW.waiting(), 0);
    }
}
