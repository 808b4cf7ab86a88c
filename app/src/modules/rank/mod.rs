//! What the chain keeps about ranks besides the codes themselves: parameters, the rank-stake of
//! every neuron, the frozen inputs of the running round, the last published round.
//!
//! Invariants: rank-stakes change only at a freeze, so between two boundaries they are inputs of
//! the running round; the round is a function of the frozen record, the rank-stakes, the codes and
//! the first links of the log, all of them state. The calendar and the worker stand in
//! [`crate::rank`].

pub mod genesis;
pub mod params;
pub mod query;
pub mod state;

pub use genesis::RankGenesis;
pub use params::Params;

/// The inputs of a round, frozen at a boundary. Particles and links are counts: the first of each
/// in the log; rank-stakes are keys of the store.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct Frozen {
    #[prost(uint64, tag = "1")]
    pub round: u64,
    #[prost(uint64, tag = "2")]
    pub height: u64,
    #[prost(uint32, tag = "3")]
    pub particles: u32,
    #[prost(uint32, tag = "4")]
    pub links: u32,
    /// d, in 18-decimal atomics.
    #[prost(uint64, tag = "5")]
    pub damping_atomics: u64,
    /// k of the base 2^(32−k).
    #[prost(uint32, tag = "6")]
    pub base_shift: u32,
    #[prost(uint32, tag = "7")]
    pub code_bits: u32,
    #[prost(uint32, tag = "8")]
    pub stake_bits: u32,
    #[prost(uint64, tag = "9")]
    pub source_stake: u64,
    /// Sweeps allowed.
    #[prost(uint32, tag = "10")]
    pub sweeps: u32,
}

impl Frozen {
    /// What the kernels compute the round with.
    pub fn parameters(&self) -> cyber_kernels::Parameters {
        cyber_kernels::Parameters {
            damping_atomics: self.damping_atomics,
            code_bits: self.code_bits,
            source_stake: self.source_stake,
            sweeps: self.sweeps,
            base_shift: self.base_shift,
        }
    }
}

/// The last published round: what the codes in the rank tree mean.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct Published {
    #[prost(uint64, tag = "1")]
    pub round: u64,
    #[prost(uint64, tag = "2")]
    pub height: u64,
    #[prost(uint32, tag = "3")]
    pub code_bits: u32,
    #[prost(uint32, tag = "4")]
    pub base_shift: u32,
}
