//! Signatures that almost hold.

use super::build::{
    bech32, cyberlink, pack, parts, public, read, send, sign, single, Parts, ACCOUNT, CHAIN,
};
use crate::error::code;
use crate::tx::signbytes::check_plain;
use crate::tx::{verify, PublicKey, Signed, Tx};
use crate::types::sha256;
use cyber_proto::cosmos::crypto::multisig::v1beta1::{CompactBitArray, MultiSignature};
use cyber_proto::cosmos::crypto::multisig::LegacyAminoPubKey;
use cyber_proto::cosmos::crypto::secp256k1::PubKey;
use cyber_proto::cosmos::tx::v1beta1::mode_info::{Multi, Sum};
use cyber_proto::cosmos::tx::v1beta1::ModeInfo;
use prost::Message;

/// The order of the curve's group, and half of it: the largest low S.
const ORDER: &str = "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141";
const HALF: &str = "7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0";

fn key() -> PublicKey {
    PublicKey::Secp256k1(public(1))
}

fn scalar(text: &str) -> [u8; 32] {
    hex::decode(text).expect("hex").try_into().expect("32 bytes")
}

/// `a - b` of big-endian numbers, `a ≥ b`.
fn minus(a: [u8; 32], b: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    let mut borrow = 0i16;
    for at in (0..32).rev() {
        let difference = i16::from(a[at]) - i16::from(b[at]) - borrow;
        borrow = i16::from(difference < 0);
        out[at] = (difference & 0xff) as u8;
    }
    out
}

fn outcome(parts: &Parts, signature: Vec<u8>) -> Result<(), String> {
    let tx = read(&parts.with_signatures(vec![signature]));
    verify(&tx, 0, &key(), CHAIN, ACCOUNT).map_err(|refusal| {
        assert_eq!(refusal.code, code::UNAUTHORIZED);
        refusal.log
    })
}

#[test]
fn the_texts_of_failure_are_those_clients_know() {
    let wrong = |mode| {
        let parts = parts(vec![pack(&send())], mode);
        let tx = read(&parts.signed());
        verify(&tx, 0, &key(), CHAIN, ACCOUNT).expect("right");
        verify(&tx, 0, &key(), CHAIN, 8).expect_err("a wrong account number").log
    };
    assert_eq!(
        wrong(1),
        "signature verification failed; please verify account number (8) and chain-id \
         (bostrom-test-1): unauthorized"
    );
    assert_eq!(
        wrong(127),
        "signature verification failed; please verify account number (8), sequence (3) and \
         chain-id (bostrom-test-1): unauthorized"
    );
}

#[test]
fn a_signature_covers_body_auth_info_chain_account_and_sequence() {
    for mode in [1, 127] {
        let original = parts(vec![pack(&cyberlink(&[(1, 2)]))], mode);
        let signature = original.signed().signatures[0].clone();
        outcome(&original, signature.clone()).expect("right");
        let changes: [fn(&mut Parts); 6] = [
            |p| p.body.memo.push('x'),
            |p| p.body.timeout_height = 9,
            |p| p.body.messages = vec![pack(&cyberlink(&[(2, 1)]))],
            |p| p.auth_info.fee.as_mut().expect("fee").gas_limit += 1,
            |p| p.auth_info.fee.as_mut().expect("fee").payer = bech32(1),
            |p| p.auth_info.signer_infos[0].sequence += 1,
        ];
        for change in changes {
            let mut changed = original.clone();
            change(&mut changed);
            outcome(&changed, signature.clone()).expect_err("changed after signing");
        }
        let tx = read(&original.signed());
        assert!(verify(&tx, 0, &key(), "other", ACCOUNT).is_err());
        assert!(verify(&tx, 0, &PublicKey::Secp256k1(public(2)), CHAIN, ACCOUNT).is_err());
        assert!(verify(&tx, 1, &key(), CHAIN, ACCOUNT).is_err());
    }
}

#[test]
fn only_low_s_is_accepted() {
    let parts = parts(vec![pack(&send())], 1);
    let low = parts.signed().signatures[0].clone();
    outcome(&parts, low.clone()).expect("low S");
    assert!(low[32..] <= scalar(HALF)[..]);
    let high = [&low[..32], &minus(scalar(ORDER), &low[32..])].concat();
    outcome(&parts, high.clone()).expect_err("high S");
    // The high one is the same signature in the eyes of the curve: libsecp256k1 says so once it
    // is normalised.
    let mut signature = secp256k1::ecdsa::Signature::from_compact(&high).expect("parses");
    signature.normalize_s();
    assert_eq!(signature.serialize_compact()[..], low[..]);
}

