//! A trace as the store keeps it: its spans as they were sent until somebody asks for them.

use std::{collections::HashSet, mem::size_of, sync::Arc};

use tokio::time::Instant;

use crate::{
    decode,
    id::{SpanId, TraceId},
    sent::SentSpan,
    span::Span,
    strings::Strings,
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
    /// When its first span came, in the order of arrivals.
    pub(crate) arrival: u64,
    /// When its last span came.
    pub(crate) last: Instant,
    /// Whether it will be looked through for orphans.
    pub(crate) awaited: bool,
    /// The orphans that have been counted.
    pub(crate) orphans: Vec<SpanId>,
    /// An estimate of the memory that it takes.
    pub(crate) bytes: usize,
    /// Spans that came since somebody asked for it.
    sent: Vec<SentSpan>,
    /// Spans that somebody has asked for.
    steps: Steps,
}

/// Spans that were read, with what is asked of them most often.
#[derive(Clone, Debug)]
pub(crate) struct Steps {
    pub(crate) spans: Vec<Span>,
    /// An estimate of the memory that they take beside themselves.
    bytes: usize,
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
            arrival,
            last: now,
            awaited: false,
            orphans: Vec::new(),
            bytes: OVERHEAD,
            sent: Vec::new(),
            steps: Steps::new(),
        }
    }

    pub(crate) fn add(&mut self, span: SentSpan, now: Instant) {
        self.last = now;
        if self.sent.len() == self.sent.capacity() {
            // By a quarter: doubling would leave more room unused than the limits can bear.
            let more = FEW.max(self.sent.len() / 4);
            self.sent.reserve_exact(more);
            self.bytes += more * size_of::<SentSpan>();
        }
        self.bytes += span.message.len();
        self.sent.push(span);
    }

    /// Whether all of its spans have been read.
    pub(crate) fn is_read(&self) -> bool {
        self.sent.is_empty()
    }

    /// The same, with all of its spans read.
    pub(crate) fn read(&self, strings: &mut Strings) -> Self {
        let mut steps = self.steps.clone();
        steps.spans.reserve_exact(self.sent.len());
        for sent in &self.sent {
            let (span, bytes) = decode::span(sent, strings);
            steps.add(span, bytes);
        }
        let bytes = OVERHEAD + steps.spans.capacity() * size_of::<Span>() + steps.bytes;
        let orphans = self.orphans.clone();
        Self { bytes, sent: Vec::new(), steps, orphans, ..*self }
    }

    /// Those of its spans that somebody has asked for: all of them, once it is read.
    pub(crate) fn steps(&self) -> &Steps {
        &self.steps
    }

    /// How many spans have come.
    pub(crate) fn len(&self) -> usize {
        self.sent.len() + self.steps.spans.len()
    }

    /// The spans whose parent has not come and that have not been counted.
    pub(crate) fn new_orphans(&self) -> Vec<SpanId> {
        let read = self.steps.spans.iter().map(|span| (span.id, span.parent));
        let spans = || read.clone().chain(self.sent.iter().map(|span| (span.id, span.parent)));
        let known: HashSet<_> = spans().map(|(id, _)| id).collect();
        let is_orphan = |parent: Option<_>| parent.is_some_and(|parent| !known.contains(&parent));
        let orphans = spans().filter(|(_, parent)| is_orphan(*parent)).map(|(id, _)| id);
        orphans.filter(|id| !self.orphans.contains(id)).collect()
    }

    pub(crate) fn row(&self) -> TraceRow {
        let root = self.steps.root();
        TraceRow {
            trace_id: self.id,
            name: Arc::clone(&root.name),
            service: Arc::clone(&root.service),
            start_unix_nano: self.steps.start,
            duration_ms: self.steps.duration().milliseconds(),
            spans: self.steps.spans.len(),
            services: self.steps.services_in_order(),
            error: self.steps.error,
        }
    }
}

impl Steps {
    fn new() -> Self {
        Self {
            spans: Vec::new(),
            bytes: 0,
            root: 0,
            start: u64::MAX,
            end: 0,
            services: Vec::new(),
            error: false,
        }
    }

    fn add(&mut self, span: Span, bytes: usize) {
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

    /// The span that the trace began with.
    pub(crate) fn root(&self) -> &Span {
        &self.spans[self.root]
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
}
