//! Bytes of stored values. Committed values were written by this code, so one that does not
//! decode is damage that the roots would have shown: reading them panics with the key's meaning.

use prost::Message;

/// A stored protobuf record.
pub fn record<M: Message + Default>(what: &str, bytes: &[u8]) -> M {
    match M::decode(bytes) {
        Ok(message) => message,
        Err(error) => panic!("stored {what} does not decode: {error}"),
    }
}

/// A stored big-endian `u64`.
pub fn number(what: &str, bytes: &[u8]) -> u64 {
    match <[u8; 8]>::try_from(bytes) {
        Ok(bytes) => u64::from_be_bytes(bytes),
        Err(_) => panic!("stored {what} has {} bytes, not 8", bytes.len()),
    }
}

/// A stored big-endian `u128`.
pub fn wide(what: &str, bytes: &[u8]) -> u128 {
    match <[u8; 16]>::try_from(bytes) {
        Ok(bytes) => u128::from_be_bytes(bytes),
        Err(_) => panic!("stored {what} has {} bytes, not 16", bytes.len()),
    }
}

/// A key: a prefix and what follows it.
pub fn key(prefix: u8, rest: &[&[u8]]) -> Vec<u8> {
    let mut key = Vec::with_capacity(1 + rest.iter().map(|part| part.len()).sum::<usize>());
    key.push(prefix);
    rest.iter().for_each(|part| key.extend_from_slice(part));
    key
}
