//! The genesis file of a new chain: `config/genesis.json` with validators and accounts put in.
//!
//! Whether a chain can start from a genesis is the engine's to say; [`check`] asks it.

mod check;
pub mod edit;
pub mod file;
pub mod import;
pub mod lists;
mod shape;

pub use check::{begin, check, read};

use super::home::{public_json, short_hash};
use crate::engine::upgrade::NEWEST;
use crate::types::Address;
use serde_json::{json, Value};

/// The development chain without validators and accounts.
const TEMPLATE: &str = include_str!("../../../../config/genesis.json");
/// A link's source weighs as much as a millionth of the supply (`protocol.md`, parameters).
const SOURCE_STAKE_SHARE: u64 = 1_000_000;

/// A validator from the first block on.
#[derive(Clone, Debug)]
pub struct Validator {
    pub name: String,
    pub public_key: [u8; 32],
    pub power: u64,
}

/// An account and what it holds of the stake denomination.
#[derive(Clone, Debug)]
pub struct Account {
    pub address: Address,
    pub amount: u64,
}

/// The development chain under the newest rules.
fn template() -> Value {
    let mut genesis: Value = serde_json::from_str(TEMPLATE).expect("the shipped genesis is JSON");
    genesis["consensus_params"]["version"]["app"] = json!(NEWEST.to_string());
    genesis
}

/// The genesis document of a chain.
pub fn document(
    chain_id: &str,
    genesis_time: &str,
    validators: &[Validator],
    accounts: &[Account],
) -> Value {
    let mut genesis = template();
    genesis["chain_id"] = json!(chain_id);
    genesis["genesis_time"] = json!(genesis_time);
    genesis["validators"] = validators.iter().map(validator).collect();

    let state = &mut genesis["app_state"];
    let text = |field: &Value| field.as_str().unwrap_or_default().to_owned();
    let prefix = text(&state["chain"]["address_prefix"]);
    let denomination = text(&state["chain"]["stake_denom"]);
    let coins = |amount: u64| json!([{ "denom": denomination, "amount": amount.to_string() }]);

    // Balances stand by address, as the SDK exports them; accounts in the order they were given,
    // which gives them their numbers.
    let mut sorted = accounts.to_vec();
    sorted.sort_by_key(|account| account.address);
    let balances = sorted.iter().map(|Account { address, amount }| {
        json!({ "address": address.to_bech32(&prefix), "coins": coins(*amount) })
    });
    let supply: u64 = accounts.iter().map(|account| account.amount).sum();
    let source_stake = (supply / SOURCE_STAKE_SHARE).max(1);
    state["bank"]["balances"] = balances.collect();
    state["bank"]["supply"] = coins(supply);
    state["rank"]["params"]["source_stake"] = json!(source_stake.to_string());
    let base_accounts = accounts.iter().enumerate().map(|(number, account)| {
        json!({
            "@type": "/cosmos.auth.v1beta1.BaseAccount",
            "address": account.address.to_bech32(&prefix),
            "pub_key": null,
            "account_number": number.to_string(),
            "sequence": "0",
        })
    });
    state["auth"]["accounts"] = base_accounts.collect();
    genesis
}

/// Whether a document has what a chain needs at least: a validator and coins.
pub fn is_complete(document: &Value) -> bool {
    let has = |pointer: &str| {
        document.pointer(pointer).and_then(Value::as_array).is_some_and(|list| !list.is_empty())
    };
    let in_bulk = document.pointer("/app_state/bulk/accounts").and_then(Value::as_u64);
    has("/validators") && (has("/app_state/bank/balances") || in_bulk.is_some_and(|n| n > 0))
}

fn validator(validator: &Validator) -> Value {
    json!({
        "address": hex::encode_upper(short_hash(&validator.public_key)),
        "pub_key": public_json(&validator.public_key),
        "power": validator.power.to_string(),
        "name": validator.name,
    })
}
