//! The subjects of the chain, one folder each, with the same files in each: `mod.rs` (purpose,
//! invariants, types), `keys.rs`, `state.rs` (typed reads and writes, no rules), `handler.rs` (one
//! function per message), `hooks.rs`, `query.rs`, `genesis.rs`. A file that would be empty is
//! absent. Modules call each other's `state` functions; a handler reads, checks, writes, emits.

pub mod auth;
pub mod bandwidth;
pub mod bank;
pub mod graph;
pub mod params;
pub mod rank;
mod rules;

pub use rules::Rules;
