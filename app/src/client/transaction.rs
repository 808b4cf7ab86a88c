//! Transactions: messages become signed bytes (direct mode, one signer), with the gas limit that
//! the chain's formula will use. Pure: asks nobody, keeps nothing.

use super::failure::Failure;
use super::keys::SigningKey;
use crate::types::{sha256, Coin, Decimal, Particle};
use cosmrs::tx::{Body, Fee, SignDoc, SignerInfo};
use cosmrs::Any;
use cyber_proto::cosmos::bank::v1beta1::MsgSend;
use cyber_proto::cosmos::base::v1beta1::Coin as WireCoin;
use cyber_proto::cyber::graph::v1beta1::{Link, MsgCyberlink};
use prost::{Message, Name};

/// Most bytes a transaction may have.
pub const MAX_BYTES: usize = 128 * 1024;
/// Most messages a transaction may have.
pub const MAX_MESSAGES: usize = 32;
/// Blocks after which a transaction that no block took can no longer be taken.
pub const LIFETIME_BLOCKS: u64 = 60;

const GAS_PER_BYTE: u64 = 10;
const GAS_PER_SIGNATURE: u64 = 1_000;
const GAS_PER_COIN_SENT: u64 = 20_000;
const GAS_PER_CYBERLINK_MESSAGE: u64 = 1_000;
const GAS_PER_LINK: u64 = 100;

/// The messages of a transaction that is not signed yet.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Draft {
    messages: Vec<Any>,
    /// What the messages use, without bytes and signature.
    gas: u64,
    links: usize,
    fee: FeeChoice,
    memo: String,
}

/// What a transaction pays.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum FeeChoice {
    /// Nothing: cyberlinks pay with bandwidth.
    #[default]
    None,
    /// Exactly this.
    Coin(Coin),
    /// This much of the denomination for each unit of gas, rounded up.
    Price { price: Decimal, denom: String },
}

/// Who signs, and for which place in the account's order.
#[derive(Clone, Copy)]
pub struct Signing<'a> {
    pub key: &'a SigningKey,
    pub chain_id: &'a str,
    pub account_number: u64,
    pub sequence: u64,
    /// The last height whose block may hold it.
    pub timeout_height: u64,
}

/// A transaction ready to be sent.
#[derive(Clone, PartialEq, Eq)]
pub struct Signed {
    pub bytes: Vec<u8>,
    pub hash: [u8; 32],
    pub gas_limit: u64,
    pub fee: Option<Coin>,
    pub sequence: u64,
    pub timeout_height: u64,
}

impl Signed {
    /// The hash as CometBFT writes it.
    pub fn hash_text(&self) -> String {
        hex::encode_upper(self.hash)
    }
}

