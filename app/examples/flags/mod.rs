//! Flags of the examples: `--name value` pairs, so that no example is longer for reading them.

#![allow(dead_code, reason = "each example uses a part of it")]

use cyberd::client::Failure;
use std::collections::BTreeMap;

/// What was given, by name.
pub struct Flags(BTreeMap<String, String>);

impl Flags {
    /// Pairs of `--name` and value.
    pub fn of(given: &[&str]) -> Result<Flags, Failure> {
        let pair = |pair: &[&str]| match pair {
            [name, value] if name.starts_with("--") => Ok((name[2..].into(), (*value).into())),
            other => Err(Failure::usage(format!("{other:?}: flags are --name value"))),
        };
        given.chunks(2).map(pair).collect::<Result<_, _>>().map(Flags)
    }

    /// Those of this process.
    pub fn of_process() -> Result<Flags, Failure> {
        let given: Vec<String> = std::env::args().skip(1).collect();
        Flags::of(&given.iter().map(String::as_str).collect::<Vec<_>>())
    }

    /// A flag that has to be there.
    pub fn get(&self, name: &str) -> Result<&str, Failure> {
        let found = self.0.get(name).map(String::as_str);
        found.ok_or_else(|| Failure::usage(format!("--{name} is missing")))
    }

    /// A flag, or what stands for it.
    pub fn or<'a>(&'a self, name: &str, default: &'a str) -> &'a str {
        self.0.get(name).map_or(default, String::as_str)
    }
}
