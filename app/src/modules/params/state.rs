//! Keys of the `params` store: `0x01` the chain, `0x02` the consensus parameters, `0x03` the
//! validators of the genesis file, `0x04` the upgrade to come, absent when none is planned.

use super::Chain;
use crate::engine::upgrade::Plan;
use crate::engine::{ConsensusParams, ValidatorUpdate};
use crate::state::{codec, Read, StoreName, Write};
use prost::Message;

const CHAIN: &[u8] = &[0x01];
const CONSENSUS: &[u8] = &[0x02];
const VALIDATORS: &[u8] = &[0x03];
const PLAN: &[u8] = &[0x04];

/// The chain's own parameters. Present from genesis on.
pub fn chain(state: &dyn Read) -> Chain {
    let bytes = state.get(StoreName::Params, CHAIN).expect("genesis wrote the chain's parameters");
    codec::record("chain parameters", bytes)
}

pub fn set_chain(state: &mut dyn Write, chain: &Chain) {
    state.set(StoreName::Params, CHAIN.to_vec(), chain.encode_to_vec());
}

/// The consensus parameters as CometBFT was last told.
pub fn consensus(state: &dyn Read) -> ConsensusParams {
    let bytes = state.get(StoreName::Params, CONSENSUS);
    let stored: Stored =
        codec::record("consensus parameters", bytes.expect("genesis wrote consensus parameters"));
    ConsensusParams {
        block_max_bytes: stored.block_max_bytes,
        block_max_gas: stored.block_max_gas,
        evidence_max_age_blocks: stored.evidence_max_age_blocks,
        evidence_max_age_seconds: stored.evidence_max_age_seconds,
        evidence_max_bytes: stored.evidence_max_bytes,
        public_key_types: stored.public_key_types,
        app_version: stored.app_version,
        vote_extensions_enable_height: stored.vote_extensions_enable_height,
    }
}

pub fn set_consensus(state: &mut dyn Write, params: &ConsensusParams) {
    let stored = Stored {
        block_max_bytes: params.block_max_bytes,
        block_max_gas: params.block_max_gas,
        evidence_max_age_blocks: params.evidence_max_age_blocks,
        evidence_max_age_seconds: params.evidence_max_age_seconds,
        evidence_max_bytes: params.evidence_max_bytes,
        public_key_types: params.public_key_types.clone(),
        app_version: params.app_version,
        vote_extensions_enable_height: params.vote_extensions_enable_height,
    };
    state.set(StoreName::Params, CONSENSUS.to_vec(), stored.encode_to_vec());
}

/// The upgrade to come.
pub fn plan(state: &dyn Read) -> Option<Plan> {
    state.get(StoreName::Params, PLAN).map(|bytes| codec::record("planned upgrade", bytes))
}

pub fn set_plan(state: &mut dyn Write, plan: Option<&Plan>) {
    match plan {
        Some(plan) => state.set(StoreName::Params, PLAN.to_vec(), plan.encode_to_vec()),
        None => state.remove(StoreName::Params, PLAN.to_vec()),
    }
}

/// The validators the chain began with; they stay until staking changes them.
pub fn validators(state: &dyn Read) -> Vec<ValidatorUpdate> {
    let bytes = state.get(StoreName::Params, VALIDATORS).unwrap_or_default();
    let stored: StoredValidators = codec::record("validators", bytes);
    let validator = |stored: StoredValidator| ValidatorUpdate {
        public_key: stored.public_key.try_into().expect("stored keys have 32 bytes"),
        power: stored.power,
    };
    stored.validators.into_iter().map(validator).collect()
}

pub fn set_validators(state: &mut dyn Write, validators: &[ValidatorUpdate]) {
    let validator = |validator: &ValidatorUpdate| StoredValidator {
        public_key: validator.public_key.to_vec(),
        power: validator.power,
    };
    let stored = StoredValidators { validators: validators.iter().map(validator).collect() };
    state.set(StoreName::Params, VALIDATORS.to_vec(), stored.encode_to_vec());
}

/// The stored form of the validators.
#[derive(Clone, PartialEq, prost::Message)]
struct StoredValidators {
    #[prost(message, repeated, tag = "1")]
    validators: Vec<StoredValidator>,
}

/// One of them.
#[derive(Clone, PartialEq, prost::Message)]
struct StoredValidator {
    #[prost(bytes = "vec", tag = "1")]
    public_key: Vec<u8>,
    #[prost(int64, tag = "2")]
    power: i64,
}

/// The stored form of the consensus parameters.
#[derive(Clone, PartialEq, prost::Message)]
struct Stored {
    #[prost(int64, tag = "1")]
    block_max_bytes: i64,
    #[prost(int64, tag = "2")]
    block_max_gas: i64,
    #[prost(int64, tag = "3")]
    evidence_max_age_blocks: i64,
    #[prost(int64, tag = "4")]
    evidence_max_age_seconds: i64,
    #[prost(int64, tag = "5")]
    evidence_max_bytes: i64,
    #[prost(string, repeated, tag = "6")]
    public_key_types: Vec<String>,
    #[prost(uint64, tag = "7")]
    app_version: u64,
    #[prost(int64, tag = "8")]
    vote_extensions_enable_height: i64,
}
