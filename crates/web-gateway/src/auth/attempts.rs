//! How often a password may be guessed: a few times at once, then ever so often; counted by name
//! and by where the guesses come from, so that nobody can lock out somebody elsewhere.

use std::{
    collections::HashMap,
    hash::{BuildHasher as _, RandomState},
    sync::{Mutex, MutexGuard},
    time::Duration,
};

use contract::order::CustomerId;
use tokio::time::Instant;

use crate::rate::Client;

/// How often one may be wrong at once.
const AT_ONCE: u32 = 5;
/// How long it takes until one may be wrong once more.
const RECOVERY: Duration = Duration::from_secs(12);
/// How many names and places are remembered.
const REMEMBERED: usize = 10_000;

/// Who guessed of late.
#[derive(Debug, Default)]
pub(super) struct Attempts {
    /// When all will be forgotten, by a hash of the name and the place.
    forgotten: Mutex<HashMap<u64, Instant>>,
    hasher: RandomState,
}

/// A guess that is being looked at; it counts as a wrong one unless it is said otherwise, so that
/// many at the same time are not one.
#[must_use = "an attempt that nobody settles counts as a wrong one"]
#[derive(Debug)]
pub(super) struct Attempt<'a> {
    attempts: &'a Attempts,
    key: u64,
}

impl Attempts {
    /// Begins a guess; an error says how long to wait.
    pub(super) fn begin(
        &self,
        client: Client,
        username: &CustomerId,
    ) -> Result<Attempt<'_>, Duration> {
        let key = self.hasher.hash_one((client, username));
        let now = Instant::now();
        let mut forgotten = self.forgotten();
        let at = forgotten.get(&key).copied().unwrap_or(now).max(now) + RECOVERY;
        let wait = at.saturating_duration_since(now + RECOVERY * AT_ONCE);
        if !wait.is_zero() {
            return Err(wait);
        }
        make_room(&mut forgotten, now);
        forgotten.insert(key, at);
        Ok(Attempt { attempts: self, key })
    }

    fn forgotten(&self) -> MutexGuard<'_, HashMap<u64, Instant>> {
        self.forgotten.lock().expect("no holder of the lock panics")
    }
}

impl Attempt<'_> {
    /// It was right: all that were wrong before it are forgotten.
    pub(super) fn succeeded(self) {
        self.attempts.forgotten().remove(&self.key);
    }

    /// Nobody can say whether it was right: it does not count.
    pub(super) fn forgiven(self) {
        if let Some(at) = self.attempts.forgotten().get_mut(&self.key) {
            *at -= RECOVERY;
        }
    }
}

/// Forgets what is over, and if that is not enough, what would be over next.
fn make_room(forgotten: &mut HashMap<u64, Instant>, now: Instant) {
    if forgotten.len() < REMEMBERED {
        return;
    }
    forgotten.retain(|_, at| *at > now);
    if forgotten.len() == REMEMBERED
        && let Some(next) = forgotten.iter().min_by_key(|(_, at)| **at).map(|(key, _)| *key)
    {
        forgotten.remove(&next);
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use tokio::time::advance;

    use super::*;

    const HERE: Client = Client::Address(IpAddr::V4(Ipv4Addr::LOCALHOST));
    const THERE: Client = Client::Address(IpAddr::V4(Ipv4Addr::BROADCAST));

    fn name(text: &str) -> CustomerId {
        CustomerId::parse("name", text).unwrap()
    }

    /// Guesses wrong.
    fn guess(attempts: &Attempts, client: Client, username: &str) -> Result<(), Duration> {
        attempts.begin(client, &name(username)).map(drop)
    }

    #[tokio::test(start_paused = true)]
    async fn a_few_guesses_at_once_and_then_one_ever_so_often() {
        let attempts = Attempts::default();
        for _ in 0..AT_ONCE {
            assert_eq!(guess(&attempts, HERE, "ada"), Ok(()));
        }
        assert_eq!(guess(&attempts, HERE, "ada"), Err(RECOVERY));
        advance(RECOVERY / 2).await;
        assert_eq!(guess(&attempts, HERE, "ada"), Err(RECOVERY / 2));
        advance(RECOVERY / 2).await;
        assert_eq!(guess(&attempts, HERE, "ada"), Ok(()));
        assert_eq!(guess(&attempts, HERE, "ada"), Err(RECOVERY), "and no more than one");
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_is_locked_out_by_somebody_elsewhere() {
        let attempts = Attempts::default();
        while guess(&attempts, HERE, "ada").is_ok() {}
        assert_eq!(guess(&attempts, THERE, "ada"), Ok(()));
        assert_eq!(guess(&attempts, HERE, "grace"), Ok(()));
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_is_right_begins_anew_and_an_outage_is_not_counted() {
        let attempts = Attempts::default();
        for _ in 1..AT_ONCE {
            assert_eq!(guess(&attempts, HERE, "ada"), Ok(()));
        }
        for _ in 0..AT_ONCE {
            attempts.begin(HERE, &name("ada")).unwrap().forgiven();
        }
        attempts.begin(HERE, &name("ada")).unwrap().succeeded();
        for _ in 0..AT_ONCE {
            assert_eq!(guess(&attempts, HERE, "ada"), Ok(()));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_remembered_is_bounded() {
        let attempts = Attempts::default();
        while guess(&attempts, HERE, "ada").is_ok() {}
        for number in 0..REMEMBERED + 50 {
            assert_eq!(guess(&attempts, HERE, &format!("name-{number}")), Ok(()));
        }
        assert_eq!(attempts.forgotten().len(), REMEMBERED);
        assert!(guess(&attempts, HERE, "ada").is_err(), "the worst is remembered longest");
    }
}
