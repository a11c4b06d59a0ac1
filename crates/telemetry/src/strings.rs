//! Strings that come again and again, kept once.

use std::{collections::HashSet, sync::Arc};

/// How many strings are remembered before all are forgotten.
const MOST: usize = 8192;
/// The longest string that is remembered, in bytes.
const LONGEST: usize = 64;
/// What a string takes beside its bytes: counters, and its place on the heap.
const OVERHEAD: usize = 32;

/// The strings that came lately; nothing until the first.
///
/// Forgetting all at once costs one more copy of each string that comes again, and needs no record
/// of who came when.
#[derive(Debug, Default)]
pub(crate) struct Strings {
    known: HashSet<Arc<str>>,
    /// Bytes of the strings that had to be made since this was last taken.
    made: usize,
}

impl Strings {
    /// The string, shared with those that came before if it is one of them.
    pub(crate) fn share(&mut self, text: &str) -> Arc<str> {
        if let Some(known) = self.known.get(text) {
            return Arc::clone(known);
        }
        let made: Arc<str> = text.into();
        self.made += text.len() + OVERHEAD;
        if text.len() <= LONGEST {
            if self.known.len() >= MOST {
                self.known.clear();
            }
            self.known.insert(Arc::clone(&made));
        }
        made
    }

    /// Counts bytes of something else that had to be made.
    pub(crate) fn count(&mut self, bytes: usize) {
        self.made += bytes;
    }

    /// The bytes that had to be made since the last time.
    pub(crate) fn take_made(&mut self) -> usize {
        std::mem::take(&mut self.made)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_string_that_comes_again_is_the_same_and_counts_once() {
        let mut strings = Strings::default();
        let first = strings.share("order-api");
        assert_eq!(strings.take_made(), "order-api".len() + OVERHEAD);
        assert!(Arc::ptr_eq(&first, &strings.share("order-api")));
        assert_eq!(strings.take_made(), 0);
    }

    #[test]
    fn no_more_than_so_many_are_remembered() {
        let mut strings = Strings::default();
        for number in 0..3 * MOST {
            strings.share(&number.to_string());
        }
        strings.share(&"x".repeat(LONGEST + 1));
        assert!(strings.known.len() <= MOST);
        assert!(strings.known.iter().all(|text| text.len() <= LONGEST));
    }
}
