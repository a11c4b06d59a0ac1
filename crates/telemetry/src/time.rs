//! Durations and points in time, as people read them.

use std::fmt;

use chrono::{DateTime, Utc};

/// A duration in nanoseconds, with three digits and a unit that suits it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lasting(pub u64);

/// A point in time: nanoseconds since the epoch.
pub fn point(unix_nano: u64) -> DateTime<Utc> {
    DateTime::from_timestamp_nanos(i64::try_from(unix_nano).unwrap_or(i64::MAX))
}

impl Lasting {
    /// The same in milliseconds.
    pub fn milliseconds(self) -> f64 {
        self.0 as f64 / 1e6
    }
}

impl fmt::Display for Lasting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nanos = self.0 as f64;
        let (number, unit) = match self.0 {
            0..1_000_000 => (nanos / 1e3, "µs"),
            1_000_000..1_000_000_000 => (nanos / 1e6, "ms"),
            1_000_000_000..120_000_000_000 => (nanos / 1e9, "s"),
            _ => (nanos / 60e9, "min"),
        };
        let decimals = match number {
            0.0..10.0 => 2,
            10.0..100.0 => 1,
            _ => 0,
        };
        f.pad(&format!("{number:.decimals$} {unit}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_has_the_unit_that_suits_it() {
        for (nanos, text) in [
            (0, "0.00 µs"),
            (412_000, "412 µs"),
            (12_345_678, "12.3 ms"),
            (2_310_000_000, "2.31 s"),
            (119_000_000_000, "119 s"),
            (312_000_000_000, "5.20 min"),
        ] {
            assert_eq!(Lasting(nanos).to_string(), text);
        }
    }
}
