//! Passwords, hashed and verified: slow on purpose, so beside the runtime and not too many at once.

use std::{sync::Arc, time::Duration};

use argon2::{
    Algorithm, Argon2, Params, PasswordHash, PasswordHasher as _, PasswordVerifier as _, Version,
};
use identity::secret::{Password, Secret};
use instrumentation::trace::{Span, SpanKind};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    task::spawn_blocking,
    time::timeout,
};

use crate::error::Error;

/// KiB of memory, and passes over it: of the choices that OWASP's password storage cheat sheet
/// calls equal, the one that takes the least memory.
const COST: (u32, u32) = (7168, 5);
/// How many are worked on at once. Each takes a core and [`COST`]'s memory.
const AT_ONCE: usize = 2;
/// How many may wait for their turn: a third of a second, if each takes 20 ms.
const WAITING: usize = 32;
/// How long one waits for its turn; more come than can be served if that is not enough.
const PATIENCE: Duration = Duration::from_secs(1);

/// Hashes and verifies passwords.
#[derive(Clone, Debug)]
pub(super) struct Passwords {
    turns: Arc<Semaphore>,
    /// For those who have their turn, and those who wait for it.
    places: Arc<Semaphore>,
    /// What the password of somebody who is not there is verified against.
    decoy: Arc<str>,
}

/// The right to wait for a turn, until it is dropped.
#[derive(Debug)]
#[must_use = "dropping it gives the place to someone else"]
pub(super) struct Place {
    _permit: OwnedSemaphorePermit,
}

impl Passwords {
    pub(super) fn new() -> Self {
        let semaphore = |permits| Arc::new(Semaphore::new(permits));
        let (turns, places) = (semaphore(AT_ONCE), semaphore(AT_ONCE + WAITING));
        Self { turns, places, decoy: hash(Secret::random().expose()).into() }
    }

    /// A place for somebody whose password is to be verified, if there is one: who has to be refused
    /// is so before anything is done for them.
    ///
    /// # Errors
    /// [`Error::Overloaded`].
    pub(super) fn enter(&self) -> Result<Place, Error> {
        let permit = Arc::clone(&self.places).try_acquire_owned();
        permit.map(|_permit| Place { _permit }).map_err(|_| Error::Overloaded)
    }

    /// A hash to be kept, in PHC form.
    pub(super) async fn hash(&self, password: Password) -> Result<String, Error> {
        self.work(move || hash(password.expose())).await
    }

    /// Whether the password is the one that was hashed; without a hash it is not, and that takes
    /// as long.
    pub(super) async fn match_hash(
        &self,
        password: Password,
        known: Option<String>,
    ) -> Result<bool, Error> {
        let (exists, decoy) = (known.is_some(), Arc::clone(&self.decoy));
        let span = Span::part(SpanKind::Internal, "verify password", Vec::new);
        let work = self.work(move || {
            let hash = known.as_deref().unwrap_or(&decoy);
            PasswordHash::new(hash)
                .map(|hash| argon2().verify_password(password.expose().as_bytes(), &hash).is_ok())
        });
        let same = span.scope(work).await?.map_err(|_| Error::Corrupt("a password's hash"))?;
        Ok(exists && same)
    }

    /// Does slow work when its turn has come. The turn ends with the work, even if nobody waits
    /// for that any more.
    async fn work<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Error> {
        let turn = timeout(PATIENCE, Arc::clone(&self.turns).acquire_owned()).await;
        let turn: OwnedSemaphorePermit =
            turn.map_err(|_| Error::Overloaded)?.expect("nobody closes the semaphore");
        let done = spawn_blocking(move || {
            let done = work();
            drop(turn);
            done
        });
        done.await.map_err(|_| Error::Corrupt("what a password is verified with"))
    }
}

fn hash(password: &str) -> String {
    let salt: [u8; 16] = rand::random();
    let hash = argon2().hash_password_with_salt(password.as_bytes(), &salt);
    hash.expect("the parameters are constants").to_string()
}

