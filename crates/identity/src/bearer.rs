//! A token in the header `authorization` (RFC 6750), which gRPC calls metadata.

use http::{HeaderMap, HeaderValue, header::AUTHORIZATION};

/// The header is there, but is not one bearer token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the header authorization must be: Bearer, a space, and one token")]
pub struct Malformed;

/// The token that is presented, if any is.
///
/// # Errors
/// If something else is presented, or more than one.
pub fn presented(headers: &HeaderMap) -> Result<Option<&str>, Malformed> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let Some(value) = values.next() else { return Ok(None) };
    let (scheme, token) =
        value.to_str().ok().and_then(|text| text.split_once(' ')).ok_or(Malformed)?;
    let token = token.trim_start_matches(' ');
    let one = values.next().is_none() && !token.is_empty() && !token.contains([' ', ',']);
    if scheme.eq_ignore_ascii_case("bearer") && one { Ok(Some(token)) } else { Err(Malformed) }
}

/// The header's value for a token; its `Debug` does not show it.
///
/// # Panics
/// If the token has characters that no token of ours has.
pub fn header(token: &str) -> HeaderValue {
    let value = HeaderValue::try_from(format!("Bearer {token}"));
    let mut value = value.expect("a token is made of letters, digits, '-', '_' and '.'");
    value.set_sensitive(true);
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(values: &[&str]) -> Result<Option<String>, Malformed> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(AUTHORIZATION, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        presented(&headers).map(|token| token.map(str::to_owned))
    }

    #[test]
    fn a_token_is_read_as_it_was_written() {
        assert_eq!(read(&[]), Ok(None));
        assert_eq!(read(&["Bearer a.b.c"]), Ok(Some("a.b.c".to_owned())));
        assert_eq!(read(&["bearer  a.b.c"]), Ok(Some("a.b.c".to_owned())));
    }

    #[test]
    fn what_is_presented_but_is_no_token_is_not_nobody() {
        for bad in [
            "",
            "Bearer",
            "Bearer ",
            "a.b.c",
            "Basic YWRhOng=",
            "Bearer a b",
            "Bearer a, Basic b",
            "\u{e4}",
        ] {
            assert_eq!(read(&[bad]), Err(Malformed), "{bad:?}");
        }
        assert_eq!(read(&["Bearer a.b.c", "Bearer a.b.c"]), Err(Malformed));
    }

    #[test]
    fn a_header_does_not_show_its_token() {
        let header = header("a.b.c");
        assert_eq!(header.to_str().unwrap(), "Bearer a.b.c");
        assert!(!format!("{header:?}").contains("a.b.c"));
    }
}
