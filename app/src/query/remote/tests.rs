//! What is answered without CometBFT, and what is said when it is not there. Against a real one:
//! `app/tests/e2e_remote.rs`.

#![allow(clippy::disallowed_methods, reason = "waits for a server of its own")]

use super::*;
use crate::query::tests::World;
use cyber_proto::cosmos::base::node::v1beta1::ConfigResponse;
use cyber_proto::cosmos::tx::v1beta1::{BroadcastMode, BroadcastTxRequest, GetTxRequest};
use cyber_proto::tendermint::abci::{Event, EventAttribute};
use std::io::{Read as _, Write as _};

fn remote() -> Remote {
    // Bound and closed again: nothing listens there.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("port");
    let address = format!("http://{}", listener.local_addr().expect("address"));
    drop(listener);
    let prices = vec![GasPrice {
        amount: crate::types::Decimal::parse("0.01").expect("decimal"),
        denom: "boot".into(),
    }];
    Remote::new(&address, Arc::new(World::new().queries), prices).expect("address")
}

async fn refused(remote: &Remote, path: &str, request: &impl Message) -> (u32, String) {
    let answer = remote.call(path, &request.encode_to_vec(), 0).await.expect("a path of ours");
    answer.expect_err("refused").status()
}

#[tokio::test]
async fn paths_of_the_application_are_none_of_these() {
    let remote = remote();
    for path in ["", "/", "/cosmos.bank.v1beta1.Query/Balance", "/cosmos.tx.v1beta1.Service/Nope"] {
        assert!(remote.call(path, &[], 0).await.is_none(), "{path}");
    }
    let path = "/cosmos.tx.v1beta1.Service/GetTx";
    let garbage = remote.call(path, &[0xff], 0).await.expect("ours").expect_err("no request");
    assert_eq!(garbage.status().0, 3);
}

#[tokio::test]
async fn without_cometbft_callers_hear_that_it_is_not_there() {
    let remote = remote();
    let request = GetTxRequest { hash: "ab".repeat(32) };
    let (code, text) = refused(&remote, "/cosmos.tx.v1beta1.Service/GetTx", &request).await;
    assert_eq!(code, 14, "{text}");
    assert!(text.contains("127.0.0.1"), "{text}");
    let request = GetTxRequest { hash: "ab".into() };
    let (code, _) = refused(&remote, "/cosmos.tx.v1beta1.Service/GetTx", &request).await;
    assert_eq!(code, 3);
    let path = "/cosmos.base.node.v1beta1.Service/Config";
    let config = remote.call(path, &[], 0).await.expect("ours").expect("needs nobody");
    let config = ConfigResponse::decode(config.as_slice()).expect("config");
    assert_eq!(config.minimum_gas_price, "0.010000000000000000boot");
}

const RESTART: std::time::Duration = std::time::Duration::from_millis(100);

/// An RPC server that starts again after each answer: it keeps no connection that its clients
/// believe to be open.
fn restarting_server(answers: usize) -> (String, std::thread::JoinHandle<()>) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("port");
    let address = format!("http://{}", listener.local_addr().expect("address"));
    let served = std::thread::spawn(move || {
        for _ in 0..answers {
            let (mut stream, _) = listener.accept().expect("a client");
            let mut request = [0; 4096];
            assert!(stream.read(&mut request).expect("a request") > 0);
            let error = r#"{"code":-32603,"message":"Internal error","data":"it answered"}"#;
            let body = format!(r#"{{"jsonrpc":"2.0","id":-1,"error":{error}}}"#);
            let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length";
            let answer = format!("{head}: {}\r\n\r\n{body}", body.len());
            stream.write_all(answer.as_bytes()).expect("it reads");
            // The end comes while the client does something else.
            std::thread::sleep(RESTART / 2);
        }
    });
    (address, served)
}

#[tokio::test]
async fn a_connection_that_ended_with_a_restart_of_cometbft_is_made_anew() {
    let (address, served) = restarting_server(3);
    let cometbft = Cometbft::new(&address).expect("address");
    for _ in 0..3 {
        let refused = cometbft.status().await.expect_err("an error of CometBFT's");
        assert!(refused.status().1.contains("it answered"), "{refused:?}");
        // The thread that would notice the end of the connection waits here, as behind a load.
        std::thread::sleep(RESTART);
    }
    served.join().expect("three answers");
}

