//! What a signer signed, and whether it did.
//!
//! Direct signatures cover the received bytes, never re-encoded ones. JSON signatures cover a
//! document whose message names and string escapes differ between clients: each spelling commits
//! to the same fields, so one that verifies is enough. secp256k1 by libsecp256k1, low S only: it
//! accepts no second signature for the same message and nonce.
//!
//! Deliberately absent: which key and which account number are right, which the state knows.

use crate::error::{code, Refusal};
use crate::tx::decode::Tx;
use crate::tx::json::{Spelling, Writer};
use crate::tx::key::{BitArray, Mode, Multisig, PublicKey, SignMode};
use crate::tx::wire::{Fields, WireFault};
use crate::types::{sha256, Hash};
use secp256k1::{ecdsa::Signature, Message, SECP256K1};
use std::cell::OnceCell;

/// Checks the signature at an index with the key and account number the state knows for it.
///
/// # Errors
/// sdk/4, in the words clients know; what is unusual about it comes first.
pub fn verify(
    tx: &Tx,
    signer_index: usize,
    key: &PublicKey,
    chain_id: &str,
    account_number: u64,
) -> Result<(), Refusal> {
    let signer = (tx.signer_infos.get(signer_index), tx.signatures.get(signer_index));
    let (Some(info), Some(signature)) = signer else {
        let log = format!("no signature at index {signer_index}: unauthorized");
        return Err(Refusal::new(code::UNAUTHORIZED, log));
    };
    let signed = Signed::new(tx, chain_id, account_number, info.sequence);
    check(key, &info.mode, signature, &signed).map_err(|doubt| {
        let sequence = match info.mode.is_all_amino() {
            true => format!(", sequence ({})", info.sequence),
            false => String::new(),
        };
        let log = format!(
            "signature verification failed; please verify account number \
             ({account_number}){sequence} and chain-id ({chain_id}): unauthorized"
        );
        let refusal = Refusal::new(code::UNAUTHORIZED, log);
        doubt.0.into_iter().fold(refusal, Refusal::within)
    })
}

/// Why a signature does not hold, where there is more to say than that it does not.
#[derive(Debug)]
pub(super) struct Doubt(Option<String>);

impl Doubt {
    fn plain() -> Doubt {
        Doubt(None)
    }

    fn because(text: impl Into<String>) -> Doubt {
        Doubt(Some(text.into()))
    }
}

/// What one signer of a transaction signs, made when first asked for.
pub struct Signed<'a> {
    tx: &'a Tx,
    chain_id: &'a str,
    account_number: u64,
    sequence: u64,
    direct: OnceCell<Hash>,
    amino: Vec<(Dialect, OnceCell<Hash>)>,
}

/// One way to spell a transaction as JSON: which of the messages' names, which escapes.
#[derive(Clone, Copy)]
struct Dialect {
    names: usize,
    spelling: Spelling,
}

/// Every dialect that differs for this transaction, the usual one first. The memo is the only
/// text where the escapes may differ: all others are checked before signatures are.
fn dialects(tx: &Tx) -> Vec<Dialect> {
    let names = tx.messages.iter().map(|message| message.kind().amino_names.len()).max();
    let escapes_differ = tx.memo.contains(['\u{2028}', '\u{2029}']);
    let mut all = Vec::new();
    for names in 0..names.unwrap_or(1) {
        all.push(Dialect { names, spelling: Spelling::JavaScript });
        if escapes_differ {
            all.push(Dialect { names, spelling: Spelling::Go });
        }
    }
    all
}

impl<'a> Signed<'a> {
    pub fn new(tx: &'a Tx, chain_id: &'a str, account_number: u64, sequence: u64) -> Signed<'a> {
        let amino = dialects(tx).into_iter().map(|dialect| (dialect, OnceCell::new())).collect();
        Signed { tx, chain_id, account_number, sequence, direct: OnceCell::new(), amino }
    }

    /// The sign bytes of direct mode: `cosmos.tx.v1beta1.SignDoc`.
    pub fn direct_bytes(&self) -> Vec<u8> {
        use prost::encoding::{bytes, string, uint64};
        let (body, auth_info) = (&self.tx.body_bytes, &self.tx.auth_info_bytes);
        let mut out = Vec::with_capacity(body.len() + auth_info.len() + self.chain_id.len() + 32);
        if !body.is_empty() {
            bytes::encode(1, body, &mut out);
        }
        if !auth_info.is_empty() {
            bytes::encode(2, auth_info, &mut out);
        }
        if !self.chain_id.is_empty() {
            string::encode(3, &self.chain_id.to_owned(), &mut out);
        }
        if self.account_number != 0 {
            uint64::encode(4, &self.account_number, &mut out);
        }
        out
    }

    /// Every spelling of the sign bytes of JSON mode, the usual one first.
    pub fn amino_bytes(&self) -> Vec<Vec<u8>> {
        self.amino.iter().map(|(dialect, _)| self.amino_document(*dialect)).collect()
    }

    fn amino_document(&self, dialect: Dialect) -> Vec<u8> {
        let tx = self.tx;
        let mut out = Writer::new(dialect.spelling);
        out.raw("{\"account_number\":").number(self.account_number);
        out.raw(",\"chain_id\":").text(self.chain_id);
        out.raw(",\"fee\":{\"amount\":").coins(&tx.fee.amount);
        out.raw(",\"gas\":").number(tx.fee.gas_limit);
        if !tx.fee.granter.is_empty() {
            out.raw(",\"granter\":").text(&tx.fee.granter);
        }
        if let Some(payer) = &tx.fee.payer {
            out.raw(",\"payer\":").text(&payer.to_bech32(&tx.prefix));
        }
        out.raw("},\"memo\":").text(&tx.memo).raw(",\"msgs\":[");
        for (at, message) in tx.messages.iter().enumerate() {
            out.raw(if at == 0 { "" } else { "," });
            message.write_amino(dialect.names, &tx.prefix, &mut out);
        }
        out.raw("],\"sequence\":").number(self.sequence);
        if tx.timeout_height != 0 {
            out.raw(",\"timeout_height\":").number(tx.timeout_height);
        }
        out.raw("}");
        out.finish()
    }

    fn direct(&self) -> Hash {
        *self.direct.get_or_init(|| sha256(&self.direct_bytes()))
    }

    /// The digests a JSON signature may be of, each made only when those before it did not fit.
    fn amino(&self) -> impl Iterator<Item = Hash> + '_ {
        self.amino
            .iter()
            .map(|(dialect, digest)| *digest.get_or_init(|| sha256(&self.amino_document(*dialect))))
    }
}

