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

/// So many for each, at most ten; or one for so many of them, as far as three digits tell.
pub fn budget(text: &str) -> Result<f64, String> {
    let share: f64 = match text.parse() {
        Ok(share) if (0.0..=10.0).contains(&share) => share,
        _ => return Err("expected a number from 0 to 10".to_owned()),
    };
    let many = f64::round(1.0 / share);
    if share == 0.0 || share >= 1.0 || (share * many - 1.0).abs() < 0.02 {
        return Ok(share);
    }
    let [below, above] = [f64::floor(1.0 / share), f64::ceil(1.0 / share)];
    Err(format!("expected one for a whole number: {:.3} or {:.3}", 1.0 / below, 1.0 / above))
}

/// The longest that anything here may take.
const LONGEST: Duration = Duration::from_secs(600);

/// A time that is more than nothing, and that somebody lives to see.
pub fn some_time(text: &str) -> Result<Duration, String> {
    match humantime::parse_duration(text) {
        Ok(time) if time.is_zero() => Err("expected more than nothing".to_owned()),
        Ok(time) if time > LONGEST => Err("expected at most 10m".to_owned()),
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
        assert_eq!((count("3"), limit("0"), budget("10")), (Ok(3), Ok(0), Ok(10.0)));
        assert!(limit("-1").is_err() && budget("11").is_err() && budget("NaN").is_err());
        for good in ["0", "0.05", "0.2", "0.33", "0.333", "0.5", "1", "1.5"] {
            assert!(budget(good).is_ok(), "{good}");
        }
        assert_eq!(
            budget("0.6"),
            Err("expected one for a whole number: 1.000 or 0.500".to_owned())
        );
        assert!(budget("0.3").is_err());
        for bad in ["0s", "", "soon", "11m", "10000000000000000000s"] {
            assert!(some_time(bad).is_err(), "{bad}");
        }
    }
}
