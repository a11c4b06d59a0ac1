//! What became of the spans and log records of this process: counts that outlive any registry,
//! since logging begins before there is one.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// Spans.
pub(super) static SPANS: Flow = Flow::new();
/// Log records.
pub(super) static LOGS: Flow = Flow::new();

/// What became of one kind of telemetry.
#[derive(Debug)]
pub(super) struct Flow {
    sent: AtomicU64,
    too_many: AtomicU64,
    failed: AtomicU64,
    waiting: AtomicUsize,
}

impl Flow {
    pub(super) const fn new() -> Self {
        Self {
            sent: AtomicU64::new(0),
            too_many: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            waiting: AtomicUsize::new(0),
        }
    }

    pub(super) fn waits(&self, number: usize) {
        self.waiting.store(number, Ordering::Relaxed);
    }

    pub(super) fn did_not_fit(&self) {
        self.too_many.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn ended(&self, sent: bool, number: usize) {
        let count = if sent { &self.sent } else { &self.failed };
        count.fetch_add(number as u64, Ordering::Relaxed);
    }

    pub(super) fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    pub(super) fn too_many(&self) -> u64 {
        self.too_many.load(Ordering::Relaxed)
    }

    pub(super) fn failed(&self) -> u64 {
        self.failed.load(Ordering::Relaxed)
    }

    pub(super) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }
}
