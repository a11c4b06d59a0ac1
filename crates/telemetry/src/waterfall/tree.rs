//! Which line a span is on: below its parent, in the order in which they began.

use std::collections::{HashMap, HashSet};

use crate::{id::SpanId, span::Span};

/// The longest stem, in bytes: what is deeper is drawn as if it were not.
const LONGEST_STEM: usize = 400;

/// One line of the tree.
pub(super) struct Row<'a> {
    /// What leads from the parent to it.
    pub(super) stem: String,
    pub(super) line: Line<'a>,
}

/// What a line is about.
#[derive(Clone, Copy)]
pub(super) enum Line<'a> {
    Span(&'a Span),
    /// A span that has not come, though others say that it is their parent.
    Missing(SpanId),
}

/// A tree that is being drawn.
struct Tree<'a> {
    children: HashMap<SpanId, Vec<&'a Span>>,
    drawn: HashSet<SpanId>,
    rows: Vec<Row<'a>>,
}

/// Every span once, whatever they say of their parents.
pub(super) fn rows(spans: &[Span]) -> Vec<Row<'_>> {
    let known: HashSet<_> = spans.iter().map(|span| span.id).collect();
    let mut children = HashMap::<_, Vec<_>>::new();
    for span in spans {
        if let Some(parent) = span.parent {
            children.entry(parent).or_default().push(span);
        }
    }
    let mut tree = Tree { children, drawn: HashSet::new(), rows: Vec::new() };
    for span in spans {
        match span.parent {
            None => tree.draw(span),
            Some(parent) if known.contains(&parent) => {}
            Some(parent) => tree.draw_orphans(parent),
        }
    }
    // What is left are spans that are each other's parents.
    spans.iter().for_each(|span| tree.draw(span));
    tree.rows
}

impl<'a> Tree<'a> {
    /// Draws a span and all below it; without recursion, because a trace may be any number deep.
    fn draw(&mut self, top: &'a Span) {
        self.draw_all(vec![(top, String::new(), String::new())]);
    }

    fn draw_orphans(&mut self, parent: SpanId) {
        let Some(orphans) = self.children.remove(&parent) else { return };
        self.rows.push(Row { stem: String::new(), line: Line::Missing(parent) });
        self.draw_all(branches(orphans, ""));
    }

    /// Draws spans with what leads to each, and what leads past it to those below; the last first.
    fn draw_all(&mut self, mut left: Vec<(&'a Span, String, String)>) {
        while let Some((span, stem, past)) = left.pop() {
            if !self.drawn.insert(span.id) {
                continue;
            }
            self.rows.push(Row { stem, line: Line::Span(span) });
            left.extend(branches(self.children.remove(&span.id).unwrap_or_default(), &past));
        }
    }
}

/// The children with their stems, the last first.
fn branches<'a>(children: Vec<&'a Span>, past: &str) -> Vec<(&'a Span, String, String)> {
    let last = children.len().saturating_sub(1);
    let branch = |(place, child)| match place == last {
        _ if past.len() > LONGEST_STEM => (child, past.to_owned(), past.to_owned()),
        true => (child, format!("{past}└ "), format!("{past}  ")),
        false => (child, format!("{past}├ "), format!("{past}│ ")),
    };
    children.into_iter().enumerate().map(branch).rev().collect()
}
