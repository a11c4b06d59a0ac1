//! Identifiers of traces and spans, as OTLP carries them and as people write them.

use std::{error::Error, fmt, num::NonZero, str::FromStr};

use serde::{Serialize, Serializer};

/// The identifier of a trace; never all zeros.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TraceId(NonZero<u128>);

/// The identifier of a span within its trace; never all zeros.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SpanId(NonZero<u64>);

/// What does not name a trace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoTraceId(String);

impl TraceId {
    /// The identifier that OTLP carries as sixteen bytes.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        NonZero::new(u128::from_be_bytes(bytes.try_into().ok()?)).map(Self)
    }
}

impl SpanId {
    /// The identifier that OTLP carries as eight bytes.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        NonZero::new(u64::from_be_bytes(bytes.try_into().ok()?)).map(Self)
    }
}

impl FromStr for TraceId {
    type Err = NoTraceId;

    /// Reads 32 hexadecimal digits, or finds them in a whole `traceparent` or `traceresponse`.
    fn from_str(text: &str) -> Result<Self, NoTraceId> {
        let value = text.rsplit_once(':').map_or(text, |(_, value)| value).trim();
        let digits = match value.split('-').collect::<Vec<_>>()[..] {
            [_, trace_id, _, _] => trace_id,
            _ => value,
        };
        let hexadecimal = digits.len() == 32 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        let id = hexadecimal.then(|| u128::from_str_radix(digits, 16).ok()).flatten();
        id.and_then(NonZero::new).map(Self).ok_or_else(|| NoTraceId(text.to_owned()))
    }
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Display for SpanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl fmt::Debug for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TraceId({self})")
    }
}

impl fmt::Debug for SpanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SpanId({self})")
    }
}

impl Serialize for TraceId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Serialize for SpanId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl fmt::Display for NoTraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} is no trace id: 32 hexadecimal digits, or a whole traceparent", self.0)
    }
}

impl Error for NoTraceId {}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

    #[test]
    fn a_trace_is_named_by_its_id_or_by_a_header_that_has_it() {
        let id: TraceId = ID.parse().unwrap();
        assert_eq!(id.to_string(), ID);
        for header in [
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "traceresponse: 00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01\r\n",
        ] {
            assert_eq!(header.parse(), Ok(id), "{header}");
        }
    }

    #[test]
    fn what_names_no_trace_is_refused() {
        let zeros = "0".repeat(32);
        for bad in ["", "ada", &ID[1..], &zeros, &format!("+{}", &ID[1..]), "00-1-2-01"] {
            assert_eq!(bad.parse::<TraceId>(), Err(NoTraceId(bad.to_owned())));
        }
    }
}
