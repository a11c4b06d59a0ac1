//! A token of one's own that is always good for a while.

use std::{
    fmt,
    sync::Mutex,
    time::{Duration, SystemTime},
};

use http::HeaderValue;

use crate::{
    Caller, bearer,
    token::{Issuer, Kind},
};

/// How long each token is good for.
const LIFETIME: Duration = Duration::from_secs(600);
/// The least that is left of a token that is handed out: more than any call may take.
const LEFT: Duration = Duration::from_secs(120);

/// Mints a token when the one before is about to end, and hands out the same one meanwhile.
pub struct Standing {
    issuer: Issuer,
    caller: Caller,
    minted: Mutex<Option<(SystemTime, HeaderValue)>>,
}

impl Standing {
    /// Tokens of `caller`, signed by `issuer`.
    pub fn new(issuer: Issuer, caller: Caller) -> Self {
        Self { issuer, caller, minted: Mutex::new(None) }
    }

    /// Whose tokens they are.
    pub fn caller(&self) -> &Caller {
        &self.caller
    }

    /// The header `authorization` with a token that is good for two minutes at least.
    pub fn header(&self) -> HeaderValue {
        self.header_at(SystemTime::now())
    }

    fn header_at(&self, now: SystemTime) -> HeaderValue {
        let mut minted = self.minted.lock().expect("no holder of the lock panics");
        // By the clock on the wall, as those who verify it: a machine that slept must not wake up
        // with a token of yesterday. One from the future is of a clock that was put back.
        let good = minted
            .as_ref()
            .filter(|(since, _)| now.duration_since(*since).is_ok_and(|age| age < LIFETIME - LEFT));
        if let Some((_, header)) = good {
            return header.clone();
        }
        let header = bearer::header(&self.issuer.mint(&self.caller, Kind::Access, LIFETIME));
        *minted = Some((now, header.clone()));
        header
    }
}

impl fmt::Debug for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Standing").field("caller", &self.caller).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Secret;

    #[test]
    fn a_token_is_handed_out_until_it_is_about_to_end() {
        let issuer = Issuer::new(&Secret::random());
        let standing = Standing::new(issuer, Caller::service("fulfillment-worker"));
        let start = SystemTime::now();
        let first = standing.header_at(start);
        assert_eq!(standing.header_at(start + (LIFETIME - LEFT) / 2), first);
        let second = standing.header_at(start + LIFETIME - LEFT);
        assert_ne!(second, first);
        assert_ne!(standing.header_at(start), second, "a clock that was put back");
    }
}
