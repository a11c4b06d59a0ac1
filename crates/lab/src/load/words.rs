//! Numbers in the words of people.

use std::time::Duration;

/// A time with as much detail as it deserves.
pub(crate) fn time(time: Duration) -> String {
    let seconds = time.as_secs_f64();
    match seconds {
        0.0..0.01 => format!("{:.1} ms", seconds * 1e3),
        0.01..1.0 => format!("{:.0} ms", seconds * 1e3),
        1.0..10.0 => format!("{seconds:.2} s"),
        _ => format!("{seconds:.0} s"),
    }
}

/// A share of 1, in percent.
pub(crate) fn share(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

/// So many per second.
pub(crate) fn rate(rate: f64) -> String {
    if rate < 100.0 { format!("{rate:.1}/s") } else { format!("{rate:.0}/s") }
}

/// What is not there.
pub(crate) const NONE: &str = "–";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_three_digits_or_so() {
        let millis = |millis: f64| time(Duration::from_secs_f64(millis / 1e3));
        assert_eq!(millis(3.24), "3.2 ms");
        assert_eq!(millis(41.6), "42 ms");
        assert_eq!(millis(1234.0), "1.23 s");
        assert_eq!(millis(60_000.0), "60 s");
        assert_eq!(share(0.9987), "99.9 %");
        assert_eq!([49.96, 312.4].map(rate), ["50.0/s", "312/s"]);
    }
}
