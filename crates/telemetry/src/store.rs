//! The last traces and logs, in bounded memory.
//!
//! What takes long, reading OTLP and searching, is done outside the lock: a search copies a few
//! thousand pointers at a time, and a trace that is looked at while a span of it comes is copied.

use std::{
    cmp::Reverse,
    sync::{Arc, Mutex, MutexGuard},
};

use opentelemetry_proto::tonic::{logs::v1::ResourceLogs, trace::v1::ResourceSpans};
use tokio::{sync::watch, time::Instant};

use crate::{
    contents::{Contents, Limits, Stats},
    decode,
    follower::Follower,
    id::TraceId,
    log::{LogFilter, LogRecord},
    numbered::Numbered,
    strings::Strings,
    trace::{Trace, TraceFilter, TraceRow},
};

/// How many items a search copies under the lock.
const HANDFUL: u64 = 4096;

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

    /// Takes the spans of one request; returns how many of them have no valid id.
    pub fn receive_spans(&self, sent: Vec<ResourceSpans>) -> usize {
        let read = decode::spans(sent, &mut self.strings());
        let mut contents = self.contents();
        contents.add_spans(read.spans, Instant::now());
        let evicted = contents.evict(self.limits);
        drop(contents);
        drop(evicted);
        read.rejected
    }

    /// Takes the log records of one request.
    pub fn receive_log_records(&self, sent: Vec<ResourceLogs>) {
        let log_records = decode::log_records(sent, &mut self.strings());
        let mut contents = self.contents();
        contents.add_log_records(log_records);
        let evicted = contents.evict(self.limits);
        // Told while it is locked, so that no smaller number is told after a larger one.
        self.next_log_record.send_replace(contents.log_records.numbers().end);
        drop(contents);
        drop(evicted);
    }

    /// The newest traces that are asked for, at most `limit`, the newest first.
    pub fn traces(&self, filter: &TraceFilter, limit: usize) -> Vec<TraceRow> {
        let takes = |trace: &Arc<_>| filter.takes(trace);
        let newest = self.newest(u64::MAX, limit, |contents| &contents.traces, takes);
        let mut rows: Vec<_> = newest.iter().map(|trace| trace.row()).collect();
        rows.sort_by_key(|row| Reverse(row.start_unix_nano));
        rows
    }

    /// One trace, with what was logged in it.
    pub fn trace(&self, id: TraceId) -> Option<Trace> {
        let kept = self.contents().trace(id)?;
        let filter = LogFilter { trace: Some(id), ..LogFilter::default() };
        let log_records = self.log_records(&filter, usize::MAX);
        Some(Trace::new(id, &kept.spans, log_records))
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
        let mut log_records = contents.log_records.copy(start..end);
        drop(contents);
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
        let takes = |record: &Arc<_>| filter.takes(record);
        let mut found = self.newest(number, limit, |contents| &contents.log_records, takes);
        found.sort_by_key(|record| record.time);
        found
    }

    /// Those before a number that `takes` takes, at most `limit`, the newest first.
    fn newest<T: Clone>(
        &self,
        mut before: u64,
        limit: usize,
        of: impl Fn(&Contents) -> &Numbered<T>,
        takes: impl Fn(&T) -> bool,
    ) -> Vec<T> {
        let mut found = Vec::new();
        loop {
            let contents = self.contents();
            let here = of(&contents).numbers();
            let end = before.min(here.end);
            let start = end.saturating_sub(HANDFUL).max(here.start);
            let handful = of(&contents).copy(start..end);
            drop(contents);
            found.extend(handful.into_iter().rev().filter(|item| takes(item)));
            if found.len() >= limit || start <= here.start {
                found.truncate(limit);
                return found;
            }
            before = start;
        }
    }

    fn contents(&self) -> MutexGuard<'_, Contents> {
        self.contents.lock().expect("no holder of the lock panics")
    }

    fn strings(&self) -> MutexGuard<'_, Strings> {
        self.strings.lock().expect("no holder of the lock panics")
    }
}
