//! Token-weighted PageRank in integers: a graph that only grows, stakes that change, a round in,
//! codes out. Numbers in, numbers out: this crate knows no chain, no addresses, no storage.
//!
//! - [`code`]: the rank state of one particle, a mantissa and a shift packed in 32 bits.
//! - [`cpu`]: **the definition**, plain and slow; every engine gives its bits.
//! - [`gpu`]: the same on a CUDA device, in a process of its own.
//! - [`Graph`]: the engine a node runs. Same bits for any number of threads and any strategy.
//!
//! Inside, links stand by source (`links`) and again by target (`tiles`) under private numbers, get
//! their weights (`weigh`), and are swept in full (`pull`) or where something changed (`push`);
//! `round` chooses.
//!
//! Deliberately absent: floats, randomness, and clocks but for the durations in [`Timing`], which
//! a caller may log and nothing here reads. The equality of definition and engines is tested in
//! `tests/vectors.rs` (known answers) and `tests/engines.rs` (random histories).

pub mod code;
mod control;
pub mod cpu;
mod error;
#[cfg(unix)]
pub mod gpu;
mod graph;
mod helpers;
mod input;
mod links;
mod memory;
mod output;
mod pull;
mod push;
mod round;
mod rows;
mod share;
mod threads;
mod tiles;
mod weigh;

pub use code::{hold_stake, starting_codes, value};
pub use control::{Control, Pause};
pub use error::Error;
pub use graph::{Graph, Options};
pub use input::{base_shift, Link, Parameters};
pub use output::{Outcome, Timing};
pub use pull::Instructions;
pub use round::Strategy;
