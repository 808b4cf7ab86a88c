//! Bytes that are almost a transaction.

use super::build::{bech32, coin, cyberlink, link, pack, parts, public, send, Parts, PREFIX};
use crate::error::code;
use crate::tx::{decode, decode_simulation};
use cyber_proto::cosmos::crypto::multisig::v1beta1::CompactBitArray;
use cyber_proto::cosmos::crypto::multisig::LegacyAminoPubKey;
use cyber_proto::cosmos::crypto::secp256k1::PubKey;
use cyber_proto::cosmos::tx::v1beta1::mode_info::{Multi, Sum};
use cyber_proto::cosmos::tx::v1beta1::{ModeInfo, Tip, TxRaw};
use cyber_proto::Any;
use prost::Message;

/// A field of bytes.
fn field(number: u32, value: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    prost::encoding::bytes::encode(number, &value.to_vec(), &mut out);
    out
}

/// An unknown field of each wire type, and number 1 with a wrong one.
fn strangers() -> Vec<Vec<u8>> {
    let mut all = vec![vec![0x48, 1], vec![0x4a, 1, 7], vec![0x4d, 1, 2, 3, 4]];
    all.push(vec![0x49, 1, 2, 3, 4, 5, 6, 7, 8]);
    all.push(vec![0x4b, 0x4c]);
    all
}

fn refused(bytes: Vec<u8>, what: &str) -> String {
    let refusal = decode(bytes.into(), PREFIX).expect_err(what);
    assert_eq!(refusal.code, code::TX_PARSE, "{what}");
    assert!(refusal.log.ends_with(": tx parse error"), "{}", refusal.log);
    refusal.log
}

/// The transaction with its body or auth info replaced.
fn with(body: Vec<u8>, auth_info: Vec<u8>) -> Vec<u8> {
    let signatures = vec![vec![0; 64]];
    TxRaw { body_bytes: body, auth_info_bytes: auth_info, signatures }.encode_to_vec()
}

fn plain() -> Parts {
    parts(vec![pack(&cyberlink(&[(1, 2)]))], 1)
}

#[test]
fn the_envelope_has_one_spelling() {
    let raw = plain().signed();
    let (body, auth) = (field(1, &raw.body_bytes), field(2, &raw.auth_info_bytes));
    let signature = field(3, &raw.signatures[0]);
    let good = [&body[..], &auth, &signature].concat();
    decode(good.clone().into(), PREFIX).expect("this order is the right one");

    refused([&auth[..], &body, &signature].concat(), "fields in another order");
    refused([&body[..], &signature, &auth].concat(), "a signature before the auth info");
    refused([&body[..], &body, &auth, &signature].concat(), "two bodies");
    refused([&body[..], &field(2, &[]), &signature].concat(), "an empty auth info spelled out");
    refused([&good[..], &field(1, &[])].concat(), "an empty body at the end");
    let mut long = body.clone();
    assert_eq!(long.len() - 3, raw.body_bytes.len(), "a tag and a length of two bytes");
    long[2] |= 0x80;
    long.insert(3, 0);
    let log = refused([&long[..], &auth, &signature].concat(), "a length of three bytes");
    assert!(log.contains("not as short as possible"), "{log}");
    for stranger in strangers() {
        refused([&good[..], &stranger].concat(), "an unknown field");
    }
    // Signatures may be empty: that is how an encoder writes an empty one.
    let tx = decode([&body[..], &auth, &field(3, &[])].concat().into(), PREFIX).expect("decodes");
    assert_eq!(tx.signatures, [&[][..]]);
}

#[test]
fn every_truncation_is_refused_or_lacks_its_signature() {
    let raw = plain().signed();
    let whole = raw.encode_to_vec();
    let unsigned = whole.len() - field(3, &raw.signatures[0]).len();
    let body_only = field(1, &raw.body_bytes).len();
    for length in 0..whole.len() {
        match decode(whole[..length].to_vec().into(), PREFIX) {
            Err(refusal) => assert_eq!(refusal.code, code::TX_PARSE),
            Ok(tx) => {
                assert!([0, body_only, unsigned].contains(&length), "{length}");
                assert_eq!(tx.validate_signatures().expect_err("none").code, code::NO_SIGNATURES);
            }
        }
    }
}

