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
    numbered::Numbered,
    said::Said,
    sent::{SentLogRecord, SentSpan},
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
    pub(crate) log_records: Numbered<Said>,
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
    log_records: Vec<Said>,
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

    /// A trace and its number.
    pub(crate) fn trace(&self, id: TraceId) -> Option<(u64, Arc<Kept>)> {
        let number = *self.numbers.get(&id)?;
        Some((number, Arc::clone(self.traces.get(number)?)))
    }

    /// Adds the spans of one request.
    pub(crate) fn add_spans(&mut self, spans: Vec<(TraceId, SentSpan)>, now: Instant) {
        self.arrivals += 1;
        self.stats.spans_received += spans.len() as u64;
        for (trace_id, span) in spans {
            if self.gone.ids.contains(&trace_id) {
                self.stats.spans_late += 1;
                continue;
            }
            let number = self.number(trace_id, now);
            let trace = self.traces.get_mut(number).expect("a number is of a trace that is here");
            let trace = Arc::make_mut(trace);
            self.stats.bytes -= trace.bytes;
            trace.add(span, now);
            self.stats.bytes += trace.bytes;
            self.stats.spans += 1;
            if !trace.awaited {
                trace.awaited = true;
                self.awaited.push_back((now + QUIET, number));
            }
        }
    }

    /// Adds the log records of one request.
    pub(crate) fn add_log_records(&mut self, log_records: Vec<SentLogRecord>) {
        self.arrivals += 1;
        self.stats.log_records_received += log_records.len() as u64;
        for record in log_records {
            self.stats.bytes += record.bytes();
            let record = SentLogRecord { arrival: self.arrivals, ..record };
            self.log_records.push(Said::Sent(Arc::new(record)));
        }
    }

    /// Keeps a trace as it was read, unless it has got more spans meanwhile or is gone, or would need
    /// room that there is not: looking makes nothing go.
    pub(crate) fn keep_trace(
        &mut self,
        number: u64,
        sent: &Arc<Kept>,
        read: Arc<Kept>,
        limits: Limits,
    ) {
        let bytes = (self.stats.bytes + read.bytes).saturating_sub(sent.bytes);
        if let Some(trace) = self.traces.get_mut(number)
            && Arc::ptr_eq(trace, sent)
            && bytes <= limits.bytes
        {
            self.stats.bytes = bytes;
            *trace = read;
        }
    }

    /// Keeps a log record as it was read, unless it is gone or there is no room for it.
    pub(crate) fn keep_log_record(&mut self, number: u64, read: Said, limits: Limits) {
        if let Some(record) = self.log_records.get_mut(number) {
            let bytes = self.stats.bytes - record.bytes() + read.bytes();
            if bytes <= limits.bytes {
                self.stats.bytes = bytes;
                *record = read;
            }
        }
    }

    /// Lets the oldest go, traces as a whole, until what is left is within the limits.
    pub(crate) fn evict(&mut self, limits: Limits) -> Evicted {
        let mut evicted = Evicted::default();
        loop {
            let trace = self.traces.oldest().map(|trace| trace.arrival);
            let record = self.log_records.oldest().map(Said::arrival);
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
        self.stats.spans -= trace.len();
        self.stats.spans_evicted += trace.len() as u64;
        Some(trace)
    }

    fn evict_log_record(&mut self) -> Option<Said> {
        let record = self.log_records.pop()?;
        self.stats.bytes -= record.bytes();
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

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
    use prost::Message as _;

    use super::*;
    use crate::{sent, strings::Strings};

    fn add(contents: &mut Contents, span_id: u64) {
        let span = Span {
            trace_id: 1_u128.to_be_bytes().into(),
            span_id: span_id.to_be_bytes().into(),
            ..Span::default()
        };
        let scope_spans = vec![ScopeSpans { spans: vec![span], ..ScopeSpans::default() }];
        let part = ResourceSpans { scope_spans, ..ResourceSpans::default() }.encode_to_vec();
        let sent = sent::spans(vec![part.into()], &Mutex::default()).unwrap();
        contents.add_spans(sent.spans, Instant::now());
    }

    fn id() -> TraceId {
        TraceId::from_bytes(&1_u128.to_be_bytes()).unwrap()
    }

    #[test]
    fn what_was_read_too_early_or_too_late_is_not_kept() {
        let limits = Limits::default();
        let mut contents = Contents::default();
        add(&mut contents, 1);
        let (number, early) = contents.trace(id()).unwrap();
        let read = |trace: &Arc<Kept>| Arc::new(trace.read(&mut Strings::default()));
        // A span comes while somebody reads those before it.
        add(&mut contents, 2);
        let before = contents.stats();
        contents.keep_trace(number, &early, read(&early), limits);
        let (_, whole) = contents.trace(id()).unwrap();
        assert_eq!((whole.len(), whole.is_read(), contents.stats()), (2, false, before));

        contents.keep_trace(number, &whole, read(&whole), Limits { bytes: 1, ..limits });
        assert!(!contents.trace(id()).unwrap().1.is_read(), "there is no room");
        contents.keep_trace(number, &whole, read(&whole), limits);
        assert!(contents.trace(id()).unwrap().1.is_read());

        let kept = contents.trace(id()).unwrap().1;
        let _ = contents.evict(Limits { spans: 0, ..limits });
        assert_eq!(contents.stats().bytes, 0);
        contents.keep_trace(number, &kept, read(&kept), limits);
        assert_eq!((contents.stats().bytes, contents.stats().traces), (0, 0));
    }
}