#[test]
fn numbers_outside_the_group_and_wrong_lengths_are_refused() {
    let parts = parts(vec![pack(&send())], 1);
    let good = parts.signed().signatures[0].clone();
    let (r, s) = (good[..32].to_vec(), good[32..].to_vec());
    let zero = vec![0; 32];
    let one = [&[0; 31][..], &[1]].concat();
    let order = scalar(ORDER).to_vec();
    let above = vec![0xff; 32];
    let half = scalar(HALF).to_vec();
    let mut cases: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
    for edge in [&zero, &one, &order, &above, &half] {
        cases.push((edge.clone(), s.clone()));
        cases.push((r.clone(), edge.clone()));
        cases.push((edge.clone(), edge.clone()));
    }
    cases.push((s.clone(), r.clone()));
    for (r, s) in cases {
        outcome(&parts, [r, s].concat()).expect_err("no signature of this message");
    }
    for length in [0, 1, 32, 63, 65, 72, 128] {
        let mut bytes = good.clone();
        bytes.resize(length, 0);
        let log = outcome(&parts, bytes).expect_err("a wrong length");
        assert!(log.starts_with(&format!("{length} bytes are no secp256k1 signature: ")), "{log}");
    }
    let der = secp256k1::ecdsa::Signature::from_compact(&good).expect("parses").serialize_der();
    outcome(&parts, der.to_vec()).expect_err("DER");
    for bit in 0..512 {
        let mut bytes = good.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        outcome(&parts, bytes).expect_err("a flipped bit");
    }
}

#[test]
fn wycheproofs_edge_cases_come_out_right_but_for_high_s() {
    let text = include_str!("../../../tests/vectors/wycheproof_secp256k1.json");
    let all: serde_json::Value = serde_json::from_str(text).expect("JSON");
    let tests = all["tests"].as_array().expect("a list");
    let (mut accepted, mut high) = (0, 0);
    for test in tests {
        let bytes = |key: &str| hex::decode(test[key].as_str().expect("hex")).expect("hex");
        let key: [u8; 33] = bytes("key").try_into().expect("33 bytes");
        let (digest, signature) = (sha256(&bytes("message")), bytes("signature"));
        let valid = test["result"] == "valid";
        let low = signature.len() == 64 && signature[32..] <= scalar(HALF)[..];
        let holds = check_plain(&key, &signature, std::iter::once(digest)).is_ok();
        assert_eq!(holds, valid && low, "{test}");
        accepted += usize::from(holds);
        high += usize::from(valid && !low);
    }
    assert_eq!((tests.len(), accepted + high), (252, 167));
    assert!(accepted > 50 && high > 10, "{accepted} and {high}");
}

#[test]
fn keys_that_are_no_point_verify_nothing() {
    let tx = read(&parts(vec![pack(&send())], 1).signed());
    let mut uncompressed = public(1);
    uncompressed[0] = 4;
    // x = 5 is on the curve for no y; x = p + 1 would be 1 if it were reduced.
    let mut off = [0; 33];
    (off[0], off[32]) = (2, 5);
    let mut above = [0xff; 33];
    above[0] = 2;
    for bad in [[0; 33], uncompressed, off, above] {
        let refusal = verify(&tx, 0, &PublicKey::Secp256k1(bad), CHAIN, ACCOUNT);
        let log = refusal.expect_err("no point").log;
        assert!(log.starts_with("the public key is no point of secp256k1: "), "{log}");
    }
    let mut mirrored = public(1);
    mirrored[0] ^= 1;
    assert!(verify(&tx, 0, &PublicKey::Secp256k1(mirrored), CHAIN, ACCOUNT).is_err());
    assert!(verify(&tx, 0, &PublicKey::Ed25519([1; 32]), CHAIN, ACCOUNT).is_err());
}

#[test]
fn other_sign_modes_never_verify() {
    for mode in [0, 2, 3, 191, 1_000, -1] {
        let mut signed = parts(vec![pack(&send())], 1);
        let signature = signed.signed().signatures[0].clone();
        signed.auth_info.signer_infos[0].mode_info = Some(single(mode));
        let log = outcome(&signed, signature).expect_err("another mode");
        assert!(log.starts_with("sign mode ") && log.ends_with(": unauthorized"), "{log}");
    }
    let mut none = parts(vec![pack(&send())], 1);
    none.auth_info.signer_infos[0].mode_info = None;
    outcome(&none, vec![0; 64]).expect_err("no mode");
    let direct = parts(vec![pack(&send())], 1).signed().signatures[0].clone();
    outcome(&parts(vec![pack(&send())], 127), direct).expect_err("direct given out as JSON");
}

