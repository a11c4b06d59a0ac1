//! What spans and log records say: names with values, kept small.

use std::{borrow::Cow, fmt, sync::Arc};

use serde::{Serialize, Serializer};

/// A value of an attribute, or the body of a log record.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Value {
    /// Text, which equal values share.
    Text(Arc<str>),
    /// A whole number.
    Whole(i64),
    /// Any other number.
    Number(f64),
    /// Yes or no.
    Truth(bool),
    /// Nothing, a list, a map or bytes.
    Other(Box<serde_json::Value>),
}

/// Names with values, in the order in which they came.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Attributes(pub(crate) Box<[(Arc<str>, Value)]>);

impl Value {
    /// The value as people read it.
    pub fn text(&self) -> Cow<'_, str> {
        match self {
            Self::Text(text) => Cow::Borrowed(text),
            Self::Whole(_) | Self::Number(_) | Self::Truth(_) | Self::Other(_) => {
                Cow::Owned(self.to_string())
            }
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Whole(number) => number.fmt(f),
            Self::Number(number) => number.fmt(f),
            Self::Truth(truth) => truth.fmt(f),
            Self::Other(value) => value.fmt(f),
        }
    }
}

impl Attributes {
    /// The value of this name.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.iter().find_map(|(known, value)| (known == name).then_some(value))
    }

    /// Whether this name has this value.
    pub fn has(&self, name: &str, value: &str) -> bool {
        self.get(name).is_some_and(|known| known.text() == value)
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0.iter().map(|(name, value)| (&**name, value))
    }
}

impl Serialize for Attributes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}
