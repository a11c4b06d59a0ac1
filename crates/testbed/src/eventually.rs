//! Waiting for the outside world by looking again, never by sleeping for luck.

use std::time::Duration;

use tokio::time::{Instant, sleep};

const PAUSE: Duration = Duration::from_millis(20);

/// Calls `probe` until it returns a value, and returns that value.
///
/// # Panics
/// When `deadline` has passed, with `what` as the name of the thing that did not come.
pub async fn eventually<T>(
    deadline: Duration,
    what: &str,
    mut probe: impl AsyncFnMut() -> Option<T>,
) -> T {
    let started = Instant::now();
    loop {
        if let Some(value) = probe().await {
            return value;
        }
        assert!(started.elapsed() < deadline, "not within {deadline:?}: {what}");
        sleep(PAUSE).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_probe_is_called_until_it_has_a_value() {
        let mut calls = 0;
        let seen = eventually(Duration::from_secs(5), "three calls", async || {
            calls += 1;
            (calls == 3).then_some(calls)
        })
        .await;
        assert_eq!(seen, 3);
    }

    #[tokio::test]
    #[should_panic(expected = "pigs fly")]
    async fn the_deadline_names_what_did_not_come() {
        eventually(Duration::from_millis(30), "pigs fly", async || None::<()>).await;
    }
}
