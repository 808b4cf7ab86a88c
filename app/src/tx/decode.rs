//! Bytes become a transaction.
//!
//! One strict walk over the wire, memory at most proportional to the bytes, nothing re-encoded:
//! what signatures cover are slices of what was received. Invariants: the bytes of a decoded
//! transaction are the only spelling of their envelope (`TxRaw` re-encodes to itself); body, auth
//! info and messages hold no field this chain does not know, at any depth.
//!
//! Deliberately absent: limits on size, messages and signatures and everything that needs state,
//! which `ante` checks. A transaction that is well-formed but breaks a stateless rule still
//! decodes, so that `ante` can refuse it in the order clients know, with its gas limit at hand.

use crate::error::{code, Refusal};
use crate::tx::key::{read_key, read_mode, Mode, PublicKey};
use crate::tx::message::{self, Msg};
use crate::tx::wire::{read_any, read_coin, Fields, WireFault};
use crate::types::coin::parse_amount;
use crate::types::{sha256, Address, Coin, Coins, Hash};
use prost::bytes::Bytes;

/// A transaction that is well-formed. Public fields hold what it says; the three `validate`
/// methods tell whether that keeps the stateless rules, and must have passed before the
/// messages, the fee and the signers are acted upon.
#[derive(Clone, Debug)]
pub struct Tx {
    pub bytes: Bytes,
    /// SHA-256 of the bytes.
    pub hash: Hash,
    pub body_bytes: Bytes,
    pub auth_info_bytes: Bytes,
    /// All messages, or those before the first that breaks a rule.
    pub messages: Vec<Msg>,
    pub memo: String,
    /// The last height at which it may enter a block; 0: any.
    pub timeout_height: u64,
    /// Whether there are extension options, critical or not: none are known.
    pub has_extension_options: bool,
    pub fee: Fee,
    pub signer_infos: Vec<SignerInfo>,
    pub signatures: Vec<Bytes>,
    /// The chain's address prefix: JSON that was signed spells addresses.
    pub(super) prefix: Box<str>,
    message_refusal: Option<Refusal>,
    fee_refusal: Option<Refusal>,
}

/// What a transaction offers for its execution.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fee {
    /// As written: perhaps unsorted, perhaps zero. See [`Fee::coins`].
    pub amount: Vec<Coin>,
    pub gas_limit: u64,
    /// Who pays where that is not the first signer.
    pub payer: Option<Address>,
    /// Whose allowance pays; an address as written, empty when nobody's.
    pub granter: String,
}

/// What a transaction says of one signer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignerInfo {
    pub public_key: Option<PublicKey>,
    pub mode: Mode,
    pub sequence: u64,
}

/// Decodes a transaction of a chain with this address prefix.
///
/// # Errors
/// sdk/2 for bytes that are no transaction, or that hide something.
pub fn decode(bytes: Bytes, prefix: &str) -> Result<Tx, Refusal> {
    Ok(read_tx(bytes, prefix, true)?)
}

/// Decodes what clients send to be simulated: `Tx`, whose bytes need not be canonical, usually
/// with empty signatures, an unspecified sign mode, perhaps without public keys.
///
/// # Errors
/// As [`decode`].
pub fn decode_simulation(bytes: Bytes, prefix: &str) -> Result<Tx, Refusal> {
    Ok(read_tx(bytes, prefix, false)?)
}

fn read_tx(bytes: Bytes, prefix: &str, canonical: bool) -> Result<Tx, WireFault> {
    let Envelope { body, auth_info, signatures } = read_envelope(&bytes, canonical)?;
    let (body_bytes, auth_info_bytes) = (bytes.slice_ref(body), bytes.slice_ref(auth_info));
    let signatures = signatures.into_iter().map(|signature| bytes.slice_ref(signature)).collect();
    let body = read_body(body, prefix).map_err(|fault| fault.within("body"))?;
    let auth_info = read_auth_info(auth_info, prefix).map_err(|fault| fault.within("auth_info"))?;
    Ok(Tx {
        hash: sha256(&bytes),
        body_bytes,
        auth_info_bytes,
        messages: body.messages,
        memo: body.memo,
        timeout_height: body.timeout_height,
        has_extension_options: body.has_extension_options,
        fee: auth_info.fee,
        signer_infos: auth_info.signer_infos,
        signatures,
        prefix: prefix.into(),
        message_refusal: body.refusal,
        fee_refusal: auth_info.fee_refusal,
        bytes,
    })
}

struct Envelope<'a> {
    body: &'a [u8],
    auth_info: &'a [u8],
    signatures: Vec<&'a [u8]>,
}

