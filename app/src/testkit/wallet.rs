//! A key that signs transactions, counting its own sequence.

use crate::types::{sha256, Address, Coin, Particle};
use cyber_proto::cosmos::bank::v1beta1::MsgSend;
use cyber_proto::cosmos::base::v1beta1::Coin as ProtoCoin;
use cyber_proto::cosmos::crypto::secp256k1::PubKey;
use cyber_proto::cosmos::tx::signing::v1beta1::SignMode;
use cyber_proto::cosmos::tx::v1beta1::{
    mode_info, AuthInfo, Fee, ModeInfo, SignDoc, SignerInfo, TxBody, TxRaw,
};
use cyber_proto::cyber::graph::v1beta1::{Link, MsgCyberlink};
use cyber_proto::Any;
use prost::bytes::Bytes;
use prost::{Message, Name};
use secp256k1::{PublicKey, SecretKey, SECP256K1};

/// A key derived from a name, with the account number it was told.
#[derive(Clone, Debug)]
pub struct Wallet {
    key: SecretKey,
    public: [u8; 33],
    prefix: String,
    pub chain_id: String,
    pub account_number: u64,
    pub sequence: u64,
}

/// What of a transaction a test wants otherwise.
#[derive(Clone, Debug)]
pub struct TxOptions {
    pub gas_limit: u64,
    pub fee: Vec<Coin>,
    pub memo: String,
    pub timeout_height: u64,
}

impl Default for TxOptions {
    fn default() -> TxOptions {
        TxOptions { gas_limit: 10_000_000, fee: Vec::new(), memo: String::new(), timeout_height: 0 }
    }
}

impl Wallet {
    /// The wallet of a name: the same name has the same key everywhere.
    pub fn new(name: &str, prefix: &str, chain_id: &str) -> Wallet {
        let key = SecretKey::from_byte_array(sha256(name.as_bytes())).expect("a digest is a key");
        Wallet {
            public: PublicKey::from_secret_key(SECP256K1, &key).serialize(),
            key,
            prefix: prefix.to_owned(),
            chain_id: chain_id.to_owned(),
            account_number: 0,
            sequence: 0,
        }
    }

    /// The compressed public key.
    pub fn public_key(&self) -> [u8; 33] {
        self.public
    }

    pub fn address(&self) -> Address {
        Address::of_key(&self.public)
    }

    /// The address as messages spell it.
    pub fn bech32(&self) -> String {
        self.address().to_bech32(&self.prefix)
    }

    /// A cyberlink message of this neuron.
    pub fn link_message(&self, links: &[(Particle, Particle)], skip_existing: bool) -> Any {
        let link =
            |(from, to): &(Particle, Particle)| Link { from: from.to_cid(), to: to.to_cid() };
        let message = MsgCyberlink {
            neuron: self.bech32(),
            links: links.iter().map(link).collect(),
            skip_existing,
        };
        Any { type_url: MsgCyberlink::type_url(), value: message.encode_to_vec() }
    }

    /// A send of this account.
    pub fn send_message(&self, to: &Address, coins: &[Coin]) -> Any {
        let message = MsgSend {
            from_address: self.bech32(),
            to_address: to.to_bech32(&self.prefix),
            amount: coins.iter().map(wire_coin).collect(),
        };
        Any { type_url: MsgSend::type_url(), value: message.encode_to_vec() }
    }

    /// Signs messages with the next sequence.
    pub fn sign(&mut self, messages: Vec<Any>) -> Bytes {
        self.sign_with(messages, &TxOptions::default())
    }

    /// The same with other options.
    pub fn sign_with(&mut self, messages: Vec<Any>, options: &TxOptions) -> Bytes {
        let raw = self.sign_at(messages, options, self.sequence);
        self.sequence += 1;
        raw
    }

    /// Signs with a sequence of the caller's.
    pub fn sign_at(&self, messages: Vec<Any>, options: &TxOptions, sequence: u64) -> Bytes {
        let body = TxBody {
            messages,
            memo: options.memo.clone(),
            timeout_height: options.timeout_height,
            ..TxBody::default()
        };
        let key = PubKey { key: self.public.to_vec() };
        let single = mode_info::Single { mode: SignMode::Direct.into() };
        let signer = SignerInfo {
            public_key: Some(Any { type_url: PubKey::type_url(), value: key.encode_to_vec() }),
            mode_info: Some(ModeInfo { sum: Some(mode_info::Sum::Single(single)) }),
            sequence,
        };
        let fee = Fee {
            amount: options.fee.iter().map(wire_coin).collect(),
            gas_limit: options.gas_limit,
            ..Fee::default()
        };
        let auth = AuthInfo { signer_infos: vec![signer], fee: Some(fee), ..AuthInfo::default() };
        let document = SignDoc {
            body_bytes: body.encode_to_vec(),
            auth_info_bytes: auth.encode_to_vec(),
            chain_id: self.chain_id.clone(),
            account_number: self.account_number,
        };
        let digest = secp256k1::Message::from_digest(sha256(&document.encode_to_vec()));
        let signature = SECP256K1.sign_ecdsa(digest, &self.key).serialize_compact();
        let raw = TxRaw {
            body_bytes: document.body_bytes,
            auth_info_bytes: document.auth_info_bytes,
            signatures: vec![signature.to_vec()],
        };
        raw.encode_to_vec().into()
    }
}

fn wire_coin(coin: &Coin) -> ProtoCoin {
    ProtoCoin { denom: coin.denom.clone(), amount: coin.amount.to_string() }
}
