//! Other spellings of a particle: CIDv1 in any base, made the CIDv0 the chain knows.
//!
//! A CIDv1 is a base's letter and, in that base: version 1, codec, hash function, digest. It names
//! the same content as a CIDv0 when the codec is dag-pb and the hash SHA-256 of 32 bytes; with any
//! other the same content has another digest, so it cannot be turned into a particle without the
//! content itself. The errors say which case it is.

use crate::types::Particle;

/// Why a text does not name a particle.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CidError {
    /// Not a content address at all: it may be a text.
    #[error("'{0}' is not a content address (CID)")]
    NotACid(String),
    /// A sound CID of another kind of node.
    #[error(
        "'{text}' has the codec {codec}, a particle is dag-pb: the same content added without raw \
         leaves has another address, `cyberd cid --file FILE` shows it"
    )]
    Codec { text: String, codec: String },
    /// A sound CID with another hash function or a shortened digest.
    #[error(
        "'{text}' is made with {hash} of {bytes} bytes, a particle with sha2-256 of 32: the same \
         content has another address, `cyberd cid --file FILE` shows it"
    )]
    Hash { text: String, hash: String, bytes: u64 },
}

/// Longer texts are no CID: one of 36 bytes takes 289 characters in base 2.
const LONGEST: usize = 512;
const DAG_PB: u64 = 0x70;
const SHA2_256: u64 = 0x12;

/// Reads a particle in any spelling: CIDv0, CIDv1 in any base, either with `ipfs://` or `/ipfs/`
/// before it. White space around it does not matter.
///
/// # Errors
/// [`CidError::NotACid`] for what is no CID, the other two for CIDs that have no CIDv0.
pub fn parse_any_cid(text: &str) -> Result<Particle, CidError> {
    let text = text.trim();
    let bare = text.strip_prefix("ipfs://").or_else(|| text.strip_prefix("/ipfs/"));
    let bare = bare.unwrap_or(text);
    if let Ok(particle) = Particle::parse(bare) {
        return Ok(particle);
    }
    let not_a_cid = || CidError::NotACid(text.to_owned());
    let bytes = from_multibase(bare).ok_or_else(not_a_cid)?;
    let cid = read_version_one(&bytes).ok_or_else(not_a_cid)?;
    if cid.codec != DAG_PB {
        let codec = codec_name(cid.codec);
        return Err(CidError::Codec { text: text.to_owned(), codec });
    }
    match <[u8; 32]>::try_from(cid.digest) {
        Ok(digest) if cid.hash == SHA2_256 => Ok(Particle(digest)),
        _ => Err(CidError::Hash {
            text: text.to_owned(),
            hash: hash_name(cid.hash),
            bytes: cid.digest.len() as u64,
        }),
    }
}

struct VersionOne<'a> {
    codec: u64,
    hash: u64,
    digest: &'a [u8],
}

fn read_version_one(bytes: &[u8]) -> Option<VersionOne<'_>> {
    let mut rest = bytes;
    if take_varint(&mut rest)? != 1 {
        return None;
    }
    let codec = take_varint(&mut rest)?;
    let hash = take_varint(&mut rest)?;
    let length = take_varint(&mut rest)?;
    let whole = length == rest.len() as u64 && length > 0;
    whole.then_some(VersionOne { codec, hash, digest: rest })
}

/// An unsigned varint of at most nine bytes, written the shortest way.
fn take_varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for index in 0..9 {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << (7 * index);
        if byte < 0x80 {
            return (byte != 0 || index == 0).then_some(value);
        }
    }
    None
}

fn codec_name(codec: u64) -> String {
    let known = [(0x55, "raw"), (0x71, "dag-cbor"), (0x72, "libp2p-key"), (0x0129, "dag-json")];
    name_or_number(&known, codec)
}