#[test]
fn json_is_accepted_in_every_spelling_of_known_clients() {
    let mut linking = cyberlink(&[(1, 2), (2, 3)]);
    linking.skip_existing = true;
    let mut parts = parts(vec![pack(&linking)], 127);
    parts.body.memo = "line\u{2028}end <&>".into();
    let tx = read(&parts.with_signatures(vec![vec![]]));
    let spellings = Signed::new(&tx, CHAIN, ACCOUNT, 3).amino_bytes();
    assert_eq!(spellings.len(), 4, "two names, two escapings");
    let texts: Vec<_> = spellings.iter().map(|s| String::from_utf8_lossy(s)).collect();
    assert!(texts[0].contains("\"type\":\"cyber/MsgCyberlink\""));
    assert!(texts[3].contains("\"type\":\"/cyber.graph.v1beta1.MsgCyberlink\""));
    assert!(texts[0].contains(&format!("\"neuron\":\"{}\",\"skip_existing\":true}}", bech32(1))));
    assert!(texts[0].contains("line\u{2028}end \\u003c\\u0026\\u003e"));
    assert!(texts[1].contains("line\\u2028end"));
    for spelling in &spellings {
        outcome(&parts, sign(1, spelling)).expect("a known spelling");
    }
    outcome(&parts, sign(1, &spellings[0][1..])).expect_err("an unknown one");
}

#[test]
fn a_payer_and_a_granter_stand_in_the_json() {
    let mut parts = parts(vec![pack(&send())], 127);
    let fee = parts.auth_info.fee.as_mut().expect("fee");
    (fee.payer, fee.granter) = (bech32(1), bech32(2));
    let tx = read(&parts.signed());
    let json = Signed::new(&tx, CHAIN, ACCOUNT, 3).amino_bytes().remove(0);
    let json = String::from_utf8(json).expect("UTF-8");
    let words =
        format!("\"gas\":\"200000\",\"granter\":\"{}\",\"payer\":\"{}\"}}", bech32(2), bech32(1));
    assert!(json.contains(&words), "{json}");
    verify(&tx, 0, &key(), CHAIN, ACCOUNT).expect("verifies");
}

/// A multisig transaction to take apart: keys 1, 2, 3, the bits and the signers as given.
struct Group {
    threshold: u32,
    bits: CompactBitArray,
    signers: Vec<u8>,
    mode: i32,
}

impl Group {
    fn two_of_three() -> Group {
        let bits = CompactBitArray { extra_bits_stored: 3, elems: vec![0b1010_0000] };
        Group { threshold: 2, bits, signers: vec![1, 3], mode: 127 }
    }

    fn key(&self) -> LegacyAminoPubKey {
        let key = |seed| pack(&PubKey { key: public(seed).to_vec() });
        LegacyAminoPubKey { threshold: self.threshold, public_keys: [1, 2, 3].map(key).to_vec() }
    }

    fn tx(&self) -> Tx {
        let mut parts = parts(vec![pack(&send())], 127);
        let info = &mut parts.auth_info.signer_infos[0];
        info.public_key = Some(pack(&self.key()));
        let mode_infos = vec![single(self.mode); self.signers.len()];
        let multi = Multi { bitarray: Some(self.bits.clone()), mode_infos };
        info.mode_info = Some(ModeInfo { sum: Some(Sum::Multi(multi)) });
        let unsigned = read(&parts.with_signatures(vec![vec![]]));
        let signed = Signed::new(&unsigned, CHAIN, ACCOUNT, 3);
        let bytes = match self.mode {
            1 => signed.direct_bytes(),
            _ => signed.amino_bytes().remove(0),
        };
        let signatures = self.signers.iter().map(|seed| sign(*seed, &bytes)).collect();
        read(&parts.with_signatures(vec![MultiSignature { signatures }.encode_to_vec()]))
    }

    fn outcome(&self) -> Result<(), String> {
        let tx = self.tx();
        let key = tx.signer_infos[0].public_key.clone().expect("a key");
        verify(&tx, 0, &key, CHAIN, ACCOUNT).map_err(|refusal| {
            assert_eq!(refusal.code, code::UNAUTHORIZED);
            refusal.log
        })
    }
}

