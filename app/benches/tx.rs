//! What a transaction costs before any state is read: decoding, and decoding with its signature.
//!
//! `cargo bench -p cyberd --bench tx`. One thread; each figure is for one transaction.
#![allow(clippy::unwrap_used, reason = "a bench stops where its own input is wrong")]

use criterion::{criterion_group, criterion_main, Criterion, Throughput};
use cyber_proto::cosmos::bank::v1beta1::MsgSend;
use cyber_proto::cosmos::base::v1beta1::Coin;
use cyber_proto::cosmos::crypto::secp256k1::PubKey;
use cyber_proto::cosmos::tx::v1beta1::mode_info::{Single, Sum};
use cyber_proto::cosmos::tx::v1beta1::{AuthInfo, Fee, ModeInfo, SignerInfo, TxBody, TxRaw};
use cyber_proto::cyber::graph::v1beta1::{Link, MsgCyberlink};
use cyber_proto::Any;
use cyberd::tx::{decode, verify, Signed};
use cyberd::types::{sha256, Address, Particle};
use prost::bytes::Bytes;
use prost::{Message, Name};
use secp256k1::{SecretKey, SECP256K1};
use std::hint::black_box;

const PREFIX: &str = "bostrom";
const CHAIN: &str = "bench-1";
const DIRECT: i32 = 1;
const AMINO: i32 = 127;

fn pack<M: Message + Name>(message: &M) -> Any {
    Any { type_url: M::type_url(), value: message.encode_to_vec() }
}

fn secret() -> SecretKey {
    SecretKey::from_byte_array([7; 32]).unwrap()
}

fn key() -> [u8; 33] {
    secret().public_key(SECP256K1).serialize()
}

fn payer() -> String {
    Address::of_key(&key()).to_bech32(PREFIX)
}

fn cyberlink(links: u32) -> Any {
    let cid = |n: u32| Particle(sha256(&n.to_be_bytes())).to_cid();
    let links = (0..links).map(|n| Link { from: cid(n), to: cid(n + 1) }).collect();
    pack(&MsgCyberlink { neuron: payer(), links, skip_existing: false })
}

fn send() -> Any {
    let amount = vec![Coin { denom: "boot".into(), amount: "1234".into() }];
    pack(&MsgSend { from_address: payer(), to_address: payer(), amount })
}

/// The bytes of a signed transaction.
fn signed(message: Any, mode: i32) -> Bytes {
    let body = TxBody { messages: vec![message], ..TxBody::default() };
    let signer = SignerInfo {
        public_key: Some(pack(&PubKey { key: key().to_vec() })),
        mode_info: Some(ModeInfo { sum: Some(Sum::Single(Single { mode })) }),
        sequence: 3,
    };
    let fee = Some(Fee { gas_limit: 200_000, ..Fee::default() });
    let auth_info = AuthInfo { signer_infos: vec![signer], fee, tip: None };
    let mut raw = TxRaw {
        body_bytes: body.encode_to_vec(),
        auth_info_bytes: auth_info.encode_to_vec(),
        signatures: vec![vec![0; 64]],
    };
    let tx = decode(raw.encode_to_vec().into(), PREFIX).unwrap();
    let what = Signed::new(&tx, CHAIN, 7, 3);
    let bytes = if mode == DIRECT { what.direct_bytes() } else { what.amino_bytes().remove(0) };
    let digest = secp256k1::Message::from_digest(sha256(&bytes));
    raw.signatures[0] = SECP256K1.sign_ecdsa(digest, &secret()).serialize_compact().to_vec();
    raw.encode_to_vec().into()
}

fn transactions(criterion: &mut Criterion) {
    let cases = [
        ("send_direct", send(), DIRECT),
        ("cyberlink_1_direct", cyberlink(1), DIRECT),
        ("cyberlink_1_amino", cyberlink(1), AMINO),
        ("cyberlink_100_direct", cyberlink(100), DIRECT),
    ];
    for (name, message, mode) in cases {
        let bytes = signed(message, mode);
        let mut group = criterion.benchmark_group(name);
        group.throughput(Throughput::Elements(1));
        group.bench_function("decode", |bencher| {
            bencher.iter(|| decode(black_box(bytes.clone()), PREFIX).unwrap());
        });
        group.bench_function("decode_and_verify", |bencher| {
            bencher.iter(|| {
                let tx = decode(black_box(bytes.clone()), PREFIX).unwrap();
                let key = tx.signer_infos[0].public_key.as_ref().unwrap();
                verify(&tx, 0, key, CHAIN, 7).unwrap();
            });
        });
        group.finish();
    }
}

criterion_group!(benches, transactions);
criterion_main!(benches);
