//! What CosmJS signed, what go-cyber answered, what cosmrs encodes.

use super::build::{self, address, bech32, CHAIN, PREFIX};
use crate::error::{code, Code};
use crate::tx::{decode, verify, Mode, Msg, PublicKey, SignMode, Signed, Tx};
use base64::Engine;
use cyber_proto::cosmos::tx::v1beta1::TxRaw;
use prost::Message;
use serde_json::Value;

/// Vectors made with CosmJS: the first file came with the protocol, the second was made by the
/// script beside it.
const SIGNING: [&str; 2] = [
    include_str!("../../../tests/vectors/signing.json"),
    include_str!("../../../tests/vectors/signing_more.json"),
];

fn all_signing(file: usize) -> Vec<Value> {
    let mut all: Value = serde_json::from_str(SIGNING[file]).expect("JSON");
    match all["vectors"].take() {
        Value::Array(vectors) => vectors,
        other => panic!("no list: {other}"),
    }
}

fn signing(name: &str) -> Value {
    let mut all = all_signing(0).into_iter().chain(all_signing(1));
    all.find(|vector| vector["name"] == name).expect("a vector of that name")
}

fn text<'a>(vector: &'a Value, key: &str) -> &'a str {
    vector[key].as_str().expect("a string")
}

fn raw_bytes(vector: &Value) -> Vec<u8> {
    hex::decode(text(vector, "tx_raw_hex")).expect("hex")
}

fn key_of(tx: &Tx) -> PublicKey {
    tx.signer_infos[0].public_key.clone().expect("a public key")
}

/// Decodes, compares sign bytes, verifies, re-encodes, hashes.
fn check_signing(name: &str) -> Tx {
    let vector = signing(name);
    let bytes = raw_bytes(&vector);
    let tx = decode(bytes.clone().into(), PREFIX).expect("decodes");
    tx.validate_messages().expect("messages");
    tx.validate_fee().expect("fee");
    tx.validate_signatures().expect("signatures");
    assert_eq!(hex::encode_upper(tx.hash), text(&vector, "tx_hash"));
    assert_eq!(TxRaw::decode(&bytes[..]).expect("prost").encode_to_vec(), bytes);

    let (chain, number) = (text(&vector, "chain_id"), vector["account_number"].as_u64());
    let number = number.expect("a number");
    let signed = Signed::new(&tx, chain, number, vector["sequence"].as_u64().expect("a number"));
    match vector["sign_bytes_hex"].as_str() {
        Some(expected) => assert_eq!(hex::encode(signed.direct_bytes()), expected),
        None => {
            let spellings = signed.amino_bytes().into_iter();
            let mut texts = spellings.map(|bytes| String::from_utf8(bytes).expect("UTF-8"));
            assert!(texts.any(|spelling| spelling == text(&vector, "sign_bytes_utf8")));
        }
    }
    let key = key_of(&tx);
    assert_eq!(tx.signers(), [key.address()]);
    verify(&tx, 0, &key, chain, number).expect("verifies");
    assert!(verify(&tx, 0, &key, chain, number + 1).is_err());
    assert!(verify(&tx, 0, &key, "another-chain", number).is_err());
    tx
}

#[test]
fn a_payment_of_cosmjs_is_understood_in_direct_mode() {
    let tx = check_signing("bank_send_direct");
    assert_eq!(tx.memo, "hello <&> memo");
    assert_eq!(tx.signer_infos[0].mode, Mode::Single(SignMode::Direct));
    assert_eq!((tx.signer_infos[0].sequence, tx.fee.gas_limit), (3, 200_000));
    assert_eq!(tx.fee.coins().expect("coins").to_string(), "1000boot");
    let [Msg::Send(send)] = &tx.messages[..] else { panic!("one payment") };
    let from = "bostrom1phaxpevm5wecex2jyaqty2a4v02qj7qm5n94ug";
    assert_eq!(send.from.to_bech32(PREFIX), from);
    assert_eq!(send.amount.to_string(), "1234boot");
    assert_eq!(tx.gas(), 10 * tx.bytes.len() as u64 + 1_000 + 20_000);
}

#[test]
fn payments_of_cosmjs_are_understood_in_json_mode() {
    check_signing("bank_send_amino");
    assert_eq!(check_signing("bank_send_timeout_amino").timeout_height, 100);
}

