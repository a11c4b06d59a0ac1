//! Who asks, and how somebody becomes known.
//!
//! - `identify`: before every route of the shop: whose request it is, by its token.
//! - [`routes`]: signing in, and staying so; `form` reads what is sent there.
//! - `attempts`: how often a password may be guessed.
//! - `accounts`: the calls to order-api, which knows who may sign in.

mod accounts;
mod attempts;
mod form;
mod identify;
pub(crate) mod routes;

use std::time::Duration;

use axum::{
    extract::Request,
    http::{HeaderMap, HeaderValue, header::AUTHORIZATION},
};
use contract::order::CustomerId;
use identity::{
    Caller, Role, bearer,
    secret::Password,
    standing::Standing,
    token::{Issuer, Kind, Refused, Verifier},
};

pub(crate) use self::{
    accounts::Accounts,
    identify::{CallersToken, identify, is_open},
};
use self::{attempts::Attempts, routes::AccessToken};
use crate::{
    config::Config,
    deadline::Deadline,
    error::Error,
    metrics::{Login, Metrics, Rejection},
    rate::{self, Client},
};

/// What is needed to know who asks.
#[derive(Debug)]
pub(crate) struct Auth {
    issuer: Issuer,
    verifier: Verifier,
    lifetimes: Lifetimes,
    /// The tokens of those who present none; nobody's, if everybody must.
    anonymous: Option<Standing>,
    accounts: Accounts,
    attempts: Attempts,
    /// Whether a proxy stands before the gateway, which says for whom it asks.
    behind_proxy: bool,
    metrics: Metrics,
}

/// How long tokens are good for.
#[derive(Clone, Copy, Debug)]
struct Lifetimes {
    access: Duration,
    refresh: Duration,
}

impl Auth {
    pub(crate) fn new(config: &Config, accounts: Accounts, metrics: Metrics) -> Self {
        let issuer = config.identity.issuer();
        let anonymous = config.anonymous_customer.0.clone();
        let anonymous = anonymous.map(|id| Standing::new(issuer.clone(), Caller::customer(id)));
        Self {
            issuer,
            verifier: config.identity.verifier(),
            lifetimes: Lifetimes { access: config.access_ttl, refresh: config.refresh_ttl },
            anonymous,
            accounts,
            attempts: Attempts::default(),
            behind_proxy: config.behind_proxy,
            metrics,
        }
    }

    /// Whose request this is, and the header that says so to order-api.
    ///
    /// Who presents a token that is not good is nobody, and not somebody without a token.
    fn whose(&self, headers: &HeaderMap) -> Result<(Caller, HeaderValue), Rejection> {
        let presented = bearer::presented(headers).map_err(|_| Rejection::TokenMalformed)?;
        match (presented, &self.anonymous) {
            (Some(token), _) => {
                let caller = self.verify(token, Kind::Access)?;
                let mut header = headers[AUTHORIZATION].clone();
                header.set_sensitive(true);
                Ok((caller, header))
            }
            (None, Some(anonymous)) => Ok((anonymous.caller().clone(), anonymous.header())),
            (None, None) => Err(Rejection::TokenMissing),
        }
    }

    /// Whose token it is. Services have no business here, whatever they present.
    fn verify(&self, token: &str, kind: Kind) -> Result<Caller, Rejection> {
        match self.verifier.verify(token, kind) {
            Ok(Caller { role: Role::Service, .. }) | Err(Refused::Invalid) => {
                Err(Rejection::TokenInvalid)
            }
            Ok(caller) => Ok(caller),
            Err(Refused::Expired) => Err(Rejection::TokenExpired),
        }
    }

    /// Whoever a request is known to come from, before it says who it is.
    fn client(&self, request: &Request) -> Client {
        rate::client(request, self.behind_proxy)
    }

    /// Whoever has this name and this password.
    async fn log_in(
        &self,
        client: Client,
        username: CustomerId,
        password: Password,
        deadline: Deadline,
    ) -> Result<Caller, Error> {
        let outcome = self.try_to_log_in(client, &username, password, deadline).await;
        let login = match &outcome {
            Ok(_) => Login::Accepted,
            Err(Error::TooManyAttempts(_)) => Login::Limited,
            Err(error) if error.is_wrong_password() => Login::Rejected,
            Err(_) => Login::Failed,
        };
        self.metrics.auth_logins_total.with(login).increment(1);
        // A name is logged only once it is one: people type passwords into the wrong field.
        match login {
            Login::Accepted => tracing::info!(customer_id = %username, "signed in"),
            Login::Rejected | Login::Limited | Login::Failed => {
                tracing::info!(outcome = login.as_str(), "not signed in");
            }
        }
        outcome
    }

    async fn try_to_log_in(
        &self,
        client: Client,
        username: &CustomerId,
        password: Password,
        deadline: Deadline,
    ) -> Result<Caller, Error> {
        let attempt = self.attempts.begin(client, username).map_err(Error::TooManyAttempts)?;
        let outcome = self.accounts.authenticate(deadline, username, &password).await;
        match &outcome {
            Ok(_) => attempt.succeeded(),
            Err(error) if error.is_wrong_password() => {}
            Err(_) => attempt.forgiven(),
        }
        outcome
    }

    /// Whose refresh token it is, if they may still sign in, as what they are by now.
    async fn renew(&self, token: &str, deadline: Deadline) -> Result<Caller, Error> {
        let known = self.verify(token, Kind::Refresh);
        let known = known.inspect_err(|rejection| self.count(*rejection))?;
        self.accounts.get(deadline, &known.subject).await
    }

    fn access(&self, caller: &Caller) -> AccessToken {
        let lifetime = self.lifetimes.access;
        let token = self.issuer.mint(caller, Kind::Access, lifetime);
        AccessToken::new(token, lifetime.as_secs())
    }

    fn refresh_token(&self, caller: &Caller) -> String {
        self.issuer.mint(caller, Kind::Refresh, self.lifetimes.refresh)
    }

    fn count(&self, rejection: Rejection) {
        self.metrics.auth_rejections_total.with(rejection).increment(1);
    }
}
