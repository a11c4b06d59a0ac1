//! The last traces and logs, in bounded memory.
//!
//! What comes is kept as it was sent, and read when somebody looks for something: most of it goes
//! before that. What has been read stays so, if there is room.
//!
//! What takes long, reading and searching, is done outside the lock: a search copies a thousand pointers
//! at a time, and a trace that is looked at while a span of it comes is copied.

use std::{
    cmp::Reverse,
    sync::{Arc, Mutex, MutexGuard},
};

use bytes::Bytes;
use prost::DecodeError;
use tokio::{sync::watch, time::Instant};

use crate::{
    contents::{Contents, Limits, Stats},
    follower::Follower,
    id::TraceId,
    kept::Kept,
    log::{LogFilter, LogRecord},
    numbered::Numbered,
    said::Said,
    sent,
    strings::Strings,
    trace::{Trace, TraceFilter, TraceRow},
};

/// How many items a search copies under the lock.
const HANDFUL: u64 = 1024;

/// The last traces and logs; takes next to no memory before the first comes.
#[derive(Debug)]
pub struct Store {
    limits: Limits,
    strings: Mutex<Strings>,
    contents: Mutex<Contents>,
    /// The number that the next log record will have.
    next_log_record: watch::Sender<u64>,
}

/// Log records that were asked for.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Found {
    /// In the order in which they were said.
    pub log_records: Vec<Arc<LogRecord>>,
    /// How many had gone before they could be looked at.
    pub lost: u64,
}

impl Store {
    /// An empty store.
    pub fn new(limits: Limits) -> Self {
        let (strings, contents) = (Mutex::default(), Mutex::default());
        Self { limits, strings, contents, next_log_record: watch::Sender::new(0) }
    }

    /// How much is kept.
    pub fn limits(&self) -> Limits {
        self.limits
    }

    /// What has come, gone and stayed until now.
    pub fn stats(&self) -> Stats {
        self.contents().stats()
    }

    /// Takes the spans of one request, each part an OTLP `ResourceSpans`; returns how many of them have
    /// no valid id.
    ///
    /// # Errors
    /// If it is not OTLP; nothing of it is taken.
    pub fn receive_spans(&self, request: Vec<Bytes>) -> Result<usize, DecodeError> {
        let sent = sent::spans(request, &self.strings)?;
        let mut contents = self.contents();
        contents.add_spans(sent.spans, Instant::now());
        let evicted = contents.evict(self.limits);
        drop(contents);
        drop(evicted);
        Ok(sent.rejected)
    }

    /// Takes the log records of one request, each part an OTLP `ResourceLogs`.
    ///
    /// # Errors
    /// If it is not OTLP; nothing of it is taken.
    pub fn receive_log_records(&self, request: Vec<Bytes>) -> Result<(), DecodeError> {
        let log_records = sent::log_records(request, &self.strings)?;
        let mut contents = self.contents();
        contents.add_log_records(log_records);
        let evicted = contents.evict(self.limits);
        // Told while it is locked, so that no smaller number is told after a larger one.
        self.next_log_record.send_replace(contents.log_records.numbers().end);
        drop(contents);
        drop(evicted);
        Ok(())
    }

    /// The newest traces that are asked for, at most `limit`, the newest first.
    pub fn traces(&self, filter: &TraceFilter, limit: usize) -> Vec<TraceRow> {
        let takes = |trace: &Arc<Kept>| filter.takes(trace.steps());
        let newest = self.newest(u64::MAX, limit, |_| true, takes);
        let mut rows: Vec<_> = newest.iter().map(|trace| trace.row()).collect();
        rows.sort_by_key(|row| Reverse(row.start_unix_nano));
        rows
    }

    /// One trace, with what was logged in it.
    pub fn trace(&self, id: TraceId) -> Option<Trace> {
        let (number, kept) = self.contents().trace(id)?;
        let kept: Arc<Kept> = self.read(vec![(number, kept)]).pop()?;
        let filter = LogFilter { trace: Some(id), ..LogFilter::default() };
        let log_records = self.log_records(&filter, usize::MAX);
        Some(Trace::new(id, &kept.steps().spans, log_records))
    }

    /// The newest log records that are asked for, at most `limit`, in the order in which they were
    /// said.
    pub fn log_records(&self, filter: &LogFilter, limit: usize) -> Vec<Arc<LogRecord>> {
        self.log_records_before(u64::MAX, filter, limit)
    }

    /// The newest log records that are asked for, at most `limit`, and then those that come.
    pub fn follow(self: &Arc<Self>, filter: LogFilter, limit: usize) -> Follower {
        let mut next = self.next_log_record.subscribe();
        let number = *next.borrow_and_update();
        let before = self.log_records_before(number, &filter, limit);
        Follower::new(Arc::clone(self), filter, before, number, next)
    }

    /// Counts the orphans of traces that have become quiet, each once; says how many traces have not.
    pub fn count_orphans(&self) -> usize {
        let quiet = self.contents().take_quiet(Instant::now());
        let counted = quiet.into_iter().map(|(number, trace)| (number, trace.new_orphans()));
        for (number, orphans) in counted.filter(|(_, orphans)| !orphans.is_empty()) {
            self.contents().add_orphans(number, orphans);
        }
        self.contents().awaited()
    }

