//! The parameters that every transaction needs, read once for a block or a batch of checks: they
//! change between blocks only.

use super::{auth, bandwidth, params};
use crate::state::Read;
use cyber_proto::cosmos::auth::v1beta1 as proto;

/// What holds for the transactions of one height.
#[derive(Clone, Debug)]
pub struct Rules {
    pub chain: params::Chain,
    pub auth: proto::Params,
    pub bandwidth: bandwidth::Params,
    /// Gas limits of the transactions of a block that pay fees.
    pub block_max_gas: u64,
}

impl Rules {
    /// As the state has them.
    pub fn read(state: &dyn Read) -> Rules {
        let gas = params::state::consensus(state).block_max_gas;
        Rules {
            chain: params::state::chain(state),
            auth: auth::state::params(state),
            bandwidth: bandwidth::state::params(state),
            block_max_gas: u64::try_from(gas).expect("genesis has a positive max_gas"),
        }
    }
}
