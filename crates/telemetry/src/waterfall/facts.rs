//! Whom and what a trace is about.

use crate::{trace::Trace, value::Attributes};

/// The attributes that say it.
const NAMES: [&str; 3] = ["order_id", "customer_id", "correlation_id"];
/// The most different values of one of them.
const MOST: usize = 3;

/// A line for each that spans or log records have, and one for each other trace they link to.
pub(super) fn of(trace: &Trace) -> Vec<String> {
    let spans = trace.spans.iter().map(|span| &span.attributes);
    let attributes: Vec<_> =
        spans.chain(trace.log_records.iter().map(|record| &record.attributes)).collect();
    let named = NAMES.iter().filter_map(|name| fact(name, &attributes));
    named.chain(linked(trace)).collect()
}

fn fact(name: &str, attributes: &[&Attributes]) -> Option<String> {
    let mut values = Vec::new();
    for value in attributes.iter().filter_map(|attributes| attributes.get(name)) {
        let value = value.to_string();
        if !values.contains(&value) {
            values.push(value);
        }
    }
    let more = values.len().saturating_sub(MOST);
    values.truncate(MOST);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    (!values.is_empty()).then(|| format!("{name} {}{more}", values.join(", ")))
}

fn linked(trace: &Trace) -> Option<String> {
    let links = trace.spans.iter().flat_map(|span| &span.links).map(|link| link.trace_id);
    let mut others: Vec<_> = links.filter(|id| *id != trace.id).collect();
    others.sort_unstable();
    others.dedup();
    others.truncate(MOST);
    let others: Vec<_> = others.iter().map(ToString::to_string).collect();
    (!others.is_empty()).then(|| format!("linked to trace {}", others.join(", ")))
}
