//! The key to the provider: got with the shop's credentials, renewed before it expires.

use std::{
    fmt,
    sync::{Arc, RwLock},
    time::Duration,
};

use faults::{Seam, Switchboard};
use reqwest::{Client, Url};
use serde::{Deserialize, Serialize};
use tokio::{
    sync::Mutex,
    time::{Instant, timeout},
};

use super::problem::Problem;

/// The part of its life after which a key is renewed.
const RENEWED_AFTER: f64 = 0.8;
/// How soon renewing a key is tried again that is still good.
const RENEWED_AGAIN_AFTER: Duration = Duration::from_secs(1);

/// What the provider knows the shop by; its `Debug` shows no secret.
#[derive(Clone, Serialize)]
pub(crate) struct Credentials {
    pub(crate) client_id: String,
    pub(crate) client_secret: String,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("client_id", &self.client_id).finish_non_exhaustive()
    }
}

/// The way to a key that is valid.
pub(super) struct Access {
    http: Client,
    url: Url,
    credentials: Credentials,
    faults: Arc<Switchboard>,
    key: RwLock<Option<Key>>,
    /// Held while a key is renewed, so that many calls renew it once.
    renewing: Mutex<()>,
}

#[derive(Clone)]
struct Key {
    text: String,
    renew_at: Instant,
    expires_at: Instant,
}

#[derive(Deserialize)]
struct Granted {
    access_token: String,
    expires_in: u64,
}

impl Access {
    pub(super) fn new(
        http: Client,
        provider: &Url,
        credentials: Credentials,
        faults: Arc<Switchboard>,
    ) -> Self {
        let mut url = provider.clone();
        url.set_path("/tokens");
        Self { http, url, credentials, faults, key: RwLock::default(), renewing: Mutex::default() }
    }

    /// A key for a request that may take as long as `limit`; a new one if there is none, or it is
    /// about to expire. As long as it has not, nobody waits for whoever renews it, and it is used if
    /// it cannot be renewed in half of that time.
    pub(super) async fn key(&self, limit: Duration) -> Result<String, Problem> {
        match self.present() {
            Some(key) if self.is_good(&key) => Ok(key.text),
            Some(key) if Instant::now() < key.expires_at => {
                let Ok(_turn) = self.renewing.try_lock() else { return Ok(key.text) };
                match timeout(limit / 2, self.renew()).await {
                    Ok(Ok(text)) => Ok(text),
                    Ok(Err(problem)) => Ok(self.put_off(key, &problem)),
                    Err(_) => Ok(self.put_off(key, &Problem::TimedOut)),
                }
            }
            Some(_) | None => {
                let _turn = self.renewing.lock().await;
                // Somebody else may have renewed it in the meantime.
                match self.present().filter(|key| Instant::now() < key.renew_at) {
                    Some(key) => Ok(key.text),
                    None => self.renew().await,
                }
            }
        }
    }

    /// Forgets a key that was refused.
    pub(super) fn refused(&self, text: &str) {
        // The other way: the one there is is kept.
        if self.faults.detours(Seam::RenewKey) {
            return;
        }
        let mut key = self.key.write().expect("no holder of the lock panics");
        if key.as_ref().is_some_and(|key| key.text == text) {
            *key = None;
        }
    }

    fn present(&self) -> Option<Key> {
        self.key.read().expect("no holder of the lock panics").clone()
    }

    /// Goes on with a key that could not be renewed.
    fn put_off(&self, key: Key, problem: &Problem) -> String {
        tracing::warn!(%problem, "cannot renew the key to the provider yet");
        let mut present = self.key.write().expect("no holder of the lock panics");
        // Unless it was refused in the meantime.
        if let Some(present) = present.as_mut().filter(|present| present.text == key.text) {
            present.renew_at = Instant::now() + RENEWED_AGAIN_AFTER;
        }
        key.text
    }

    fn is_good(&self, key: &Key) -> bool {
        // The other way: a key that was good once always is.
        Instant::now() < key.renew_at || self.faults.detours(Seam::RenewKey)
    }

    async fn renew(&self) -> Result<String, Problem> {
        let asked = Instant::now();
        let answer = self.http.post(self.url.clone()).json(&self.credentials).send().await?;
        if !answer.status().is_success() {
            return Err(Problem::NoKey(answer.status()));
        }
        let Granted { access_token: text, expires_in } = answer.json().await?;
        let life = Duration::from_secs(expires_in);
        let (renew_at, expires_at) = (asked + life.mul_f64(RENEWED_AFTER), asked + life);
        let key = Key { text: text.clone(), renew_at, expires_at };
        *self.key.write().expect("no holder of the lock panics") = Some(key);
        tracing::debug!(expires_in, "renewed the key to the provider");
        Ok(text)
    }
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Access").field("url", &self.url.as_str()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    const LIMIT: Duration = Duration::from_millis(400);

    /// A provider that takes connections and never says anything, until the listener is dropped.
    async fn silent() -> (TcpListener, Access) {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
        let credentials = Credentials { client_id: "shop".into(), client_secret: "secret".into() };
        let http = Client::builder().no_proxy().timeout(4 * LIMIT).build().unwrap();
        (listener, Access::new(http, &url, credentials, Arc::default()))
    }

    fn has_key(access: &Access, expires_in: Duration) {
        let (text, now) = ("old".to_owned(), Instant::now());
        let key = Key { text, renew_at: now, expires_at: now + expires_in };
        *access.key.write().unwrap() = Some(key);
    }

    #[tokio::test(start_paused = true)]
    async fn a_key_that_cannot_be_renewed_is_used_as_long_as_it_is_good() {
        for gone in [true, false] {
            let (listener, access) = silent().await;
            let _listener = (!gone).then_some(listener);
            has_key(&access, Duration::from_secs(60));
            let started = Instant::now();
            assert_eq!(access.key(LIMIT).await.unwrap(), "old", "gone: {gone}");
            assert!(started.elapsed() < LIMIT, "{:?}", started.elapsed());
            // It is not tried again at once.
            let started = Instant::now();
            assert_eq!(access.key(LIMIT).await.unwrap(), "old");
            assert!(started.elapsed() < LIMIT / 4, "{:?}", started.elapsed());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_for_whoever_renews_a_key_that_is_good() {
        let (_listener, access) = silent().await;
        has_key(&access, Duration::from_secs(60));
        let access = Arc::new(access);
        let renewing = tokio::spawn({
            let access = access.clone();
            async move { access.key(10 * LIMIT).await }
        });
        while access.renewing.try_lock().is_ok() {
            tokio::task::yield_now().await;
        }
        let started = Instant::now();
        assert_eq!(access.key(LIMIT).await.unwrap(), "old");
        assert!(started.elapsed() < LIMIT / 4, "{:?}", started.elapsed());
        renewing.abort();
    }

    #[tokio::test]
    async fn a_key_that_has_expired_or_was_refused_is_used_no_more() {
        let (listener, access) = silent().await;
        drop(listener);
        has_key(&access, Duration::ZERO);
        assert!(matches!(access.key(LIMIT).await, Err(Problem::Unreachable(_))));
        has_key(&access, Duration::from_secs(60));
        access.refused("another");
        assert_eq!(access.key(LIMIT).await.unwrap(), "old");
        access.refused("old");
        assert!(matches!(access.key(LIMIT).await, Err(Problem::Unreachable(_))));
    }
}
