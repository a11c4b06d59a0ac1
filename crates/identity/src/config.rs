//! The settings of identity that every service has.

use crate::{
    hushed::Hushed,
    secret::Secret,
    token::{Issuer, Verifier},
};

/// What tokens are signed and verified with; flattened into each service's own settings.
#[derive(Clone, Debug, clap::Args)]
#[group(skip)]
pub struct Config {
    /// The secret that tokens are signed and verified with, the same in all services: at least 32
    /// bytes, as `openssl rand -hex 32` makes. Without one, services use a demo secret that
    /// everybody knows: never do that where others can reach the shop.
    #[arg(long, env = "JWT_SECRET", hide_env_values = true, hide_default_value = true,
          default_value = Secret::DEMO, value_name = "SECRET",
          value_parser = Hushed::<Secret>::new())]
    pub jwt_secret: Secret,
}

impl Config {
    /// Signs tokens.
    pub fn issuer(&self) -> Issuer {
        Issuer::new(&self.jwt_secret)
    }

    /// Verifies them.
    pub fn verifier(&self) -> Verifier {
        Verifier::new(&self.jwt_secret)
    }

    /// Says so if anybody could sign tokens.
    pub fn warn_of_demo_secret(&self, warn: impl FnOnce(&'static str)) {
        if self.jwt_secret.is_demo() {
            warn("JWT_SECRET is not set: tokens are signed with a secret that everybody knows");
        }
    }
}
