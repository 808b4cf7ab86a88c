//! Simulation: what it costs, what it forgives, and that nothing of it stays.

use super::*;
use crate::engine::CheckKind;
use crate::engine::{self, Engine};
use crate::store::backend::MemoryDisk;
use crate::store::{Options, Store};
use crate::testkit::Wallet;
use cyber_proto::cosmos::base::v1beta1::Coin as ProtoCoin;
use cyber_proto::cosmos::crypto::multisig::v1beta1::{CompactBitArray, MultiSignature};
use cyber_proto::cosmos::crypto::multisig::LegacyAminoPubKey;
use cyber_proto::cosmos::crypto::secp256k1::PubKey;
use cyber_proto::cosmos::tx::v1beta1::mode_info::{Multi, Sum};
use cyber_proto::cosmos::tx::v1beta1::{
    mode_info, AuthInfo, Fee, ModeInfo, SignerInfo, SimulateRequest, SimulateResponse, TxBody,
    TxRaw,
};
use cyber_proto::Any;
use proptest::prelude::*;
use prost::Name;

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

/// Who signs: one key, or some of several.
#[derive(Clone, Debug)]
enum Signer {
    Single,
    Multisig { keys: u32, signing: u32 },
}

/// What the client that simulates leaves out or knows.
#[derive(Clone, Copy, Debug)]
enum Client {
    /// The key, no mode, an empty signature.
    CosmJs,
    /// No key, amino mode, 64 zero bytes.
    Keplr,
}

fn key(number: u32) -> Any {
    let mut key = vec![2; 33];
    key[29..].copy_from_slice(&number.to_be_bytes());
    Any { type_url: PubKey::type_url(), value: PubKey { key }.encode_to_vec() }
}

fn single(mode: i32) -> ModeInfo {
    ModeInfo { sum: Some(Sum::Single(mode_info::Single { mode })) }
}

/// The signer's part as it is once signed: info and signature.
fn signed_part(signer: &Signer, sequence: u64) -> (SignerInfo, Vec<u8>) {
    let (public_key, mode, signature) = match *signer {
        Signer::Single => (key(1), single(1), vec![7; 64]),
        Signer::Multisig { keys, signing } => {
            let all =
                LegacyAminoPubKey { threshold: signing, public_keys: (0..keys).map(key).collect() };
            let bits = (0..signing).fold(0u8, |bits, bit| bits | (0x80 >> bit));
            let bitarray = Some(CompactBitArray { extra_bits_stored: keys % 8, elems: vec![bits] });
            let mode_infos = (0..signing).map(|_| single(127)).collect();
            let signatures = MultiSignature { signatures: vec![vec![7; 64]; signing as usize] };
            let any = Any { type_url: LegacyAminoPubKey::type_url(), value: all.encode_to_vec() };
            let multi = ModeInfo { sum: Some(Sum::Multi(Multi { bitarray, mode_infos })) };
            (any, multi, signatures.encode_to_vec())
        }
    };
    (SignerInfo { public_key: Some(public_key), mode_info: Some(mode), sequence }, signature)
}

/// A signer that the chain knows: its address and what a signed transaction of it holds.
fn known(world: &mut World, signer: &Signer) -> (Address, SignerInfo, Vec<u8>) {
    let mut bob = world.chain.wallet("bob");
    let (mut info, signature) = signed_part(signer, 0);
    if let Signer::Single = signer {
        let signed = TxRaw::decode(send(&bob, 1)).expect("a transaction");
        let signed = AuthInfo::decode(&*signed.auth_info_bytes).expect("auth info");
        info = signed.signer_infos[0].clone();
        return (bob.address(), info, signature);
    }
    let key = info.public_key.as_ref().expect("given");
    let address = crate::tx::PublicKey::from_any(key).expect("a key").address();
    let coin = Coin::new("boot", Amount(1_000_000_000));
    let funding = bob.sign(vec![bob.send_message(&address, &[coin])]);
    assert!(world.chain.block(vec![funding]).results[0].is_ok());
    (address, info, signature)
}

/// The same before it is signed, as a client asks.
fn asked(client: Client, signer: &Signer, signed: &SignerInfo) -> (SignerInfo, Vec<u8>) {
    let mut info = signed.clone();
    match (client, signer) {
        (Client::CosmJs, _) => {
            info.mode_info = Some(single(0));
            return (info, Vec::new());
        }
        (Client::Keplr, Signer::Single) => info.mode_info = Some(single(127)),
        (Client::Keplr, Signer::Multisig { .. }) => (),
    }
    info.public_key = None;
    (info, vec![0; 64])
}

fn payment(from: &Address, amount: u8) -> Any {
    use cyber_proto::cosmos::bank::v1beta1::MsgSend;
    let amount = ProtoCoin { denom: "boot".into(), amount: amount.to_string() };
    let message = MsgSend {
        from_address: from.to_bech32("bostrom"),
        to_address: Wallet::new("carol", "bostrom", "").bech32(),
        amount: vec![amount],
    };
    Any { type_url: MsgSend::type_url(), value: message.encode_to_vec() }
}

fn raw(body: &TxBody, (info, signature): (SignerInfo, Vec<u8>), fee: Fee) -> Bytes {
    let auth = AuthInfo { signer_infos: vec![info], fee: Some(fee), ..Default::default() };
    let raw = TxRaw {
        body_bytes: body.encode_to_vec(),
        auth_info_bytes: auth.encode_to_vec(),
        signatures: vec![signature],
    };
    Bytes::from(raw.encode_to_vec())
}

fn signers() -> impl Strategy<Value = Signer> {
    let several = (1u32..=7).prop_flat_map(|keys| (Just(keys), 1..=keys));
    let several = several.prop_map(|(keys, signing)| Signer::Multisig { keys, signing });
    prop_oneof![Just(Signer::Single), several]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn gas_of_one_and_four_tenths_of_the_simulated_never_runs_out(
        (of_links, items, memo) in (any::<bool>(), 1u8..40, 0usize..256),
        coins in 0usize..3,
        signer in signers(),
        client in prop_oneof![Just(Client::CosmJs), Just(Client::Keplr)],
    ) {
        let mut world = World::new();
        let (address, info, signature) = known(&mut world, &signer);
        let engine = shared(&mut world);
        let links: Vec<_> = (0..items).map(|at| (particle(100 + at), particle(200))).collect();
        let message = match (of_links, &signer) {
            (true, Signer::Single) => world.chain.wallet("bob").link_message(&links, false),
            _ => payment(&address, items),
        };
        let memo = "m".repeat(memo);
        let body = TxBody { messages: vec![message], memo, ..TxBody::default() };
        let told = engine.simulate(raw(&body, asked(client, &signer, &info), Fee::default()));
        prop_assert!(told.is_ok(), "{}", told.log);
        let gas_limit = (told.gas_used * 14 / 10) as u64;
        let coin = |at| ProtoCoin { denom: format!("denom{at}"), amount: "1000000".into() };
        let fee = Fee { gas_limit, amount: (0..coins).map(coin).collect(), ..Fee::default() };
        let tx = raw(&body, (info, signature), fee);
        // Gas is looked at before fees and signatures, which are not good here.
        let mut results = Vec::new();
        engine.check_txs(&[engine::CheckRequest { tx, kind: CheckKind::New }], &mut results);
        prop_assert_ne!(results[0].code, code::OUT_OF_GAS, "{}", &results[0].log);
    }
}
