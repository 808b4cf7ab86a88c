//! Simulation: what it costs, what it forgives, and that nothing of it stays.

use super::*;
use crate::engine::{self, Engine};
use crate::store::backend::MemoryDisk;
use crate::store::{Options, Store};
use crate::testkit::Wallet;
use cyber_proto::cosmos::crypto::multisig::v1beta1::CompactBitArray;
use cyber_proto::cosmos::tx::v1beta1::mode_info::{Multi, Sum};
use cyber_proto::cosmos::tx::v1beta1::{
    AuthInfo, Fee, ModeInfo, SimulateRequest, SimulateResponse, TxRaw,
};

const SIMULATE: &str = "/cosmos.tx.v1beta1.Service/Simulate";

/// The same blocks in an engine that queries can share.
fn shared(world: &mut World) -> Arc<Engine> {
    let store = Store::open_on(Box::new(MemoryDisk::new()), Options::default());
    let engine = Engine::new(store.expect("a store in memory"), engine::Options::default());
    engine.init_chain(&world.chain.genesis).expect("a good genesis");
    for (block, hash) in &world.chain.blocks {
        let outcome = engine.finalize_block(block).expect("a good block");
        assert_eq!(outcome.app_hash, *hash);
        engine.commit().expect("a good disk");
    }
    let engine = Arc::new(engine);
    let of_queries = engine.clone();
    world.queries = Queries::new(engine.reader().clone(), Arc::default(), limits())
        .simulating(Box::new(move |tx| of_queries.simulate(tx)));
    engine
}

/// What CosmJS sends: no fee, no signature, no sign mode; Keplr leaves the key out too.
fn unsigned(tx: &Bytes, change: impl FnOnce(&mut AuthInfo)) -> Vec<u8> {
    let mut raw = TxRaw::decode(tx.clone()).expect("a transaction");
    let mut auth = AuthInfo::decode(&*raw.auth_info_bytes).expect("auth info");
    auth.fee = Some(Fee::default());
    auth.signer_infos[0].mode_info = Some(ModeInfo::default());
    change(&mut auth);
    raw.auth_info_bytes = auth.encode_to_vec();
    raw.signatures = vec![Vec::new()];
    raw.encode_to_vec()
}

fn simulate(world: &World, tx_bytes: Vec<u8>) -> Result<SimulateResponse, Refused> {
    world.ask(SIMULATE, &SimulateRequest { tx_bytes, ..SimulateRequest::default() })
}

fn gas(response: &SimulateResponse) -> i64 {
    response.gas_info.as_ref().expect("always").gas_used as i64
}

fn send(wallet: &Wallet, amount: u128) -> Bytes {
    let to = Wallet::new("carol", "bostrom", "").address();
    let message = wallet.send_message(&to, &[Coin::new("boot", Amount(amount))]);
    wallet.sign_at(vec![message], &TxOptions::default(), wallet.sequence)
}

#[test]
fn the_gas_told_is_enough_and_not_absurd() {
    let mut world = World::new();
    shared(&mut world);
    let (alice, bob) = (world.chain.wallet("alice"), world.chain.wallet("bob"));
    let link = bob.link_message(&[(particle(9), particle(1))], false);
    let link = bob.sign_at(vec![link], &TxOptions::default(), bob.sequence);
    let txs = vec![send(&alice, 5), link];
    let without_key = |auth: &mut AuthInfo| auth.signer_infos[0].public_key = None;
    let mut told = Vec::new();
    for tx in &txs {
        let forms = [unsigned(tx, |_| {}), unsigned(tx, without_key), tx.to_vec()];
        told.push(forms.map(|form| gas(&simulate(&world, form).expect("it would do"))));
    }
    let outcome = world.chain.block(txs);
    for (result, told) in outcome.results.iter().zip(told) {
        assert!(result.is_ok(), "{}", result.log);
        let used = result.gas_used;
        for told in told {
            assert!(told * 14 / 10 >= used && told <= used * 2, "told {told}, used {used}");
        }
        assert_eq!(told[2], used, "nothing is missing in a signed transaction");
    }
}

