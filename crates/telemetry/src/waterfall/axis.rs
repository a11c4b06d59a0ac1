//! The time axis: where a span's bar begins and ends. Long times without any span are cut out, so
//! that what happens before and after minutes in a queue can still be seen.

use crate::{span::Span, time::Lasting};

/// The fewest columns of a piece of the axis.
const NARROWEST: usize = 4;
/// What stands where time was cut out.
const CUT: char = '┊';

/// A time axis, in pieces.
pub(super) struct Axis {
    pieces: Vec<Piece>,
}

/// A time that is drawn to scale.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Piece {
    start: u64,
    end: u64,
    columns: usize,
}

impl Axis {
    /// An axis for these spans, which are in the order in which they began.
    pub(super) fn new(spans: &[Span], columns: usize) -> Self {
        let busy = busy(spans);
        let work: u64 = busy.iter().map(|piece| piece.end - piece.start).sum();
        let most = (columns + 1) / (NARROWEST + 1);
        let mut pieces = Vec::<Piece>::new();
        for piece in busy {
            match pieces.last_mut() {
                // A gap that is shorter than all the work together does no harm.
                Some(last) if piece.start - last.end <= work => last.end = piece.end,
                Some(_) | None => pieces.push(piece),
            }
        }
        while pieces.len() > most.max(1) {
            close_shortest_gap(&mut pieces);
        }
        share(&mut pieces, columns);
        Self { pieces }
    }

    /// What was cut out, if anything.
    pub(super) fn gaps(&self) -> Option<String> {
        let gaps = self.pieces.windows(2).map(|two| Lasting(two[1].start - two[0].end));
        let gaps: Vec<_> = gaps.map(|gap| gap.to_string()).collect();
        (!gaps.is_empty()).then(|| format!("{CUT} nothing for {}", gaps.join(", then for ")))
    }

    /// The bar of a span, and the places where time was cut out.
    pub(super) fn bar(&self, span: &Span) -> String {
        let pieces: Vec<String> = self.pieces.iter().map(|piece| piece.bar(span)).collect();
        pieces.join(&CUT.to_string())
    }
}

impl Piece {
    fn bar(self, span: &Span) -> String {
        let end = span.end.max(span.start);
        if end < self.start || span.start > self.end {
            return " ".repeat(self.columns);
        }
        let (from, to) = (self.place(span.start), self.place(end));
        let first = (from.floor() as usize).min(self.columns - 1);
        let last = (to.ceil() as usize).clamp(first + 1, self.columns);
        // Less than half a column is less than a whole mark.
        let mark = if to - from < 0.5 { "▏" } else { "█" };
        let bar = mark.repeat(if to - from < 0.5 { 1 } else { last - first });
        let columns = self.columns - first;
        format!("{}{bar:<columns$}", " ".repeat(first))
    }

    /// How many columns after the beginning.
    fn place(self, time: u64) -> f64 {
        let time = time.clamp(self.start, self.end) - self.start;
        time as f64 / (self.end - self.start).max(1) as f64 * self.columns as f64
    }
}

/// When at least one span goes on.
fn busy(spans: &[Span]) -> Vec<Piece> {
    let mut busy = Vec::<Piece>::new();
    for span in spans {
        let end = span.end.max(span.start);
        match busy.last_mut() {
            Some(last) if span.start <= last.end => last.end = last.end.max(end),
            Some(_) | None => busy.push(Piece { start: span.start, end, columns: 0 }),
        }
    }
    busy
}

fn close_shortest_gap(pieces: &mut Vec<Piece>) {
    let gap = |place: &usize| pieces[*place].start - pieces[*place - 1].end;
    if let Some(place) = (1..pieces.len()).min_by_key(gap) {
        pieces[place - 1].end = pieces[place].end;
        pieces.remove(place);
    }
}

/// Shares the columns out: a few to each piece, the rest by how long it is.
fn share(pieces: &mut [Piece], columns: usize) {
    let Some(cuts) = pieces.len().checked_sub(1) else { return };
    let rest = columns.saturating_sub(cuts + NARROWEST * pieces.len());
    let whole: u64 = pieces.iter().map(|piece| piece.end - piece.start).sum();
    let mut left = rest;
    for piece in pieces.iter_mut() {
        let part = (piece.end - piece.start) as f64 / whole.max(1) as f64;
        let more = ((rest as f64 * part) as usize).min(left);
        piece.columns = NARROWEST + more;
        left -= more;
    }
    pieces[cuts].columns += left;
}