#[test]
fn cyberlinks_of_cosmjs_are_understood_in_both_modes() {
    for name in ["cyberlink_1_direct", "cyberlink_1_amino"] {
        let tx = check_signing(name);
        let [Msg::Cyberlink(cyberlink)] = &tx.messages[..] else { panic!("one cyberlink") };
        assert_eq!(cyberlink.neuron, tx.signers()[0]);
        let link = cyberlink.links[0];
        assert_eq!(link.from.to_cid(), "QmWQixYeubM54RFHunos6K6aYYb1EE4XY6pBVDJtTNGr9D");
        assert_eq!(link.to.to_cid(), "QmQSbpPKGQgGMfgeFeQz9ATNrFJvi4oZ4KxtAJcnKuBwr5");
        assert!(tx.fee.coins().expect("coins").is_empty());
        assert_eq!(tx.gas(), 10 * tx.bytes.len() as u64 + 1_000 + 1_100);
    }
}

#[test]
fn everything_else_cosmjs_signs_is_understood() {
    let vectors = all_signing(1);
    let names = vectors.iter().map(|vector| text(vector, "name"));
    let names: Vec<_> = names.filter(|name| *name != "multisig_2of3_too_few").collect();
    assert_eq!(names.len(), 15);
    for name in names {
        let tx = check_signing(name);
        let skipping = |m: &Msg| matches!(m, Msg::Cyberlink(link) if link.skip_existing);
        if name.contains("skip_existing") {
            assert!(tx.messages.iter().all(skipping), "{name}");
        }
        if name.contains("zero_fee") {
            assert!(tx.fee.coins().expect("coins").is_empty(), "{name}");
            assert_eq!(tx.messages[0].items(), 2, "{name}");
        }
        if name.contains("odd_memo") {
            assert!(tx.memo.starts_with("quote \" slash \\ tab \t bell"), "{name}");
        }
    }
    // The usual name is tried first: no client of it pays for the other names.
    let tx = check_signing("cyberlink_skip_existing_amino");
    let first = Signed::new(&tx, CHAIN, 7, 3).amino_bytes().remove(0);
    let usual = signing("cyberlink_skip_existing_amino");
    assert_eq!(String::from_utf8(first).expect("UTF-8"), text(&usual, "sign_bytes_utf8"));
}

#[test]
fn one_signature_is_too_few_for_two_of_three() {
    let tx = decode(raw_bytes(&signing("multisig_2of3_too_few")).into(), PREFIX).expect("decodes");
    let log = verify(&tx, 0, &key_of(&tx), CHAIN, 7).expect_err("too few").log;
    assert!(log.starts_with("multisig with 1 bits set"), "{log}");
}

#[test]
fn two_of_three_of_cosmjs_sign_together() {
    let tx = check_signing("multisig_2of3_bank_send");
    let vector = signing("multisig_2of3_bank_send");
    let key = key_of(&tx);
    assert_eq!(key.address().to_bech32(PREFIX), text(&vector, "multisig_address"));
    assert_eq!((key.key_count(), tx.signer_infos[0].mode.signature_count()), (3, 2));
    assert_eq!(PublicKey::from_any(&key.to_any()).expect("key"), key);
}

#[test]
fn a_message_the_chain_does_not_know_is_no_transaction() {
    let refusal = decode(raw_bytes(&signing("investmint_amino")).into(), PREFIX).expect_err("no");
    assert_eq!(refusal.code, code::TX_PARSE);
    let words = "unable to resolve type URL /cyber.resources.v1beta1.MsgInvestmint: tx parse error";
    assert!(refusal.log.ends_with(words), "{}", refusal.log);
}

/// The transaction sent to go-cyber, and its answer: codespace, code, log.
fn broadcast(text: &str) -> (Vec<u8>, (String, u64, String)) {
    let all: Value = serde_json::from_str(text).expect("JSON");
    let tx = all["request"]["params"]["tx"].as_str().expect("base64");
    let bytes = base64::engine::general_purpose::STANDARD.decode(tx).expect("base64");
    let result = &all["response"]["result"];
    let string = |key: &str| result[key].as_str().expect("a string").to_owned();
    (bytes, (string("codespace"), result["code"].as_u64().expect("a number"), string("log")))
}

macro_rules! go_cyber {
    ($name:literal) => {
        broadcast(include_str!(concat!(
            "../../../tests/vectors/go-cyber/broadcast_",
            $name,
            ".json"
        )))
    };
}

