//! What must never be shown, and therefore cannot show itself.

use std::{fmt, str::FromStr, sync::Arc};

/// The fewest bytes of a key for HS256 (RFC 7518, 3.2): as many as its signatures have.
const KEY_LENGTH: usize = 32;
/// The most bytes of a password: whoever sends more wants something else than to sign in.
pub const PASSWORD_LENGTH: usize = 128;

/// The key that tokens are signed and verified with; its `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Arc<str>);

impl Secret {
    /// What services use that are told nothing else, so that a lab starts without settings.
    /// Everybody knows it: whoever reaches a shop that uses it can be anybody there.
    pub const DEMO: &str = "everybody-knows-this-demo-secret-so-change-it";

    /// One that nobody can guess.
    pub fn random() -> Self {
        let bytes: [u8; KEY_LENGTH] = rand::random();
        let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        Self(digits.into())
    }

    /// Whether it is [`Secret::DEMO`].
    pub fn is_demo(&self) -> bool {
        &*self.0 == Self::DEMO
    }

    /// The secret itself, for whoever signs with it or hands it on to a child process.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl FromStr for Secret {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.len() {
            0..KEY_LENGTH => Err(format!(
                "a secret of {} bytes can be guessed; it needs {KEY_LENGTH} or more, such as \
                 `openssl rand -hex 32` prints",
                text.len()
            )),
            _ => Ok(Self(text.into())),
        }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

/// Somebody's password; its `Debug` does not show it.
#[derive(Clone)]
pub struct Password(String);

impl Password {
    /// Accepts what can be a password at all: 1 to [`PASSWORD_LENGTH`] bytes.
    pub fn parse(text: String) -> Option<Self> {
        (1..=PASSWORD_LENGTH).contains(&text.len()).then_some(Self(text))
    }

    /// The password itself, for whoever hashes it or signs in with it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl FromStr for Password {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let fits = format!("a password has 1 to {PASSWORD_LENGTH} bytes");
        Self::parse(text.to_owned()).ok_or(fits)
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_secret_is_refused_with_what_is_possible_and_is_not_shown() {
        let problem = Secret::from_str("hunter2").unwrap_err();
        assert!(problem.contains("32 or more") && problem.contains("openssl"), "{problem}");
        assert!(!problem.contains("hunter2"), "{problem}");
        assert!(Secret::from_str(&"x".repeat(31)).is_err());
        assert!(Secret::from_str(&"x".repeat(32)).is_ok());
    }

    #[test]
    fn secrets_and_passwords_do_not_show_themselves() {
        let secret: Secret = "a-secret-of-thirty-two-characters".parse().unwrap();
        let password: Password = "analytical".parse().unwrap();
        let shown = format!("{secret:?} {password:?} {:?}", Some((&secret, &password)));
        assert!(!shown.contains("thirty") && !shown.contains("analytical"), "{shown}");
    }

    #[test]
    fn the_demo_secret_is_long_enough_and_a_random_one_is_another_each_time() {
        let demo: Secret = Secret::DEMO.parse().unwrap();
        assert!(demo.is_demo());
        let random = Secret::random();
        assert!(random.expose().parse::<Secret>().is_ok());
        assert!(random != Secret::random() && !random.is_demo());
    }
}
