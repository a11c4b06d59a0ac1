//! A queue whose items keep their number when older ones go.

use std::{collections::VecDeque, ops::Range};

/// Items in the order in which they came, each found by its number at once.
#[derive(Debug)]
pub(crate) struct Numbered<T> {
    /// The number of the oldest item.
    first: u64,
    items: VecDeque<T>,
}

impl<T> Default for Numbered<T> {
    fn default() -> Self {
        Self { first: 0, items: VecDeque::new() }
    }
}

impl<T> Numbered<T> {
    /// Adds one, and returns its number.
    pub(crate) fn push(&mut self, item: T) -> u64 {
        self.items.push_back(item);
        self.end() - 1
    }

    /// Lets the oldest go.
    pub(crate) fn pop(&mut self) -> Option<T> {
        let oldest = self.items.pop_front()?;
        self.first += 1;
        Some(oldest)
    }

    pub(crate) fn oldest(&self) -> Option<&T> {
        self.items.front()
    }

    pub(crate) fn get(&self, number: u64) -> Option<&T> {
        self.items.get(self.place(number)?)
    }

    pub(crate) fn get_mut(&mut self, number: u64) -> Option<&mut T> {
        let place = self.place(number)?;
        self.items.get_mut(place)
    }

    pub(crate) fn len(&self) -> usize {
        self.items.len()
    }

    /// The numbers of the items that are here.
    pub(crate) fn numbers(&self) -> Range<u64> {
        self.first..self.end()
    }

    fn end(&self) -> u64 {
        self.first + self.items.len() as u64
    }

    fn place(&self, number: u64) -> Option<usize> {
        usize::try_from(number.checked_sub(self.first)?).ok()
    }
}

impl<T: Clone> Numbered<T> {
    /// Those of these numbers that are here, the oldest first.
    pub(crate) fn copy(&self, wanted: Range<u64>) -> Vec<T> {
        let here = self.numbers();
        let (start, end) = (wanted.start.max(here.start), wanted.end.min(here.end));
        let place = |number: u64| (number - here.start) as usize;
        if start >= end {
            return Vec::new();
        }
        self.items.range(place(start)..place(end)).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_item_keeps_its_number_when_older_ones_go() {
        let mut letters = Numbered::default();
        for letter in ['a', 'b', 'c'] {
            letters.push(letter);
        }
        assert_eq!(letters.pop(), Some('a'));
        assert_eq!(letters.get(0), None);
        assert_eq!(letters.get(2), Some(&'c'));
        assert_eq!(letters.push('d'), 3);
        assert_eq!(letters.numbers(), 1..4);
        assert_eq!(letters.copy(0..3), ['b', 'c']);
        assert_eq!(letters.copy(4..9), []);
    }
}