/// Applies a change to the last value along a path of (field, occurrence 0) into a message.
fn graft(message: &[u8], path: &[u32], stranger: &[u8]) -> Vec<u8> {
    let Some((&number, rest)) = path.split_first() else {
        return [message, stranger].concat();
    };
    // All parts on the paths used are length-delimited and encoded once, in ascending order.
    let mut out = Vec::new();
    let mut at = message;
    let mut done = false;
    while !at.is_empty() {
        let before = at;
        let tag = prost::encoding::decode_varint(&mut at).expect("tag");
        if tag & 7 == 0 {
            prost::encoding::decode_varint(&mut at).expect("value");
        } else {
            let length = prost::encoding::decode_varint(&mut at).expect("length") as usize;
            let (value, after) = at.split_at(length);
            at = after;
            if (tag >> 3) as u32 == number && !done {
                done = true;
                out.extend(field(number, &graft(value, rest, stranger)));
                continue;
            }
        }
        out.extend(&before[..before.len() - at.len()]);
    }
    assert!(done, "no field {number} on the path");
    out
}

#[test]
fn unknown_fields_are_refused_at_every_depth() {
    let cyberlink = plain();
    let send = parts(vec![pack(&send())], 1);
    let multisig = multisig_parts();
    // (transaction, the field of TxRaw, the path of fields below it)
    let places: [(&Parts, u32, &[u32]); 17] = [
        (&cyberlink, 1, &[]),
        (&cyberlink, 1, &[1]),
        (&cyberlink, 1, &[1, 2]),
        (&cyberlink, 1, &[1, 2, 2]),
        (&send, 1, &[1, 2]),
        (&send, 1, &[1, 2, 3]),
        (&send, 2, &[]),
        (&send, 2, &[1]),
        (&send, 2, &[1, 1]),
        (&send, 2, &[1, 1, 2]),
        (&send, 2, &[1, 2]),
        (&send, 2, &[1, 2, 1]),
        (&send, 2, &[2]),
        (&send, 2, &[2, 1]),
        (&multisig, 2, &[1, 1, 2, 2, 2]),
        (&multisig, 2, &[1, 2, 2]),
        (&multisig, 2, &[1, 2, 2, 1]),
    ];
    for (parts, part, path) in places {
        let (body, auth) = (parts.body.encode_to_vec(), parts.auth_info.encode_to_vec());
        let graft = |stranger: &[u8]| match part {
            1 => with(graft(&body, path, stranger), auth.clone()),
            _ => with(body.clone(), graft(&auth, path, stranger)),
        };
        decode(graft(&[]).into(), PREFIX).expect("without the stranger it is well-formed");
        for stranger in strangers() {
            refused(graft(&stranger), &format!("{stranger:02x?} at {part}/{path:?}"));
        }
    }
}

#[test]
fn explicit_defaults_and_other_orders_inside_are_tolerated() {
    let raw = plain().signed();
    // memo "", timeout_height 0, then the messages; in auth info the fee first.
    let body = [&[0x12, 0, 0x18, 0][..], &raw.body_bytes].concat();
    let auth = plain().auth_info;
    let fee = auth.fee.as_ref().expect("a fee").encode_to_vec();
    let fee = [&fee[..], &[0x1a, 0, 0x22, 0]].concat();
    let signer = auth.signer_infos[0].encode_to_vec();
    let auth = [field(2, &fee), field(1, &signer)].concat();
    let tx = decode(with(body, auth).into(), PREFIX).expect("decodes");
    assert_eq!((tx.messages.len(), tx.fee.gas_limit, tx.timeout_height), (1, 200_000, 0));
    let skip = [&cyberlink(&[(1, 2)]).encode_to_vec()[..], &[0x18, 0]].concat();
    let type_url = plain().body.messages[0].type_url.clone();
    let parts = parts(vec![Any { type_url, value: skip }], 1);
    decode(parts.signed().encode_to_vec().into(), PREFIX).expect("skip_existing false spelled out");
}

