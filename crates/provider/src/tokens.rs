//! The tokens that were issued: who has one may ask, until it expires.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Mutex, MutexGuard},
    time::Duration,
};

use tokio::time::Instant;
use uuid::Uuid;

use crate::{answer::Token, error::Error};

/// How many tokens are remembered, the expired ones too.
const REMEMBERED: usize = 10_000;

/// The tokens that were issued last.
#[derive(Debug, Default)]
pub(crate) struct Tokens(Mutex<Issued>);

#[derive(Debug, Default)]
struct Issued {
    /// When each of them expires.
    expiries: HashMap<String, Instant>,
    order: VecDeque<String>,
}

impl Tokens {
    /// Issues one; those that were issued before stay valid.
    pub(crate) fn issue(&self, ttl: Duration) -> Token {
        let access_token = Uuid::new_v4().simple().to_string();
        let mut issued = self.issued();
        issued.expiries.insert(access_token.clone(), Instant::now() + ttl);
        issued.order.push_back(access_token.clone());
        if issued.order.len() > REMEMBERED
            && let Some(oldest) = issued.order.pop_front()
        {
            issued.expiries.remove(&oldest);
        }
        Token { access_token, token_type: "Bearer", expires_in: ttl.as_secs() }
    }

    /// None that was issued is valid for longer than this from now on.
    pub(crate) fn shorten(&self, ttl: Duration) {
        let latest = Instant::now() + ttl;
        for expiry in self.issued().expiries.values_mut() {
            *expiry = latest.min(*expiry);
        }
    }

    /// Whether a token is one that was issued and has not expired.
    pub(crate) fn check(&self, token: &str) -> Result<(), Error> {
        match self.issued().expiries.get(token) {
            None => Err(Error::InvalidToken),
            Some(expiry) if *expiry <= Instant::now() => Err(Error::TokenExpired),
            Some(_) => Ok(()),
        }
    }

    fn issued(&self) -> MutexGuard<'_, Issued> {
        self.0.lock().expect("no holder of the lock panics")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_shorter_life_is_that_of_old_tokens_too() {
        let tokens = Tokens::default();
        let [long, short] = [300, 2].map(|seconds| tokens.issue(Duration::from_secs(seconds)));
        tokens.shorten(Duration::from_secs(5));
        tokio::time::advance(Duration::from_secs(3)).await;
        assert!(tokens.check(&long.access_token).is_ok());
        assert!(matches!(tokens.check(&short.access_token), Err(Error::TokenExpired)));
        tokio::time::advance(Duration::from_secs(2)).await;
        assert!(matches!(tokens.check(&long.access_token), Err(Error::TokenExpired)));
    }

    #[tokio::test(start_paused = true)]
    async fn the_oldest_tokens_are_forgotten() {
        let tokens = Tokens::default();
        let issue = || tokens.issue(Duration::from_secs(1)).access_token;
        let first = issue();
        let second = issue();
        (2..=REMEMBERED).for_each(|_| drop(issue()));
        assert!(matches!(tokens.check(&first), Err(Error::InvalidToken)));
        assert!(tokens.check(&second).is_ok());
        assert_eq!(tokens.issued().expiries.len(), REMEMBERED);
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(matches!(tokens.check(&second), Err(Error::TokenExpired)));
    }
}
