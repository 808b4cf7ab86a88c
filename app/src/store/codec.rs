//! Bytes of what the store writes: integers big endian, lengths before contents. Reading checks
//! every length against what is there, so damaged bytes end in `Fault::Damage`, never in a panic
//! or in an allocation that the bytes do not pay for.
//!
//! [`seal`] and [`unseal`] put the version of its format (1 byte) and a checksum behind every
//! stored value: the first 8 bytes of the SHA-256 of key, body and version, so that a value under
//! the wrong key is damage too. A later version of this program reads all versions up to its own.

use crate::error::Fault;
use sha2::{Digest, Sha256};

/// The version of the records that are written.
pub const VERSION: u8 = 1;
/// Bytes of the checksum behind every stored value.
pub const SEAL_BYTES: usize = 8;

/// Appends an integer of one byte.
pub fn put_u8(out: &mut Vec<u8>, value: u8) {
    out.push(value);
}

/// Appends an integer of four bytes.
pub fn put_u32(out: &mut Vec<u8>, value: u32) {
    out.extend_from_slice(&value.to_be_bytes());
}

/// Appends an integer of eight bytes.
pub fn put_u64(out: &mut Vec<u8>, value: u64) {
    out.extend_from_slice(&value.to_be_bytes());
}

/// Appends how many items follow.
pub fn put_count(out: &mut Vec<u8>, count: usize) {
    put_u32(out, u32::try_from(count).expect("fewer than 2^32 items in one record"));
}

/// Appends bytes with their length (4 bytes) before them.
pub fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_count(out, bytes.len());
    out.extend_from_slice(bytes);
}

/// Reads what the `put` functions wrote.
pub struct Input<'a> {
    rest: &'a [u8],
    what: &'a str,
}

impl<'a> Input<'a> {
    /// A reader over the bytes; `what` names them in messages.
    pub fn new(bytes: &'a [u8], what: &'a str) -> Input<'a> {
        Input { rest: bytes, what }
    }

    /// The fault that names what is being read.
    pub fn damage(&self, why: impl std::fmt::Display) -> Fault {
        Fault::Damage(format!("{}: {why}", self.what))
    }

    /// The next `count` bytes.
    pub fn take(&mut self, count: usize) -> Result<&'a [u8], Fault> {
        if count > self.rest.len() {
            return Err(self.damage(format!("{count} bytes wanted, {} left", self.rest.len())));
        }
        let (taken, rest) = self.rest.split_at(count);
        self.rest = rest;
        Ok(taken)
    }

    /// The next `N` bytes.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        let mut bytes = [0; N];
        bytes.copy_from_slice(self.take(N)?);
        Ok(bytes)
    }

    /// An integer of one byte.
    pub fn u8(&mut self) -> Result<u8, Fault> {
        Ok(self.array::<1>()?[0])
    }

    /// An integer of four bytes.
    pub fn u32(&mut self) -> Result<u32, Fault> {
        Ok(u32::from_be_bytes(self.array()?))
    }

    /// An integer of eight bytes.
    pub fn u64(&mut self) -> Result<u64, Fault> {
        Ok(u64::from_be_bytes(self.array()?))
    }

    /// How many items of at least `least` bytes follow; refuses more than the bytes can hold.
    pub fn count(&mut self, least: usize) -> Result<usize, Fault> {
        let count = self.u32()? as usize;
        match count.checked_mul(least.max(1)) {
            Some(bytes) if bytes <= self.rest.len() => Ok(count),
            _ => Err(self.damage(format!("{count} items do not fit {} bytes", self.rest.len()))),
        }
    }

    /// Bytes with their length before them.
    pub fn bytes(&mut self) -> Result<&'a [u8], Fault> {
        let count = self.count(1)?;
        self.take(count)
    }

    /// How many bytes are left.
    pub fn left(&self) -> usize {
        self.rest.len()
    }

    /// Everything was read.
    pub fn end(&self) -> Result<(), Fault> {
        match self.rest.len() {
            0 => Ok(()),
            left => Err(self.damage(format!("{left} bytes too many"))),
        }
    }
}

/// The body with version and checksum behind it.
pub fn seal(key: &[u8], mut body: Vec<u8>) -> Vec<u8> {
    body.push(VERSION);
    let sum = checksum(key, &body);
    body.extend_from_slice(&sum);
    body
}

/// The body of a sealed value, if its checksum fits and its version is known.
pub fn unseal<'a>(key: &[u8], value: &'a [u8]) -> Result<&'a [u8], Fault> {
    let split = value.len().checked_sub(SEAL_BYTES);
    let (body, sum) = value.split_at(split.unwrap_or(0));
    if split.is_none() || sum != checksum(key, body) {
        let key = super::tables::describe(key);
        return Err(Fault::Damage(format!("{key}: the checksum does not fit")));
    }
    match body.split_last() {
        Some((&VERSION, body)) => Ok(body),
        version => Err(Fault::Unfit(format!(
            "{}: a record of version {}, this version of cyberd reads {VERSION}: start the one \
             that wrote it",
            super::tables::describe(key),
            version.map_or(0, |(version, _)| *version)
        ))),
    }
}

fn checksum(key: &[u8], body: &[u8]) -> [u8; SEAL_BYTES] {
    let digest = Sha256::new().chain_update(key).chain_update(body).finalize();
    let mut sum = [0; SEAL_BYTES];
    sum.copy_from_slice(&digest[..SEAL_BYTES]);
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_back_what_was_put() {
        let mut out = Vec::new();
        put_u8(&mut out, 7);
        put_u32(&mut out, 8);
        put_u64(&mut out, 9);
        put_bytes(&mut out, b"ten");
        let mut input = Input::new(&out, "test");
        assert_eq!(input.u8().unwrap(), 7);
        assert_eq!(input.u32().unwrap(), 8);
        assert_eq!(input.u64().unwrap(), 9);
        assert_eq!(input.bytes().unwrap(), b"ten");
        assert!(input.end().is_ok());
        assert!(input.u8().is_err());
    }

    #[test]
    fn a_count_that_the_bytes_cannot_hold_is_damage() {
        let mut input = Input::new(&[0xff, 0xff, 0xff, 0xff, 0], "test");
        assert!(input.count(1).is_err());
    }

    #[test]
    fn any_flipped_bit_of_a_sealed_value_is_noticed() {
        let sealed = seal(b"Jkey", b"body".to_vec());
        assert_eq!(unseal(b"Jkey", &sealed).unwrap(), b"body");
        assert!(unseal(b"Jkez", &sealed).is_err());
        for bit in 0..sealed.len() * 8 {
            let mut other = sealed.clone();
            other[bit / 8] ^= 1 << (bit % 8);
            assert!(unseal(b"Jkey", &other).is_err());
        }
        assert!(unseal(b"Jkey", &[]).is_err());
    }

    #[test]
    fn a_record_of_another_version_is_refused_and_not_taken_for_damage() {
        let mut later = b"body".to_vec();
        later.push(VERSION + 1);
        let sum = checksum(b"Jkey", &later);
        later.extend_from_slice(&sum);
        let fault = unseal(b"Jkey", &later).expect_err("of a later version");
        assert!(matches!(&fault, Fault::Unfit(text) if text.contains("version 2")), "{fault}");
    }
}
