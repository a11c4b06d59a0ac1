//! Values of settings, checked where they are read.

use std::time::Duration;

/// A share of a whole, 0 to 1.
pub fn share(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(share) if (0.0..=1.0).contains(&share) => Ok(share),
        _ => Err("expected a number from 0 to 1".to_owned()),
    }
}

/// A number that is more than nothing.
pub fn count(text: &str) -> Result<u32, String> {
    match text.parse() {
        Ok(count) if count > 0 => Ok(count),
        _ => Err("expected a number from 1".to_owned()),
    }
}

/// How often something may be done.
pub fn limit(text: &str) -> Result<usize, String> {
    text.parse().map_err(|_| "expected a number from 0".to_owned())
}

/// So many times a whole, at most ten times.
pub fn times(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(times) if (0.0..=10.0).contains(&times) => Ok(times),
        _ => Err("expected a number from 0 to 10".to_owned()),
    }
}

/// A time that is more than nothing.
pub fn some_time(text: &str) -> Result<Duration, String> {
    match humantime::parse_duration(text) {
        Ok(time) if time.is_zero() => Err("expected more than nothing".to_owned()),
        Ok(time) => Ok(time),
        Err(error) => Err(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_makes_no_sense_is_refused() {
        assert_eq!(share("0.2"), Ok(0.2));
        assert_eq!(some_time("250ms"), Ok(Duration::from_millis(250)));
        for bad in ["-0.1", "1.1", "NaN", "half"] {
            assert!(share(bad).is_err(), "{bad}");
        }
        for bad in ["0", "-1", "many"] {
            assert!(count(bad).is_err(), "{bad}");
        }
        assert_eq!((count("3"), limit("0"), times("10")), (Ok(3), Ok(0), Ok(10.0)));
        assert!(limit("-1").is_err() && times("11").is_err());
        for bad in ["0s", "", "soon"] {
            assert!(some_time(bad).is_err(), "{bad}");
        }
    }
}
