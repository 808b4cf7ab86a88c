//! The byte forms that are hashed: IAVL nodes with their variable-length integers.
//! Nothing here knows a structure; see [`super::tree`].

use crate::types::Hash;
use sha2::{Digest, Sha256};

/// SHA-256 of nothing: the root of every empty structure.
pub const EMPTY: Hash = [
    0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14, 0x9a, 0xfb, 0xf4, 0xc8, 0x99, 0x6f, 0xb9, 0x24,
    0x27, 0xae, 0x41, 0xe4, 0x64, 0x9b, 0x93, 0x4c, 0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52, 0xb8, 0x55,
];

/// Appends an unsigned integer, seven bits a byte, lowest first (protobuf's varint).
pub fn put_unsigned(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// Appends a number that fits `i64` as IAVL writes signed ones: doubled, so that the lowest bit
/// (the sign, never set here) is free.
pub fn put_signed(out: &mut Vec<u8>, number: u64) {
    assert!(number <= i64::MAX as u64, "IAVL numbers are signed 64-bit");
    put_unsigned(out, number << 1);
}

/// What IAVL writes before a leaf's key: height 0, size 1, version.
pub fn leaf_prefix(version: u64) -> Vec<u8> {
    node_prefix(0, 1, version)
}

/// What IAVL writes first of any node: height, size, version.
pub fn node_prefix(height: u8, size: u64, version: u64) -> Vec<u8> {
    // Room for what follows: two hashes with their lengths, or those of a common key and value.
    let mut out = Vec::with_capacity(96);
    put_signed(&mut out, u64::from(height));
    put_signed(&mut out, size);
    put_signed(&mut out, version);
    out
}

/// The hash of an IAVL leaf.
pub fn leaf(key: &[u8], value: &[u8], version: u64) -> Hash {
    let mut bytes = leaf_prefix(version);
    put_unsigned(&mut bytes, key.len() as u64);
    bytes.extend_from_slice(key);
    bytes.push(32);
    bytes.extend_from_slice(&Sha256::digest(value));
    Sha256::digest(&bytes).into()
}

/// The hash of an IAVL inner node.
pub fn inner(height: u8, size: u64, version: u64, left: &Hash, right: &Hash) -> Hash {
    let mut bytes = node_prefix(height, size, version);
    for child in [left, right] {
        bytes.push(32);
        bytes.extend_from_slice(child);
    }
    Sha256::digest(&bytes).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_empty_hash_is_that_of_no_bytes() {
        assert_eq!(EMPTY, <[u8; 32]>::from(Sha256::digest([])));
    }

    #[test]
    fn numbers_are_written_as_go_writes_them() {
        let mut out = Vec::new();
        put_signed(&mut out, 64);
        put_unsigned(&mut out, 300);
        assert_eq!(out, [0x80, 0x01, 0xac, 0x02]);
    }
}