fn argon2() -> Argon2<'static> {
    let (memory, passes) = COST;
    let params = Params::new(memory, passes, 1, None).expect("the parameters are constants");
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}

#[cfg(test)]
mod tests {
    use std::{sync::mpsc, time::Instant};

    use super::*;

    fn password(text: &str) -> Password {
        text.parse().unwrap()
    }

    #[tokio::test]
    async fn a_password_matches_its_own_hash_only() {
        let passwords = Passwords::new();
        let hash = passwords.hash(password("analytical")).await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=7168,t=5,p=1$"), "{hash}");
        assert!(!hash.contains("analytical"));
        let again = passwords.hash(password("analytical")).await.unwrap();
        assert_ne!(again, hash, "a salt of its own");
        let matches = async |text, hash: &str| {
            passwords.match_hash(password(text), Some(hash.to_owned())).await.unwrap()
        };
        assert!(matches("analytical", &hash).await && matches("analytical", &again).await);
        assert!(!matches("Analytical", &hash).await && !matches("analytical ", &hash).await);
        assert!(!passwords.match_hash(password("analytical"), None).await.unwrap());
        let corrupt = passwords.match_hash(password("analytical"), Some("x".to_owned())).await;
        assert!(matches!(corrupt, Err(Error::Corrupt(_))), "{corrupt:?}");
    }

    /// The decoy is hashed as hard as a real one, so that a name cannot be told by the time.
    #[tokio::test]
    async fn nobody_takes_as_long_as_somebody() {
        let passwords = Passwords::new();
        let hash = passwords.hash(password("analytical")).await.unwrap();
        let head = |hash: &str| hash.rsplitn(3, '$').last().unwrap().to_owned();
        assert_eq!(head(&passwords.decoy), head(&hash));

        let seconds = async |known: Option<String>| {
            let started = Instant::now();
            passwords.match_hash(password("wrong"), known).await.unwrap();
            started.elapsed().as_secs_f64()
        };
        // In turns, so that whatever else the machine does slows down both.
        let (mut somebody, mut nobody) = (f64::MAX, f64::MAX);
        for _ in 0..5 {
            somebody = somebody.min(seconds(Some(hash.clone())).await);
            nobody = nobody.min(seconds(None).await);
        }
        assert!((0.25..4.0).contains(&(nobody / somebody)), "{nobody} s and {somebody} s");
    }

    #[tokio::test]
    async fn there_are_so_many_places_and_more_are_refused_at_once() {
        let passwords = Passwords::new();
        let mut places: Vec<_> = std::iter::from_fn(|| passwords.enter().ok()).collect();
        assert_eq!(places.len(), AT_ONCE + WAITING);
        places.pop();
        let _place = passwords.enter().unwrap();
        assert!(matches!(passwords.enter(), Err(Error::Overloaded)));
    }

    #[tokio::test]
    async fn no_more_are_worked_on_than_there_are_turns_and_who_waits_too_long_is_told() {
        let passwords = Passwords::new();
        let (release, held) = mpsc::channel::<()>();
        let held = Arc::new(std::sync::Mutex::new(held));
        let work = |held: Arc<std::sync::Mutex<mpsc::Receiver<()>>>| {
            let passwords = passwords.clone();
            tokio::spawn(async move { passwords.work(move || held.lock().unwrap().recv()).await })
        };
        let busy: Vec<_> = (0..AT_ONCE).map(|_| work(Arc::clone(&held))).collect();
        while passwords.turns.available_permits() > 0 {
            tokio::task::yield_now().await;
        }
        let refused = passwords.hash(password("analytical")).await;
        assert!(matches!(refused, Err(Error::Overloaded)), "{refused:?}");
        // Nobody waits for the first any more; its turn is taken until it ends all the same.
        busy[0].abort();
        assert_eq!(passwords.turns.available_permits(), 0);
        drop(release);
        assert!(passwords.hash(password("analytical")).await.is_ok());
    }
}
