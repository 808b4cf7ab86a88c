//! Random bytes and changed transactions never panic, and what decodes keeps its promises.

use super::build::{cyberlink, pack, parts, send, ACCOUNT, CHAIN, PREFIX};
use crate::tx::{decode, decode_simulation, verify};
use cyber_proto::cosmos::tx::v1beta1::{AuthInfo, TxBody, TxRaw};
use proptest::prelude::*;
use prost::Message;

/// Decodes and uses everything there is; what decodes, another decoder reads and writes alike.
fn exercise(bytes: &[u8]) -> bool {
    let simulated = decode_simulation(bytes.to_vec().into(), PREFIX);
    let Ok(tx) = decode(bytes.to_vec().into(), PREFIX) else { return false };
    assert!(simulated.is_ok());
    let raw = TxRaw::decode(bytes).expect("prost reads what the chain reads");
    assert_eq!(raw.encode_to_vec(), bytes, "the envelope re-encodes to itself");
    assert_eq!(
        (&raw.body_bytes[..], &raw.auth_info_bytes[..]),
        (&tx.body_bytes[..], &tx.auth_info_bytes[..])
    );
    let body = TxBody::decode(&raw.body_bytes[..]).expect("a body");
    assert_eq!((&body.memo, body.timeout_height), (&tx.memo, tx.timeout_height));
    let auth_info = AuthInfo::decode(&raw.auth_info_bytes[..]).expect("an auth info");
    assert_eq!(auth_info.signer_infos.len(), tx.signer_infos.len());
    if tx.validate_messages().is_ok() {
        assert_eq!(body.messages.len(), tx.messages.len());
    }
    let _ = (tx.validate_fee(), tx.validate_signatures(), tx.fee.coins(), tx.gas(), tx.signers());
    for (at, info) in tx.signer_infos.iter().enumerate() {
        if let Some(key) = &info.public_key {
            let _ = (key.address(), key.to_any(), verify(&tx, at, key, CHAIN, ACCOUNT));
        }
    }
    true
}

fn valid(which: u8) -> Vec<u8> {
    let messages = match which % 3 {
        0 => vec![pack(&send())],
        1 => vec![pack(&cyberlink(&[(1, 2)]))],
        _ => vec![pack(&cyberlink(&[(1, 2), (3, 4)])), pack(&send())],
    };
    let mode = if is_json(which) { 127 } else { 1 };
    parts(messages, mode).signed().encode_to_vec()
}

fn is_json(which: u8) -> bool {
    which & 1 == 1
}

#[derive(Clone, Debug)]
enum Change {
    Set(usize, u8),
    Remove(usize),
    Insert(usize, u8),
    /// Copies a stretch to another place.
    Copy(usize, usize, usize),
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        (any_place(), any::<u8>()).prop_map(|(at, byte)| Change::Set(at, byte)),
        any_place().prop_map(Change::Remove),
        (any_place(), any::<u8>()).prop_map(|(at, byte)| Change::Insert(at, byte)),
        (any_place(), any_place(), 0usize..64).prop_map(|(a, b, n)| Change::Copy(a, b, n)),
    ]
}

fn any_place() -> impl Strategy<Value = usize> {
    any::<usize>()
}

fn apply(bytes: &mut Vec<u8>, change: &Change) {
    if bytes.is_empty() {
        return;
    }
    let length = bytes.len();
    match *change {
        Change::Set(at, byte) => bytes[at % length] = byte,
        Change::Remove(at) => drop(bytes.remove(at % length)),
        Change::Insert(at, byte) => bytes.insert(at % length, byte),
        Change::Copy(from, to, count) => {
            let from = from % length;
            let stretch = bytes[from..(from + count).min(length)].to_vec();
            let to = to % length;
            bytes.splice(to..to, stretch);
        }
    }
}

#[test]
fn the_unchanged_transactions_decode() {
    for which in 0..6 {
        assert!(exercise(&valid(which)), "{which}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..512)) {
        exercise(&bytes);
    }

    #[test]
    fn changed_transactions_never_panic(
        which in 0u8..6,
        changes in prop::collection::vec(change(), 1..4),
    ) {
        let mut bytes = valid(which);
        for change in &changes {
            apply(&mut bytes, change);
        }
        exercise(&bytes);
    }

    #[test]
    fn a_changed_transaction_has_no_valid_signature(which in 0u8..6, change in change()) {
        let original = valid(which);
        let mut bytes = original.clone();
        apply(&mut bytes, &change);
        prop_assume!(bytes != original);
        let before = decode(original.into(), PREFIX).expect("decodes");
        let key = before.signer_infos[0].public_key.clone().expect("a key");
        if let Ok(tx) = decode(bytes.into(), PREFIX) {
            let holds = tx.validate_messages().is_ok()
                && tx.validate_signatures().is_ok()
                && verify(&tx, 0, &key, CHAIN, ACCOUNT).is_ok();
            // JSON says what the fields say, not how their bytes lie: an empty memo may be spelled
            // out, the key left away. Direct signatures cover the bytes.
            prop_assert!(!holds || is_json(which) && tx.messages == before.messages);
        }
    }
}