#[test]
fn messages_run_and_nothing_stays() {
    let mut world = World::new();
    let engine = shared(&mut world);
    let bob = world.chain.wallet("bob");
    let hash = engine.reader().latest().app_hash();
    let link = bob.link_message(&[(particle(8), particle(9))], false);
    let tx = bob.sign_at(vec![link], &TxOptions::default(), bob.sequence);
    for _ in 0..2 {
        let response = simulate(&world, unsigned(&tx, |_| {})).expect("it would do");
        let result = response.result.expect("always");
        assert_eq!(result.msg_responses.len(), 1);
        assert_eq!(result.msg_responses[0].type_url, "/cyber.graph.v1beta1.MsgCyberlinkResponse");
        assert!(result.events.iter().any(|event| event.r#type == "cyberlink"));
        assert!(!result.data.is_empty());
    }
    assert_eq!(engine.reader().latest().app_hash(), hash);
    // CheckTx finds the state as it was.
    let request = engine::CheckRequest { tx, kind: engine::CheckKind::New };
    let mut results = Vec::new();
    engine.check_txs(&[request], &mut results);
    assert!(results[0].is_ok(), "{}", results[0].log);
    let told = world.raw("/app/simulate", unsigned(&send(&bob, 1), |_| {}), 0, false);
    let json: serde_json::Value = serde_json::from_slice(&told.value).expect("JSON");
    let used = json["gas_info"]["gas_used"].as_str().and_then(|text| text.parse::<u64>().ok());
    assert!(used > Some(20_000), "{json}");
    let response = &json["result"]["msg_responses"][0]["@type"];
    assert_eq!(response, "/cosmos.bank.v1beta1.MsgSendResponse");
    let ahead = bob.sign_at(vec![], &TxOptions::default(), bob.sequence);
    assert_eq!(world.raw("/app/simulate", ahead.to_vec(), 0, false).code, 18);
}

#[test]
fn any_sequence_from_the_committed_to_the_pending_one_will_do() {
    let mut world = World::new();
    let engine = shared(&mut world);
    let mut alice = world.chain.wallet("alice");
    let committed = alice.sequence;
    for _ in 0..2 {
        let tx = send(&alice, 1);
        let request = engine::CheckRequest { tx, kind: engine::CheckKind::New };
        let mut results = Vec::new();
        engine.check_txs(&[request], &mut results);
        assert!(results[0].is_ok(), "{}", results[0].log);
        alice.sequence += 1;
    }
    for sequence in committed..=committed + 2 {
        alice.sequence = sequence;
        let told = simulate(&world, unsigned(&send(&alice, 1), |_| {}));
        assert!(told.is_ok(), "{sequence}: {told:?}");
    }
    for sequence in [committed - 1, committed + 3] {
        alice.sequence = sequence;
        let (code, space, log) =
            simulate(&world, unsigned(&send(&alice, 1), |_| {})).expect_err("out of order");
        assert_eq!((code, space.as_str()), (6, "sdk"));
        let words = format!(
            "rpc error: code = Unknown desc = account sequence mismatch, expected {}, got \
             {sequence}: incorrect account sequence With gas wanted: '0' and gas used: '",
            committed + 2
        );
        assert!(log.starts_with(&words), "{log}");
    }
}

#[test]
fn failures_are_told_with_their_gas() {
    let mut world = World::new();
    shared(&mut world);
    let alice = world.chain.wallet("alice");
    let (code, _, log) =
        simulate(&world, unsigned(&send(&alice, 1 << 60), |_| {})).expect_err("too much");
    assert_eq!(code, 6);
    let words = "rpc error: code = Unknown desc = failed to execute message; message index: 0: \
                 spendable balance ";
    assert!(log.starts_with(words), "{log}");
    assert!(log.ends_with("' : unknown request"), "{log}");
    let (code, _, log) = simulate(&world, vec![1, 2, 3]).expect_err("no transaction");
    assert_eq!(code, 6);
    assert!(log.contains("tx parse error With gas wanted: '0' and gas used: '0' "), "{log}");
    let (code, _, log) = simulate(&world, Vec::new()).expect_err("nothing");
    let text = "rpc error: code = InvalidArgument desc = empty txBytes is not allowed: invalid \
                request";
    assert_eq!((code, log.as_str()), (18, text));
}

#[test]
fn a_multisig_of_unknown_keys_counts_seven_signatures() {
    let mut world = World::new();
    shared(&mut world);
    let carol = world.chain.wallet("carol");
    let tx = send(&carol, 1);
    let single = unsigned(&tx, |auth| auth.signer_infos[0].public_key = None);
    let several = unsigned(&tx, |auth| {
        let single = ModeInfo { sum: None };
        let bitarray = Some(CompactBitArray { extra_bits_stored: 2, elems: vec![0xc0] });
        let multi = Multi { bitarray, mode_infos: vec![single.clone(), single] };
        auth.signer_infos[0].public_key = None;
        auth.signer_infos[0].mode_info = Some(ModeInfo { sum: Some(Sum::Multi(multi)) });
    });
    let bytes = 10 * (several.len() - single.len()) as i64;
    let single = gas(&simulate(&world, single).expect("it would do"));
    let several = gas(&simulate(&world, several).expect("it would do"));
    assert_eq!(several - single, bytes + 6 * 1_120 + 6 * 1_000);
}