#[test]
fn single_fields_stand_once() {
    let raw = plain().signed();
    let fee = plain().auth_info.fee.expect("a fee").encode_to_vec();
    let twice = [&raw.auth_info_bytes[..], &field(2, &fee)].concat();
    refused(with(raw.body_bytes.clone(), twice), "two fees");
    let twice = [&raw.body_bytes[..], &field(2, b"a"), &field(2, b"b")].concat();
    refused(with(twice, raw.auth_info_bytes), "two memos");
}

#[test]
fn text_is_utf8_and_booleans_are_0_or_1() {
    let raw = plain().signed();
    let memo = [&raw.body_bytes[..], &field(2, &[0xff])].concat();
    refused(with(memo, raw.auth_info_bytes.clone()), "a memo that is no text");
    let value = [&cyberlink(&[(1, 2)]).encode_to_vec()[..], &[0x18, 2]].concat();
    let type_url = plain().body.messages[0].type_url.clone();
    let mut parts = plain();
    parts.body.messages = vec![Any { type_url, value }];
    refused(with(parts.body.encode_to_vec(), raw.auth_info_bytes), "skip_existing 2");
}

#[test]
fn extension_options_of_either_kind_are_seen() {
    for critical in [true, false] {
        let mut parts = plain();
        let option = Any { type_url: "/some.Option".into(), value: vec![1, 2] };
        match critical {
            true => parts.body.extension_options.push(option),
            false => parts.body.non_critical_extension_options.push(option),
        }
        let raw = parts.with_signatures(vec![vec![0; 64]]);
        let tx = decode(raw.encode_to_vec().into(), PREFIX).expect("decodes");
        assert!(tx.has_extension_options);
    }
    let raw = plain().signed();
    assert!(!decode(raw.encode_to_vec().into(), PREFIX).expect("decodes").has_extension_options);
}

#[test]
fn tips_and_messages_inside_messages_are_refused() {
    let mut tipped = plain();
    tipped.auth_info.tip = Some(Tip { amount: vec![coin("1", "boot")], tipper: bech32(2) });
    refused(tipped.with_signatures(vec![vec![0; 64]]).encode_to_vec(), "a tip");
    let nested = Any { type_url: "/cosmos.authz.v1beta1.MsgExec".into(), value: vec![] };
    let nested = parts(vec![nested], 1).with_signatures(vec![vec![0; 64]]);
    refused(nested.encode_to_vec(), "a message that holds messages");
    let nameless = Any { type_url: String::new(), value: vec![] };
    let nameless = parts(vec![nameless], 1).with_signatures(vec![vec![0; 64]]);
    refused(nameless.encode_to_vec(), "a message without a type");
}

fn with_key(key: Any) -> Vec<u8> {
    let mut parts = plain();
    parts.auth_info.signer_infos[0].public_key = Some(key);
    parts.with_signatures(vec![vec![0; 64]]).encode_to_vec()
}

#[test]
fn public_keys_are_of_a_known_type_length_and_depth() {
    let key = |length: usize| pack(&PubKey { key: vec![2; length] });
    for length in [0, 32, 34, 65] {
        refused(with_key(key(length)), "a key of a wrong length");
    }
    let url = "/cosmos.crypto.secp256r1.PubKey".to_owned();
    refused(with_key(Any { type_url: url, value: vec![] }), "a key of an unknown type");
    let multisig = |threshold, public_keys| pack(&LegacyAminoPubKey { threshold, public_keys });
    for (threshold, keys) in [(0, 1), (0, 0), (1, 0), (3, 2), (u32::MAX, 2)] {
        refused(with_key(multisig(threshold, vec![key(33); keys])), "an impossible threshold");
    }
    let nested = |levels: u32| (1..levels).fold(key(33), |inner, _| multisig(1, vec![inner]));
    for levels in 1..=4 {
        decode(with_key(nested(levels)).into(), PREFIX).expect("shallow enough");
    }
    refused(with_key(nested(5)), "five deep");
    refused(with_key(nested(2_000)), "two thousand deep");
    let none = Any { type_url: String::new(), value: vec![] };
    let tx = decode(with_key(none).into(), PREFIX).expect("an empty key is none");
    assert_eq!(tx.signer_infos[0].public_key, None);
}

