//! The two kinds of failure. A [`Fault`] is the node's: it goes up to `node` and stops the
//! process. A [`Refusal`] is the user's: a stable (codespace, code) from the one table below and
//! a text that names the values; it never stops anything.

use std::fmt;

/// The node cannot go on: disk, damage, a broken partner. Never caused by a user's input.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// The disk or the database refused.
    #[error("storage: {0}")]
    Storage(String),
    /// Stored data contradicts itself.
    #[error("damaged data: {0}")]
    Damage(String),
    /// The consensus engine asked for something the protocol rules out.
    #[error("consensus: {0}")]
    Consensus(String),
    /// A genesis this chain cannot start from.
    #[error("genesis: {0}")]
    Genesis(String),
    /// A setting of the node or its surroundings.
    #[error("{0}")]
    Setup(String),
    /// What cannot work however often it is tried, until somebody changes something.
    #[error("{0}")]
    Unfit(String),
    /// The chain goes on with another version of this program.
    #[error("{0}")]
    Upgrade(String),
}

/// A codespace and a number, as clients match on them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Code {
    pub space: &'static str,
    pub number: u32,
}

/// A user's mistake: the answer to it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{log}")]
pub struct Refusal {
    pub code: Code,
    pub log: String,
}

impl Refusal {
    /// A refusal with its text.
    pub fn new(code: Code, log: impl Into<String>) -> Refusal {
        Refusal { code, log: log.into() }
    }

    /// The same refusal with words before its text, `outer: inner` as the SDK wraps errors.
    pub fn within(self, outer: impl fmt::Display) -> Refusal {
        Refusal { code: self.code, log: format!("{outer}: {}", self.log) }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.space, self.number)
    }
}

/// Declares the table of codes: `NAME = "space" number`.
macro_rules! codes {
    ($($name:ident = $space:literal $number:literal;)*) => {
        /// Every code of the chain, on one screen. Numbers never change meaning.
        pub mod code {
            use super::Code;
            $(
                #[allow(missing_docs)]
                pub const $name: Code = Code { space: $space, number: $number };
            )*
            /// The whole table, for tests and documentation.
            pub const ALL: &[(&str, Code)] = &[$((stringify!($name), $name)),*];
        }
    };
}

codes! {
    OK = "" 0;
    INTERNAL = "undefined" 1;
    PANIC = "undefined" 111222;
    TX_PARSE = "sdk" 2;
    UNAUTHORIZED = "sdk" 4;
    INSUFFICIENT_FUNDS = "sdk" 5;
    UNKNOWN_REQUEST = "sdk" 6;
    INVALID_ADDRESS = "sdk" 7;
    INVALID_PUBKEY = "sdk" 8;
    UNKNOWN_ADDRESS = "sdk" 9;
    INVALID_COINS = "sdk" 10;
    OUT_OF_GAS = "sdk" 11;
    MEMO_TOO_LARGE = "sdk" 12;
    INSUFFICIENT_FEE = "sdk" 13;
    TOO_MANY_SIGNATURES = "sdk" 14;
    NO_SIGNATURES = "sdk" 15;
    INVALID_REQUEST = "sdk" 18;
    TX_TOO_LARGE = "sdk" 21;
    KEY_NOT_FOUND = "sdk" 22;
    INVALID_HEIGHT = "sdk" 26;
    TX_TIMEOUT_HEIGHT = "sdk" 30;
    UNKNOWN_EXTENSION = "sdk" 31;
    WRONG_SEQUENCE = "sdk" 32;
    NOT_SUPPORTED = "sdk" 37;
    INVALID_GAS_LIMIT = "sdk" 41;
    SEND_DISABLED = "bank" 5;
    LINK_EXISTS = "graph" 2;
    NO_LINKS = "graph" 3;
    SELF_LINK = "graph" 4;
    INVALID_PARTICLE = "graph" 5;
    PARTICLE_NOT_FOUND = "graph" 6;
    CID_VERSION = "graph" 7;
    ZERO_POWER = "graph" 8;
    TOO_MANY_LINKS = "graph" 9;
    NOT_ENOUGH_BANDWIDTH = "bandwidth" 2;
    BLOCK_BANDWIDTH = "bandwidth" 3;
}

#[cfg(test)]
mod tests {
    use super::code;

    #[test]
    fn every_code_stands_for_one_thing() {
        let mut seen = std::collections::BTreeSet::new();
        for (name, code) in code::ALL {
            assert!(seen.insert(*code), "{name} repeats {code}");
        }
    }
}
