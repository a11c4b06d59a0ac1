//! Families of series: one handle for each combination of labels, made once.

use std::{marker::PhantomData, sync::Arc, time::Duration};

use super::{
    declaration::{Declaration, Kind},
    exemplar::Slots,
    label::LabelSet,
    registry::Registry,
};

/// A metric with all of its series.
pub trait Family: Sized {
    /// What it is.
    const KIND: Kind;

    /// Creates every series, at 0.
    fn register(registry: &Registry, declaration: &'static Declaration) -> Self;
}

/// A histogram whose buckets remember traces, unless nothing is recorded.
#[derive(Clone, Debug)]
pub(super) struct Traced {
    pub(super) histogram: metrics::Histogram,
    pub(super) slots: Option<Arc<Slots>>,
}

macro_rules! family {
    ($(#[doc = $doc:literal])* $name:ident, $handle:ty, $kind:ident, $register:ident) => {
        $(#[doc = $doc])*
        #[derive(Clone, Debug)]
        pub struct $name<L> {
            handles: Arc<[$handle]>,
            labels: PhantomData<L>,
        }

        impl<L: LabelSet> Family for $name<L> {
            const KIND: Kind = Kind::$kind;

            fn register(registry: &Registry, declaration: &'static Declaration) -> Self {
                let labels = L::all().into_iter();
                let handles = labels
                    .map(|labels| registry.$register(declaration, &labels.values()))
                    .collect();
                Self { handles, labels: PhantomData }
            }
        }
    };
}

family!(
    /// Something that happens and is counted.
    Counter, metrics::Counter, Counter, counter
);
family!(
    /// Something that goes up and down.
    Gauge, metrics::Gauge, Gauge, gauge
);
family!(
    /// A distribution of durations; takes a [`Duration`], so that nobody can record milliseconds.
    /// What is recorded inside a trace leaves an exemplar.
    Timer, Traced, Histogram, traced_histogram
);
family!(
    /// A distribution of numbers.
    Histogram, metrics::Histogram, Histogram, histogram
);

impl<L: LabelSet> Counter<L> {
    /// The series of these labels.
    pub fn with(&self, labels: L) -> &metrics::Counter {
        &self.handles[labels.index()]
    }
}

impl Counter<()> {
    /// Counts `number` more.
    pub fn increment(&self, number: u64) {
        self.with(()).increment(number);
    }
}

impl<L: LabelSet> Gauge<L> {
    /// The series of these labels.
    pub fn with(&self, labels: L) -> &metrics::Gauge {
        &self.handles[labels.index()]
    }

    /// Counts one more until the guard is dropped.
    pub fn hold(&self, labels: L) -> Held {
        let gauge = self.with(labels).clone();
        gauge.increment(1.0);
        Held(gauge)
    }
}

impl Gauge<()> {
    /// The value from now on.
    pub fn set(&self, value: f64) {
        self.with(()).set(value);
    }
}

/// One more in a gauge, until it is dropped.
#[must_use = "dropping it counts it out again"]
#[derive(Debug)]
pub struct Held(metrics::Gauge);

impl Drop for Held {
    fn drop(&mut self) {
        self.0.decrement(1.0);
    }
}

impl<L: LabelSet> Timer<L> {
    /// Records one duration.
    pub fn record(&self, labels: L, elapsed: Duration) {
        let Traced { histogram, slots } = &self.handles[labels.index()];
        let seconds = elapsed.as_secs_f64();
        histogram.record(seconds);
        if let Some(slots) = slots {
            slots.record(seconds);
        }
    }
}

impl<L: LabelSet> Histogram<L> {
    /// Records one number.
    pub fn record(&self, labels: L, number: f64) {
        self.handles[labels.index()].record(number);
    }
}
