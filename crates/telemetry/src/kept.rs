//! A trace as the store keeps it, with what is asked of it most often worked out as spans come.

use std::{collections::HashSet, mem::size_of, sync::Arc};

use tokio::time::Instant;

use crate::{
    id::{SpanId, TraceId},
    span::Span,
    time::Lasting,
    trace::TraceRow,
};

/// What a trace takes beside its spans: itself, its places in the queue and in the index.
const OVERHEAD: usize = size_of::<Kept>() + 96;

/// How many spans a trace makes room for at first.
const FEW: usize = 4;

/// The spans of a trace that have come so far; never none, once the store has it.
#[derive(Clone, Debug)]
pub(crate) struct Kept {
    pub(crate) id: TraceId,
    pub(crate) spans: Vec<Span>,
    /// An estimate of the memory that it takes.
    pub(crate) bytes: usize,
    /// When its first span came, in the order of arrivals.
    pub(crate) arrival: u64,
    /// When its last span came.
    pub(crate) last: Instant,
    /// Whether it will be looked through for orphans.
    pub(crate) awaited: bool,
    /// The orphans that have been counted.
    pub(crate) orphans: Vec<SpanId>,
    /// Where in the spans the root is, or what comes closest to it.
    root: usize,
    start: u64,
    end: u64,
    services: Vec<Arc<str>>,
    error: bool,
}

impl Kept {
    pub(crate) fn new(id: TraceId, arrival: u64, now: Instant) -> Self {
        Self {
            id,
            spans: Vec::new(),
            bytes: OVERHEAD,
            arrival,
            last: now,
            awaited: false,
            orphans: Vec::new(),
            root: 0,
            start: u64::MAX,
            end: 0,
            services: Vec::new(),
            error: false,
        }
    }

    pub(crate) fn add(&mut self, span: Span, bytes: usize, now: Instant) {
        self.last = now;
        if self.spans.len() == self.spans.capacity() {
            // By a quarter: doubling would leave more room unused than the limits can bear.
            let more = FEW.max(self.spans.len() / 4);
            self.spans.reserve_exact(more);
            self.bytes += more * size_of::<Span>();
        }
        self.bytes += bytes;
        self.start = self.start.min(span.start);
        self.end = self.end.max(span.end);
        self.error |= span.is_error();
        if !self.services.contains(&span.service) {
            self.services.push(Arc::clone(&span.service));
        }
        let rank = |span: &Span| (span.parent.is_some(), span.start);
        if self.spans.get(self.root).is_some_and(|root| rank(&span) < rank(root)) {
            self.root = self.spans.len();
        }
        self.spans.push(span);
    }

    pub(crate) fn is_error(&self) -> bool {
        self.error
    }

    pub(crate) fn is_of(&self, service: &str) -> bool {
        self.services.iter().any(|known| **known == *service)
    }

    pub(crate) fn duration(&self) -> Lasting {
        Lasting(self.end.saturating_sub(self.start))
    }

    /// The span that it began with.
    pub(crate) fn root(&self) -> &Span {
        &self.spans[self.root]
    }

    pub(crate) fn row(&self) -> TraceRow {
        let root = self.root();
        TraceRow {
            trace_id: self.id,
            name: Arc::clone(&root.name),
            service: Arc::clone(&root.service),
            start_unix_nano: self.start,
            duration_ms: self.duration().milliseconds(),
            spans: self.spans.len(),
            services: self.services_in_order(),
            error: self.error,
        }
    }

    /// The services in the order in which the trace reached them.
    fn services_in_order(&self) -> Vec<Arc<str>> {
        let begin = |service: &Arc<str>| {
            let spans = self.spans.iter().filter(|span| span.service == *service);
            spans.map(|span| span.start).min()
        };
        let mut services = self.services.clone();
        services.sort_by_key(begin);
        services
    }

    /// The spans whose parent has not come and that have not been counted.
    pub(crate) fn new_orphans(&self) -> Vec<SpanId> {
        let known: HashSet<_> = self.spans.iter().map(|span| span.id).collect();
        let is_orphan = |span: &&Span| span.parent.is_some_and(|parent| !known.contains(&parent));
        let orphans = self.spans.iter().filter(is_orphan).map(|span| span.id);
        orphans.filter(|id| !self.orphans.contains(id)).collect()
    }
}
