//! How long to wait before something that failed is tried again.

use std::time::Duration;

use rand::RngExt as _;

/// Nothing waits for longer, however often it has failed.
const LONGEST: Duration = Duration::from_secs(10);

/// The wait after so many attempts that failed before: `first`, doubled by each of them.
pub(crate) fn delay(first: Duration, attempts: i64) -> Duration {
    let doublings = u32::try_from(attempts.clamp(0, 16)).unwrap_or_default();
    (first * 2_u32.pow(doublings)).min(LONGEST)
}

/// Between half and the whole of it, so that replicas and what they work on do not go in step.
pub(crate) fn jittered(time: Duration) -> Duration {
    time.mul_f64(rand::rng().random_range(0.5..1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_doubles_up_to_its_limit() {
        let first = Duration::from_millis(250);
        assert_eq!(delay(first, 0), Duration::from_millis(250));
        assert_eq!(delay(first, 1), Duration::from_millis(500));
        assert_eq!(delay(first, 5), Duration::from_secs(8));
        assert_eq!(delay(first, 6), LONGEST);
        assert_eq!(delay(first, i64::MAX), LONGEST);
    }

    #[test]
    fn a_wait_is_jittered_to_between_half_and_the_whole_of_it() {
        for _ in 0..100 {
            let time = jittered(LONGEST);
            assert!(time >= LONGEST / 2 && time < LONGEST, "{time:?}");
        }
    }
}
