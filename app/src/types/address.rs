//! Account addresses: 20 bytes for keys, up to 32 for accounts that modules make; bech32 outside.

use bech32::{Bech32, Hrp};
use ripemd::Ripemd160;
use sha2::{Digest, Sha256};
use std::fmt;

/// The bytes of an account address. Ordered by bytes, then by length.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address {
    bytes: [u8; 32],
    length: u8,
}

/// Why a text is no address of this chain.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum AddressError {
    #[error("empty address string is not allowed")]
    Empty,
    #[error("decoding bech32 failed: {0}")]
    Bech32(String),
    #[error("invalid Bech32 prefix; expected {expected}, got {got}")]
    Prefix { expected: String, got: String },
    #[error("address must be lower case, got '{0}'")]
    Case(String),
    #[error("address has {0} bytes, 20 (an account of a key) or 32 (of a module) are allowed")]
    Length(usize),
}

impl Address {
    /// An address of 20 or 32 bytes.
    pub fn new(bytes: &[u8]) -> Result<Address, AddressError> {
        if bytes.len() != 20 && bytes.len() != 32 {
            return Err(AddressError::Length(bytes.len()));
        }
        let mut all = [0; 32];
        all[..bytes.len()].copy_from_slice(bytes);
        Ok(Address { bytes: all, length: bytes.len() as u8 })
    }

    /// The address of a compressed secp256k1 key: RIPEMD-160 of its SHA-256.
    pub fn of_key(compressed: &[u8; 33]) -> Address {
        let digest: [u8; 20] = Ripemd160::digest(Sha256::digest(compressed)).into();
        Address::twenty(digest)
    }

    /// The address of a module's account: the first 20 bytes of the name's SHA-256.
    pub fn of_module(name: &str) -> Address {
        Address::first_twenty(Sha256::digest(name.as_bytes()).into())
    }

    /// The first 20 bytes of a digest, as module and multisig accounts are addressed.
    pub fn first_twenty(digest: [u8; 32]) -> Address {
        let mut bytes = [0; 20];
        bytes.copy_from_slice(&digest[..20]);
        Address::twenty(bytes)
    }

    fn twenty(short: [u8; 20]) -> Address {
        let mut bytes = [0; 32];
        bytes[..20].copy_from_slice(&short);
        Address { bytes, length: 20 }
    }

    /// The bytes, 20 or 32 of them.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.length)]
    }

    /// Reads `prefix1…`, lower case only.
    pub fn parse(text: &str, prefix: &str) -> Result<Address, AddressError> {
        if text.trim().is_empty() {
            return Err(AddressError::Empty);
        }
        if text.bytes().any(|b| b.is_ascii_uppercase()) {
            return Err(AddressError::Case(text.to_owned()));
        }
        let (hrp, bytes) = bech32::primitives::decode::CheckedHrpstring::new::<Bech32>(text)
            .map(|checked| (checked.hrp().to_string(), checked.byte_iter().collect::<Vec<u8>>()))
            .map_err(|error| AddressError::Bech32(error.to_string()))?;
        if hrp != prefix {
            return Err(AddressError::Prefix { expected: prefix.to_owned(), got: hrp });
        }
        Address::new(&bytes)
    }

    /// Writes `prefix1…`. The prefix is a chain parameter, checked when genesis is read.
    pub fn to_bech32(&self, prefix: &str) -> String {
        let hrp = Hrp::parse(prefix).expect("the chain's address prefix was checked at genesis");
        bech32::encode::<Bech32>(hrp, self.as_bytes()).expect("32 bytes fit a bech32 string")
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.as_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "0243552ed225936737cf07905d2ea3c95b21cd5840cb4339f5cad47a4b1cda96a4";
    const TEXT: &str = "bostrom1phaxpevm5wecex2jyaqty2a4v02qj7qm5n94ug";

    #[test]
    fn a_key_has_the_address_cosmjs_gives_it() {
        let mut key = [0; 33];
        hex::decode_to_slice(KEY, &mut key).expect("hex");
        let address = Address::of_key(&key);
        assert_eq!(address.to_bech32("bostrom"), TEXT);
        assert_eq!(Address::parse(TEXT, "bostrom"), Ok(address));
    }

    #[test]
    fn refuses_other_prefixes_capitals_and_damage() {
        assert!(matches!(Address::parse(TEXT, "cyber"), Err(AddressError::Prefix { .. })));
        let upper = TEXT.to_uppercase();
        assert!(matches!(Address::parse(&upper, "bostrom"), Err(AddressError::Case(_))));
        let damaged = TEXT.replace('5', "6");
        assert!(matches!(Address::parse(&damaged, "bostrom"), Err(AddressError::Bech32(_))));
        assert_eq!(Address::parse("", "bostrom"), Err(AddressError::Empty));
    }
}
