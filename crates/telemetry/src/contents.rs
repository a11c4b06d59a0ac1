//! What the store holds under its lock: quick to add to, and never more than its limits.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::Arc,
    time::Duration,
};

use tokio::time::Instant;

use crate::{
    id::{SpanId, TraceId},
    kept::Kept,
    log::LogRecord,
    numbered::Numbered,
    span::Span,
};

/// How long a trace must be quiet before a parent that has not come is missing.
pub(crate) const QUIET: Duration = Duration::from_secs(15);
/// How many evicted traces are remembered, so that a late span does not begin them anew.
const REMEMBERED: usize = 8192;

/// How much is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The most spans.
    pub spans: usize,
    /// The most log records.
    pub log_records: usize,
    /// The most memory for both together, as it is estimated.
    pub bytes: usize,
}

/// What has come, gone and stayed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Spans that came, those without a valid id left out.
    pub spans_received: u64,
    /// Log records that came.
    pub log_records_received: u64,
    /// Spans that went because their trace was the oldest.
    pub spans_evicted: u64,
    /// Spans that came when their trace had gone, and were dropped.
    pub spans_late: u64,
    /// Log records that went because they were the oldest.
    pub log_records_evicted: u64,
    /// Spans whose parent had not come when their trace had become quiet.
    pub orphan_spans: u64,
    /// Traces that are here.
    pub traces: usize,
    /// Spans that are here.
    pub spans: usize,
    /// Log records that are here.
    pub log_records: usize,
    /// Memory for both together, as it is estimated.
    pub bytes: usize,
}

/// The last traces and log records.
#[derive(Debug, Default)]
pub(crate) struct Contents {
    pub(crate) traces: Numbered<Arc<Kept>>,
    pub(crate) log_records: Numbered<Arc<LogRecord>>,
    numbers: HashMap<TraceId, u64>,
    gone: Gone,
    /// Traces that have got spans, by number, and when they may have become quiet.
    awaited: VecDeque<(Instant, u64)>,
    /// How many requests have come.
    arrivals: u64,
    stats: Stats,
}

/// The traces that were evicted lately.
#[derive(Debug, Default)]
struct Gone {
    ids: HashSet<TraceId>,
    order: VecDeque<TraceId>,
}

/// What was evicted, to be freed when the lock is not held any more.
#[derive(Debug, Default)]
#[must_use = "freeing it takes time, which is to be spent outside the lock"]
pub(crate) struct Evicted {
    traces: Vec<Arc<Kept>>,
    log_records: Vec<Arc<LogRecord>>,
}

impl Default for Limits {
    fn default() -> Self {
        Self { spans: 50_000, log_records: 25_000, bytes: 32 * 1024 * 1024 }
    }
}

impl Contents {
    pub(crate) fn stats(&self) -> Stats {
        let (traces, log_records) = (self.traces.len(), self.log_records.len());
        Stats { traces, log_records, ..self.stats }
    }

    pub(crate) fn trace(&self, id: TraceId) -> Option<Arc<Kept>> {
        self.traces.get(*self.numbers.get(&id)?).cloned()
    }

    /// Adds the spans of one request.
    pub(crate) fn add_spans(&mut self, spans: Vec<(TraceId, Span, usize)>, now: Instant) {
        self.arrivals += 1;
        self.stats.spans_received += spans.len() as u64;
        for (trace_id, span, bytes) in spans {
            if self.gone.ids.contains(&trace_id) {
                self.stats.spans_late += 1;
                continue;
            }
            let number = self.number(trace_id, now);
            let trace = self.traces.get_mut(number).expect("a number is of a trace that is here");
            let trace = Arc::make_mut(trace);
            self.stats.bytes -= trace.bytes;
            trace.add(span, bytes, now);
            self.stats.bytes += trace.bytes;
            self.stats.spans += 1;
            if !trace.awaited {
                trace.awaited = true;
                self.awaited.push_back((now + QUIET, number));
            }
        }
    }

    /// Adds the log records of one request.
    pub(crate) fn add_log_records(&mut self, log_records: Vec<LogRecord>) {
        self.arrivals += 1;
        self.stats.log_records_received += log_records.len() as u64;
        for record in log_records {
            self.stats.bytes += record.bytes;
            self.log_records.push(Arc::new(LogRecord { arrival: self.arrivals, ..record }));
        }
    }

    /// Lets the oldest go, traces as a whole, until what is left is within the limits.
    pub(crate) fn evict(&mut self, limits: Limits) -> Evicted {
        let mut evicted = Evicted::default();
        loop {
            let trace = self.traces.oldest().map(|trace| trace.arrival);
            let record = self.log_records.oldest().map(|record| record.arrival);
            let older = trace.is_some_and(|trace| record.is_none_or(|record| trace <= record));
            let heavy = self.stats.bytes > limits.bytes;
            if self.stats.spans > limits.spans || (heavy && older) {
                evicted.traces.extend(self.evict_trace());
            } else if self.log_records.len() > limits.log_records || (heavy && record.is_some()) {
                evicted.log_records.extend(self.evict_log_record());
            } else {
                return evicted;
            }
        }
    }

    /// Takes the traces that have become quiet off the list of those that are awaited.
    pub(crate) fn take_quiet(&mut self, now: Instant) -> Vec<(u64, Arc<Kept>)> {
        let mut quiet = Vec::new();
        while let Some((_, number)) = self.awaited.pop_front_if(|(due, _)| *due <= now) {
            let Some(trace) = self.traces.get_mut(number) else { continue };
            let due = trace.last + QUIET;
            if due > now {
                self.awaited.push_back((due, number));
            } else {
                Arc::make_mut(trace).awaited = false;
                quiet.push((number, Arc::clone(trace)));
            }
        }
        quiet
    }

    /// How many traces may still get spans before their orphans are counted.
    pub(crate) fn awaited(&self) -> usize {
        self.awaited.len()
    }

    /// Counts orphans of a trace.
    pub(crate) fn add_orphans(&mut self, number: u64, orphans: Vec<SpanId>) {
        self.stats.orphan_spans += orphans.len() as u64;
        if let Some(trace) = self.traces.get_mut(number) {
            Arc::make_mut(trace).orphans.extend(orphans);
        }
    }

    /// The number of a trace, which begins if it is not here.
    fn number(&mut self, trace_id: TraceId, now: Instant) -> u64 {
        let Self { traces, numbers, arrivals, stats, .. } = self;
        *numbers.entry(trace_id).or_insert_with(|| {
            let trace = Kept::new(trace_id, *arrivals, now);
            stats.bytes += trace.bytes;
            traces.push(Arc::new(trace))
        })
    }

    fn evict_trace(&mut self) -> Option<Arc<Kept>> {
        let trace = self.traces.pop()?;
        self.numbers.remove(&trace.id);
        self.gone.add(trace.id);
        self.stats.bytes -= trace.bytes;
        self.stats.spans -= trace.spans.len();
        self.stats.spans_evicted += trace.spans.len() as u64;
        Some(trace)
    }

    fn evict_log_record(&mut self) -> Option<Arc<LogRecord>> {
        let record = self.log_records.pop()?;
        self.stats.bytes -= record.bytes;
        self.stats.log_records_evicted += 1;
        Some(record)
    }
}

impl Gone {
    fn add(&mut self, id: TraceId) {
        if self.order.len() >= REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.ids.remove(&oldest);
        }
        self.ids.insert(id);
        self.order.push_back(id);
    }
}
