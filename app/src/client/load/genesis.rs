//! The chain that is loaded: the development chain with more bandwidth and many funded neurons.
//!
//! Derived in code, so it can never differ from the development genesis in anything but what
//! stands here: [`BANDWIDTH_FACTOR`] times the bandwidth, [`BLOCK_FACTOR`] times the limits of a
//! block, [`NEURONS`] accounts of equal stake, [`BEGGARS`] whose stake pays for nothing. Keys are
//! made from numbers: everybody knows them, nobody may use them elsewhere.

use crate::client::keys::Secret;
use crate::node::cometbft::genesis::Account;
use crate::types::{sha256, Address};
use serde_json::{json, Value};

/// So many times the bandwidth of the development chain.
pub const BANDWIDTH_FACTOR: u64 = 40;
/// So many times what one block of it takes, in bandwidth and in gas.
pub const BLOCK_FACTOR: u64 = 10;
/// Bytes of a block: four times as many, or links by the hundred would be cut off there.
pub const BYTES_FACTOR: u64 = 4;
/// Accounts that send the load.
pub const NEURONS: u32 = 10_000;
/// Accounts that exist and cannot pay for a link.
pub const BEGGARS: u32 = 1_000;
/// What a neuron holds, in the smallest unit.
const STAKE: u64 = 1_000_000_000_000;

/// The secret of the neuron of a number; beggars come after the neurons.
pub fn secret(number: u32) -> Secret {
    let hash = sha256(format!("cyberd load account\n{number}").as_bytes());
    Secret::of_bytes(&hash).expect("one hash in 2^128 is no key")
}

/// The accounts, in the order of their numbers.
pub fn accounts() -> Vec<Account> {
    use rayon::prelude::*;
    let account = |number: u32| Account {
        address: Address::of_key(&secret(number).public_key()),
        amount: if number < NEURONS { STAKE } else { 1 },
    };
    (0..NEURONS + BEGGARS).into_par_iter().map(account).collect()
}

/// Turns a development genesis, which holds the accounts already, into that of the load chain.
pub fn scale(genesis: &mut Value) {
    let multiply = |value: &mut Value, factor: u64| {
        let number: u64 = value.as_str().and_then(|text| text.parse().ok()).expect("a number");
        *value = json!((number * factor).to_string());
    };
    let bandwidth = &mut genesis["app_state"]["bandwidth"]["params"];
    multiply(&mut bandwidth["network_bandwidth"], BANDWIDTH_FACTOR);
    multiply(&mut bandwidth["max_block_bandwidth"], BLOCK_FACTOR);
    let block = &mut genesis["consensus_params"]["block"];
    multiply(&mut block["max_gas"], BLOCK_FACTOR);
    multiply(&mut block["max_bytes"], BYTES_FACTOR);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::cometbft::genesis::{check, document, Validator};

    #[test]
    fn the_load_genesis_is_the_development_genesis_with_the_named_numbers_multiplied() {
        let validator = Validator { name: "one".to_owned(), public_key: [7; 32], power: 1 };
        let plain = document("dev", "2026-01-01T00:00:00Z", &[validator], &accounts());
        let mut scaled = plain.clone();
        scale(&mut scaled);
        let text = |value: &Value, path: &str| -> u64 {
            value.pointer(path).and_then(Value::as_str).and_then(|t| t.parse().ok()).expect(path)
        };
        let paths = [
            ("/app_state/bandwidth/params/network_bandwidth", 80_000_000_000),
            ("/app_state/bandwidth/params/max_block_bandwidth", 400_000_000),
            ("/consensus_params/block/max_gas", 4_000_000_000),
            ("/consensus_params/block/max_bytes", 33_554_432),
        ];
        let mut back = scaled.clone();
        for (path, expected) in paths {
            assert_eq!(text(&scaled, path), expected, "{path}");
            *back.pointer_mut(path).expect(path) = plain.pointer(path).expect(path).clone();
        }
        assert_eq!(back, plain);
        check(&scaled).expect("a chain can start from it");
    }
}
