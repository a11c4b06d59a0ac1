//! Who may sign in: the other subject of this service.
//!
//! - `passwords`: hashed and verified with argon2, beside the runtime and not too many at once.
//! - `rpc`: the calls of the contract.

mod passwords;
mod rpc;

use std::{sync::Arc, time::Duration};

use contract::order::CustomerId;
use identity::{
    Caller,
    demo::{DemoUser, DemoUsers},
    secret::Password,
};
use instrumentation::metrics::Counter;
use tokio::sync::watch;

use self::passwords::Passwords;
use crate::{
    error::Error,
    store::{Store, User},
};

/// The wait before making the first users is tried again.
const AGAIN: Duration = Duration::from_secs(1);

/// The accounts of the shop.
#[derive(Clone, Debug)]
pub(crate) struct Accounts {
    store: Arc<Store>,
    passwords: Passwords,
    /// Whether there are the users that there are to be from the start.
    seeded: watch::Sender<bool>,
    /// Counts those who are refused since too many sign in.
    shed: Counter<()>,
}

impl Accounts {
    pub(crate) fn new(store: Arc<Store>, shed: Counter<()>) -> Self {
        Self { store, passwords: Passwords::new(), seeded: watch::Sender::new(false), shed }
    }

    /// Whoever has this name and this password.
    ///
    /// That nobody has the name takes as long to find out as that the password is wrong.
    pub(crate) async fn authenticate(
        &self,
        name: &CustomerId,
        password: Password,
    ) -> Result<Caller, Error> {
        let outcome = self.try_to_authenticate(name, password).await;
        outcome.inspect_err(|error| {
            if let Error::Overloaded = error {
                self.shed.increment(1);
            }
        })
    }

    async fn try_to_authenticate(
        &self,
        name: &CustomerId,
        password: Password,
    ) -> Result<Caller, Error> {
        let _place = self.passwords.enter()?;
        self.await_users().await;
        let user = self.store.user(name).await?;
        let hash = user.as_ref().map(|user| user.password_hash.clone());
        match (user, self.passwords.match_hash(password, hash).await?) {
            (Some(user), true) => Ok(user.caller),
            (Some(_) | None, _) => Err(Error::InvalidCredentials),
        }
    }

    /// The account of this name, as it is now.
    pub(crate) async fn get(&self, name: &CustomerId) -> Result<Caller, Error> {
        self.await_users().await;
        let user = self.store.user(name).await?;
        user.map(|user| user.caller).ok_or(Error::NoAccount)
    }

    /// Makes these users if there are none at all yet, as soon as the store is there.
    pub(crate) async fn seed(&self, users: &DemoUsers) {
        let mut available = self.store.availability();
        loop {
            if available.wait_for(|available| *available).await.is_err() {
                return;
            }
            match self.try_to_seed(users).await {
                Ok(()) => break,
                Err(error) => tracing::warn!(error = error.chain(), "cannot make the first users"),
            }
            tokio::time::sleep(AGAIN).await;
        }
        self.seeded.send_replace(true);
    }

    async fn try_to_seed(&self, users: &DemoUsers) -> Result<(), Error> {
        if users.iter().next().is_none() || self.store.has_users().await? {
            return Ok(());
        }
        let mut made = Vec::new();
        for user in users.iter() {
            made.push(self.user(user).await?);
        }
        self.store.add_first_users(&made).await?;
        tracing::info!(count = made.len(), "first users made");
        Ok(())
    }

    async fn user(&self, user: &DemoUser) -> Result<User, Error> {
        let caller = Caller { subject: user.name.clone(), role: user.role };
        let password_hash = self.passwords.hash(user.password.clone()).await?;
        Ok(User { caller, password_hash })
    }

    /// Whoever signs in within a service's first second waits until there is somebody to be.
    async fn await_users(&self) {
        // The sender is ours, so that it cannot be gone.
        let _ = self.seeded.subscribe().wait_for(|seeded| *seeded).await;
    }
}