impl Draft {
    /// Adds a message of cyberlinks.
    pub fn cyberlinks<'a>(
        mut self,
        neuron: &str,
        links: impl IntoIterator<Item = (&'a str, &'a str)>,
        skip_existing: bool,
    ) -> Draft {
        let wire = |(from, to): (&str, &str)| Link { from: from.to_owned(), to: to.to_owned() };
        let links: Vec<Link> = links.into_iter().map(wire).collect();
        let count = links.len();
        let message = MsgCyberlink { neuron: neuron.to_owned(), links, skip_existing };
        self.messages.push(any(&message));
        self.gas += GAS_PER_CYBERLINK_MESSAGE + GAS_PER_LINK * count as u64;
        self.links += count;
        self
    }

    /// A transaction with one message of cyberlinks between particles.
    pub fn link(neuron: &str, links: &[(Particle, Particle)], skip_existing: bool) -> Draft {
        let texts: Vec<_> = links.iter().map(|(from, to)| (from.to_cid(), to.to_cid())).collect();
        let pairs = texts.iter().map(|(from, to)| (from.as_str(), to.as_str()));
        Draft::default().cyberlinks(neuron, pairs, skip_existing)
    }

    /// A transaction that sends one coin.
    pub fn send(from: &str, to: &str, coin: &Coin) -> Draft {
        let amount = WireCoin { denom: coin.denom.clone(), amount: coin.amount.to_string() };
        let message = MsgSend {
            from_address: from.to_owned(),
            to_address: to.to_owned(),
            amount: vec![amount],
        };
        Draft { messages: vec![any(&message)], gas: GAS_PER_COIN_SENT, ..Draft::default() }
    }

    /// The same, sending one coin more.
    pub fn sending(mut self, from: &str, to: &str, coin: &Coin) -> Draft {
        let more = Draft::send(from, to, coin);
        self.messages.extend(more.messages);
        self.gas += more.gas;
        self
    }

    /// The same, paying a fee.
    pub fn paying(mut self, fee: FeeChoice) -> Draft {
        self.fee = fee;
        self
    }

    /// The same with a note of up to 256 bytes.
    pub fn memo(mut self, memo: &str) -> Draft {
        self.memo = memo.to_owned();
        self
    }

    /// How many links it holds.
    pub fn links(&self) -> usize {
        self.links
    }

    /// Signs. The gas limit is what the chain's formula will come to; the limit and the fee are
    /// themselves part of the bytes it counts, so it is found by going round until it fits.
    pub fn sign(&self, signing: &Signing) -> Result<Signed, Failure> {
        let mut gas_limit = self.gas;
        loop {
            let signed = self.sign_with(signing, gas_limit)?;
            let used = self.gas_used(signed.bytes.len());
            if used <= gas_limit {
                return Ok(signed);
            }
            gas_limit = used;
        }
    }

    /// The gas a transaction of these messages and this many bytes uses.
    fn gas_used(&self, bytes: usize) -> u64 {
        GAS_PER_BYTE * bytes as u64 + GAS_PER_SIGNATURE + self.gas
    }

    fn sign_with(&self, signing: &Signing, gas_limit: u64) -> Result<Signed, Failure> {
        let unsound = |what: &str| Failure::local(format!("cannot make the transaction: {what}"));
        let timeout = tendermint::block::Height::try_from(signing.timeout_height)
            .map_err(|_| unsound("a height above 2^63"))?;
        let body = Body::new(self.messages.clone(), self.memo.clone(), timeout);
        let fee = self.fee.coin(gas_limit).ok_or_else(|| unsound("the fee is above 2^128"))?;
        let amount = fee.iter().map(cosmos_coin).collect::<Result<_, _>>()?;
        let fees = Fee { amount, gas_limit, payer: None, granter: None };
        let signer = signing.key.signer();
        let info = SignerInfo::single_direct(Some(signer.public_key()), signing.sequence);
        let document = SignDoc {
            body_bytes: body.into_bytes().map_err(|error| unsound(&error.to_string()))?,
            auth_info_bytes: info
                .auth_info(fees)
                .into_bytes()
                .map_err(|error| unsound(&error.to_string()))?,
            chain_id: signing.chain_id.to_owned(),
            account_number: signing.account_number,
        };
        let raw = document.sign(&signer).map_err(|error| unsound(&error.to_string()))?;
        let bytes = raw.to_bytes().map_err(|error| unsound(&error.to_string()))?;
        Ok(Signed {
            hash: sha256(&bytes),
            bytes,
            gas_limit,
            fee,
            sequence: signing.sequence,
            timeout_height: signing.timeout_height,
        })
    }
}

impl FeeChoice {
    /// Reads a node's minimum gas price, `0.01boot`; nothing or zero is no fee.
    pub fn of_minimum(text: &str) -> Result<FeeChoice, Failure> {
        let unreadable = || Failure::local(format!("'{text}' is no gas price such as 0.01boot"));
        // Several prices may be offered; any one will do.
        let first = text.split(',').next().unwrap_or_default().trim();
        let split = first.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(first.len());
        let (price, denom) = first.split_at(split);
        if first.is_empty() {
            return Ok(FeeChoice::None);
        }
        let price = Decimal::parse(price).map_err(|_| unreadable())?;
        crate::types::coin::check_denom(denom).map_err(|_| unreadable())?;
        match price.atomics() {
            0 => Ok(FeeChoice::None),
            _ => Ok(FeeChoice::Price { price, denom: denom.to_owned() }),
        }
    }

    /// The fee at a gas limit; `None` when it is beyond every number.
    fn coin(&self, gas_limit: u64) -> Option<Option<Coin>> {
        match self {
            FeeChoice::None => Some(None),
            FeeChoice::Coin(coin) => Some(Some(coin.clone())),
            FeeChoice::Price { price, denom } => {
                let atomics = price.atomics().checked_mul(u128::from(gas_limit))?;
                let amount = atomics.div_ceil(Decimal::ONE_ATOMICS);
                Some(Some(Coin::new(denom, crate::types::Amount(amount))))
            }
        }
    }
}

