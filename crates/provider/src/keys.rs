//! Idempotency keys: a client's name for one thing that is to be done once.

use std::{
    borrow::Borrow,
    collections::{HashMap, VecDeque},
    sync::Arc,
};

use serde::Serialize;
use uuid::Uuid;

/// The most characters of a key.
const LONGEST: usize = 255;

/// A client's name for one thing that is to be done once.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub(crate) struct Key(Arc<str>);

impl Key {
    /// Reads a key: 1 to 255 visible ASCII characters.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let fits = (1..=LONGEST).contains(&text.len());
        (fits && text.bytes().all(|byte| byte.is_ascii_graphic())).then(|| Self(text.into()))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for Key {
    fn borrow(&self) -> &str {
        &self.0
    }
}

/// Which authorization the last keys were used for.
#[derive(Debug)]
pub(crate) struct Keys {
    used: HashMap<Key, Uuid>,
    order: VecDeque<Key>,
    most: usize,
}

impl Keys {
    /// Keeps the last `most` of them.
    pub(crate) fn new(most: usize) -> Self {
        Self { used: HashMap::new(), order: VecDeque::new(), most }
    }

    /// Which authorization a key was used for.
    pub(crate) fn used_for(&self, key: &Key) -> Option<Uuid> {
        self.used.get(key).copied()
    }

    /// Remembers it.
    pub(crate) fn remember(&mut self, key: Key, id: Uuid) {
        if self.used.insert(key.clone(), id).is_some() {
            return;
        }
        self.order.push_back(key);
        if self.order.len() > self.most
            && let Some(oldest) = self.order.pop_front()
        {
            self.used.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_visible_ascii_and_not_too_long() {
        assert!(Key::parse("order-1").is_some());
        assert!(Key::parse(&"k".repeat(255)).is_some());
        for bad in ["", " ", "a b", "ö", &"k".repeat(256), "a\n"] {
            assert_eq!(Key::parse(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn only_the_last_keys_are_kept() {
        let mut keys = Keys::new(2);
        let key = |text| Key::parse(text).unwrap();
        for text in ["a", "b", "a", "c"] {
            keys.remember(key(text), Uuid::nil());
        }
        let kept = ["a", "b", "c"].map(|text| keys.used_for(&key(text)).is_some());
        assert_eq!(kept, [false, true, true]);
        assert_eq!((keys.used.len(), keys.order.len()), (2, 2));
    }
}