/// Two of three, keys 1, 2 and 3 of which 1 and 3 sign.
fn multisig_parts() -> Parts {
    let key = |seed| pack(&PubKey { key: public(seed).to_vec() });
    let keys = LegacyAminoPubKey { threshold: 2, public_keys: vec![key(1), key(2), key(3)] };
    let mut parts = parts(vec![pack(&send())], 127);
    parts.auth_info.signer_infos[0].public_key = Some(pack(&keys));
    let bits = CompactBitArray { extra_bits_stored: 3, elems: vec![0b1010_0000] };
    parts.auth_info.signer_infos[0].mode_info = Some(multi(bits, 2));
    parts
}

fn multi(bitarray: CompactBitArray, modes: usize) -> ModeInfo {
    let mode_infos = vec![super::build::single(127); modes];
    ModeInfo { sum: Some(Sum::Multi(Multi { bitarray: Some(bitarray), mode_infos })) }
}

#[test]
fn bit_arrays_have_one_spelling() {
    let bits = |extra_bits_stored, elems: &[u8]| {
        let mut parts = multisig_parts();
        let array = CompactBitArray { extra_bits_stored, elems: elems.to_vec() };
        parts.auth_info.signer_infos[0].mode_info = Some(multi(array, 2));
        parts.with_signatures(vec![vec![0; 64]]).encode_to_vec()
    };
    for (extra, elems) in [(3, &[0xa0][..]), (0, &[0xff]), (0, &[]), (1, &[0, 0x80])] {
        decode(bits(extra, elems).into(), PREFIX).expect("a bit array");
    }
    for (extra, elems) in [(3, &[][..]), (8, &[0xff]), (3, &[0xb0]), (1, &[0x80, 0x40])] {
        refused(bits(extra, elems), "no bit array");
    }
}

#[test]
fn sign_modes_nest_no_deeper_than_keys() {
    let nested = |levels: u32| {
        let inner = (1..levels).fold(super::build::single(127), |inner, _| {
            let multi = Multi { bitarray: None, mode_infos: vec![inner] };
            ModeInfo { sum: Some(Sum::Multi(multi)) }
        });
        let mut parts = multisig_parts();
        parts.auth_info.signer_infos[0].mode_info = Some(inner);
        parts.with_signatures(vec![vec![0; 64]]).encode_to_vec()
    };
    decode(nested(4).into(), PREFIX).expect("shallow enough");
    refused(nested(5), "five deep");
    refused(nested(2_000), "two thousand deep");
}

#[test]
fn simulations_come_without_fee_keys_and_modes() {
    let mut parts = plain();
    parts.auth_info.fee = Some(Default::default());
    parts.auth_info.signer_infos[0].public_key = None;
    parts.auth_info.signer_infos[0].mode_info = Some(super::build::single(0));
    let raw = parts.with_signatures(vec![vec![]]);
    let tx = decode_simulation(raw.encode_to_vec().into(), PREFIX).expect("decodes");
    tx.validate_fee().expect("an empty fee is a fee");
    tx.validate_signatures().expect("an empty signature counts");
    assert_eq!((tx.signer_infos[0].sequence, tx.fee.gas_limit), (3, 0));
    // Encoders of `Tx` may write an empty auth info.
    let bytes = [field(1, &raw.body_bytes), field(2, &[])].concat();
    decode_simulation(bytes.clone().into(), PREFIX).expect("decodes");
    refused(bytes, "not canonical outside simulation");
}

#[test]
fn links_hold_their_place_in_memory_only_once_checked() {
    // 60,000 empty links in 120 kB: refused at the first.
    let empty = vec![cyber_proto::cyber::graph::v1beta1::Link::default(); 60_000];
    let mut message = cyberlink(&[(1, 2)]);
    message.links.extend(empty);
    let raw = parts(vec![pack(&message)], 1).with_signatures(vec![vec![0; 64]]);
    let tx = decode(raw.encode_to_vec().into(), PREFIX).expect("well-formed");
    assert_eq!(tx.validate_messages().expect_err("empty ends").code, code::SELF_LINK);
    assert!(tx.messages.is_empty());
    assert_eq!(link(1, 2).from.len(), 46);
}