/// With minimal varints, ascending fields and no empty single field, bytes are what an encoder
/// makes of their content.
fn read_envelope(bytes: &[u8], canonical: bool) -> Result<Envelope<'_>, WireFault> {
    let mut fields = Fields::new("cosmos.tx.v1beta1.TxRaw", &[3], bytes);
    let mut envelope = Envelope { body: &[], auth_info: &[], signatures: Vec::new() };
    let mut last = 0;
    while let Some(field) = fields.next()? {
        let value = field.bytes()?;
        match field.number {
            1 => envelope.body = value,
            2 => envelope.auth_info = value,
            3 => envelope.signatures.push(value),
            _ => return Err(field.unknown()),
        }
        if canonical && field.number < last {
            let text = format!("field {} after field {last} in TxRaw", field.number);
            return Err(WireFault::new(text));
        }
        if canonical && value.is_empty() && field.number != 3 {
            return Err(WireFault::new(format!("empty field {} in TxRaw", field.number)));
        }
        last = field.number;
    }
    Ok(envelope)
}

#[derive(Default)]
struct Body {
    messages: Vec<Msg>,
    memo: String,
    timeout_height: u64,
    has_extension_options: bool,
    refusal: Option<Refusal>,
}

fn read_body(bytes: &[u8], prefix: &str) -> Result<Body, WireFault> {
    let mut fields = Fields::new("cosmos.tx.v1beta1.TxBody", &[1, 1023, 2047], bytes);
    let mut body = Body::default();
    let mut count = 0usize;
    while let Some(field) = fields.next()? {
        match field.number {
            1 => {
                let read = read_any(field.bytes()?)
                    .and_then(|(url, value)| message::read(url, value, prefix))
                    .map_err(|fault| fault.within(format_args!("message {count}")))?;
                count += 1;
                match read {
                    Ok(message) if body.refusal.is_none() => body.messages.push(message),
                    Err(refusal) if body.refusal.is_none() => body.refusal = Some(refusal),
                    _ => {}
                }
            }
            2 => body.memo = field.text()?.to_owned(),
            3 => body.timeout_height = field.integer()?,
            1023 | 2047 => {
                read_any(field.bytes()?)?;
                body.has_extension_options = true;
            }
            _ => return Err(field.unknown()),
        }
    }
    if count == 0 {
        let log = "must contain at least one message: invalid request";
        body.refusal = Some(Refusal::new(code::INVALID_REQUEST, log));
    }
    Ok(body)
}

struct AuthInfo {
    signer_infos: Vec<SignerInfo>,
    fee: Fee,
    fee_refusal: Option<Refusal>,
}

fn read_auth_info(bytes: &[u8], prefix: &str) -> Result<AuthInfo, WireFault> {
    let mut fields = Fields::new("cosmos.tx.v1beta1.AuthInfo", &[1], bytes);
    let (mut signer_infos, mut fee) = (Vec::new(), None);
    while let Some(field) = fields.next()? {
        match field.number {
            1 => {
                let info = read_signer_info(field.bytes()?);
                let place = format_args!("signer {}", signer_infos.len());
                signer_infos.push(info.map_err(|fault| fault.within(place))?);
            }
            2 => fee = Some(read_fee(field.bytes()?, prefix)?),
            3 => return Err(WireFault::new("tips are not supported")),
            _ => return Err(field.unknown()),
        }
    }
    let missing = || (Fee::default(), Some(Refusal::new(code::INTERNAL, "missing fee")));
    let (fee, fee_refusal) = fee.unwrap_or_else(missing);
    Ok(AuthInfo { signer_infos, fee, fee_refusal })
}

fn read_signer_info(bytes: &[u8]) -> Result<SignerInfo, WireFault> {
    let mut fields = Fields::new("cosmos.tx.v1beta1.SignerInfo", &[], bytes);
    let (mut public_key, mut mode, mut sequence) = (None, &[][..], 0);
    while let Some(field) = fields.next()? {
        match field.number {
            1 => public_key = read_key(field.bytes()?)?,
            2 => mode = field.bytes()?,
            3 => sequence = field.integer()?,
            _ => return Err(field.unknown()),
        }
    }
    Ok(SignerInfo { public_key, mode: read_mode(mode)?, sequence })
}

/// The fee, and the first of its stateless rules it breaks.
fn read_fee(bytes: &[u8], prefix: &str) -> Result<(Fee, Option<Refusal>), WireFault> {
    let mut fields = Fields::new("cosmos.tx.v1beta1.Fee", &[1], bytes);
    let (mut coins, mut gas_limit, mut payer, mut granter) = (Vec::new(), 0, "", "");
    while let Some(field) = fields.next()? {
        match field.number {
            1 => coins.push(read_coin(field.bytes()?)?),
            2 => gas_limit = field.integer()?,
            3 => payer = field.text()?,
            4 => granter = field.text()?,
            _ => return Err(field.unknown()),
        }
    }
    let mut fee = Fee { gas_limit, granter: granter.to_owned(), ..Fee::default() };
    let refusal = check_fee(&mut fee, &coins, payer, prefix).err();
    Ok((fee, refusal))
}

