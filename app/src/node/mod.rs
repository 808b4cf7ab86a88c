//! The node.

pub mod cometbft;
pub mod supervisor;
