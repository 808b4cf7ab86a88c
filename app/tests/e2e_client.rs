//! The client library and other people's Rust libraries against a development chain with the real
//! CometBFT: the rows S01 and S02 of the conformance list, the examples, the test kit itself.

#![allow(clippy::duplicate_mod, reason = "each example has its flags")]

use cosmrs::rpc::{Client as _, HttpClient};
use cosmrs::tx::{Body, Fee, Msg, Raw, SignDoc, SignerInfo};
use cosmrs::{bank::MsgSend, Any, Coin, Tx};
use cyberd::testkit::{DevChain, DevChainOptions};
use cyberd::types::cid::particle_of_text;
use prost::Message;
use std::process::Command;
use std::time::Duration;

#[allow(dead_code, reason = "its main function")]
#[path = "../examples/explain.rs"]
mod explain;
#[allow(dead_code, reason = "its main function")]
#[path = "../examples/link.rs"]
mod link;
#[allow(dead_code, reason = "its main function")]
#[path = "../examples/search.rs"]
mod search;
#[allow(dead_code, reason = "its main function")]
#[path = "../examples/send.rs"]
mod send;
#[allow(dead_code, reason = "its main function")]
#[path = "../examples/watch_rounds.rs"]
mod watch_rounds;

fn start() -> DevChain {
    DevChain::start(&DevChainOptions::new(env!("CARGO_BIN_EXE_cyberd"))).expect("a chain")
}

/// A message of this chain as a stranger would write it down from its field numbers.
#[derive(Clone, PartialEq, Message)]
struct Cyberlinks {
    #[prost(string, tag = "1")]
    neuron: String,
    #[prost(message, repeated, tag = "2")]
    links: Vec<OneLink>,
}

#[derive(Clone, PartialEq, Message)]
struct OneLink {
    #[prost(string, tag = "1")]
    from: String,
    #[prost(string, tag = "2")]
    to: String,
}

/// Signs a message with cosmrs alone.
fn signed(chain: &DevChain, name: &str, sequence: u64, number: u64, message: Any) -> Raw {
    let key = chain.account(name).key().signer();
    let body = Body::new(vec![message], "by cosmrs", 0u32);
    let free = Coin::new(0, "boot").expect("a coin");
    let fee = Fee::from_amount_and_gas(free, 200_000u64);
    let auth = SignerInfo::single_direct(Some(key.public_key()), sequence).auth_info(fee);
    let id = chain.chain_id().parse().expect("a chain id");
    SignDoc::new(&body, &auth, &id, number).expect("a document").sign(&key).expect("signed")
}