#[test]
fn a_multisig_needs_its_threshold_of_the_keys_whose_bits_are_set() {
    Group::two_of_three().outcome().expect("two of three");
    Group { mode: 1, ..Group::two_of_three() }.outcome().expect("over the bytes as well");
    let bits = |bits: u8| CompactBitArray { extra_bits_stored: 3, elems: vec![bits] };
    let all = Group { bits: bits(0b1110_0000), signers: vec![1, 2, 3], ..Group::two_of_three() };
    all.outcome().expect("three of three");
    let cases = [
        (bits(0b1000_0000), vec![1], "one is too few"),
        (bits(0b0000_0000), vec![], "none is too few"),
        (bits(0b1010_0000), vec![1], "a signature is missing"),
        (bits(0b1010_0000), vec![1, 3, 2], "a signature too many"),
        (bits(0b1110_0000), vec![1, 3], "a bit too many"),
        (bits(0b0110_0000), vec![1, 3], "the bits of others"),
        (bits(0b1010_0000), vec![3, 1], "in another order"),
        (bits(0b1010_0000), vec![1, 1], "one key twice"),
        (bits(0b1010_0000), vec![1, 4], "a stranger"),
        (CompactBitArray { extra_bits_stored: 4, elems: vec![0xa0] }, vec![1, 3], "four bits"),
        (CompactBitArray { extra_bits_stored: 0, elems: vec![0xa0] }, vec![1, 3], "eight bits"),
        (CompactBitArray { extra_bits_stored: 2, elems: vec![0xc0] }, vec![1, 2], "two bits"),
        (CompactBitArray::default(), vec![1, 3], "no bits"),
    ];
    for (bits, signers, what) in cases {
        let log = Group { bits, signers, ..Group::two_of_three() }.outcome().expect_err(what);
        assert!(log.ends_with("chain-id (bostrom-test-1): unauthorized"), "{log}");
    }
}

#[test]
fn a_multisigs_signature_has_one_spelling() {
    let tx = Group::two_of_three().tx();
    let key = tx.signer_infos[0].public_key.clone().expect("a key");
    for extra in [&[0x48, 1][..], &[0x0a, 0], &[0x0a]] {
        let mut changed = tx.clone();
        changed.signatures[0] = [&tx.signatures[0][..], extra].concat().into();
        assert!(verify(&changed, 0, &key, CHAIN, ACCOUNT).is_err(), "{extra:02x?}");
    }
    let mut single_signature = tx.clone();
    single_signature.signatures[0] = sign(1, b"anything").into();
    assert!(verify(&single_signature, 0, &key, CHAIN, ACCOUNT).is_err());
}

#[test]
fn keys_and_modes_of_different_shapes_do_not_match() {
    let group = Group::two_of_three().tx();
    assert!(verify(&group, 0, &key(), CHAIN, ACCOUNT).is_err());
    let group_key = group.signer_infos[0].public_key.clone().expect("a key");
    let plain = read(&parts(vec![pack(&send())], 1).signed());
    assert!(verify(&plain, 0, &group_key, CHAIN, ACCOUNT).is_err());
}

#[test]
fn a_multisig_may_hold_a_multisig() {
    let inner = Group::two_of_three();
    let outer = LegacyAminoPubKey {
        threshold: 2,
        public_keys: vec![pack(&inner.key()), pack(&PubKey { key: public(4).to_vec() })],
    };
    let mode = |bits: CompactBitArray, mode_infos| {
        let multi = Multi { bitarray: Some(bits), mode_infos };
        ModeInfo { sum: Some(Sum::Multi(multi)) }
    };
    let both = CompactBitArray { extra_bits_stored: 2, elems: vec![0b1100_0000] };
    let inner_mode = mode(inner.bits.clone(), vec![single(127); 2]);
    let mut parts = parts(vec![pack(&send())], 127);
    let info = &mut parts.auth_info.signer_infos[0];
    info.public_key = Some(pack(&outer));
    info.mode_info = Some(mode(both, vec![inner_mode, single(127)]));
    let unsigned = read(&parts.with_signatures(vec![vec![]]));
    let bytes = Signed::new(&unsigned, CHAIN, ACCOUNT, 3).amino_bytes().remove(0);
    let together = |seeds: [u8; 2], last: u8| {
        let signatures = seeds.map(|seed| sign(seed, &bytes)).to_vec();
        let inner = MultiSignature { signatures }.encode_to_vec();
        let signatures = vec![inner, sign(last, &bytes)];
        let tx = read(&parts.with_signatures(vec![MultiSignature { signatures }.encode_to_vec()]));
        let key = tx.signer_infos[0].public_key.clone().expect("a key");
        assert_eq!((key.key_count(), tx.signer_infos[0].mode.signature_count()), (4, 3));
        verify(&tx, 0, &key, CHAIN, ACCOUNT)
    };
    together([1, 3], 4).expect("everyone signed");
    together([1, 2], 4).expect_err("the second key instead of the third");
    together([1, 3], 5).expect_err("a stranger");
}
