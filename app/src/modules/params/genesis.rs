//! The `chain` section of the genesis file.

use super::{state, Chain};
use crate::engine::upgrade::{self, Plan};
use crate::engine::Genesis;
use crate::error::Fault;
use crate::state::{Read, Write};
use crate::types::coin::check_denom;

/// `app_state.chain`.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ParamsGenesis {
    pub address_prefix: String,
    pub stake_denom: String,
    /// The upgrade to come, if one is planned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upgrade: Option<Plan>,
}

/// Reads the section into the state.
pub fn init(
    state: &mut dyn Write,
    section: &ParamsGenesis,
    genesis: &Genesis,
) -> Result<(), Fault> {
    check_denom(&section.stake_denom)
        .map_err(|error| Fault::Genesis(format!("app_state.chain.stake_denom: {error}")))?;
    let prefix = &section.address_prefix;
    let plain = prefix.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    if prefix.is_empty() || prefix.len() > 20 || !plain {
        return Err(Fault::Genesis(format!(
            "app_state.chain.address_prefix '{prefix}': 1 to 20 lower-case letters or digits are \
             right"
        )));
    }
    let consensus = &genesis.consensus_params;
    if consensus.block_max_gas <= 0 {
        return Err(Fault::Genesis(format!(
            "consensus_params.block.max_gas is {}: a positive limit is right, never unlimited",
            consensus.block_max_gas
        )));
    }
    if consensus.vote_extensions_enable_height != 0 {
        return Err(Fault::Genesis(format!(
            "consensus_params.abci.vote_extensions_enable_height is {}: this chain has no vote \
             extensions, 0 is right",
            consensus.vote_extensions_enable_height
        )));
    }
    if !upgrade::is_known(consensus.app_version) {
        return Err(Fault::Genesis(format!(
            "consensus_params.version.app is {}: this program knows {}; a chain of another version \
             needs its program",
            consensus.app_version,
            upgrade::known()
        )));
    }
    if let Some(plan) = &section.upgrade {
        plan.check(genesis.initial_height)
            .map_err(|reason| Fault::Genesis(format!("chain.upgrade: {reason}")))?;
        state::set_plan(state, Some(plan));
    }
    state::set_consensus(state, consensus);
    state::set_validators(state, &genesis.validators);
    state::set_chain(
        state,
        &Chain {
            address_prefix: prefix.clone(),
            stake_denom: section.stake_denom.clone(),
            chain_id: genesis.chain_id.clone(),
            initial_height: genesis.initial_height.0,
        },
    );
    Ok(())
}

/// The section as the state has it.
pub fn export(state: &dyn Read) -> ParamsGenesis {
    let Chain { address_prefix, stake_denom, .. } = state::chain(state);
    ParamsGenesis { address_prefix, stake_denom, upgrade: state::plan(state) }
}
