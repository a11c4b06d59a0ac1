//! The provider, put together.

use std::sync::Arc;

use axum::Router;
use instrumentation::metrics::Registry;
use rand::RngExt as _;
use tokio::{net::TcpListener, sync::watch};
use tokio_util::sync::CancellationToken;

use crate::{
    answer::{DeclineReason, Token, Totals},
    behaviour::Behaviour,
    books::Books,
    chance,
    config::{Config, Credentials},
    error::Error,
    keys::Key,
    metrics::Metrics,
    routes, server,
    servers::{Load, Servers},
    tokens::Tokens,
};

/// The payment provider; clones are the same one.
#[derive(Clone, Debug)]
pub struct Provider(Arc<Parts>);

#[derive(Debug)]
struct Parts {
    credentials: Credentials,
    seed: u64,
    behaviour: watch::Sender<Behaviour>,
    servers: Servers<Books>,
    tokens: Tokens,
    metrics: Metrics,
}

impl Provider {
    /// A provider that nobody measures.
    pub fn new(config: Config) -> Self {
        Self::measured(
            config,
            Metrics::register(&Registry::mute("provider", instrumentation::VERSION)),
        )
    }

    /// A provider that is measured.
    pub fn measured(config: Config, metrics: Metrics) -> Self {
        let Config { credentials, seed, remembered, behaviour } = config;
        let behaviour = watch::Sender::new(behaviour.possible());
        let books = Books::new(remembered);
        let servers = Servers::new(books, seed, behaviour.subscribe(), metrics.clone());
        servers.behave();
        let tokens = Tokens::default();
        Self(Arc::new(Parts { credentials, seed, behaviour, servers, tokens, metrics }))
    }

    /// What it answers, whether it is available or not: that is a matter of connections.
    pub fn router(&self) -> Router {
        routes::router(self.clone())
    }

    /// Answers until `stop`, then finishes what is in hand, but not for long.
    pub async fn serve(self, listener: TcpListener, stop: CancellationToken) {
        server::serve(listener, self.router(), self.0.behaviour.subscribe(), stop).await;
    }

    /// How well it works.
    pub fn behaviour(&self) -> Behaviour {
        *self.0.behaviour.borrow()
    }

    /// Changes how well it works, at once; what is not possible becomes the nearest that is. A
    /// server that is busy is taken away when it has finished. A shorter life of tokens holds for
    /// those that were issued before, too.
    pub fn set_behaviour(&self, behaviour: Behaviour) {
        let behaviour = behaviour.possible();
        let before = self.0.behaviour.send_replace(behaviour);
        if behaviour.token_ttl < before.token_ttl {
            self.0.tokens.shorten(behaviour.token_ttl);
        }
        self.0.servers.behave();
    }

    /// How busy it is.
    pub fn load(&self) -> Load {
        self.0.servers.load()
    }

    /// What its books add up to.
    pub fn totals(&self) -> Totals {
        self.look(Books::totals)
    }

    pub(crate) fn metrics(&self) -> &Metrics {
        &self.0.metrics
    }

    /// Waits for a server, works on the books, and returns when the time of service has passed; now
    /// and then what was done is not said.
    pub(crate) async fn have_served<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Books) -> T + Send + 'static,
    ) -> Result<T, Error> {
        let done = self.0.servers.serve(work).await?;
        match rand::rng().random_bool(self.behaviour().error_rate) {
            true => Err(Error::Internal),
            false => Ok(done),
        }
    }

    pub(crate) fn look<T>(&self, at: impl FnOnce(&Books) -> T) -> T {
        self.0.servers.look(at)
    }

    pub(crate) fn check_credentials(&self, id: &str, secret: &str) -> Result<(), Error> {
        let Credentials { client_id, client_secret } = &self.0.credentials;
        match client_id == id && client_secret == secret {
            true => Ok(()),
            false => Err(Error::InvalidClient),
        }
    }

    pub(crate) fn issue_token(&self) -> Token {
        self.0.tokens.issue(self.behaviour().token_ttl)
    }

    pub(crate) fn check_token(&self, token: &str) -> Result<(), Error> {
        self.0.tokens.check(token)
    }

    pub(crate) fn decline(&self, key: &Key, card: &str) -> Option<DeclineReason> {
        chance::decline(self.0.seed, self.behaviour().decline_rate, key.as_str(), card)
    }
}
