//! Keys and values of the `rank` store.
//!
//! | key | value |
//! |---|---|
//! | `0x00` | parameters, protobuf |
//! | `0x01` address | rank-stake (8, big endian) |
//! | `0x02` | [`Frozen`]: the running round; absent when none runs |
//! | `0x03` | [`Published`]: the last published round; absent before the first |

use super::{Frozen, Params, Published};
use crate::state::{codec, prefix_end, Read, StoreName, Write};
use crate::types::Address;
use prost::Message;

const RANK: StoreName = StoreName::Rank;
const PARAMS: &[u8] = &[0x00];
const STAKES: u8 = 0x01;
const FROZEN: &[u8] = &[0x02];
const PUBLISHED: &[u8] = &[0x03];

pub fn params(state: &dyn Read) -> Params {
    let bytes = state.get(RANK, PARAMS).expect("genesis wrote the rank parameters");
    Params::from_proto(&codec::record("rank parameters", bytes))
}

pub fn set_params(state: &mut dyn Write, params: &Params) {
    state.set(RANK, PARAMS.to_vec(), params.to_proto().encode_to_vec());
}

/// The stake a neuron's links weigh with, 0 before its first freeze.
pub fn stake(state: &dyn Read, neuron: &Address) -> u64 {
    let key = codec::key(STAKES, &[neuron.as_bytes()]);
    state.get(RANK, &key).map_or(0, |bytes| codec::number("rank-stake", bytes))
}

pub fn set_stake(state: &mut dyn Write, neuron: &Address, stake: u64) {
    state.set(RANK, codec::key(STAKES, &[neuron.as_bytes()]), stake.to_be_bytes().to_vec());
}

/// All rank-stakes, in the order of addresses.
pub fn stakes(state: &dyn Read) -> Vec<(Address, u64)> {
    let mut all = Vec::new();
    state.scan(RANK, &[STAKES], prefix_end(&[STAKES]).as_deref(), &mut |key, value| {
        let neuron = Address::new(&key[1..]).expect("stored addresses are good");
        all.push((neuron, codec::number("rank-stake", value)));
        true
    });
    all
}

/// The inputs of the running round.
pub fn frozen(state: &dyn Read) -> Option<Frozen> {
    state.get(RANK, FROZEN).map(|bytes| codec::record("frozen inputs", bytes))
}

pub fn set_frozen(state: &mut dyn Write, frozen: Option<&Frozen>) {
    match frozen {
        Some(frozen) => state.set(RANK, FROZEN.to_vec(), frozen.encode_to_vec()),
        None => state.remove(RANK, FROZEN.to_vec()),
    }
}

/// The last published round.
pub fn published(state: &dyn Read) -> Option<Published> {
    state.get(RANK, PUBLISHED).map(|bytes| codec::record("published round", bytes))
}

pub fn set_published(state: &mut dyn Write, published: &Published) {
    state.set(RANK, PUBLISHED.to_vec(), published.encode_to_vec());
}
