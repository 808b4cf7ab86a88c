//! Typed reads and writes of the `bandwidth` store.

use super::{keys, Params, Record};
use crate::state::{codec, prefix_end, Read, StoreName, Write};
use crate::types::{Address, Decimal, Height};
use prost::Message;

const BANDWIDTH: StoreName = StoreName::Bandwidth;

pub fn params(state: &dyn Read) -> Params {
    let bytes = state.get(BANDWIDTH, keys::PARAMS).expect("genesis wrote bandwidth parameters");
    Params::from_proto(&codec::record("bandwidth parameters", bytes))
}

pub fn set_params(state: &mut dyn Write, params: &Params) {
    state.set(BANDWIDTH, keys::PARAMS.to_vec(), params.to_proto().encode_to_vec());
}

/// What remained to a neuron when it was last settled; none for an account never settled.
pub fn record(state: &dyn Read, neuron: &Address) -> Option<Record> {
    state.get(BANDWIDTH, &keys::record(neuron)).map(decode_record)
}

fn decode_record(bytes: &[u8]) -> Record {
    let (remained, since) = bytes.split_at(16);
    Record {
        remained: codec::wide("bandwidth record", remained),
        since: Height(codec::number("bandwidth record", since)),
    }
}

pub fn set_record(state: &mut dyn Write, neuron: &Address, record: Record) {
    let value = [&record.remained.to_be_bytes()[..], &record.since.0.to_be_bytes()].concat();
    state.set(BANDWIDTH, keys::record(neuron), value);
}

/// All records, in the order of addresses.
pub fn records(state: &dyn Read) -> Vec<(Address, Record)> {
    let mut all = Vec::new();
    scan(state, keys::RECORDS, &mut |key, value| {
        let address = Address::new(&key[1..]).expect("stored addresses are good");
        all.push((address, decode_record(value)));
        true
    });
    all
}

/// The price of a raw unit.
pub fn price(state: &dyn Read) -> Decimal {
    let bytes = state.get(BANDWIDTH, keys::PRICE).expect("genesis wrote the price");
    Decimal::from_atomics(codec::wide("price", bytes))
}

pub fn set_price(state: &mut dyn Write, price: Decimal) {
    state.set(BANDWIDTH, keys::PRICE.to_vec(), price.atomics().to_be_bytes().to_vec());
}

/// Raw units admitted in all heights of the ring.
pub fn ring_total(state: &dyn Read) -> u64 {
    state.get(BANDWIDTH, keys::TOTAL).map_or(0, |bytes| codec::number("ring total", bytes))
}

pub fn set_ring_total(state: &mut dyn Write, total: u64) {
    state.set(BANDWIDTH, keys::TOTAL.to_vec(), total.to_be_bytes().to_vec());
}

/// The heights of the ring with their raw units, oldest first.
pub fn ring(state: &dyn Read) -> Vec<(Height, u64)> {
    let mut all = Vec::new();
    scan(state, keys::RING, &mut |key, value| {
        let height = Height(codec::number("ring height", &key[1..]));
        all.push((height, codec::number("ring units", value)));
        true
    });
    all
}

/// The heights of the ring up to one, oldest first.
pub fn ring_until(state: &dyn Read, last: Height) -> Vec<(Height, u64)> {
    let mut all = Vec::new();
    scan(state, keys::RING, &mut |key, value| {
        let height = Height(codec::number("ring height", &key[1..]));
        let within = height <= last;
        if within {
            all.push((height, codec::number("ring units", value)));
        }
        within
    });
    all
}

pub fn set_ring(state: &mut dyn Write, height: Height, units: u64) {
    state.set(BANDWIDTH, keys::ring(height), units.to_be_bytes().to_vec());
}

pub fn remove_ring(state: &mut dyn Write, height: Height) {
    state.remove(BANDWIDTH, keys::ring(height));
}

fn scan(state: &dyn Read, prefix: u8, visit: &mut dyn FnMut(&[u8], &[u8]) -> bool) {
    state.scan(BANDWIDTH, &[prefix], prefix_end(&[prefix]).as_deref(), visit);
}
