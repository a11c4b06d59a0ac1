//! Turning pages: how many orders, and from where on.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use contract::order::Invalid;
use uuid::Uuid;

use crate::error::Error;

const DEFAULT_LIMIT: u32 = 20;
const MAX_LIMIT: u32 = 100;

/// How many orders a page has, given what was asked for.
pub(crate) fn limit(asked: u32) -> Result<u32, Invalid> {
    match asked {
        0 => Ok(DEFAULT_LIMIT),
        1..=MAX_LIMIT => Ok(asked),
        _ => Err(Invalid {
            field: "limit".to_owned(),
            problem: format!("must be a number from 1 to {MAX_LIMIT}"),
        }),
    }
}

/// The cursor of a page that ended with this order. It is opaque, so that what it says can change.
pub(crate) fn cursor(last: Uuid) -> String {
    URL_SAFE_NO_PAD.encode(last)
}

/// The order that the page before ended with; none if `cursor` is empty.
pub(crate) fn before(cursor: &str) -> Result<Option<Uuid>, Error> {
    if cursor.is_empty() {
        return Ok(None);
    }
    let bytes = URL_SAFE_NO_PAD.decode(cursor).map_err(|_| Error::InvalidCursor)?;
    match Uuid::from_slice(&bytes) {
        Ok(id) if id.get_version_num() == 7 => Ok(Some(id)),
        _ => Err(Error::InvalidCursor),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_leads_back_to_its_order() {
        let id = Uuid::now_v7();
        assert_eq!(before(&cursor(id)).unwrap(), Some(id));
        assert_eq!(before("").unwrap(), None);
    }

    #[test]
    fn what_is_no_cursor_is_refused() {
        for garbage in ["x", "????", "AAAAAAAAAAAAAAAAAAAAAA", &cursor(Uuid::new_v4()), "ä"] {
            assert!(matches!(before(garbage), Err(Error::InvalidCursor)), "{garbage}");
        }
    }

    #[test]
    fn a_page_has_twenty_orders_unless_asked() {
        assert_eq!(limit(0), Ok(20));
        assert_eq!(limit(100), Ok(100));
        assert!(limit(101).is_err());
    }
}
