//! Particles: content addresses. The chain knows one spelling, CIDv0 (`Qm…`, 46 characters), and
//! keeps the 32-byte SHA-256 digest in it. It never sees the content.

use super::base58;
use std::fmt;

/// The digest a CIDv0 spells. Ordered by bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Particle(pub [u8; 32]);

/// Why a text is no particle of the chain.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ParticleError {
    /// Not a CID at all, or a CIDv0-like text that does not decode.
    #[error("'{0}' is not a CIDv0 (Qm… of 46 characters)")]
    Invalid(String),
    /// A CID of another version.
    #[error("'{0}' is a CID of another version, the chain takes CIDv0 (Qm…) only")]
    Version(String),
}

const SHA2_256: [u8; 2] = [0x12, 0x20];

impl Particle {
    /// Reads a CIDv0: base58btc of `0x12 0x20` and 32 bytes.
    pub fn parse(text: &str) -> Result<Particle, ParticleError> {
        let whole: Result<&[u8; base58::CHARACTERS], _> = text.as_bytes().try_into();
        let whole = whole.ok().filter(|_| text.starts_with("Qm")).ok_or_else(|| not_zero(text))?;
        let bytes = base58::decode(whole).filter(|bytes| bytes[..2] == SHA2_256);
        let bytes = bytes.ok_or_else(|| ParticleError::Invalid(text.to_owned()))?;
        let mut digest = [0; 32];
        digest.copy_from_slice(&bytes[2..]);
        Ok(Particle(digest))
    }

    /// The CIDv0.
    pub fn to_cid(&self) -> String {
        let mut bytes = [0; base58::BYTES];
        bytes[..2].copy_from_slice(&SHA2_256);
        bytes[2..].copy_from_slice(&self.0);
        String::from_utf8(base58::encode(&bytes).to_vec()).expect("the alphabet is ASCII")
    }
}

/// Which of the two refusals a text that is no CIDv0 gets.
fn not_zero(text: &str) -> ParticleError {
    // Multibase prefixes of the CIDv1 spellings in use: base32, base36, base58btc, base16.
    let version_one = ["baf", "bag", "k2", "k5", "zb2", "zdj", "f01"];
    match version_one.iter().any(|prefix| text.starts_with(prefix)) {
        true => ParticleError::Version(text.to_owned()),
        false => ParticleError::Invalid(text.to_owned()),
    }
}

impl fmt::Display for Particle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_cid())
    }
}

impl fmt::Debug for Particle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_cid())
    }
}
