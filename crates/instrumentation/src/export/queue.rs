//! Where spans and log records wait: bounded, and nobody who adds to it waits.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard},
};

use tokio::sync::Notify;

use super::flow::Flow;

/// What waits to be sent, in batches of the kind `B`.
#[derive(Debug)]
pub(super) struct Queue<B> {
    waiting: Mutex<Waiting<B>>,
    capacity: usize,
    batch: usize,
    /// Told when there is a whole batch.
    ready: Notify,
    pub(super) flow: &'static Flow,
}

#[derive(Debug)]
struct Waiting<B> {
    /// All but the last are whole.
    batches: VecDeque<Batch<B>>,
    number: usize,
}

/// What is sent together.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Batch<B> {
    pub(super) items: B,
    pub(super) number: usize,
    /// Whether nothing more is added to it.
    pub(super) whole: bool,
}

impl<B: Default> Queue<B> {
    pub(super) fn new(capacity: usize, batch: usize, flow: &'static Flow) -> Self {
        let waiting = Mutex::new(Waiting { batches: VecDeque::new(), number: 0 });
        Self { waiting, capacity, batch, ready: Notify::new(), flow }
    }

    /// Whether there is no room for one more, which then need not be made: it is counted as dropped.
    pub(super) fn refuses(&self) -> bool {
        let full = self.flow.waiting() >= self.capacity;
        if full {
            self.flow.did_not_fit();
        }
        full
    }

    /// Adds one to a batch, or drops and counts it if there are too many already. `add` says whether the
    /// batch is whole, however few are in it.
    pub(super) fn push(&self, add: impl FnOnce(&mut B) -> bool) {
        let mut waiting = self.lock();
        if waiting.number >= self.capacity {
            return self.flow.did_not_fit();
        }
        if waiting.batches.back().is_none_or(|batch| batch.whole) {
            waiting.batches.push_back(Batch::default());
        }
        let batch = waiting.batches.back_mut().expect("there is one now");
        batch.whole = add(&mut batch.items);
        batch.number += 1;
        batch.whole |= batch.number >= self.batch;
        let whole = batch.whole;
        waiting.number += 1;
        self.flow.waits(waiting.number);
        drop(waiting);
        if whole {
            self.ready.notify_one();
        }
    }

    /// The oldest, as many as are sent together; None if nothing waits.
    pub(super) fn take(&self) -> Option<Batch<B>> {
        let mut waiting = self.lock();
        let batch = waiting.batches.pop_front()?;
        waiting.number -= batch.number;
        self.flow.waits(waiting.number);
        Some(batch)
    }

    /// Returns when there is, or was, a whole batch.
    pub(super) async fn ready(&self) {
        self.ready.notified().await;
    }

    fn lock(&self) -> MutexGuard<'_, Waiting<B>> {
        self.waiting.lock().expect("no holder of the lock panics")
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn push(queue: &Queue<Vec<u32>>, number: u32) {
        queue.push(|batch| {
            batch.push(number);
            number == 7
        });
    }

    fn batch(items: &[u32], whole: bool) -> Option<Batch<Vec<u32>>> {
        Some(Batch { items: items.to_vec(), number: items.len(), whole })
    }

    #[test]
    fn what_does_not_fit_is_dropped_and_counted() {
        static FLOW: Flow = Flow::new();
        let queue = Queue::new(3, 2, &FLOW);
        (1..=3).for_each(|number| push(&queue, number));
        assert!(queue.refuses());
        (4..=5).for_each(|number| push(&queue, number));
        assert_eq!((FLOW.too_many(), FLOW.waiting()), (3, 3));
        assert_eq!(queue.take(), batch(&[1, 2], true));
        assert!(!queue.refuses());
        push(&queue, 6);
        assert_eq!(queue.take(), batch(&[3, 6], true));
        (7..=8).for_each(|number| push(&queue, number));
        assert_eq!(queue.take(), batch(&[7], true), "it said that it is");
        assert_eq!(queue.take(), batch(&[8], false));
        assert_eq!(queue.take(), None);
        assert_eq!((FLOW.too_many(), FLOW.waiting()), (3, 0));
    }

    #[tokio::test]
    async fn whoever_sends_is_told_of_each_whole_batch() {
        static FLOW: Flow = Flow::new();
        let queue = Queue::new(9, 2, &FLOW);
        let told = async || tokio::time::timeout(Duration::ZERO, queue.ready()).await;
        for (number, whole) in [(1, false), (2, true), (3, false), (4, true), (7, true)] {
            push(&queue, number);
            assert_eq!(told().await.is_ok(), whole, "{number}");
        }
    }
}
