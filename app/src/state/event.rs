//! Events: what indexers and clients learn of a block. Not part of any hash.

/// A typed list of attributes; every attribute is indexed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    pub kind: &'static str,
    pub attributes: Vec<(&'static str, String)>,
}

impl Event {
    /// An event without attributes yet.
    pub fn new(kind: &'static str) -> Event {
        Event { kind, attributes: Vec::new() }
    }

    /// The event with one attribute more. Keys are never empty: clients fail on such events.
    pub fn with(mut self, key: &'static str, value: impl ToString) -> Event {
        debug_assert!(!key.is_empty());
        self.attributes.push((key, value.to_string()));
        self
    }
}
