//! The rules a transaction must keep that need no state, with the texts clients know.

use super::build::{address, bech32, cid, coin, cyberlink, pack, parts, read, send, Parts};
use crate::error::{code, Code, Refusal};
use crate::tx::{message, Tx};
use crate::types::Particle;
use cyber_proto::cosmos::bank::v1beta1::MsgSend;
use cyber_proto::cosmos::tx::v1beta1::Fee;
use cyber_proto::cyber::graph::v1beta1::{Link, MsgCyberlink};

fn tx(parts: &Parts) -> Tx {
    read(&parts.with_signatures(vec![vec![0; 64]]))
}

fn message_refusal(message: cyber_proto::Any) -> Refusal {
    tx(&parts(vec![message], 1)).validate_messages().expect_err("a broken rule")
}

fn fee_refusal(fee: Option<Fee>) -> Refusal {
    let mut parts = parts(vec![pack(&send())], 1);
    parts.auth_info.fee = fee;
    tx(&parts).validate_fee().expect_err("a broken rule")
}

#[test]
fn a_transaction_has_a_message() {
    let refusal = tx(&parts(vec![], 1)).validate_messages().expect_err("no message");
    assert_eq!(refusal.code, code::INVALID_REQUEST);
    assert_eq!(refusal.log, "must contain at least one message: invalid request");
}

#[test]
fn payments_name_accounts_and_positive_sorted_coins() {
    let change = |change: fn(&mut MsgSend)| {
        let mut message = send();
        change(&mut message);
        let Refusal { code, log } = message_refusal(pack(&message));
        (code, log)
    };
    let address = code::INVALID_ADDRESS;
    let (code, log) = change(|m| m.from_address.clear());
    let words = "invalid from address: empty address string is not allowed: invalid address";
    assert_eq!((code, log.as_str()), (address, words));
    let (code, log) = change(|m| m.to_address = m.to_address.replacen("bostrom", "cyber", 1));
    assert!(code == address && log.starts_with("invalid to address: decoding bech32 failed"));
    let (code, log) = change(|m| m.to_address = m.to_address.to_uppercase());
    assert!(code == address && log.ends_with(": invalid address"), "{log}");

    let coins = |coins: &[(&str, &str)]| {
        let mut message = send();
        message.amount = coins.iter().map(|(amount, denom)| coin(amount, denom)).collect();
        let Refusal { code, log } = message_refusal(pack(&message));
        assert_eq!(code, code::INVALID_COINS);
        log
    };
    assert_eq!(coins(&[]), ": invalid coins");
    assert_eq!(coins(&[("0", "boot")]), "0boot: invalid coins");
    assert_eq!(coins(&[("-5", "boot")]), "-5boot: invalid coins");
    assert_eq!(coins(&[("1", "boot"), ("2", "atom")]), "1boot,2atom: invalid coins");
    assert_eq!(coins(&[("1", "boot"), ("1", "boot")]), "1boot,1boot: invalid coins");
    for bad in ["+5", "005", "1.0", "", "0x5", "340282366920938463463374607431768211456"] {
        coins(&[(bad, "boot")]);
    }
    for bad in ["b", "1boot", "bo ot", ""] {
        coins(&[("5", bad)]);
    }
}

#[test]
fn the_first_message_that_breaks_a_rule_is_the_refusal() {
    let mut poor = send();
    poor.amount.clear();
    let mut loops = cyberlink(&[(1, 1)]);
    loops.links.push(Link::default());
    let both = parts(vec![pack(&send()), pack(&loops), pack(&poor)], 1);
    let tx = tx(&both);
    let refusal = tx.validate_messages().expect_err("two broken rules");
    assert_eq!(refusal.code, code::SELF_LINK);
    let at = cid(1);
    let words = format!("link 0 from '{at}' to '{at}': loop cyberlink not allowed");
    assert_eq!(refusal.log, words);
    assert_eq!(tx.messages.len(), 1);
}

