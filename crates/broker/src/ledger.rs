//! How much memory the messages of a broker take, and whether that is too much.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// What a message costs besides its body: properties, and its place in a queue.
const FLAT_CHARGE: usize = 512;

/// The account of a broker's memory.
#[derive(Debug)]
pub(crate) struct Ledger {
    limit: usize,
    used: AtomicUsize,
}

impl Ledger {
    pub(crate) fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self { limit, used: AtomicUsize::new(0) })
    }

    pub(crate) fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    pub(crate) fn is_full(&self) -> bool {
        self.used() >= self.limit
    }

    /// Charges a message with a body of so many bytes, until the charge is dropped.
    pub(crate) fn charge(self: &Arc<Self>, body: usize) -> Charge {
        let bytes = body + FLAT_CHARGE;
        self.used.fetch_add(bytes, Ordering::Relaxed);
        Charge { ledger: Arc::clone(self), bytes }
    }
}

/// A message's share of the memory, given back when dropped.
#[derive(Debug)]
pub(crate) struct Charge {
    ledger: Arc<Ledger>,
    bytes: usize,
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.ledger.used.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dropped_charge_makes_room_again() {
        let ledger = Ledger::new(1_000);
        let charge = ledger.charge(600);
        assert!(ledger.is_full());
        drop(charge);
        assert_eq!(ledger.used(), 0);
    }
}