#[test]
fn cyberlinks_are_refused_with_go_cybers_codes_and_words_after_the_link() {
    let cases = [
        (go_cyber!("zero_links"), code::NO_LINKS, ""),
        (go_cyber!("self_link"), code::SELF_LINK, "link 0 from 'QmPru5"),
        (go_cyber!("invalid_particle"), code::INVALID_PARTICLE, "link 0 from 'notacid' to 'Qm"),
        (go_cyber!("cid_v1"), code::CID_VERSION, "link 0 from 'bafybeig"),
        (go_cyber!("duplicate_in_message"), code::LINK_EXISTS, "link 1 from 'QmPru5"),
    ];
    for ((bytes, answer), code, before) in cases {
        let tx = decode(bytes.into(), PREFIX).expect("well-formed");
        let refusal = tx.validate_messages().expect_err("a broken rule");
        let (space, number, words) = answer;
        assert_eq!((refusal.code, refusal.code.number), (code, number as u32));
        assert_eq!(refusal.code.space, space);
        assert!(refusal.log.starts_with(before), "{}", refusal.log);
        assert!(refusal.log.ends_with(&words), "{} / {words}", refusal.log);
        assert_eq!(tx.fee.gas_limit, 5_000_000);
    }
}

#[test]
fn garbage_is_refused_in_go_cybers_words() {
    let (bytes, (space, number, words)) = go_cyber!("garbage_bytes");
    let refusal = decode(bytes.into(), PREFIX).expect_err("garbage");
    assert_eq!(refusal.code, Code { space: "sdk", number: 2 });
    assert_eq!((refusal.code.space, u64::from(refusal.code.number)), (space.as_str(), number));
    assert_eq!(refusal.log, words);
}

#[test]
fn go_cybers_transactions_verify_and_bad_signatures_get_its_words() {
    for (bytes, _) in
        [go_cyber!("ok"), go_cyber!("not_enough_bandwidth_60_links"), go_cyber!("wrong_sequence")]
    {
        let tx = decode(bytes.into(), PREFIX).expect("well-formed");
        tx.validate_messages().expect("messages");
        verify(&tx, 0, &key_of(&tx), "test", 1).expect("verifies");
    }
    let (bytes, (space, number, words)) = go_cyber!("wrong_account_number_bad_signature");
    let tx = decode(bytes.into(), PREFIX).expect("well-formed");
    let refusal = verify(&tx, 0, &key_of(&tx), "test", 1).expect_err("a bad signature");
    assert_eq!((refusal.code.space, u64::from(refusal.code.number)), (space.as_str(), number));
    assert_eq!(refusal.log, words);
}

#[test]
fn transactions_of_cosmrs_are_understood() {
    use cosmrs::tx::{BodyBuilder, Fee, SignDoc, SignerInfo};
    let secret = cosmrs::crypto::secp256k1::SigningKey::from_slice(&build::secret(1)[..]);
    let secret = secret.expect("a secret key");
    let account = |seed: u8| bech32(seed).parse::<cosmrs::AccountId>().expect("an account");
    let coin = cosmrs::Coin { amount: 5, denom: "boot".parse().expect("a denomination") };
    let send = cosmrs::bank::MsgSend {
        from_address: account(1),
        to_address: account(2),
        amount: vec![coin.clone()],
    };
    let links = build::cyberlink(&[(1, 2), (2, 3)]);
    let link = build::pack(&links);
    let link = cosmrs::Any { type_url: link.type_url, value: link.value };
    let messages = [cosmrs::tx::Msg::to_any(&send).expect("encodes"), link];
    for (at, message) in messages.into_iter().enumerate() {
        let mut body = BodyBuilder::new();
        body.msg(message).memo("from cosmrs").timeout_height(60u32);
        let signer = SignerInfo::single_direct(Some(secret.public_key()), 3);
        let auth_info = signer.auth_info(Fee::from_amount_and_gas(coin.clone(), 100_000u64));
        let chain = CHAIN.parse().expect("a chain id");
        let doc = SignDoc::new(&body.finish(), &auth_info, &chain, 7).expect("a document");
        let bytes = doc.sign(&secret).expect("signs").to_bytes().expect("encodes");

        let tx = decode(bytes.into(), PREFIX).expect("decodes");
        assert_eq!((tx.memo.as_str(), tx.timeout_height), ("from cosmrs", 60));
        assert_eq!(tx.fee.coins().expect("coins").to_string(), "5boot");
        assert_eq!((tx.fee.gas_limit, tx.signers()), (100_000, vec![address(1)]));
        verify(&tx, 0, &key_of(&tx), CHAIN, 7).expect("verifies");
        match &tx.messages[..] {
            [Msg::Send(read)] if at == 0 => {
                assert_eq!((read.from, read.to), (address(1), address(2)));
                assert_eq!(read.amount.to_string(), "5boot");
            }
            [Msg::Cyberlink(read)] if at == 1 => {
                let back = read.links.iter().map(|link| (link.from.to_cid(), link.to.to_cid()));
                let sent = links.links.iter().map(|link| (link.from.clone(), link.to.clone()));
                assert!(back.eq(sent) && !read.skip_existing);
            }
            other => panic!("{other:?}"),
        }
    }
}
