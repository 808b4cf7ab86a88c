//! Export: the state of a height as a genesis file that a new chain goes on from, bit for bit.

use super::genesis::AppState;
use super::{ConsensusParams, ValidatorUpdate};
use crate::modules::graph::GraphGenesis;
use crate::modules::rank::genesis::{text_of, RankState};
use crate::modules::rank::{self, RankGenesis};
use crate::modules::{auth, bandwidth, bank, params};
use crate::store::Snapshot;
use crate::types::{LinkNumber, NeuronNumber, ParticleNumber};
use base64::{engine::general_purpose::STANDARD, Engine};
use serde_json::{json, Value};

/// The `app_state` of a snapshot.
pub fn app_state(snapshot: &Snapshot) -> AppState {
    let chain = params::genesis::export(snapshot);
    let prefix = chain.address_prefix.clone();
    AppState {
        auth: auth::genesis::export(snapshot),
        bank: bank::genesis::export(snapshot, &prefix),
        bandwidth: bandwidth::genesis::export(snapshot, &prefix),
        graph: graph(snapshot, &prefix),
        rank: ranks(snapshot, &prefix),
        chain,
    }
}

fn graph(snapshot: &Snapshot, prefix: &str) -> GraphGenesis {
    let sizes = snapshot.sizes();
    let cid = |number| {
        let particle = snapshot.particle(ParticleNumber(number));
        particle.expect("a number below the size").to_cid()
    };
    let address = |number| {
        let neuron = snapshot.neuron(NeuronNumber(number));
        neuron.expect("a number below the size").to_bech32(prefix)
    };
    let link = |number| {
        let (neuron, from, to) = snapshot.link_ends(LinkNumber(number));
        (neuron.0, from.0, to.0)
    };
    GraphGenesis {
        particles: (0..sizes.particles).map(cid).collect(),
        neurons: (0..sizes.neurons).map(address).collect(),
        links: (0..sizes.links).map(link).collect(),
    }
}

fn ranks(snapshot: &Snapshot, prefix: &str) -> RankGenesis {
    let stakes = rank::state::stakes(snapshot).into_iter();
    let record = |index| STANDARD.encode(snapshot.round(index).expect("a place below the size"));
    let state = RankState {
        codes: snapshot.rank().codes().flatten().copied().collect(),
        stakes: stakes.map(|(neuron, stake)| (neuron.to_bech32(prefix), stake)).collect(),
        frozen: rank::state::frozen(snapshot).map(|frozen| text_of(&frozen)),
        published: rank::state::published(snapshot).map(|published| text_of(&published)),
        rounds: (0..snapshot.rounds()).map(record).collect(),
    };
    RankGenesis { params: rank::state::params(snapshot), state: Some(state) }
}

/// A whole genesis file for CometBFT. `time`: its `genesis_time`, RFC 3339.
pub fn genesis_file(snapshot: &Snapshot, chain_id: &str, time: &str) -> serde_json::Result<Value> {
    let consensus = params::state::consensus(snapshot);
    let validators = params::state::validators(snapshot);
    let first = snapshot.height().next().expect("fewer than 2^64 heights");
    Ok(json!({
        "genesis_time": time,
        "chain_id": chain_id,
        "initial_height": first.to_string(),
        "consensus_params": consensus_json(&consensus),
        "validators": validators.iter().map(validator_json).collect::<Vec<_>>(),
        "app_hash": "",
        "app_state": serde_json::to_value(app_state(snapshot))?,
    }))
}

/// Consensus parameters as the genesis file has them: 64-bit integers are strings.
pub fn consensus_json(params: &ConsensusParams) -> Value {
    let nanoseconds = i128::from(params.evidence_max_age_seconds) * 1_000_000_000;
    json!({
        "block": {
            "max_bytes": params.block_max_bytes.to_string(),
            "max_gas": params.block_max_gas.to_string(),
        },
        "evidence": {
            "max_age_num_blocks": params.evidence_max_age_blocks.to_string(),
            "max_age_duration": nanoseconds.to_string(),
            "max_bytes": params.evidence_max_bytes.to_string(),
        },
        "validator": { "pub_key_types": params.public_key_types },
        "version": { "app": params.app_version.to_string() },
        "abci": {
            "vote_extensions_enable_height": params.vote_extensions_enable_height.to_string(),
        },
    })
}

/// A validator as the genesis file has it: the address is the first 20 bytes of the key's hash.
pub fn validator_json(validator: &ValidatorUpdate) -> Value {
    let address = &crate::types::sha256(&validator.public_key)[..20];
    json!({
        "address": hex::encode_upper(address),
        "pub_key": {
            "type": "tendermint/PubKeyEd25519",
            "value": STANDARD.encode(validator.public_key),
        },
        "power": validator.power.to_string(),
        "name": "",
    })
}
