//! Spans as they are sent: OTLP's messages, one behind the other.

use bytes::Bytes;

/// How much memory is taken at once, in bytes: a piece that is full stays where it is.
const PIECE: usize = 64 * 1024;
/// So many bytes are enough for a request: collectors refuse more than 4 MiB.
const ENOUGH: usize = 2 * 1024 * 1024;

/// Messages of one kind, in the order in which they came.
#[derive(Debug, Default)]
pub(super) struct Messages {
    pieces: Vec<Piece>,
    bytes: usize,
}

#[derive(Debug, Default)]
struct Piece {
    bytes: Vec<u8>,
    /// Where each message in it ends.
    ends: Vec<usize>,
}

impl Messages {
    /// Adds one; true if they are enough for a request.
    pub(super) fn add(&mut self, message: &[u8]) -> bool {
        let fits = |piece: &Piece| piece.bytes.capacity() - piece.bytes.len() >= message.len();
        if !self.pieces.last().is_some_and(fits) {
            let bytes = Vec::with_capacity(PIECE.max(message.len()));
            self.pieces.push(Piece { bytes, ends: Vec::new() });
        }
        let piece = self.pieces.last_mut().expect("there is one now");
        piece.bytes.extend_from_slice(message);
        piece.ends.push(piece.bytes.len());
        self.bytes += message.len();
        self.bytes >= ENOUGH
    }

    /// Each by itself; those of a piece share its memory.
    pub(super) fn each(self) -> Vec<Bytes> {
        self.pieces.into_iter().flat_map(Piece::each).collect()
    }
}

impl Piece {
    fn each(self) -> impl Iterator<Item = Bytes> {
        let bytes = Bytes::from(self.bytes);
        let mut begin = 0;
        self.ends.into_iter().map(move |end| bytes.slice(std::mem::replace(&mut begin, end)..end))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_stay_apart_however_long_they_are() {
        let long = "x".repeat(PIECE);
        let given = ["one", "", "three", &long, "five", &long, &long];
        let mut messages = Messages::default();
        for message in given {
            assert!(!messages.add(message.as_bytes()));
        }
        assert_eq!(messages.each(), given);
        assert!(Messages::default().each().is_empty());
    }

    #[test]
    fn no_more_than_a_collector_takes_are_sent_together() {
        let mut messages = Messages::default();
        let number = (1..).find(|_| messages.add(&[0; 1000])).expect("once they are enough");
        assert_eq!(number, ENOUGH.div_ceil(1000));
    }
}