    /// The log records from this number on that are asked for, and the number to go on from.
    pub(crate) fn log_records_from(&self, number: u64, filter: &LogFilter) -> (Found, u64) {
        let contents = self.contents();
        let here = contents.log_records.numbers();
        let start = number.max(here.start);
        let end = here.end.min(start + HANDFUL);
        let copied = contents.log_records.copy(start..end);
        drop(contents);
        let mut log_records = self.read::<LogRecord>((start..end).zip(copied).collect());
        log_records.retain(|record| filter.takes(record));
        log_records.sort_by_key(|record| record.time);
        (Found { log_records, lost: start - number }, end)
    }

    fn log_records_before(
        &self,
        number: u64,
        filter: &LogFilter,
        limit: usize,
    ) -> Vec<Arc<LogRecord>> {
        // Of most it is known without reading that they are of another trace.
        let may_be = |said: &Said| filter.trace.is_none_or(|id| said.trace_id() == Some(id));
        let takes = |record: &Arc<LogRecord>| filter.takes(record);
        let mut found = self.newest(number, limit, may_be, takes);
        found.sort_by_key(|record| record.time);
        found
    }

    /// Those before a number that `takes` takes, at most `limit`, the newest first; only those that
    /// `may_be` among them are read.
    fn newest<T: Lazy>(
        &self,
        mut before: u64,
        limit: usize,
        may_be: impl Fn(&T::Kept) -> bool,
        takes: impl Fn(&Arc<T>) -> bool,
    ) -> Vec<Arc<T>> {
        let mut found = Vec::new();
        // Who wants few seldom has to look far.
        let mut handful = (limit as u64).min(HANDFUL);
        loop {
            let contents = self.contents();
            let here = T::all(&contents).numbers();
            let end = before.min(here.end);
            let start = end.saturating_sub(handful).max(here.start);
            let copied = T::all(&contents).copy(start..end);
            drop(contents);
            let copied = (start..end).zip(copied).filter(|(_, item)| may_be(item));
            let read = self.read(copied.collect());
            found.extend(read.into_iter().rev().filter(|item| takes(item)));
            if found.len() >= limit || start <= here.start {
                found.truncate(limit);
                return found;
            }
            (before, handful) = (start, HANDFUL);
        }
    }

    /// Reads those that have not been read, and keeps them so if there is room.
    fn read<T: Lazy>(&self, items: Vec<(u64, T::Kept)>) -> Vec<Arc<T>> {
        let mut all = Vec::with_capacity(items.len());
        let mut new = Vec::new();
        for (number, item) in items {
            all.push(T::if_read(&item).unwrap_or_else(|| {
                let read = T::read(&item, &mut self.strings());
                new.push((number, item, Arc::clone(&read)));
                read
            }));
        }
        if !new.is_empty() {
            let mut contents = self.contents();
            for (number, sent, read) in &new {
                T::keep(&mut contents, *number, sent, Arc::clone(read), self.limits);
            }
            drop(contents);
            // And then what they were, which takes time.
            drop(new);
        }
        all
    }

    fn contents(&self) -> MutexGuard<'_, Contents> {
        self.contents.lock().expect("no holder of the lock panics")
    }

    fn strings(&self) -> MutexGuard<'_, Strings> {
        self.strings.lock().expect("no holder of the lock panics")
    }
}

/// What is kept as it was sent until somebody asks for it.
trait Lazy: Sized {
    /// As it is kept, read or not.
    type Kept: Clone;

    /// All that are here.
    fn all(contents: &Contents) -> &Numbered<Self::Kept>;

    /// It, if it has been read.
    fn if_read(kept: &Self::Kept) -> Option<Arc<Self>>;

    /// Reads it.
    fn read(kept: &Self::Kept, strings: &mut Strings) -> Arc<Self>;

    /// Keeps it read, if there is room.
    fn keep(
        contents: &mut Contents,
        number: u64,
        sent: &Self::Kept,
        read: Arc<Self>,
        limits: Limits,
    );
}

impl Lazy for Kept {
    type Kept = Arc<Self>;

    fn all(contents: &Contents) -> &Numbered<Arc<Self>> {
        &contents.traces
    }

    fn if_read(kept: &Arc<Self>) -> Option<Arc<Self>> {
        kept.is_read().then(|| Arc::clone(kept))
    }

    fn read(kept: &Arc<Self>, strings: &mut Strings) -> Arc<Self> {
        Arc::new(kept.read(strings))
    }

    fn keep(
        contents: &mut Contents,
        number: u64,
        sent: &Arc<Self>,
        read: Arc<Self>,
        limits: Limits,
    ) {
        contents.keep_trace(number, sent, read, limits);
    }
}

impl Lazy for LogRecord {
    type Kept = Said;

    fn all(contents: &Contents) -> &Numbered<Said> {
        &contents.log_records
    }

    fn if_read(kept: &Said) -> Option<Arc<Self>> {
        kept.if_read().cloned()
    }

    fn read(kept: &Said, strings: &mut Strings) -> Arc<Self> {
        kept.read(strings)
    }

    fn keep(contents: &mut Contents, number: u64, _: &Said, read: Arc<Self>, limits: Limits) {
        contents.keep_log_record(number, Said::Read(read), limits);
    }
}
