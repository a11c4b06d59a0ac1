//! A trace, drawn for a terminal: a line for each span, below its parent, with a bar on a time axis.

mod axis;
mod facts;
mod tree;

use std::fmt;

use crate::{
    id::SpanId,
    span::Span,
    time::{Lasting, point},
    trace::Trace,
};
use axis::Axis;
use tree::{Line, Row};

/// The width that is drawn for where none is given, in columns.
pub const WIDTH: usize = 120;
/// The least and the greatest width.
const WIDTHS: (usize, usize) = (72, 400);
/// The most spans that are drawn.
const MOST_ROWS: usize = 500;
/// The most log records that are listed.
const MOST_LOG_RECORDS: usize = 20;
/// The most columns of the name of a service.
const SERVICE: usize = 18;
/// Columns of a duration.
const DURATION: usize = 8;

/// A drawing of a trace; displaying it draws it.
#[derive(Clone, Copy, Debug)]
pub struct Waterfall<'a> {
    trace: &'a Trace,
    width: usize,
}

/// How many columns each part of a line takes.
struct Columns {
    name: usize,
    service: usize,
}

impl<'a> Waterfall<'a> {
    /// A drawing that is so many columns wide, within reason.
    pub fn new(trace: &'a Trace, width: usize) -> Self {
        Self { trace, width: width.clamp(WIDTHS.0, WIDTHS.1) }
    }

    fn head(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Trace { id, spans, .. } = self.trace;
        let mut services = Vec::new();
        for span in spans {
            if !services.contains(&&*span.service) {
                services.push(&*span.service);
            }
        }
        let (start, services) = (point(self.trace.start()), services.join(", "));
        writeln!(f, "trace {id}, {}", start.format("%F %T%.3f UTC"))?;
        let plural = if spans.len() == 1 { "" } else { "s" };
        write!(f, "{} in {} span{plural} of {services}", self.trace.duration(), spans.len())
    }

    fn rows(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows = tree::rows(&self.trace.spans);
        let shown = &rows[..rows.len().min(MOST_ROWS)];
        let columns = Columns::of(shown, self.width);
        let axis = Axis::new(&self.trace.spans, self.width - columns.before_the_axis());
        if let Some(gaps) = axis.gaps() {
            write!(f, "\n{gaps}")?;
        }
        f.write_str("\n")?;
        for row in shown {
            match row.line {
                Line::Span(span) => columns.span(f, &row.stem, span, &axis)?,
                Line::Missing(id) => columns.missing(f, id)?,
            }
        }
        match rows.len() - shown.len() {
            0 => Ok(()),
            more => write!(f, "\n{more} more; ask for JSON to see them all"),
        }
    }

    fn errors(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut errors = self.trace.spans.iter().filter(|span| span.message.is_some()).peekable();
        if errors.peek().is_some() {
            f.write_str("\n\nerrors")?;
        }
        errors.take(MOST_LOG_RECORDS).try_for_each(|span| {
            let message = span.message.as_deref().unwrap_or_default();
            write!(f, "\n  {}, {}: {message}", span.name, span.service)
        })
    }

    fn log_records(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let log_records = &self.trace.log_records;
        if !log_records.is_empty() {
            f.write_str("\n\nlogs")?;
        }
        for record in log_records.iter().take(MOST_LOG_RECORDS) {
            // What was said before the first span began has no better place than its beginning.
            let after = Lasting(record.time.saturating_sub(self.trace.start()));
            let (after, level) = (format!("+{after}"), record.level.name());
            write!(f, "\n  {after:>9} {level:<5} {:<SERVICE$} {}", record.service, record.body)?;
        }
        match log_records.len().saturating_sub(MOST_LOG_RECORDS) {
            0 => Ok(()),
            more => write!(f, "\n  {more} more: lab logs --trace {}", self.trace.id),
        }
    }
}

impl fmt::Display for Waterfall<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.head(f)?;
        facts::of(self.trace).iter().try_for_each(|fact| write!(f, "\n{fact}"))?;
        self.rows(f)?;
        self.errors(f)?;
        self.log_records(f)
    }
}

impl Columns {
    /// As wide as what is written into them, but the names leave half of the width to the rest.
    fn of(rows: &[Row<'_>], width: usize) -> Self {
        let spans = || {
            rows.iter().filter_map(|row| match row.line {
                Line::Span(span) => Some((row.stem.chars().count() + length(&span.name), span)),
                Line::Missing(_) => None,
            })
        };
        let name = spans().map(|(name, _)| name).max().unwrap_or_default();
        let service = spans().map(|(_, span)| length(&span.service)).max().unwrap_or_default();
        let service = service.min(SERVICE);
        Self { name: name.min(width / 2 - service), service }
    }

    /// Marks, name, service and duration, and the spaces between them.
    fn before_the_axis(&self) -> usize {
        3 + self.name + 2 + self.service + 2 + DURATION + 1
    }

    fn span(
        &self,
        f: &mut fmt::Formatter<'_>,
        stem: &str,
        span: &Span,
        axis: &Axis,
    ) -> fmt::Result {
        let error = if span.is_error() { '✗' } else { ' ' };
        let redelivery = if span.is_redelivery() { '↻' } else { ' ' };
        let name = cut(&format!("{stem}{}", span.name), self.name);
        let service = cut(&span.service, self.service);
        let (names, services, duration) = (self.name, self.service, span.duration());
        let bar = axis.bar(span);
        let line = format!(
            "{error}{redelivery} {name:<names$}  {service:<services$}  {duration:>DURATION$} {bar}"
        );
        write!(f, "\n{}", line.trim_end())
    }

    fn missing(&self, f: &mut fmt::Formatter<'_>, id: SpanId) -> fmt::Result {
        write!(f, "\n   the parent of these, span {id}, is missing")
    }
}

/// The text, if it is not too long; else its beginning.
fn cut(text: &str, columns: usize) -> String {
    if length(text) <= columns {
        return text.to_owned();
    }
    text.chars().take(columns.saturating_sub(1)).chain(['…']).collect()
}

fn length(text: &str) -> usize {
    text.chars().count()
}
