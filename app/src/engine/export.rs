//! Export: the state of a height as a genesis file that a new chain goes on from, bit for bit.

use super::genesis::bulk::{
    AccountRecord, BandwidthRecord, LinkRecord, StakeRecord, Writer, INLINE_MAX,
};
use super::genesis::AppState;
use super::{ConsensusParams, ValidatorUpdate};
use crate::error::Fault;
use crate::modules::auth::Account;
use crate::modules::graph::GraphGenesis;
use crate::modules::rank::genesis::{text_of, RankState};
use crate::modules::rank::{self, RankGenesis};
use crate::modules::{auth, bandwidth, bank, params};
use crate::store::Snapshot;
use crate::types::{LinkNumber, NeuronNumber, ParticleNumber};
use base64::{engine::general_purpose::STANDARD, Engine};
use serde_json::{json, Value};
use std::path::Path;

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
        bulk: None,
        chain,
    }
}

/// Whether the state has more than belongs into a genesis file.
pub fn needs_bulk(snapshot: &Snapshot) -> bool {
    let accounts = auth::state::next_number(snapshot);
    accounts > INLINE_MAX as u64 || snapshot.sizes().links as usize > INLINE_MAX
}

/// The `app_state` of a snapshot whose long lists go into a bulk file, written to `path` and
/// durable; it will be called `name`.
///
/// # Errors
/// The disk fails.
pub fn app_state_beside(snapshot: &Snapshot, path: &Path, name: &str) -> Result<AppState, Fault> {
    let mut writer = Writer::create(path)?;
    let chain = params::genesis::export(snapshot);
    put_accounts(snapshot, &mut writer)?;
    for (neuron, record) in bandwidth::state::records(snapshot) {
        let bandwidth::Record { remained, since } = record;
        writer.put(&BandwidthRecord { neuron, remained, since: since.0 })?;
    }
    put_graph(snapshot, &mut writer)?;
    snapshot.rank().codes().flatten().try_for_each(|code| writer.put(code))?;
    for (neuron, stake) in rank::state::stakes(snapshot) {
        writer.put(&StakeRecord { neuron, stake })?;
    }
    for index in 0..snapshot.rounds() {
        writer.put(&snapshot.round(index).expect("a place below the size").to_vec())?;
    }
    let lists = RankLists { codes: Vec::new(), stakes: Vec::new(), rounds: Vec::new() };
    Ok(AppState {
        auth: auth::genesis::export_params(snapshot),
        bank: bank::genesis::export_but_balances(snapshot),
        bandwidth: bandwidth::genesis::export_but_neurons(snapshot),
        graph: GraphGenesis::default(),
        rank: rank_section(snapshot, lists),
        bulk: Some(writer.finish(name)?),
        chain,
    })
}

fn put_accounts(snapshot: &Snapshot, writer: &mut Writer) -> Result<(), Fault> {
    for number in 0..auth::state::next_number(snapshot) {
        let Some(address) = auth::state::address_by_number(snapshot, number) else { continue };
        let account = auth::state::account(snapshot, &address).expect("a number has an account");
        let base = account.base();
        let module = match &account {
            Account::Base(_) => None,
            Account::Module(module) => Some((module.name.clone(), module.permissions.clone())),
        };
        writer.put(&AccountRecord {
            address,
            number,
            sequence: base.sequence,
            key: base.pub_key.clone(),
            module,
            coins: bank::state::balances(snapshot, &address).as_slice().to_vec(),
        })?;
    }
    Ok(())
}

fn put_graph(snapshot: &Snapshot, writer: &mut Writer) -> Result<(), Fault> {
    let sizes = snapshot.sizes();
    for number in 0..sizes.particles {
        let particle = snapshot.particle(ParticleNumber(number));
        writer.put(&particle.expect("a number below the size"))?;
    }
    for number in 0..sizes.neurons {
        let neuron = snapshot.neuron(NeuronNumber(number));
        writer.put_neuron(neuron.expect("a number below the size"))?;
    }
    for number in 0..sizes.links {
        let (neuron, from, to) = snapshot.link_ends(LinkNumber(number));
        writer.put_link(LinkRecord { neuron: neuron.0, from: from.0, to: to.0 })?;
    }
    Ok(())
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
    let lists = RankLists {
        codes: snapshot.rank().codes().flatten().copied().collect(),
        stakes: stakes.map(|(neuron, stake)| (neuron.to_bech32(prefix), stake)).collect(),
        rounds: (0..snapshot.rounds()).map(record).collect(),
    };
    rank_section(snapshot, lists)
}

/// The lists of [`RankState`].
struct RankLists {
    codes: Vec<u32>,
    stakes: Vec<(String, u64)>,
    rounds: Vec<String>,
}

fn rank_section(snapshot: &Snapshot, lists: RankLists) -> RankGenesis {
    let RankLists { codes, stakes, rounds } = lists;
    let state = RankState {
        codes,
        stakes,
        frozen: rank::state::frozen(snapshot).map(|frozen| text_of(&frozen)),
        published: rank::state::published(snapshot).map(|published| text_of(&published)),
        rounds,
    };
    RankGenesis { params: rank::state::params(snapshot), state: Some(state) }
}

/// A whole genesis file for CometBFT. `time`: its `genesis_time`, RFC 3339.
pub fn genesis_file(snapshot: &Snapshot, chain_id: &str, time: &str) -> serde_json::Result<Value> {
    genesis_of(snapshot, &app_state(snapshot), chain_id, time)
}

/// A genesis file with an `app_state` made of the snapshot.
pub fn genesis_of(
    snapshot: &Snapshot,
    app_state: &AppState,
    chain_id: &str,
    time: &str,
) -> serde_json::Result<Value> {
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
        "app_state": serde_json::to_value(app_state)?,
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
