//! The accounts that customers sign in with: each stays signed in, in the background, so that no
//! customer waits for a token and a shop that is asked for none is asked for no more.

use std::{sync::Arc, time::Duration};

use anyhow::Context as _;
use axum::http::{HeaderValue, StatusCode};
use identity::{
    Role, bearer,
    demo::{DemoUser, DemoUsers},
};
use reqwest::{Client, Url};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::{
    sync::{Notify, watch},
    task::JoinSet,
    time::{Instant, sleep_until},
};

/// The wait before signing in is tried again.
const AGAIN: Duration = Duration::from_millis(500);
/// Which share of a token's time is over when the next one is asked for.
const RENEWAL: f64 = 0.8;

/// What customers are known by; they sign out when it is dropped.
#[derive(Debug)]
pub(crate) struct Wallet {
    purses: Vec<Purse>,
    refused: Arc<Notify>,
    _renewals: JoinSet<()>,
}

/// One account, and its token of the moment if it is signed in.
#[derive(Debug)]
struct Purse {
    customer_id: String,
    token: watch::Receiver<Option<HeaderValue>>,
}

/// Who is signed in, and until when.
#[derive(Deserialize)]
struct Tokens {
    access_token: String,
    expires_in: u64,
    /// Comes with signing in only.
    refresh_token: Option<String>,
}

impl Wallet {
    /// Signs in those who are customers, as soon as the shop is there.
    pub(crate) fn open(client: &Client, shop: &Url, users: &DemoUsers) -> anyhow::Result<Self> {
        let route = |path| shop.join(path).context("the shop has no routes");
        let (login, refresh) = (route("/auth/login")?, route("/auth/refresh")?);
        let (mut renewals, refused) = (JoinSet::new(), Arc::new(Notify::new()));
        let purses = users.of(Role::Customer).map(|user| {
            let (filled, token) = watch::channel(None);
            let account = Account {
                client: client.clone(),
                login: login.clone(),
                refresh: refresh.clone(),
                user: user.clone(),
                refused: Arc::clone(&refused),
            };
            renewals.spawn(account.stay_signed_in(filled));
            Purse { customer_id: user.name.to_string(), token }
        });
        let purses = purses.collect();
        Ok(Self { purses, refused, _renewals: renewals })
    }

    /// The shop did not know somebody's token: all sign in anew.
    pub(crate) fn refused(&self) {
        self.refused.notify_waiters();
    }

    /// What this customer presents; nothing if they are not signed in yet, for then they come as
    /// somebody whom the shop does not know.
    pub(crate) fn authorization(&self, customer_id: &str) -> Option<HeaderValue> {
        let purse = self.purses.iter().find(|purse| purse.customer_id == customer_id)?;
        purse.token.borrow().clone()
    }
}

/// Somebody who signs in, and where.
struct Account {
    client: Client,
    login: Url,
    refresh: Url,
    user: DemoUser,
    refused: Arc<Notify>,
}

impl Account {
    /// Keeps the token good, for ever.
    async fn stay_signed_in(self, filled: watch::Sender<Option<HeaderValue>>) {
        let mut refresh_token = None;
        loop {
            let asked = Instant::now();
            let Some(tokens) = self.tokens(refresh_token.as_deref()).await else {
                // It may have ended in the meantime; a password always does.
                refresh_token = None;
                sleep_until(asked + AGAIN).await;
                continue;
            };
            filled.send_replace(Some(bearer::header(&tokens.access_token)));
            refresh_token = tokens.refresh_token.or(refresh_token);
            let lifetime = Duration::from_secs(tokens.expires_in);
            tokio::select! {
                () = sleep_until(asked + lifetime.mul_f64(RENEWAL).max(AGAIN)) => {}
                () = self.refused.notified() => {
                    refresh_token = None;
                    sleep_until(asked + AGAIN).await;
                }
            }
        }
    }

    /// A new token, by the refresh token or by the password.
    async fn tokens(&self, refresh_token: Option<&str>) -> Option<Tokens> {
        match refresh_token {
            Some(token) => self.ask(&self.refresh, &json!({"refresh_token": token})).await,
            None => {
                let (username, password) = (self.user.name.as_str(), self.user.password.expose());
                self.ask(&self.login, &json!({"username": username, "password": password})).await
            }
        }
    }

    async fn ask(&self, url: &Url, form: &Value) -> Option<Tokens> {
        let answer = self.client.post(url.clone()).json(form).send().await.ok()?;
        if answer.status() != StatusCode::OK {
            return None;
        }
        answer.json().await.ok()
    }
}