/// CometBFT answers a commit from its events, a little before its index has the transaction.
async fn indexed(rpc: &HttpClient, hash: tendermint::Hash) -> cosmrs::rpc::endpoint::tx::Response {
    for _ in 0..100 {
        if let Ok(found) = rpc.tx(hash, false).await {
            return found;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{hash} is in a block and not in the index");
}

#[tokio::test]
async fn s01_cosmrs_sends_links_and_reads_back_what_it_signed() {
    let chain = start();
    let rpc = HttpClient::new(chain.rpc().as_str()).expect("a client");
    let (alice, bob) = (chain.account("alice").clone(), chain.account("bob").clone());
    let account = chain.client().account(&alice.address).await.expect("asked").expect("there");
    let send = MsgSend {
        from_address: alice.address.parse().expect("an address"),
        to_address: bob.address.parse().expect("an address"),
        amount: vec![Coin::new(7, "boot").expect("a coin")],
    };
    let cid = |text| particle_of_text(text).1.to_cid();
    let links = vec![OneLink { from: cid("rust"), to: cid("crab") }];
    let link = Cyberlinks { neuron: alice.address.clone(), links };
    let link = Any {
        type_url: "/cyber.graph.v1beta1.MsgCyberlink".to_owned(),
        value: link.encode_to_vec(),
    };
    let send = send.to_any().expect("any");
    for (more, message) in [send, link].into_iter().enumerate() {
        let sequence = account.sequence + more as u64;
        let raw = signed(&chain, "alice", sequence, account.number, message.clone());
        let answer = raw.broadcast_commit(&rpc).await.expect("in a block");
        assert!(answer.check_tx.code.is_ok(), "{:?}", answer.check_tx);
        assert!(answer.tx_result.code.is_ok(), "{:?}", answer.tx_result);
        let found = indexed(&rpc, answer.hash).await;
        assert_eq!(found.tx, raw.to_bytes().expect("bytes"));
        let tx = Tx::from_bytes(&found.tx).expect("decodes");
        assert_eq!((&tx.body.messages, tx.body.memo.as_str()), (&vec![message], "by cosmrs"));
        assert_eq!(tx.auth_info.signer_infos[0].sequence, sequence);
        assert_eq!(tx.auth_info.fee.gas_limit, 200_000);
    }
    assert_eq!(chain.client().graph_stats().await.expect("stats").cyberlinks, 1);
}

#[tokio::test]
async fn s02_tendermint_rpc_decodes_status_info_queries_and_searches() {
    let chain = start();
    let rpc = HttpClient::new(chain.rpc().as_str()).expect("a client");
    let status = rpc.status().await.expect("status");
    assert_eq!(status.node_info.network.as_str(), chain.chain_id());
    assert!(status.node_info.version.to_string().starts_with("0.38."));
    let info = rpc.abci_info().await.expect("info");
    assert_eq!((info.data.as_str(), info.app_version), ("cyberd", 1));
    let path = Some("/cyber.graph.v1beta1.Query/GraphStats".to_owned());
    let stats = rpc.abci_query(path, Vec::new(), None, false).await.expect("an answer");
    assert!(stats.code.is_ok() && stats.height.value() > 0, "{stats:?}");
    let path = Some("/no.such.Query/Method".to_owned());
    let unknown = rpc.abci_query(path, Vec::new(), None, false).await.expect("an answer");
    assert_eq!((unknown.code.value(), unknown.codespace.as_str()), (6, "sdk"));

    let (alice, bob) = (chain.account("alice"), chain.account("bob"));
    let given = ["--words", &bob.mnemonic, "--to", &alice.address, "--amount", "1boot"];
    let flags = send::flags::Flags::of(&[&["--node", &chain.rpc()], &given[..]].concat());
    send::run(&flags.expect("flags")).await.expect("sent");
    let query = format!("message.sender='{}'", bob.address);
    let query = query.parse().expect("a query");
    let order = cosmrs::rpc::Order::Ascending;
    let found = rpc.tx_search(query, false, 1, 10, order).await.expect("searched");
    assert_eq!(found.total_count, 1);
    let keys = found.txs[0].tx_result.events.iter().flat_map(|event| &event.attributes);
    assert!(keys.count() > 5);
    let results = rpc.block_results(found.txs[0].height).await.expect("results");
    assert_eq!(results.txs_results.expect("of one").len(), 1);
}

#[tokio::test]
async fn the_examples_send_link_and_search() {
    let chain = start();
    let (node, alice) = (chain.rpc(), chain.account("alice"));
    let flags = |given: &[&str]| -> Vec<String> {
        [&["--node", &node, "--words", &alice.mnemonic], given]
            .concat()
            .iter()
            .map(|one| (*one).to_owned())
            .collect()
    };
    let to = &chain.account("bob").address;
    let before = chain.client().balance(to, "boot").await.expect("balance");
    let given = flags(&["--to", to, "--amount", "12boot", "--gas-price", "0.01boot"]);
    let given: Vec<&str> = given.iter().map(String::as_str).collect();
    let sent = send::run(&send::flags::Flags::of(&given).expect("flags")).await.expect("sent");
    let after = cyberd::types::Coin::new("boot", cyberd::types::Amount(before.amount.0 + 12));
    assert!(sent.ends_with(&format!("{to} holds {after}")), "{sent}");

    let given = flags(&["--from", "dog", "--to", "animal"]);
    let given: Vec<&str> = given.iter().map(String::as_str).collect();
    let linked = link::run(&link::flags::Flags::of(&given).expect("flags")).await.expect("linked");
    let animal = particle_of_text("animal").1.to_cid();
    assert!(linked.contains(&format!("\n{animal} ")), "{linked}");
    let given = search::flags::Flags::of(&["--node", &node, "--text", "animal"]).expect("flags");
    let found = search::run(&given).await.expect("found");
    let dog = particle_of_text("dog").1.to_cid();
    assert!(found.contains(&format!("leads to 0 particles\ncomes from 1 particles\n  {dog} ")));
    let given = explain::flags::Flags::of(&["--node", &node, "--text", "animal"]).expect("flags");
    let explained = explain::run(&given).await.expect("explained");
    assert!(explained.contains(&alice.address) && explained.contains(&dog), "{explained}");
    let grpc = chain.grpc();
    let given = ["--grpc", &grpc, "--from-height", "1", "--rounds", "1"];
    let given = watch_rounds::flags::Flags::of(&given).expect("flags");
    let seen = watch_rounds::run(&given).await.expect("watched");
    assert!(seen.starts_with("round 1 of 1 links in block "), "{seen}");
    let missing = send::flags::Flags::of(&[]).expect("no flags");
    let failure = send::run(&missing).await.expect_err("no words");
    assert_eq!(failure.message, "--words is missing");
}

#[test]
fn a_chain_of_the_test_kit_ends_when_its_test_panics() {
    let (tell, told) = std::sync::mpsc::channel();
    let test = std::thread::spawn(move || {
        let chain = start();
        tell.send((chain.home(), chain.port_base())).expect("told");
        panic!("on purpose");
    });
    let (home, ports) = told.recv().expect("started");
    assert!(test.join().is_err());
    assert!(!home.exists());
    let free = |port: u16| std::net::TcpListener::bind(("127.0.0.1", port)).is_ok();
    assert!((ports..ports + 6).all(free), "all ports are free again");
    let place = home.to_string_lossy().into_owned();
    let seen = Command::new("ps").args(["-eo", "args"]).output().expect("ps");
    assert!(!String::from_utf8_lossy(&seen.stdout).contains(&place));
}

#[test]
fn a_chain_that_cannot_start_says_why() {
    let mut options = DevChainOptions::new(env!("CARGO_BIN_EXE_cyberd"));
    options.flags = vec!["--nodes".to_owned(), "0".to_owned()];
    let failure = DevChain::start(&options).expect_err("no validators");
    assert!(failure.message.contains("--nodes"), "{failure}");
    let failure =
        DevChain::start(&DevChainOptions::new("/no/such/program")).expect_err("no program");
    assert!(failure.message.contains("/no/such/program"), "{failure}");
}