fn check_fee(
    fee: &mut Fee,
    coins: &[(&str, &str)],
    payer: &str,
    prefix: &str,
) -> Result<(), Refusal> {
    const GAS_MAX: u64 = i64::MAX as u64;
    if fee.gas_limit > GAS_MAX {
        let log = format!("invalid gas supplied; {} > {GAS_MAX}: invalid request", fee.gas_limit);
        return Err(Refusal::new(code::INVALID_REQUEST, log));
    }
    for (denom, amount) in coins {
        let amount = parse_amount(amount).map_err(|_| {
            let all: Vec<_> = coins.iter().map(|(d, a)| format!("{a}{d}")).collect();
            let log = format!("invalid fee provided: {}: insufficient fee", all.join(","));
            Refusal::new(code::INSUFFICIENT_FEE, log)
        })?;
        fee.amount.push(Coin::new(denom, amount));
    }
    if !payer.is_empty() {
        let payer = Address::parse(payer, prefix).map_err(|error| {
            let log = format!("invalid fee payer address ({error}): invalid address");
            Refusal::new(code::INVALID_ADDRESS, log)
        })?;
        fee.payer = Some(payer);
    }
    Ok(())
}

impl Tx {
    /// There is a message, and every message keeps the rules that need no state.
    pub fn validate_messages(&self) -> Result<(), Refusal> {
        self.message_refusal.clone().map_or(Ok(()), Err)
    }

    /// There is a fee, its gas limit fits 63 bits, its coins are whole numbers, its payer is an
    /// address.
    pub fn validate_fee(&self) -> Result<(), Refusal> {
        self.fee_refusal.clone().map_or(Ok(()), Err)
    }

    /// There are signatures, one for each signer, each with its signer info.
    pub fn validate_signatures(&self) -> Result<(), Refusal> {
        if self.signatures.is_empty() {
            return Err(Refusal::new(code::NO_SIGNATURES, "no signatures supplied"));
        }
        let expected = self.signers().len();
        let counts = [self.signatures.len(), self.signer_infos.len()];
        match counts.into_iter().find(|count| *count != expected) {
            None => Ok(()),
            Some(got) => {
                let words = "wrong number of signers; expected";
                let log = format!("{words} {expected}, got {got}: unauthorized");
                Err(Refusal::new(code::UNAUTHORIZED, log))
            }
        }
    }

    /// Who must sign: the messages' signers in order, each once, then the fee's payer.
    pub fn signers(&self) -> Vec<Address> {
        let mut signers: Vec<Address> = Vec::with_capacity(1);
        let of_messages = self.messages.iter().flat_map(Msg::signers);
        for signer in of_messages.chain(&self.fee.payer) {
            if !signers.contains(signer) {
                signers.push(*signer);
            }
        }
        signers
    }

    /// Who pays the fee: the named payer, else the first signer. `None` without messages.
    pub fn fee_payer(&self) -> Option<Address> {
        let first = self.messages.first().and_then(|message| message.signers().first());
        self.fee.payer.as_ref().or(first).copied()
    }

    /// The formula's gas: that of the bytes, the signatures and the messages.
    pub fn gas(&self) -> u64 {
        let count = |info: &SignerInfo| info.mode.signature_count() as u64;
        let signatures: u64 = self.signer_infos.iter().map(count).sum();
        let messages: u64 = self.messages.iter().map(Msg::gas).sum();
        self.size_gas() + 1_000 * signatures + messages
    }

    /// The part of the gas that the size makes, used even when refused at the door.
    pub fn size_gas(&self) -> u64 {
        10 * self.bytes.len() as u64
    }
}

impl Fee {
    /// The coins to take: none where all are zero, as some clients spell no fee.
    ///
    /// # Errors
    /// sdk/13 for coins that are unsorted, repeated or partly zero.
    pub fn coins(&self) -> Result<Coins, Refusal> {
        if self.amount.iter().all(|coin| coin.amount.0 == 0) {
            return Ok(Coins::none());
        }
        Coins::new(self.amount.clone()).map_err(|_| {
            let all: Vec<_> = self.amount.iter().map(Coin::to_string).collect();
            let log = format!("invalid fee amount: {}: insufficient fee", all.join(","));
            Refusal::new(code::INSUFFICIENT_FEE, log)
        })
    }
}