#[tokio::test]
async fn broadcasts_that_wait_for_a_block_are_refused_in_the_words_of_the_sdk() {
    let remote = remote();
    let path = "/cosmos.tx.v1beta1.Service/BroadcastTx";
    #[allow(deprecated, reason = "clients send it")]
    let modes = [(BroadcastMode::Block, "block"), (BroadcastMode::Unspecified, "unspecified")];
    for (mode, name) in modes {
        let request = BroadcastTxRequest { tx_bytes: vec![1], mode: mode.into() };
        let text = format!("unsupported return type {name}; supported types: sync, async");
        assert_eq!(refused(&remote, path, &request).await, (2, text));
    }
    let empty = refused(&remote, path, &BroadcastTxRequest::default()).await;
    assert_eq!(empty, (3, "invalid empty tx".into()));
}

#[test]
fn logs_begin_with_each_message_and_leave_the_door_out() {
    let event = |kind: &str, attributes: &[(&str, &str)]| Event {
        r#type: kind.into(),
        attributes: attributes
            .iter()
            .map(|(key, value)| EventAttribute {
                key: (*key).into(),
                value: (*value).into(),
                index: true,
            })
            .collect(),
    };
    let events = [
        event("tx", &[("fee", "")]),
        event("message", &[("action", "/a"), ("sender", "n"), ("msg_index", "0")]),
        event("transfer", &[("amount", "1boot")]),
        event("message", &[("action", "/b"), ("msg_index", "1")]),
    ];
    let logs = response::logs(&events);
    let shape: Vec<_> = logs.iter().map(|log| (log.msg_index, log.events.len())).collect();
    assert_eq!(shape, [(0, 2), (1, 1)]);
    assert_eq!(logs[0].events[0].attributes.len(), 2, "without msg_index");
}

/// A transaction as the lists know it, and as a plain look at its events does.
struct Told {
    sketch: crate::search::transactions::Sketch,
    hash: crate::types::Hash,
    events: Vec<crate::state::Event>,
}

/// Whether one event of a transaction has all conditions of a query: CometBFT's rule.
fn holds(told: &Told, query: &str) -> bool {
    let conditions: Vec<(&str, &str)> = query
        .split(" AND ")
        .map(|condition| condition.split_once('=').expect("a condition"))
        .map(|(key, value)| (key, value.trim_matches('\'')))
        .collect();
    told.events.iter().any(|event| {
        conditions.iter().all(|(key, value)| {
            let has = |(name, text): &(&str, String)| {
                format!("{}.{name}", event.kind) == *key && text == value
            };
            event.attributes.iter().any(has)
        })
    })
}

/// Blocks of links and payments, some refused; by heights.
fn story(chain: &mut crate::testkit::Chain) -> Vec<Vec<Told>> {
    use crate::search::transactions::Sketch;
    use crate::types::{sha256, Amount, Coin, Particle};
    let particle = |name: u8| Particle([name; 32]);
    let mut wallets = ["alice", "bob"].map(|name| chain.wallet(name));
    let mut heights = Vec::new();
    for round in 0u8..12 {
        let mut txs = Vec::new();
        for (at, wallet) in wallets.iter_mut().enumerate() {
            let own = round / 2 * (at as u8 + 1);
            let links = [(particle(own), particle(own + 1)), (particle(40), particle(own))];
            // Every second time the same links again: refused, or passed over by alice.
            txs.push(wallet.sign(vec![wallet.link_message(&links, at == 0)]));
            let coin = Coin::new("boot", Amount(u128::from(round) + 1));
            let to = crate::testkit::Wallet::new("carol", "bostrom", "").address();
            txs.push(wallet.sign(vec![wallet.send_message(&to, &[coin])]));
        }
        let results = chain.block(txs.clone()).results;
        let told = txs.iter().zip(results).map(|(tx, result)| {
            let hash = sha256(tx);
            Told { sketch: Sketch::of(hash, &result.events), hash, events: result.events }
        });
        heights.push(told.collect());
    }
    heights
}

