//! Typed reads and writes of the `bank` store.

use super::{keys, BankError};
use crate::state::{codec, prefix_end, Read, StoreName, Write};
use crate::types::coin::parse_amount;
use crate::types::{Address, Amount, Coin, Coins};
use cyber_proto::cosmos::bank::v1beta1 as proto;
use prost::Message;

const BANK: StoreName = StoreName::Bank;

fn amount(bytes: Option<&[u8]>) -> Amount {
    let Some(bytes) = bytes else { return Amount(0) };
    let text = std::str::from_utf8(bytes).expect("stored amounts are decimal text");
    parse_amount(text).expect("stored amounts are decimal text")
}

fn write_amount(state: &mut dyn Write, key: Vec<u8>, amount: Amount) {
    match amount.0 {
        0 => state.remove(BANK, key),
        _ => state.set(BANK, key, amount.to_string().into_bytes()),
    }
}

/// What an address holds of one denomination.
pub fn balance(state: &dyn Read, address: &Address, denom: &str) -> Amount {
    amount(state.get(BANK, &keys::balance(address, denom)))
}

/// Everything an address holds, sorted by denomination.
pub fn balances(state: &dyn Read, address: &Address) -> Coins {
    let prefix = keys::balances_of(address);
    let mut coins = Vec::new();
    state.scan(BANK, &prefix, prefix_end(&prefix).as_deref(), &mut |key, value| {
        let denom = std::str::from_utf8(&key[prefix.len()..]).expect("denominations are ASCII");
        coins.push(Coin::new(denom, amount(Some(value))));
        true
    });
    Coins::new(coins).expect("the store's order is by denomination")
}

/// The supply of a denomination.
pub fn supply(state: &dyn Read, denom: &str) -> Amount {
    amount(state.get(BANK, &keys::supply(denom)))
}

/// The supply of every denomination.
pub fn supplies(state: &dyn Read) -> Vec<(String, u128)> {
    let mut all = Vec::new();
    let (from, to) = ([keys::SUPPLY], prefix_end(&[keys::SUPPLY]));
    state.scan(BANK, &from, to.as_deref(), &mut |key, value| {
        let denom = String::from_utf8_lossy(&key[1..]).into_owned();
        all.push((denom, amount(Some(value)).0));
        true
    });
    all
}

pub fn set_supply(state: &mut dyn Write, denom: &str, supply: Amount) {
    write_amount(state, keys::supply(denom), supply);
}

/// Sets a balance and keeps the list of holders in step. Callers keep the supply right.
pub fn set_balance(state: &mut dyn Write, address: &Address, denom: &str, balance: Amount) {
    let holder = keys::holder(denom, address);
    match balance.0 {
        0 => state.remove(BANK, holder),
        _ => state.set(BANK, holder, vec![0]),
    }
    write_amount(state, keys::balance(address, denom), balance);
}

/// Moves coins. Nothing is written when it fails on the first coin that does not suffice: the
/// caller drops its overlay.
pub fn transfer(
    state: &mut dyn Write,
    from: &Address,
    to: &Address,
    coins: &Coins,
    prefix: &str,
) -> Result<(), BankError> {
    for coin in coins.as_slice() {
        let have = balance(state, from, &coin.denom);
        let left =
            have.0.checked_sub(coin.amount.0).ok_or_else(|| BankError::InsufficientFunds {
                spendable: Coin::new(&coin.denom, have),
                needed: coin.clone(),
            })?;
        set_balance(state, from, &coin.denom, Amount(left));
        let held = balance(state, to, &coin.denom);
        let sum = held.0.checked_add(coin.amount.0);
        let sum = sum.ok_or_else(|| BankError::Overflow { recipient: to.to_bech32(prefix) })?;
        set_balance(state, to, &coin.denom, Amount(sum));
    }
    Ok(())
}

/// The module's parameters.
pub fn params(state: &dyn Read) -> proto::Params {
    let bytes = state.get(BANK, keys::PARAMS).expect("genesis wrote the bank's parameters");
    codec::record("bank parameters", bytes)
}

pub fn set_params(state: &mut dyn Write, params: &proto::Params) {
    state.set(BANK, keys::PARAMS.to_vec(), params.encode_to_vec());
}

/// Whether coins of a denomination may be sent.
pub fn send_enabled(state: &dyn Read, denom: &str) -> bool {
    match state.get(BANK, &keys::send_enabled(denom)) {
        Some(value) => value == [1],
        None => params(state).default_send_enabled,
    }
}

pub fn set_send_enabled(state: &mut dyn Write, denom: &str, enabled: bool) {
    state.set(BANK, keys::send_enabled(denom), vec![u8::from(enabled)]);
}

pub fn set_metadata(state: &mut dyn Write, metadata: &proto::Metadata) {
    state.set(BANK, keys::metadata(&metadata.base), metadata.encode_to_vec());
}
