//! Leaving a test out where a server is not installed, loudly.

use std::io::Write as _;

/// Whether a test has to be left out, given `available()` of the server it needs.
///
/// The sentence goes past the test harness to the real stderr, so that it is seen without
/// `--nocapture`: `if testbed::left_out(Postgres::available()) { return; }`.
///
/// # Panics
/// When the server is missing and `MISHAP_SERVERS=required` is set: then nothing may be left out.
#[must_use]
pub fn left_out(available: Result<(), String>) -> bool {
    let Err(missing) = available else { return false };
    assert!(!servers_are_required(), "{missing}");
    let line = format!("left out: {missing}\n");
    // A closed stderr is no reason to fail a test that does not run.
    let _ = std::io::stderr().write_all(line.as_bytes());
    true
}

#[expect(clippy::disallowed_methods, reason = "a switch of the test run, not of a program")]
fn servers_are_required() -> bool {
    std::env::var("MISHAP_SERVERS").is_ok_and(|servers| servers == "required")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_with_its_server_is_not_left_out() {
        assert!(!left_out(Ok(())));
    }
}
