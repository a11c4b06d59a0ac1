//! An exchange and its bindings.

use std::sync::Arc;

use amq_protocol::types::FieldTable;

/// The name of an exchange, a queue or a consumer.
pub(crate) type Name = Arc<str>;

/// The default exchange, which every queue is bound to by its own name.
pub(crate) const DEFAULT: &str = "";

/// The exchanges of every RabbitMQ.
pub(crate) const PREDECLARED: [(&str, Kind); 7] = [
    (DEFAULT, Kind::Direct),
    ("amq.direct", Kind::Direct),
    ("amq.fanout", Kind::Fanout),
    ("amq.headers", Kind::Headers),
    ("amq.match", Kind::Headers),
    ("amq.rabbitmq.trace", Kind::Topic),
    ("amq.topic", Kind::Topic),
];

/// How an exchange compares a message with its bindings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Direct,
    Fanout,
    Topic,
    Headers,
}

impl Kind {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        match text {
            "direct" => Some(Self::Direct),
            "fanout" => Some(Self::Fanout),
            "topic" => Some(Self::Topic),
            "headers" => Some(Self::Headers),
            _ => None,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Fanout => "fanout",
            Self::Topic => "topic",
            Self::Headers => "headers",
        }
    }
}

/// An exchange.
#[derive(Debug)]
pub(crate) struct Exchange {
    pub(crate) kind: Kind,
    pub(crate) durable: bool,
    pub(crate) auto_delete: bool,
    /// Only other exchanges may publish to it.
    pub(crate) internal: bool,
    pub(crate) bindings: Vec<Binding>,
}

/// Where messages go that match.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Binding {
    pub(crate) target: Target,
    pub(crate) routing_key: String,
    pub(crate) arguments: FieldTable,
}

/// The far end of a binding.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Target {
    Queue(Name),
    Exchange(Name),
}

impl Exchange {
    pub(crate) fn predeclared(kind: Kind) -> Self {
        Self { kind, durable: true, auto_delete: false, internal: false, bindings: Vec::new() }
    }

    /// Adds a binding; the same one twice is one.
    pub(crate) fn bind(&mut self, binding: Binding) {
        if !self.bindings.contains(&binding) {
            self.bindings.push(binding);
        }
    }

    /// Removes the bindings for which `unwanted`; whether the exchange has to go with the last.
    pub(crate) fn unbind(&mut self, mut unwanted: impl FnMut(&Binding) -> bool) -> bool {
        let before = self.bindings.len();
        self.bindings.retain(|binding| !unwanted(binding));
        self.auto_delete && self.bindings.is_empty() && before > 0
    }
}