fn hash_name(hash: u64) -> String {
    let known = [
        (0x00, "identity"),
        (0x11, "sha1"),
        (0x12, "sha2-256"),
        (0x13, "sha2-512"),
        (0x16, "sha3-256"),
        (0x1b, "keccak-256"),
        (0x1e, "blake3"),
        (0xb220, "blake2b-256"),
    ];
    name_or_number(&known, hash)
}

fn name_or_number(known: &[(u64, &str)], number: u64) -> String {
    let found = known.iter().find(|(code, _)| *code == number);
    found.map_or_else(|| format!("0x{number:x}"), |(_, name)| (*name).to_owned())
}

/// The bytes of a multibase text, `None` if it is none. Alphabets without capitals are read in
/// either case.
pub(super) fn from_multibase(text: &str) -> Option<Vec<u8>> {
    if text.len() > LONGEST || !text.is_ascii() {
        return None;
    }
    let (letter, digits) = text.split_at_checked(1)?;
    let lower = digits.to_ascii_lowercase();
    match letter {
        "0" => from_bits("01", digits),
        "7" => from_bits("01234567", digits),
        "9" => from_radix("0123456789", digits),
        "f" | "F" => from_bits("0123456789abcdef", &lower),
        "b" | "B" => from_bits(BASE32, &lower),
        "c" | "C" => from_bits(BASE32, lower.trim_end_matches('=')),
        "v" | "V" => from_bits(BASE32_HEX, &lower),
        "t" | "T" => from_bits(BASE32_HEX, lower.trim_end_matches('=')),
        "h" => from_bits("ybndrfg8ejkmcpqxot1uwisza345h769", &lower),
        "k" | "K" => from_radix("0123456789abcdefghijklmnopqrstuvwxyz", &lower),
        "z" => from_radix(BASE58_BITCOIN, digits),
        "Z" => from_radix(BASE58_FLICKR, digits),
        "m" => from_bits(&format!("{ALPHANUMERIC}+/"), digits),
        "M" => from_bits(&format!("{ALPHANUMERIC}+/"), digits.trim_end_matches('=')),
        "u" => from_bits(&format!("{ALPHANUMERIC}-_"), digits),
        "U" => from_bits(&format!("{ALPHANUMERIC}-_"), digits.trim_end_matches('=')),
        _ => None,
    }
}

const BASE32: &str = "abcdefghijklmnopqrstuvwxyz234567";
const BASE32_HEX: &str = "0123456789abcdefghijklmnopqrstuv";
const BASE58_BITCOIN: &str = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
const BASE58_FLICKR: &str = "123456789abcdefghijkmnopqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ";
const ALPHANUMERIC: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// Digits of a power of two, first digit highest; bits left over at the end must be zero.
fn from_bits(alphabet: &str, digits: &str) -> Option<Vec<u8>> {
    let bits = alphabet.len().trailing_zeros();
    let mut out = Vec::with_capacity(digits.len());
    let (mut held, mut held_bits) = (0_u32, 0);
    for digit in digits.chars() {
        held = (held << bits) | alphabet.find(digit)? as u32;
        held_bits += bits;
        if held_bits >= 8 {
            held_bits -= 8;
            out.push((held >> held_bits) as u8);
            held &= (1 << held_bits) - 1;
        }
    }
    (held == 0 && held_bits < bits).then_some(out)
}

/// Digits of one large number; each leading zero digit is a leading zero byte.
fn from_radix(alphabet: &str, digits: &str) -> Option<Vec<u8>> {
    let radix = alphabet.len() as u32;
    let mut little_endian: Vec<u8> = Vec::with_capacity(digits.len());
    for digit in digits.chars() {
        let mut carry = alphabet.find(digit)? as u32;
        for byte in &mut little_endian {
            carry += u32::from(*byte) * radix;
            *byte = carry as u8;
            carry >>= 8;
        }
        if carry > 0 {
            little_endian.push(carry as u8);
        }
    }
    let zero = &alphabet[..1];
    let leading = digits.chars().take_while(|digit| zero.starts_with(*digit)).count();
    little_endian.resize(little_endian.len() + leading, 0);
    little_endian.reverse();
    Some(little_endian)
}
