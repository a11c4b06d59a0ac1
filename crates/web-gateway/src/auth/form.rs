//! What is sent to sign in, read as strictly as an order.

use contract::order::{CustomerId, Invalid};
use identity::secret::{PASSWORD_LENGTH, Password};
use serde_json::Value;
use utoipa::ToSchema;

use crate::{
    error::Error,
    fields::{Fields, invalid, text},
};

/// Who wants to sign in.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "username": "ada", "password": "analytical" }))]
#[expect(dead_code, reason = "describes the body in /openapi.json; `credentials` reads it")]
pub(crate) struct Credentials {
    /// Their name, which is their customer id.
    #[schema(min_length = 1, max_length = 64, pattern = "^[A-Za-z0-9._-]+$")]
    username: String,
    /// Their password; at most 128 bytes.
    #[schema(min_length = 1, max_length = 128, format = "password")]
    password: String,
}

/// Who wants to stay signed in.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "describes the body in /openapi.json; `refresh_token` reads it")]
pub(crate) struct Refresh {
    /// The `refresh_token` that came with signing in.
    #[schema(min_length = 1)]
    refresh_token: String,
}

/// Reads who wants to sign in.
pub(super) fn credentials(body: &[u8]) -> Result<(CustomerId, Password), Error> {
    let read = || {
        let mut form = Fields::of("a login", "", json(body)?)?;
        let (username_path, username) = form.take("username")?;
        let (password_path, password) = form.take("password")?;
        form.no_more()?;
        let username = CustomerId::parse(&username_path, text(&username_path, username)?)?;
        let password = Password::parse(text(&password_path, password)?).ok_or_else(|| {
            invalid(password_path, &format!("must be 1 to {PASSWORD_LENGTH} bytes"))
        })?;
        Ok((username, password))
    };
    read().map_err(Unread::error)
}

/// Reads who wants to stay signed in.
pub(super) fn refresh_token(body: &[u8]) -> Result<String, Error> {
    let read = || {
        let mut form = Fields::of("a refresh", "", json(body)?)?;
        let (path, token) = form.take("refresh_token")?;
        form.no_more()?;
        let token = text(&path, token)?;
        if token.is_empty() { Err(invalid(path, "must not be empty").into()) } else { Ok(token) }
    };
    read().map_err(Unread::error)
}

/// Why a body cannot be read.
enum Unread {
    NotJson(serde_json::Error),
    Invalid(Invalid),
}

impl Unread {
    fn error(self) -> Error {
        match self {
            Self::NotJson(error) => Error::MalformedJson(error),
            Self::Invalid(invalid) => Error::InvalidForm(invalid),
        }
    }
}

impl From<Invalid> for Unread {
    fn from(invalid: Invalid) -> Self {
        Self::Invalid(invalid)
    }
}

fn json(body: &[u8]) -> Result<Value, Unread> {
    serde_json::from_slice(body).map_err(Unread::NotJson)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(read: Result<impl Sized, Error>) -> String {
        match read {
            Ok(_) => panic!("it was read"),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn a_login_is_read_strictly_and_no_password_is_repeated() {
        let (username, password) =
            credentials(br#"{"username":"ada","password":"p\u00e4ssword"}"#).unwrap();
        assert_eq!((username.as_str(), password.expose()), ("ada", "p\u{e4}ssword"));
        let long = format!(r#"{{"username":"ada","password":"{}"}}"#, "x".repeat(129));
        for (body, problem) in [
            ("[]", "$: must be an object"),
            ("{}", "username: is missing"),
            (r#"{"username":"ada"}"#, "password: is missing"),
            (r#"{"username":"a b","password":"hunter22"}"#, "username: must be 1 to 64 "),
            (r#"{"username":"ada","password":""}"#, "password: must be 1 to 128 bytes"),
            (&long, "password: must be 1 to 128 bytes"),
            (r#"{"username":"ada","password":7}"#, "password: must be a string"),
            (r#"{"username":"ada","password":"hunter22","role":"admin"}"#, "role: is not a field"),
        ] {
            let said = refused(credentials(body.as_bytes()));
            assert!(said.starts_with(problem), "{body}: {said}");
            assert!(!said.contains("hunter22") && !said.contains("xxx"), "{said}");
        }
    }

    #[test]
    fn a_refresh_is_read_strictly() {
        assert_eq!(refresh_token(br#"{"refresh_token":"a.b.c"}"#).unwrap(), "a.b.c");
        for body in [r#"{}"#, r#"{"refresh_token":""}"#, r#"{"refresh_token":"a","x":1}"#, "null"] {
            assert!(refresh_token(body.as_bytes()).is_err(), "{body}");
        }
    }
}