#[test]
fn cyberlinks_name_a_neuron_and_distinct_links_of_cids() {
    let neuron = MsgCyberlink { neuron: "bostrom1".into(), ..cyberlink(&[(1, 2)]) };
    let refusal = message_refusal(pack(&neuron));
    assert_eq!(refusal.code, code::INVALID_ADDRESS);
    assert!(refusal.log.starts_with("invalid neuron address: decoding bech32 failed"));

    let with = |from: &str, to: &str| {
        let mut message = cyberlink(&[(1, 2), (2, 1), (2, 3)]);
        message.links.push(Link { from: from.into(), to: to.into() });
        message_refusal(pack(&message))
    };
    let long = "x".repeat(1_000);
    let cases: [(&str, &str, Code, &str); 5] = [
        (&cid(9), "", code::INVALID_PARTICLE, "invalid particle"),
        (&long, &cid(9), code::INVALID_PARTICLE, "invalid particle"),
        (&cid(9), "bafybeigdyrzt5sfp7", code::CID_VERSION, "unsupported cid version"),
        (&cid(2), &cid(1), code::LINK_EXISTS, "your cyberlink already exists"),
        (&cid(7), &cid(7), code::SELF_LINK, "loop cyberlink not allowed"),
    ];
    for (from, to, code, words) in cases {
        let refusal = with(from, to);
        assert_eq!(refusal.code, code);
        let cut = |text: &str| text.chars().take(64).collect::<String>();
        assert_eq!(refusal.log, format!("link 3 from '{}' to '{}': {words}", cut(from), cut(to)));
    }
}

#[test]
fn the_first_link_that_breaks_a_rule_stops_the_message() {
    let refusal = |ends: &[[&str; 2]]| {
        let mut message = cyberlink(&[]);
        let link = |[from, to]: &[&str; 2]| Link { from: (*from).into(), to: (*to).into() };
        message.links = ends.iter().map(link).collect();
        let Refusal { code, log } = message_refusal(pack(&message));
        (code, log.split(' ').nth(1).map(str::to_owned))
    };
    let (one, two) = (&*cid(1), &*cid(2));
    let at = |code, place: &str| (code, Some(place.to_owned()));
    let repeated = refusal(&[[one, two], [two, one], [one, two], [one, one], [one, "no"]]);
    assert_eq!(repeated, at(code::LINK_EXISTS, "2"));
    let broken = refusal(&[[one, two], [one, "no"], [one, two]]);
    assert_eq!(broken, at(code::INVALID_PARTICLE, "1"));
}

#[test]
fn links_between_digests_that_begin_alike_are_not_taken_for_one() {
    let like = |last: u8| {
        let mut digest = [7; 32];
        digest[31] = last;
        Particle(digest).to_cid()
    };
    let mut message = cyberlink(&[]);
    let link = |from: u8, to: u8| Link { from: like(from), to: like(to) };
    message.links = vec![link(1, 2), link(1, 3), link(2, 1), link(3, 1)];
    let read = |message: &MsgCyberlink| tx(&parts(vec![pack(message)], 1)).validate_messages();
    assert_eq!(read(&message), Ok(()));
    message.links.push(link(2, 1));
    assert_eq!(read(&message).expect_err("stands twice").code, code::LINK_EXISTS);
}

#[test]
fn fees_are_there_bounded_and_of_whole_numbers() {
    let refusal = fee_refusal(None);
    assert_eq!((refusal.code, refusal.log.as_str()), (code::INTERNAL, "missing fee"));
    let refusal = fee_refusal(Some(Fee { gas_limit: 1 << 63, ..Fee::default() }));
    let words = "invalid gas supplied; 9223372036854775808 > 9223372036854775807: invalid request";
    assert_eq!((refusal.code, refusal.log.as_str()), (code::INVALID_REQUEST, words));
    let amount = vec![coin("7", "atom"), coin("-5", "boot")];
    let refusal = fee_refusal(Some(Fee { amount, ..Fee::default() }));
    let words = "invalid fee provided: 7atom,-5boot: insufficient fee";
    assert_eq!((refusal.code, refusal.log.as_str()), (code::INSUFFICIENT_FEE, words));
    let refusal = fee_refusal(Some(Fee { payer: "me".into(), ..Fee::default() }));
    assert_eq!(refusal.code, code::INVALID_ADDRESS);
    assert!(refusal.log.starts_with("invalid fee payer address (decoding bech32 failed"));
}

