//! Public keys and what a transaction says about how they sign.
//!
//! Invariants: keys nest at most [`DEPTH_MAX`] deep; a multisig key has at least one key and a
//! threshold from 1 to their number. Whether a key's bytes are a point of the curve is found out
//! when it verifies, not here.

use crate::error::Refusal;
use crate::tx::wire::{read_any, Fields, WireFault};
use crate::types::{sha256, Address};
use cyber_proto::cosmos::crypto::{ed25519, multisig, secp256k1};
use cyber_proto::Any;
use prost::{Message, Name};

/// How deep multisig keys and their sign modes may nest: a plain key is at depth 1.
pub const DEPTH_MAX: u32 = 4;

/// A key an account may have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PublicKey {
    /// Compressed.
    Secp256k1([u8; 33]),
    /// Known by its address only: accounts do not sign with it.
    Ed25519([u8; 32]),
    Multisig(Multisig),
}

/// Several keys, of which `threshold` must sign.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Multisig {
    pub threshold: u32,
    pub keys: Vec<PublicKey>,
}

/// Amino's prefixes of the key types, part of a multisig's address.
const AMINO_SECP256K1: [u8; 5] = [0xeb, 0x5a, 0xe9, 0x87, 0x21];
const AMINO_ED25519: [u8; 5] = [0x16, 0x24, 0xde, 0x64, 0x20];
const AMINO_MULTISIG: [u8; 4] = [0x22, 0xc1, 0xf7, 0xe2];

impl PublicKey {
    /// The address of the account this key controls.
    pub fn address(&self) -> Address {
        match self {
            PublicKey::Secp256k1(key) => Address::of_key(key),
            PublicKey::Ed25519(key) => Address::first_twenty(sha256(key)),
            PublicKey::Multisig(_) => Address::first_twenty(sha256(&self.amino_bytes())),
        }
    }

    /// How many plain keys it consists of; what the limit on signatures counts.
    pub fn key_count(&self) -> usize {
        match self {
            PublicKey::Multisig(multisig) => multisig.keys.iter().map(PublicKey::key_count).sum(),
            _ => 1,
        }
    }

    /// Whether an ed25519 key is in it.
    pub fn has_ed25519(&self) -> bool {
        match self {
            PublicKey::Secp256k1(_) => false,
            PublicKey::Ed25519(_) => true,
            PublicKey::Multisig(multisig) => multisig.keys.iter().any(PublicKey::has_ed25519),
        }
    }

    /// Amino's encoding of the key, which tells it from every other.
    pub fn amino_bytes(&self) -> Vec<u8> {
        match self {
            PublicKey::Secp256k1(key) => [&AMINO_SECP256K1[..], key].concat(),
            PublicKey::Ed25519(key) => [&AMINO_ED25519[..], key].concat(),
            PublicKey::Multisig(Multisig { threshold, keys }) => {
                let mut out = AMINO_MULTISIG.to_vec();
                prost::encoding::uint32::encode(1, threshold, &mut out);
                for key in keys {
                    prost::encoding::bytes::encode(2, &key.amino_bytes(), &mut out);
                }
                out
            }
        }
    }

    /// The key as `google.protobuf.Any`, as accounts carry it.
    pub fn to_any(&self) -> Any {
        match self {
            PublicKey::Secp256k1(key) => Any {
                type_url: secp256k1::PubKey::type_url(),
                value: secp256k1::PubKey { key: key.to_vec() }.encode_to_vec(),
            },
            PublicKey::Ed25519(key) => Any {
                type_url: ed25519::PubKey::type_url(),
                value: ed25519::PubKey { key: key.to_vec() }.encode_to_vec(),
            },
            PublicKey::Multisig(Multisig { threshold, keys }) => {
                let public_keys = keys.iter().map(PublicKey::to_any).collect();
                let value = multisig::LegacyAminoPubKey { threshold: *threshold, public_keys };
                Any {
                    type_url: multisig::LegacyAminoPubKey::type_url(),
                    value: value.encode_to_vec(),
                }
            }
        }
    }

    /// Reads what [`PublicKey::to_any`] writes.
    pub fn from_any(any: &Any) -> Result<PublicKey, Refusal> {
        Ok(read_typed(&any.type_url, &any.value, DEPTH_MAX)?)
    }
}

/// Reads the encoding of an `Any` that holds a key; an empty one holds none.
pub(super) fn read_key(bytes: &[u8]) -> Result<Option<PublicKey>, WireFault> {
    match read_any(bytes)? {
        ("", []) => Ok(None),
        (url, value) => read_typed(url, value, DEPTH_MAX).map(Some),
    }
}

fn read_typed(url: &str, value: &[u8], depth: u32) -> Result<PublicKey, WireFault> {
    if depth == 0 {
        return Err(WireFault::new(format!("public keys nest more than {DEPTH_MAX} deep")));
    }
    match url {
        "/cosmos.crypto.secp256k1.PubKey" => {
            read_plain("cosmos.crypto.secp256k1.PubKey", value).map(PublicKey::Secp256k1)
        }
        "/cosmos.crypto.ed25519.PubKey" => {
            read_plain("cosmos.crypto.ed25519.PubKey", value).map(PublicKey::Ed25519)
        }
        "/cosmos.crypto.multisig.LegacyAminoPubKey" => {
            read_multisig(value, depth).map(PublicKey::Multisig)
        }
        _ => Err(WireFault::new(format!("unable to resolve type URL {url}"))),
    }
}

fn read_plain<const N: usize>(name: &'static str, value: &[u8]) -> Result<[u8; N], WireFault> {
    let mut fields = Fields::new(name, &[], value);
    let mut key = &[][..];
    while let Some(field) = fields.next()? {
        match field.number {
            1 => key = field.bytes()?,
            _ => return Err(field.unknown()),
        }
    }
    let wrong = |_| WireFault::new(format!("{name} of {} bytes, {N} expected", key.len()));
    key.try_into().map_err(wrong)
}

