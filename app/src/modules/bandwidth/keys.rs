//! Keys of the `bandwidth` store.
//!
//! | key | value |
//! |---|---|
//! | `0x00` | parameters, protobuf |
//! | `0x01` address | remained in millionths (16, big endian), height it was settled at (8) |
//! | `0x02` height (8, big endian) | raw units admitted at that height (8) |
//! | `0x03` | price, 18-decimal atomics (16) |
//! | `0x04` | raw units of all heights in the ring (8) |

use crate::state::codec::key;
use crate::types::{Address, Height};

pub const PARAMS: &[u8] = &[0x00];
pub const RECORDS: u8 = 0x01;
pub const RING: u8 = 0x02;
pub const PRICE: &[u8] = &[0x03];
pub const TOTAL: &[u8] = &[0x04];

pub fn record(neuron: &Address) -> Vec<u8> {
    key(RECORDS, &[neuron.as_bytes()])
}

pub fn ring(height: Height) -> Vec<u8> {
    key(RING, &[&height.0.to_be_bytes()])
}
