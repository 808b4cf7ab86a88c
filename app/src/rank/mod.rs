//! The round: one computation of all ranks for every `calculation_period` blocks.
//!
//! ```text
//! boundary h ≡ 0 (mod p):  publish the running round → freeze the next one's inputs → commit
//! after the commit:        the worker computes it between the blocks that follow, or beside them
//!                          where it has no time to stand still
//! next boundary:           wait for it, publish …
//! ```
//!
//! Invariants: a round is a pure function of state (`modules::rank`), so a node that starts again
//! repeats the running round from its snapshot; a late result delays the boundary's block, nothing
//! is guessed or skipped (`engine` tests: a restart at every height, a slow worker). Deliberately
//! absent: links, stakes or parameters newer than the freeze.

pub mod device;
pub mod input;
pub mod output;
pub mod worker;

pub use worker::Worker;

use crate::types::Height;

/// Whether a height is a boundary under the period.
pub fn is_boundary(height: Height, period: u64) -> bool {
    height.0.is_multiple_of(period)
}

/// The first boundary after a height.
pub fn next_boundary(height: Height, period: u64) -> Height {
    Height((height.0 / period + 1).saturating_mul(period))
}
