//! What a provider is made with.

use std::fmt;

use crate::behaviour::Behaviour;

/// What a provider is made with.
#[derive(Clone, Debug)]
pub struct Config {
    /// Who may ask for tokens.
    pub credentials: Credentials,
    /// Decides who is declined and how long each request takes.
    pub seed: u64,
    /// How many authorizations are remembered at most.
    pub remembered: usize,
    /// How well it works to begin with.
    pub behaviour: Behaviour,
}

/// Who may ask for tokens; its `Debug` shows no secret.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The client's name.
    pub client_id: String,
    /// What only the client and the provider know.
    pub client_secret: String,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            credentials: Credentials::default(),
            seed: 1,
            remembered: 200_000,
            behaviour: Behaviour::default(),
        }
    }
}

impl Default for Credentials {
    fn default() -> Self {
        Self { client_id: "shop".to_owned(), client_secret: "shop-secret".to_owned() }
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("client_id", &self.client_id).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_secret_is_shown() {
        let shown = format!("{:?}", Config::default());
        assert!(shown.contains("\"shop\"") && !shown.contains("shop-secret"), "{shown}");
    }
}
