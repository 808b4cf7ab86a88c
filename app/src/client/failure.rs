//! How a command of the client fails: one value for text, JSON and the exit code.
//!
//! Invariants: every failure has a stable code (`graph/2` when the chain gave it, `client/…` when
//! it is ours), a text that names the values, and one of the documented exit codes. It
//! deliberately knows nothing about printing; `cli::output` renders it.

use serde_json::{json, Value};

/// How a process ends. The numbers are part of the interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Exit {
    Done = 0,
    /// Anything that has no number of its own.
    Error = 1,
    /// The command line itself is wrong.
    Usage = 2,
    /// The node refused the transaction at the door: nothing changed.
    Refused = 3,
    /// No such key, wrong password, damaged key file.
    Key = 4,
    /// The node did not answer.
    Unreachable = 5,
    /// The transaction is in a block and did not do what it asked for.
    Failed = 6,
    /// The transaction was handed over and what became of it is not known.
    Unknown = 7,
    /// The node cannot run until something is changed: genesis, settings. Another start is no use.
    Unfit = 8,
    /// The node stands at the height of an upgrade that this version does not know.
    Upgrade = 9,
    /// `pre-upgrade`: this version cannot do the upgrade. Cosmovisor's numbers, this and the next.
    UpgradeRefused = 30,
    /// `pre-upgrade`: not now, but the same may succeed later.
    UpgradeLater = 31,
}

impl Exit {
    /// The number the process ends with.
    pub fn code(self) -> u8 {
        self as u8
    }
}

/// A failure, ready to be shown.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    pub exit: Exit,
    /// `codespace/number` of the chain, or `client/word`.
    pub code: String,
    pub message: String,
    /// What the user can do about it.
    pub hint: Option<String>,
    /// Whether the same command can succeed later without being changed.
    pub retryable: bool,
    /// Upper-case hexadecimal, when a transaction was made.
    pub tx_hash: Option<String>,
}

impl Failure {
    /// A failure of the client itself; `word` becomes `client/word`.
    pub fn new(exit: Exit, word: &str, message: impl Into<String>) -> Failure {
        Failure {
            exit,
            code: format!("client/{word}"),
            message: message.into(),
            hint: None,
            retryable: false,
            tx_hash: None,
        }
    }

    /// Something that went wrong on this machine: files, formats.
    pub fn local(message: impl Into<String>) -> Failure {
        Failure::new(Exit::Error, "local", message)
    }

    /// A command line that cannot work.
    pub fn usage(message: impl Into<String>) -> Failure {
        Failure::new(Exit::Usage, "usage", message)
    }

    /// A code and a text of the chain.
    pub fn of_chain(exit: Exit, space: &str, number: u32, log: &str) -> Failure {
        let code = format!("{space}/{number}");
        Failure {
            exit,
            hint: advice(&code).map(str::to_owned),
            retryable: passes_with_time(&code),
            code,
            message: log.to_owned(),
            tx_hash: None,
        }
    }

    /// The same with advice.
    pub fn hint(mut self, hint: impl Into<String>) -> Failure {
        self.hint = Some(hint.into());
        self
    }

    /// The same, said to be worth another try.
    pub fn retryable(mut self) -> Failure {
        self.retryable = true;
        self
    }

    /// The same with the hash of the transaction it is about.
    pub fn of_transaction(mut self, hash: &str) -> Failure {
        self.tx_hash = Some(hash.to_owned());
        self
    }

    /// The JSON form: `{"error": {code, message, hint, retryable, tx_hash}}`.
    pub fn to_json(&self) -> Value {
        json!({"error": {
            "code": self.code,
            "message": self.message,
            "hint": self.hint,
            "retryable": self.retryable,
            "tx_hash": self.tx_hash,
        }})
    }
}

/// What a user can do about a code of the chain.
fn advice(code: &str) -> Option<&'static str> {
    Some(match code {
        "sdk/5" => "see what the account holds: cyberd query balances ADDRESS",
        "sdk/9" => "an account exists once it has received something; send it some tokens first",
        "sdk/11" => "give it a higher --gas",
        "sdk/13" => "the node wants a fee: add --fee AMOUNT as the text says",
        "sdk/22" => "an account exists once it has received something",
        "sdk/30" => "its time ran out before a block took it; run the command again",
        "sdk/32" => "another program uses the same key; run the command again",
        "graph/2" => "every neuron makes a link once; --skip-existing passes over what is there",
        "graph/6" => "nobody has linked it yet, or it is spelt differently (case counts)",
        "graph/7" => "the chain takes CIDv0 (Qm…) only: cyberd cid TEXT shows it",
        "graph/8" => "a neuron needs stake to link: send it some of the stake token first",
        "bandwidth/2" => "wait for it to recover, or send fewer links at once",
        "bandwidth/3" => "one block cannot carry that much: send fewer links at once",
        _ => return None,
    })
}

/// Whether time alone can cure it.
fn passes_with_time(code: &str) -> bool {
    matches!(code, "sdk/20" | "sdk/30" | "sdk/32" | "bandwidth/2")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_codes_are_the_documented_numbers() {
        let all = [
            (Exit::Done, 0),
            (Exit::Error, 1),
            (Exit::Usage, 2),
            (Exit::Refused, 3),
            (Exit::Key, 4),
            (Exit::Unreachable, 5),
            (Exit::Failed, 6),
            (Exit::Unknown, 7),
            (Exit::Unfit, 8),
            (Exit::Upgrade, 9),
            (Exit::UpgradeRefused, 30),
            (Exit::UpgradeLater, 31),
        ];
        for (exit, number) in all {
            assert_eq!(exit.code(), number);
        }
    }

    #[test]
    fn the_json_of_a_failure_has_all_five_fields() {
        let failure = Failure::of_chain(Exit::Refused, "graph", 2, "your cyberlink already exists")
            .of_transaction("AB12");
        let expected = serde_json::json!({"error": {
            "code": "graph/2",
            "message": "your cyberlink already exists",
            "hint": "every neuron makes a link once; --skip-existing passes over what is there",
            "retryable": false,
            "tx_hash": "AB12",
        }});
        assert_eq!(failure.to_json(), expected);
    }

    #[test]
    fn only_what_time_can_cure_is_retryable() {
        let retryable =
            |space, number| Failure::of_chain(Exit::Refused, space, number, "").retryable;
        assert!(retryable("bandwidth", 2) && retryable("sdk", 32));
        assert!(!retryable("graph", 2) && !retryable("bandwidth", 3) && !retryable("sdk", 5));
    }
}