fn read_multisig(value: &[u8], depth: u32) -> Result<Multisig, WireFault> {
    let mut fields = Fields::new("cosmos.crypto.multisig.LegacyAminoPubKey", &[2], value);
    let (mut threshold, mut keys) = (0, Vec::new());
    while let Some(field) = fields.next()? {
        match field.number {
            1 => threshold = field.integer()?,
            2 => {
                let (url, value) = read_any(field.bytes()?)?;
                keys.push(read_typed(url, value, depth - 1)?);
            }
            _ => return Err(field.unknown()),
        }
    }
    match u32::try_from(threshold) {
        Ok(threshold @ 1..) if threshold as usize <= keys.len() => Ok(Multisig { threshold, keys }),
        _ => Err(WireFault::new(format!("multisig of {threshold} out of {} keys", keys.len()))),
    }
}

/// How a signature was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignMode {
    /// Over the bytes of the transaction.
    Direct,
    /// Over sorted JSON.
    AminoJson,
    /// Any other number: never verifies. Simulations send 0.
    Other(u64),
}

/// How one signer signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mode {
    Single(SignMode),
    Multi { bits: BitArray, modes: Vec<Mode> },
}

impl Mode {
    /// How many plain signatures there are; what gas is charged for.
    pub fn signature_count(&self) -> usize {
        match self {
            Mode::Single(_) => 1,
            Mode::Multi { modes, .. } => modes.iter().map(Mode::signature_count).sum(),
        }
    }

    /// Whether every signature is over JSON.
    pub fn is_all_amino(&self) -> bool {
        match self {
            Mode::Single(mode) => *mode == SignMode::AminoJson,
            Mode::Multi { modes, .. } => modes.iter().all(Mode::is_all_amino),
        }
    }
}

/// Which keys of a multisig signed. Bits beyond its length are zero.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BitArray {
    bits: Vec<u8>,
    length: usize,
}

impl BitArray {
    pub fn len(&self) -> usize {
        self.length
    }

    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// The positions of the bits that are set, ascending.
    pub fn ones(&self) -> impl Iterator<Item = usize> + '_ {
        (0..self.length).filter(|at| self.bits[at / 8] & (0x80 >> (at % 8)) != 0)
    }
}

/// Reads `cosmos.tx.v1beta1.ModeInfo`. Nothing set reads as the unspecified mode.
pub(super) fn read_mode(bytes: &[u8]) -> Result<Mode, WireFault> {
    read_mode_at(bytes, DEPTH_MAX)
}

fn read_mode_at(bytes: &[u8], depth: u32) -> Result<Mode, WireFault> {
    if depth == 0 {
        return Err(WireFault::new(format!("sign modes nest more than {DEPTH_MAX} deep")));
    }
    let mut fields = Fields::new("cosmos.tx.v1beta1.ModeInfo", &[], bytes);
    let mut mode = None;
    while let Some(field) = fields.next()? {
        let next = match field.number {
            1 => Mode::Single(read_single(field.bytes()?)?),
            2 => read_multi(field.bytes()?, depth)?,
            _ => return Err(field.unknown()),
        };
        if mode.replace(next).is_some() {
            return Err(WireFault::new("both single and multi in cosmos.tx.v1beta1.ModeInfo"));
        }
    }
    Ok(mode.unwrap_or(Mode::Single(SignMode::Other(0))))
}

fn read_single(bytes: &[u8]) -> Result<SignMode, WireFault> {
    let mut fields = Fields::new("cosmos.tx.v1beta1.ModeInfo.Single", &[], bytes);
    let mut mode = 0;
    while let Some(field) = fields.next()? {
        match field.number {
            1 => mode = field.integer()?,
            _ => return Err(field.unknown()),
        }
    }
    Ok(match mode {
        1 => SignMode::Direct,
        127 => SignMode::AminoJson,
        other => SignMode::Other(other),
    })
}

fn read_multi(bytes: &[u8], depth: u32) -> Result<Mode, WireFault> {
    let mut fields = Fields::new("cosmos.tx.v1beta1.ModeInfo.Multi", &[2], bytes);
    let mut bits = BitArray { bits: Vec::new(), length: 0 };
    let mut modes = Vec::new();
    while let Some(field) = fields.next()? {
        match field.number {
            1 => bits = read_bits(field.bytes()?)?,
            2 => modes.push(read_mode_at(field.bytes()?, depth - 1)?),
            _ => return Err(field.unknown()),
        }
    }
    Ok(Mode::Multi { bits, modes })
}

fn read_bits(bytes: &[u8]) -> Result<BitArray, WireFault> {
    const NAME: &str = "cosmos.crypto.multisig.v1beta1.CompactBitArray";
    let mut fields = Fields::new(NAME, &[], bytes);
    let (mut extra, mut bits) = (0, &[][..]);
    while let Some(field) = fields.next()? {
        match field.number {
            1 => extra = field.integer()?,
            2 => bits = field.bytes()?,
            _ => return Err(field.unknown()),
        }
    }
    let unused = match (extra, bits.last()) {
        (0, _) => 0,
        (1..=7, Some(_)) => 8 - extra as usize,
        _ => return Err(WireFault::new(format!("{NAME} of {extra} extra bits"))),
    };
    let length = bits.len() * 8 - unused;
    if bits.last().is_some_and(|last| unused > 0 && last << (8 - unused) != 0) {
        return Err(WireFault::new(format!("{NAME} with bits beyond its length")));
    }
    Ok(BitArray { bits: bits.to_vec(), length })
}