fn any<M: Message + Name>(message: &M) -> Any {
    Any { type_url: M::type_url(), value: message.encode_to_vec() }
}

fn cosmos_coin(coin: &Coin) -> Result<cosmrs::Coin, Failure> {
    cosmrs::Coin::new(coin.amount.0, &coin.denom)
        .map_err(|error| Failure::usage(format!("'{}' is no denomination: {error}", coin.denom)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::keys::Secret;
    use crate::types::cid::particle_of_bytes;
    use crate::types::Amount;
    use cosmrs::proto::cosmos::tx::v1beta1::{AuthInfo, TxRaw};

    const WORDS: &str = "satisfy adjust timber high purchase tuition stool faith fine install \
        that you unaware feed domain license impose boss human eager hat rent enjoy dawn";
    const NEURON: &str = "bostrom1phaxpevm5wecex2jyaqty2a4v02qj7qm5n94ug";

    fn key() -> SigningKey {
        SigningKey::of_secret("test", Secret::of_words(WORDS, 0).expect("words"))
    }

    fn signing(key: &SigningKey) -> Signing<'_> {
        Signing {
            key,
            chain_id: "bostrom-test-1",
            account_number: 7,
            sequence: 3,
            timeout_height: 0,
        }
    }

    #[test]
    fn the_gas_limit_is_what_the_formula_of_the_chain_gives() {
        let key = key();
        let coin = Coin::new("boot", Amount(1234));
        let signed = Draft::send(NEURON, NEURON, &coin).sign(&signing(&key)).expect("signed");
        assert_eq!(signed.gas_limit, 10 * signed.bytes.len() as u64 + 1_000 + 20_000);
        let (a, b) = (particle_of_bytes(b"a"), particle_of_bytes(b"b"));
        let signed = Draft::link(NEURON, &[(a, b), (b, a)], false).sign(&signing(&key));
        let signed = signed.expect("signed");
        let expected = 10 * signed.bytes.len() as u64 + 1_000 + 1_000 + 200;
        assert_eq!(signed.gas_limit, expected);
        assert_eq!(signed.fee, None);
    }

    #[test]
    fn a_fee_by_price_covers_the_gas_limit_rounded_up() {
        let key = key();
        let fee = FeeChoice::of_minimum("0.01boot").expect("price");
        let draft = Draft::send(NEURON, NEURON, &Coin::new("boot", Amount(1))).paying(fee);
        let signed = draft.sign(&signing(&key)).expect("signed");
        let fee = signed.fee.expect("fee");
        assert_eq!(fee, Coin::new("boot", Amount(u128::from(signed.gas_limit).div_ceil(100))));
        for none in ["", "0boot", "0.000boot"] {
            assert_eq!(FeeChoice::of_minimum(none).expect("none"), FeeChoice::None, "{none}");
        }
        assert!(FeeChoice::of_minimum("boot").is_err() && FeeChoice::of_minimum("1").is_err());
    }

    #[test]
    fn a_signed_transaction_carries_what_was_asked_for() {
        let key = key();
        let (a, b) = (particle_of_bytes(b"a"), particle_of_bytes(b"b"));
        let asked = Signing { timeout_height: 60, ..signing(&key) };
        let signed = Draft::link(NEURON, &[(a, b)], true).memo("hello").sign(&asked);
        let signed = signed.expect("signed");
        let raw = TxRaw::decode(signed.bytes.as_slice()).expect("raw");
        let body = cyber_proto::cosmos::tx::v1beta1::TxBody::decode(raw.body_bytes.as_slice());
        let body = body.expect("body");
        assert_eq!((body.timeout_height, body.memo.as_str()), (60, "hello"));
        let message = MsgCyberlink::decode(body.messages[0].value.as_slice()).expect("message");
        assert_eq!(message.links, vec![Link { from: a.to_cid(), to: b.to_cid() }]);
        assert!(message.skip_existing && message.neuron == NEURON);
        let info = AuthInfo::decode(raw.auth_info_bytes.as_slice()).expect("auth info");
        assert_eq!(info.signer_infos[0].sequence, 3);
        assert_eq!(info.fee.expect("fee").gas_limit, signed.gas_limit);
        assert_eq!(signed.hash_text(), hex::encode_upper(sha256(&signed.bytes)));
    }
}
