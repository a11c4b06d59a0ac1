//! Which queues a message goes to.

use std::collections::{HashMap, HashSet};

use amq_protocol::types::{AMQPValue, FieldTable, ShortString};

use crate::exchange::{Binding, DEFAULT, Exchange, Kind, Name, Target};
use crate::message::Content;
use crate::queue::Queue;

/// The queues, each once, that `content` reaches from the exchange it was published to.
pub(crate) fn route(
    exchanges: &HashMap<Name, Exchange>,
    queues: &HashMap<Name, Queue>,
    content: &Content,
) -> Vec<Name> {
    let start = content.exchange.as_str();
    if start == DEFAULT {
        let queue = queues.get(content.routing_key.as_str());
        return queue.map(|queue| queue.name.clone()).into_iter().collect();
    }
    let mut reached = Vec::new();
    let mut seen = HashSet::from([start]);
    let mut pending = vec![start];
    while let Some(exchange) = pending.pop().and_then(|name| exchanges.get(name)) {
        for binding in exchange.bindings.iter().filter(|binding| exchange.sends(content, binding)) {
            match &binding.target {
                Target::Queue(queue) if !reached.contains(queue) => reached.push(queue.clone()),
                Target::Exchange(next) if seen.insert(next) => pending.push(next),
                Target::Queue(_) | Target::Exchange(_) => {}
            }
        }
    }
    reached
}

impl Exchange {
    fn sends(&self, content: &Content, binding: &Binding) -> bool {
        let key = content.routing_key.as_str();
        match self.kind {
            Kind::Fanout => true,
            Kind::Direct => binding.routing_key == key,
            Kind::Topic => topic_matches(&binding.routing_key, key),
            Kind::Headers => headers_match(&binding.arguments, content),
        }
    }
}

/// Whether `key` has the words of `pattern`, where `*` is any word and `#` any number of them.
fn topic_matches(pattern: &str, key: &str) -> bool {
    words_match(&words(pattern), &words(key))
}

/// The words between the dots; an empty text has none, not an empty one.
fn words(text: &str) -> Vec<&str> {
    text.split('.').filter(|_| !text.is_empty()).collect()
}

/// Goes back only to the last `#`, so that no pattern takes exponential time.
fn words_match(pattern: &[&str], key: &[&str]) -> bool {
    let (mut at, mut word) = (0, 0);
    let mut resume = None;
    while word < key.len() {
        match pattern.get(at) {
            Some(&"#") => {
                resume = Some((at, word));
                at += 1;
            }
            Some(&part) if part == "*" || part == key[word] => (at, word) = (at + 1, word + 1),
            _ => {
                let Some((hash, swallowed)) = resume else { return false };
                resume = Some((hash, swallowed + 1));
                (at, word) = (hash + 1, swallowed + 1);
            }
        }
    }
    pattern[at..].iter().all(|&part| part == "#")
}

/// Whether the arguments of a binding ask for headers that `content` has.
fn headers_match(arguments: &FieldTable, content: &Content) -> bool {
    let Some(mode) = match_mode(arguments) else { return false };
    let mut wanted = arguments.inner().iter().filter(|(name, _)| {
        name.as_str() != "x-match" && (mode.with_x || !name.as_str().starts_with("x-"))
    });
    let has = |(name, value): (&ShortString, &AMQPValue)| {
        content
            .header(name.as_str())
            .is_some_and(|header| *value == AMQPValue::Void || header == value)
    };
    if mode.any { wanted.any(has) } else { wanted.all(has) }
}

/// How many of its headers a binding wants, and whether `x-` headers are among them.
pub(crate) struct MatchMode {
    any: bool,
    with_x: bool,
}

/// The `x-match` of a binding; none for one that does not exist.
pub(crate) fn match_mode(arguments: &FieldTable) -> Option<MatchMode> {
    let text = match arguments.inner().get("x-match") {
        None => return Some(MatchMode { any: false, with_x: false }),
        Some(AMQPValue::LongString(text)) => text.to_string(),
        Some(AMQPValue::ShortString(text)) => text.to_string(),
        Some(_) => return None,
    };
    match text.as_str() {
        "all" => Some(MatchMode { any: false, with_x: false }),
        "any" => Some(MatchMode { any: true, with_x: false }),
        "all-with-x" => Some(MatchMode { any: false, with_x: true }),
        "any-with-x" => Some(MatchMode { any: true, with_x: true }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topic_patterns_match_by_words() {
        for (pattern, key, expected) in [
            ("order.placed", "order.placed", true),
            ("order.*", "order.placed", true),
            ("order.*", "order", false),
            ("order.*", "order.placed.late", false),
            ("order.#", "order", true),
            ("order.#", "order.placed.late", true),
            ("#", "", true),
            ("*", "", false),
            ("#.late", "order.placed.late", true),
            ("#.placed.#.late", "a.placed.b.placed.c.late", true),
            ("#.placed.#.late", "a.placed.b.early", false),
            ("a.#.#", "a", true),
            ("", "", true),
            ("", "a", false),
        ] {
            assert_eq!(topic_matches(pattern, key), expected, "{pattern} for {key}");
        }
    }
}