#[test]
fn lists_find_what_the_events_say_wherever_the_process_began() {
    use crate::search::transactions::{Part, Slice};
    use crate::search::Deadline;
    let mut chain = crate::testkit::Chain::new();
    let heights = story(&mut chain);
    let snapshot = chain.snapshot();
    let all: Vec<&Told> = heights.iter().flatten().collect();
    let name = |name: &str| chain.wallet(name).bech32();
    let cid = |name: u8| crate::types::Particle([name; 32]).to_cid();
    let mut queries: Vec<String> = Vec::new();
    for neuron in [name("alice"), name("bob"), name("carol")] {
        queries.push(format!("message.sender='{neuron}'"));
        queries.push(format!("cyberlink.neuron='{neuron}'"));
        for action in ["/cyber.graph.v1beta1.MsgCyberlink", "/cosmos.bank.v1beta1.MsgSend"] {
            queries.push(format!("message.action='{action}'"));
            queries.push(format!("message.action='{action}' AND message.sender='{neuron}'"));
        }
        for particle in [0, 1, 2, 5, 40, 99] {
            for end in ["particleFrom", "particleTo"] {
                let end = format!("cyberlink.{end}='{}'", cid(particle));
                queries.push(format!("{end} AND cyberlink.neuron='{neuron}'"));
                queries.push(format!("{end} AND cyberlink.particleFrom='{}'", cid(40)));
                queries.push(end);
            }
        }
    }
    queries.retain(|query| query.matches("particleFrom").count() < 2);
    for began in [0, 5, 11] {
        let index = Arc::new(crate::search::Index::new());
        let mut links = 0;
        let mut before = Part::default();
        for (at, told) in heights.iter().enumerate() {
            let height = crate::types::Height(snapshot.height().0 - 11 + at as u64);
            let sketches: Vec<_> = told.iter().map(|told| told.sketch.clone()).collect();
            let made = |told: &&Told| holds_links(told);
            links += told.iter().map(|told| made(&told)).sum::<u32>();
            match at < began {
                true => before.append(sketches),
                false => index.transactions().append(height, links, sketches),
            }
        }
        assert_eq!(links, snapshot.sizes().links);
        let limits = crate::query::tests::limits();
        let asked = Queries::new(chain.engine().reader().clone(), index.clone(), limits);
        let context = asked.context(&snapshot);
        let view = index.view(&snapshot).expect("an index");
        let find = |query: &str, slice: Slice| {
            let wanted = conditions::wanted(&context, query).expect("one of ours");
            index.transactions().find(&view, &wanted, slice, || Ok(())).expect("in time")
        };
        let whole = Slice { skip: 0, take: usize::MAX, newest_first: false };
        assert_eq!(find(&queries[0], whole), None, "what was before is missing");
        index.transactions().set_before(before);
        for query in &queries {
            let expected: Vec<_> =
                all.iter().filter(|told| holds(told, query)).map(|told| told.hash).collect();
            let found = find(query, whole).expect("complete");
            assert_eq!((found.total, &found.hashes), (expected.len(), &expected), "{query}");
            let slice = Slice { skip: 1, take: 2, newest_first: true };
            let page = find(query, slice).expect("complete");
            let newest: Vec<_> = expected.iter().rev().skip(1).take(2).copied().collect();
            assert_eq!((page.total, page.hashes), (expected.len(), newest), "{query}");
        }
        assert_eq!(context.deadline.check(), Deadline::never().check());
    }
    assert!(queries.iter().any(|query| all.iter().filter(|it| holds(it, query)).count() > 5));
}

/// How many links a transaction made.
fn holds_links(told: &Told) -> u32 {
    let is_link =
        |event: &&crate::state::Event| event.attributes.iter().any(|(key, _)| *key == "particleTo");
    told.events.iter().filter(is_link).count() as u32
}

#[test]
fn conditions_of_other_kinds_are_left_to_cometbft() {
    let world = World::new();
    let snapshot = world.chain.snapshot();
    let context = world.queries.context(&snapshot);
    for query in [
        "tx.height>5",
        "transfer.recipient='x'",
        "message.sender='a' AND cyberlink.neuron='b'",
        "message.sender='a' AND message.sender='b'",
        "message.sender=5",
        "message.action='/cosmos.gov.v1.MsgVote'",
        "message.sender='a' AND tx.height=3",
        "cyberlink.neuron EXISTS",
    ] {
        assert_eq!(conditions::wanted(&context, query), None, "{query}");
    }
}
