//! Transactions to take apart: built with the wire types, signed here.

use crate::tx::{decode, Signed, Tx};
use crate::types::{sha256, Address, Particle};
use cyber_proto::cosmos::bank::v1beta1::MsgSend;
use cyber_proto::cosmos::base::v1beta1::Coin;
use cyber_proto::cosmos::crypto::secp256k1::PubKey;
use cyber_proto::cosmos::tx::v1beta1::mode_info::{Single, Sum};
use cyber_proto::cosmos::tx::v1beta1::{AuthInfo, Fee, ModeInfo, SignerInfo, TxBody, TxRaw};
use cyber_proto::cyber::graph::v1beta1::{Link, MsgCyberlink};
use cyber_proto::Any;
use prost::{Message, Name};
use secp256k1::{SecretKey, SECP256K1};

pub const PREFIX: &str = "bostrom";
pub const CHAIN: &str = "bostrom-test-1";
pub const ACCOUNT: u64 = 7;

/// The parts of a transaction of one signer, to be changed before it is put together.
#[derive(Clone)]
pub struct Parts {
    pub body: TxBody,
    pub auth_info: AuthInfo,
}

pub fn secret(seed: u8) -> SecretKey {
    SecretKey::from_byte_array(sha256(&[seed])).expect("a digest is a secret key")
}

pub fn public(seed: u8) -> [u8; 33] {
    secret(seed).public_key(SECP256K1).serialize()
}

pub fn address(seed: u8) -> Address {
    Address::of_key(&public(seed))
}

pub fn bech32(seed: u8) -> String {
    address(seed).to_bech32(PREFIX)
}

pub fn cid(seed: u8) -> String {
    Particle(sha256(&[seed])).to_cid()
}

pub fn pack<M: Message + Name>(message: &M) -> Any {
    Any { type_url: M::type_url(), value: message.encode_to_vec() }
}

pub fn coin(amount: &str, denom: &str) -> Coin {
    Coin { denom: denom.into(), amount: amount.into() }
}

pub fn send() -> MsgSend {
    let amount = vec![coin("5", "boot")];
    MsgSend { from_address: bech32(1), to_address: bech32(2), amount }
}

pub fn link(from: u8, to: u8) -> Link {
    Link { from: cid(from), to: cid(to) }
}

pub fn cyberlink(links: &[(u8, u8)]) -> MsgCyberlink {
    let links = links.iter().map(|(from, to)| link(*from, *to)).collect();
    MsgCyberlink { neuron: bech32(1), links, skip_existing: false }
}

pub fn single(mode: i32) -> ModeInfo {
    ModeInfo { sum: Some(Sum::Single(Single { mode })) }
}

/// Key 1 signs these messages with sequence 3.
pub fn parts(messages: Vec<Any>, mode: i32) -> Parts {
    let signer = SignerInfo {
        public_key: Some(pack(&PubKey { key: public(1).to_vec() })),
        mode_info: Some(single(mode)),
        sequence: 3,
    };
    let fee = Fee { amount: vec![coin("1000", "boot")], gas_limit: 200_000, ..Fee::default() };
    Parts {
        body: TxBody { messages, ..TxBody::default() },
        auth_info: AuthInfo { signer_infos: vec![signer], fee: Some(fee), tip: None },
    }
}

impl Parts {
    pub fn with_signatures(&self, signatures: Vec<Vec<u8>>) -> TxRaw {
        TxRaw {
            body_bytes: self.body.encode_to_vec(),
            auth_info_bytes: self.auth_info.encode_to_vec(),
            signatures,
        }
    }

    /// Signed by key 1 over the first spelling of its mode.
    pub fn signed(&self) -> TxRaw {
        let tx = read(&self.with_signatures(vec![vec![0; 64]]));
        let info = &self.auth_info.signer_infos[0];
        let direct = info.mode_info == Some(single(1));
        let signed = Signed::new(&tx, CHAIN, ACCOUNT, info.sequence);
        let bytes = match direct {
            true => signed.direct_bytes(),
            false => signed.amino_bytes().remove(0),
        };
        self.with_signatures(vec![sign(1, &bytes)])
    }
}

pub fn sign(seed: u8, bytes: &[u8]) -> Vec<u8> {
    let message = secp256k1::Message::from_digest(sha256(bytes));
    SECP256K1.sign_ecdsa(message, &secret(seed)).serialize_compact().to_vec()
}

pub fn read(raw: &TxRaw) -> Tx {
    decode(raw.encode_to_vec().into(), PREFIX).expect("a well-formed transaction")
}
