//! A log record as the store keeps it: as it was sent until somebody asks for it.

use std::sync::Arc;

use crate::{decode, id::TraceId, log::LogRecord, sent::SentLogRecord, strings::Strings};

/// A log record that came.
#[derive(Clone, Debug)]
pub(crate) enum Said {
    /// Nobody has asked for it yet.
    Sent(Arc<SentLogRecord>),
    /// Somebody has.
    Read(Arc<LogRecord>),
}

impl Said {
    /// It, if it has been read.
    pub(crate) fn if_read(&self) -> Option<&Arc<LogRecord>> {
        match self {
            Self::Sent(_) => None,
            Self::Read(read) => Some(read),
        }
    }

    /// Reads it.
    pub(crate) fn read(&self, strings: &mut Strings) -> Arc<LogRecord> {
        match self {
            Self::Sent(sent) => Arc::new(decode::log_record(sent, strings)),
            Self::Read(read) => Arc::clone(read),
        }
    }

    /// The trace in which it was said.
    pub(crate) fn trace_id(&self) -> Option<TraceId> {
        match self {
            Self::Sent(sent) => sent.trace_id,
            Self::Read(read) => read.trace_id,
        }
    }

    /// When it came, in the order of arrivals.
    pub(crate) fn arrival(&self) -> u64 {
        match self {
            Self::Sent(sent) => sent.arrival,
            Self::Read(read) => read.arrival,
        }
    }

    /// An estimate of the memory that it takes.
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Self::Sent(sent) => sent.bytes(),
            Self::Read(read) => read.bytes,
        }
    }
}
