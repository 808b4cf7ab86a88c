//! Keys of the `bank` store, as in SDK 0.47.
//!
//! | key | value |
//! |---|---|
//! | `0x00` denom | supply, decimal text |
//! | `0x01` denom | metadata, protobuf |
//! | `0x02` length of address, address, denom | balance, decimal text |
//! | `0x03` denom, `0x00`, length of address, address | `0x00`: this address holds the denom |
//! | `0x04` denom | `0x00` or `0x01`: may be sent |
//! | `0x05` | parameters, protobuf |

use crate::state::codec::key;
use crate::types::Address;

pub const PARAMS: &[u8] = &[0x05];
pub const SUPPLY: u8 = 0x00;
pub const METADATA: u8 = 0x01;
pub const BALANCES: u8 = 0x02;
pub const SEND_ENABLED: u8 = 0x04;
const HOLDERS: u8 = 0x03;

pub fn supply(denom: &str) -> Vec<u8> {
    key(SUPPLY, &[denom.as_bytes()])
}

pub fn metadata(denom: &str) -> Vec<u8> {
    key(METADATA, &[denom.as_bytes()])
}

pub fn send_enabled(denom: &str) -> Vec<u8> {
    key(SEND_ENABLED, &[denom.as_bytes()])
}

/// The prefix of all balances of an address.
pub fn balances_of(address: &Address) -> Vec<u8> {
    let bytes = address.as_bytes();
    key(BALANCES, &[&[bytes.len() as u8], bytes])
}

pub fn balance(address: &Address, denom: &str) -> Vec<u8> {
    let mut key = balances_of(address);
    key.extend_from_slice(denom.as_bytes());
    key
}

/// The address and denomination of a balance's key.
pub fn parse_balance(key: &[u8]) -> Option<(Address, &str)> {
    let (&prefix, rest) = key.split_first()?;
    let (&length, rest) = rest.split_first()?;
    if prefix != BALANCES || rest.len() < usize::from(length) {
        return None;
    }
    let (address, denom) = rest.split_at(usize::from(length));
    Some((Address::new(address).ok()?, std::str::from_utf8(denom).ok()?))
}

/// The prefix of all holders of a denomination.
pub fn holders_of(denom: &str) -> Vec<u8> {
    key(HOLDERS, &[denom.as_bytes(), &[0]])
}

pub fn holder(denom: &str, address: &Address) -> Vec<u8> {
    let bytes = address.as_bytes();
    key(HOLDERS, &[denom.as_bytes(), &[0], &[bytes.len() as u8], bytes])
}
