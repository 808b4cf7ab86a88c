//! Merkle structures over state that lives in memory: key-value trees, logs, the rank tree, and
//! the app hash over all of them.
//!
//! | module | what it is |
//! |---|---|
//! | [`tree`] | persistent AVL tree of keys and values, hashed as Cosmos IAVL |
//! | [`export`] | a tree as a sequence of nodes, and back, verified |
//! | [`log`] | append-only logs: particles, cyberlinks, rounds |
//! | [`ranks`] | the rank of every particle, changed in place |
//! | [`leaves`] | the bytes of the logs' leaves |
//! | [`simple`] | the app hash over all of them |
//! | [`proof`] | proofs from the app hash down, and their checks for light clients |
//! | [`rfc6962`] | the binary tree below logs, ranks and the app hash |
//!
//! Invariants: a clone of any structure costs (almost) nothing and is a snapshot; the hash of a
//! structure is a function of the sequence of changes it went through, never of threads or
//! addresses. Deliberately absent: disk, locks, interior mutability, heights.

pub mod export;
pub mod hash;
pub mod leaves;
pub mod log;
mod node;
pub mod proof;
pub mod ranks;
pub mod rfc6962;
pub mod simple;
pub mod tree;

pub use leaves::LogName;
pub use log::{verify_inclusion, Inclusion, Log};
pub use node::join;
pub use ranks::RankTree;
pub use tree::Tree;

#[cfg(test)]
mod tests;
