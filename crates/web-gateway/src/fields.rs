//! The fields of a JSON object, read by name; what is wrong is named by its path.

use contract::order::Invalid;
use serde_json::{Map, Value};

/// The fields of one object that have not been read yet.
pub(crate) struct Fields {
    /// What the object is, for people: `an order`.
    what: &'static str,
    path: String,
    map: Map<String, Value>,
}

impl Fields {
    /// The fields of the object at `path`, which is empty for the whole body.
    pub(crate) fn of(what: &'static str, path: &str, value: Value) -> Result<Self, Invalid> {
        match value {
            Value::Object(map) => Ok(Self { what, path: path.to_owned(), map }),
            _ => Err(invalid(if path.is_empty() { "$" } else { path }, "must be an object")),
        }
    }

    /// A field that must be there, with its path.
    pub(crate) fn take(&mut self, name: &str) -> Result<(String, Value), Invalid> {
        let (path, value) = self.take_if_there(name);
        value.map(|value| (path.clone(), value)).ok_or_else(|| invalid(path, "is missing"))
    }

    /// A field that may be there, with its path.
    pub(crate) fn take_if_there(&mut self, name: &str) -> (String, Option<Value>) {
        (self.path_of(name), self.map.remove(name))
    }

    /// Refuses what has not been read, so that a misspelled field is not ignored.
    pub(crate) fn no_more(self) -> Result<(), Invalid> {
        match self.map.keys().next() {
            None => Ok(()),
            Some(unknown) => {
                let name: String = unknown.chars().take(64).collect();
                Err(invalid(self.path_of(&name), &format!("is not a field of {}", self.what)))
            }
        }
    }

    fn path_of(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }
}

/// A string.
pub(crate) fn text(path: &str, value: Value) -> Result<String, Invalid> {
    match value {
        Value::String(text) => Ok(text),
        _ => Err(invalid(path, "must be a string")),
    }
}

/// What is wrong with a field.
pub(crate) fn invalid(field: impl Into<String>, problem: &str) -> Invalid {
    Invalid { field: field.into(), problem: problem.to_owned() }
}