/// Recursion is as deep as keys nest, which decoding bounds.
fn check(key: &PublicKey, mode: &Mode, signature: &[u8], signed: &Signed<'_>) -> Result<(), Doubt> {
    match (key, mode) {
        (PublicKey::Secp256k1(key), Mode::Single(mode)) => match mode {
            SignMode::Direct => check_plain(key, signature, std::iter::once(signed.direct())),
            SignMode::AminoJson => check_plain(key, signature, signed.amino()),
            SignMode::Other(mode) => {
                Err(Doubt::because(format!("sign mode {mode} is not supported")))
            }
        },
        (PublicKey::Multisig(multisig), Mode::Multi { bits, modes }) => {
            check_multisig(multisig, bits, modes, signature, signed)
        }
        (PublicKey::Ed25519(_), _) => Err(Doubt::because("ed25519 keys do not sign transactions")),
        (PublicKey::Secp256k1(_), Mode::Multi { .. }) => {
            Err(Doubt::because("a multisig's sign mode for a single key"))
        }
        (PublicKey::Multisig(_), Mode::Single(_)) => {
            Err(Doubt::because("a single key's sign mode for a multisig"))
        }
    }
}

/// Whether the key signed one of the digests.
pub(super) fn check_plain(
    key: &[u8; 33],
    signature: &[u8],
    mut digests: impl Iterator<Item = Hash>,
) -> Result<(), Doubt> {
    let key = secp256k1::PublicKey::from_byte_array_compressed(*key)
        .map_err(|_| Doubt::because("the public key is no point of secp256k1"))?;
    let signature = Signature::from_compact(signature).map_err(|_| {
        Doubt::because(format!("{} bytes are no secp256k1 signature", signature.len()))
    })?;
    let holds = |digest: Hash| {
        SECP256K1.verify_ecdsa(Message::from_digest(digest), &signature, &key).is_ok()
    };
    digests.any(holds).then_some(()).ok_or_else(Doubt::plain)
}

fn check_multisig(
    multisig: &Multisig,
    bits: &BitArray,
    modes: &[Mode],
    signature: &[u8],
    signed: &Signed<'_>,
) -> Result<(), Doubt> {
    let Multisig { threshold, keys } = multisig;
    let signatures = read_signatures(signature).map_err(|f| Doubt::because(f.to_string()))?;
    let set = bits.ones().count();
    if bits.len() != keys.len() {
        let text = format!("multisig of {} keys with {} bits", keys.len(), bits.len());
        return Err(Doubt::because(text));
    }
    if set < *threshold as usize || signatures.len() != set || modes.len() != set {
        return Err(Doubt::because(format!(
            "multisig with {set} bits set, {} sign modes and {} signatures, {threshold} needed",
            modes.len(),
            signatures.len()
        )));
    }
    let parts = modes.iter().zip(signatures);
    for (at, (mode, signature)) in bits.ones().zip(parts) {
        check(&keys[at], mode, signature, signed)?;
    }
    Ok(())
}

/// Reads `cosmos.crypto.multisig.v1beta1.MultiSignature`.
fn read_signatures(bytes: &[u8]) -> Result<Vec<&[u8]>, WireFault> {
    let name = "cosmos.crypto.multisig.v1beta1.MultiSignature";
    let mut fields = Fields::new(name, &[1], bytes);
    let mut signatures = Vec::new();
    while let Some(field) = fields.next()? {
        match field.number {
            1 => signatures.push(field.bytes()?),
            _ => return Err(field.unknown()),
        }
    }
    Ok(signatures)
}
