//! The key to the provider: got with the shop's credentials, renewed before it expires.

use std::{fmt, sync::Arc, time::Duration};

use faults::{Seam, Switchboard};
use reqwest::{Client, Url};
use serde::{Deserialize, Serialize};
use tokio::{sync::Mutex, time::Instant};

use super::provider::Problem;

/// The part of its life after which a key is renewed.
const RENEWED_AFTER: f64 = 0.8;

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
    /// Held while a key is renewed, so that many calls renew it once.
    key: Mutex<Option<Key>>,
}

struct Key {
    text: String,
    renew_at: Instant,
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
        Self { http, url, credentials, faults, key: Mutex::default() }
    }

    /// A key; a new one if there is none, or it is about to expire.
    pub(super) async fn key(&self) -> Result<String, Problem> {
        let mut key = self.key.lock().await;
        if let Some(key) = key.as_ref().filter(|key| self.is_good(key)) {
            return Ok(key.text.clone());
        }
        let granted = self.renew().await?;
        let life = Duration::from_secs(granted.expires_in).mul_f64(RENEWED_AFTER);
        let text = granted.access_token;
        *key = Some(Key { text: text.clone(), renew_at: Instant::now() + life });
        tracing::debug!(expires_in = granted.expires_in, "renewed the key to the provider");
        Ok(text)
    }

    /// Forgets a key that was refused.
    pub(super) async fn refused(&self, text: &str) {
        // The other way: the one there is is kept.
        if self.faults.detours(Seam::RenewKey) {
            return;
        }
        let mut key = self.key.lock().await;
        if key.as_ref().is_some_and(|key| key.text == text) {
            *key = None;
        }
    }

    fn is_good(&self, key: &Key) -> bool {
        // The other way: a key that was good once always is.
        Instant::now() < key.renew_at || self.faults.detours(Seam::RenewKey)
    }

    async fn renew(&self) -> Result<Granted, Problem> {
        let answer = self.http.post(self.url.clone()).json(&self.credentials).send().await?;
        if !answer.status().is_success() {
            return Err(Problem::Answered(answer.status()));
        }
        Ok(answer.json().await?)
    }
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Access").field("url", &self.url.as_str()).finish_non_exhaustive()
    }
}
