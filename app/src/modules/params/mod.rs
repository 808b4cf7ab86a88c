//! Parameters of the chain itself, which no other module owns: the address prefix, the stake
//! denomination, the chain id and the consensus parameters. They start from genesis.

pub mod genesis;
pub mod state;

pub use genesis::ParamsGenesis;

/// What kind of chain this is; set at genesis and never changed.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct Chain {
    /// The bech32 prefix of account addresses, such as `bostrom`.
    #[prost(string, tag = "1")]
    pub address_prefix: String,
    /// The denomination whose holders have bandwidth and weight, such as `boot`.
    #[prost(string, tag = "2")]
    pub stake_denom: String,
    /// The id that signatures are bound to.
    #[prost(string, tag = "3")]
    pub chain_id: String,
    /// The height of the first block.
    #[prost(uint64, tag = "4")]
    pub initial_height: u64,
}