#[test]
fn a_fee_of_zero_coins_is_no_fee_and_a_mixed_one_is_refused() {
    let coins = |coins: &[(&str, &str)]| {
        let mut parts = parts(vec![pack(&send())], 1);
        let fee = parts.auth_info.fee.as_mut().expect("a fee");
        fee.amount = coins.iter().map(|(amount, denom)| coin(amount, denom)).collect();
        let tx = tx(&parts);
        tx.validate_fee().expect("whole numbers");
        tx.fee.coins()
    };
    assert!(coins(&[]).expect("none").is_empty());
    assert!(coins(&[("0", "boot")]).expect("none").is_empty());
    let refusal = coins(&[("0", "atom"), ("5", "boot")]).expect_err("mixed");
    assert_eq!(refusal.log, "invalid fee amount: 0atom,5boot: insufficient fee");
    assert!(coins(&[("5", "boot"), ("5", "atom")]).is_err());
}

#[test]
fn signers_are_the_messages_in_order_then_the_payer() {
    let from = |seed| MsgSend { from_address: bech32(seed), ..send() };
    let mut parts = parts(vec![pack(&from(2)), pack(&from(1)), pack(&from(2))], 1);
    assert_eq!(tx(&parts).signers(), [address(2), address(1)]);
    assert_eq!(tx(&parts).fee_payer(), Some(address(2)));
    parts.auth_info.fee.as_mut().expect("a fee").payer = bech32(3);
    assert_eq!(tx(&parts).signers(), [address(2), address(1), address(3)]);
    assert_eq!(tx(&parts).fee_payer(), Some(address(3)));
}

#[test]
fn each_signer_signs_once() {
    let parts = parts(vec![pack(&send())], 1);
    let check = |count: usize| read(&parts.with_signatures(vec![vec![0; 64]; count]));
    check(1).validate_signatures().expect("one");
    let none = check(0).validate_signatures().expect_err("none");
    assert_eq!((none.code, none.log.as_str()), (code::NO_SIGNATURES, "no signatures supplied"));
    let two = check(2).validate_signatures().expect_err("an extra signature");
    let words = "wrong number of signers; expected 1, got 2: unauthorized";
    assert_eq!((two.code, two.log.as_str()), (code::UNAUTHORIZED, words));
    let mut infos = parts.clone();
    let info = infos.auth_info.signer_infos[0].clone();
    infos.auth_info.signer_infos.push(info);
    let two = tx(&infos).validate_signatures().expect_err("an extra signer info");
    assert_eq!((two.code, two.log.as_str()), (code::UNAUTHORIZED, words));
    infos.auth_info.signer_infos.clear();
    assert!(tx(&infos).validate_signatures().is_err());
}

#[test]
fn the_table_names_every_message_once() {
    let mut names = std::collections::BTreeSet::new();
    for kind in message::KINDS {
        assert_eq!(kind.response_url, format!("{}Response", kind.type_url));
        assert_eq!(kind.type_url.split('.').nth(1), Some(kind.module));
        assert!(names.insert(kind.type_url) && !kind.amino_names.is_empty());
    }
    let read = tx(&parts(vec![pack(&send()), pack(&cyberlink(&[(1, 2), (2, 3)]))], 1));
    let rows: Vec<_> = read.messages.iter().map(|m| (m.kind().module, m.gas())).collect();
    assert_eq!(rows, [("bank", 20_000), ("graph", 1_200)]);
}
