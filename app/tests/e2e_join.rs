//! `cyberd join` with the real CometBFT: from a network file, and nothing else, to nodes that are
//! at the head and answer ranks. What must not be joined is refused, with a reason and no traces.

#![allow(clippy::disallowed_methods, reason = "waits for other processes")]

mod support;

use serde_json::{json, Value};
use std::path::{Path, PathBuf};
use std::time::Instant;
use support::{answer, cyberd, free_ports, get, http, is_whole, joinable, text, until_restored};
use support::{Chain, Process};

/// A port where nobody listens.
const DEAD: &str = "http://127.0.0.1:1";

fn server(port: u16) -> String {
    format!("http://127.0.0.1:{port}")
}

/// Writes a network file that differs from another.
fn changed(network: &Value, to: &Path, change: impl FnOnce(&mut Value)) -> PathBuf {
    let mut network = network.clone();
    change(&mut network);
    std::fs::write(to, network.to_string()).expect("a network file");
    to.to_owned()
}

/// Joins a home that is to be refused: the failure, and that nothing of a node was left.
fn refused(home: &Path, file: &Path, flags: &[&str]) -> Value {
    let file = file.to_str().expect("UTF-8");
    let ran = cyberd(home, &[&["join", file, "--no-start"], flags].concat());
    assert_eq!((ran.code != 0, ran.said.is_empty()), (true, false), "{ran:?}");
    let left = std::fs::read_dir(home.join("config")).into_iter().flatten().flatten();
    let left: Vec<_> = left.map(|entry| entry.file_name()).collect();
    assert_eq!(left, Vec::<std::ffi::OsString>::new(), "after {ran:?}");
    ran.json()["error"].clone()
}

/// `cyberd join`, which goes on as the node of its home; waits until that has restored a state.
fn joined(home: &Path, network: &str, flags: &[&str]) -> Chain {
    let ports = free_ports();
    let base = ports.to_string();
    let log = home.parent().expect("a folder").join("join.log");
    std::fs::create_dir_all(home).expect("a home");
    let arguments = [&["join", network, "--port-base", &base], flags].concat();
    let mut process = Process::start(home, &arguments, &log);
    until_restored(&mut process);
    Chain { process, home: home.to_owned(), ports }
}

/// Passes the answers of a node on, with another hash in its commits.
fn liar(port: u16) -> u16 {
    http::serve(move |path| {
        let answer = get(port, path)?;
        let mut answer: Value = serde_json::from_str(&answer).ok()?;
        let hash = answer.pointer_mut("/result/signed_header/commit/block_id/hash");
        if let Some(hash) = hash {
            let turned: String = hash.as_str()?.chars().rev().collect();
            *hash = json!(turned);
        }
        Some(answer.to_string())
    })
}

/// What must not be joined, all on one home that stays empty.
fn refusals(home: &Path, network: &Value, chain: &Chain, height: u64) {
    let file = |name: &str, change: fn(&mut Value)| {
        changed(network, &home.parent().expect("a folder").join(name), change)
    };
    let alone = file("alone.json", |_| ());
    let failure = refused(home, &alone, &[]);
    assert_eq!(failure["code"], "client/server");
    assert!(text(&failure, "/message").contains("1 of 2 servers answer, 2 are needed"));
    assert!(text(&failure, "/hint").contains("--trust HEIGHT:HASH"), "{failure}");

    let other = format!("{height}:{}", "AB".repeat(32));
    let failure = refused(home, &alone, &["--trust", &other]);
    assert!(text(&failure, "/message").contains("two hashes of height"), "{failure}");

    let servers = json!([server(chain.ports), server(liar(chain.ports))]);
    let disagree = home.parent().expect("a folder").join("disagree.json");
    let disagree = changed(network, &disagree, |network| network["rpc"] = servers);
    let failure = refused(home, &disagree, &[]);
    assert_eq!(failure["code"], "client/trust");
    assert!(text(&failure, "/message").contains("two hashes of height"), "{failure}");
    assert!(text(&failure, "/hint").contains("do not join"), "{failure}");

    let wrong = file("hash.json", |file| file["genesis"]["sha256"] = json!("00".repeat(32)));
    let failure = refused(home, &wrong, &["--block-sync"]);
    assert_eq!(failure["code"], "client/wrong-hash");
    assert!(text(&failure, "/message").contains("its SHA-256 is"), "{failure}");

    let bulk = file("bulk.json", |file| {
        file["bulk"] = json!({ "url": "genesis.bin", "sha256": "00".repeat(32) });
    });
    let failure = refused(home, &bulk, &["--block-sync"]);
    assert!(text(&failure, "/message").contains("genesis.bin"), "{failure}");

    let twice = file("twice.json", |file| file["rpc"][1] = file["rpc"][0].clone());
    let failure = refused(home, &twice, &[]);
    assert!(text(&failure, "/message").contains("stands twice"), "{failure}");
}

#[test]
fn two_nodes_join_by_a_network_file_one_trusting_a_block_the_other_two_servers() {
    let folder = tempfile::tempdir().expect("a folder");
    let home = |name: &str| folder.path().join(name).join("home");
    let first = home("first");
    let (mut chain, _) = joinable(&first);
    let behind = chain.height();
    chain.reach((behind / 20 + 1) * 20 + 3);

    let path = folder.path().join("network.json");
    let named = path.to_str().expect("UTF-8");
    let network = answer(&first, &["network-file", "--rpc", DEAD, "--to", named]);
    assert_eq!(network["snapshot_interval"], 20);
    let second = home("second");
    std::fs::create_dir_all(&second).expect("a home");
    refusals(&second, &network, &chain, behind + 1);

    let block = chain.rpc(&format!("/commit?height={}", behind + 1)).expect("a block");
    let hash = text(&block, "/signed_header/commit/block_id/hash").to_owned();
    let trust = format!("{}:{hash}", behind + 1);
    let begin = Instant::now();
    let mut other = joined(&second, named, &["--trust", &trust]);
    is_whole(&other, &chain, behind, begin);
    assert!(other.process.said().contains(&hash), "it shows the block it trusts");
    let again = cyberd(&second, &["join", named]);
    assert_eq!(again.failure(), "client/node-exists");

    let servers = json!([server(chain.ports), server(other.ports), DEAD]);
    let mut three = network;
    three["rpc"] = servers;
    let port = http::serve(move |path| (path == "/network.json").then(|| three.to_string()));
    let begin = Instant::now();
    let third = home("third");
    let mut another = joined(&third, &format!("{}/network.json", server(port)), &[]);
    is_whole(&another, &chain, behind, begin);
    let said = another.process.said();
    assert!(said.contains(&format!("passed over: {DEAD}")), "{said}");

    let height = another.height() + 12;
    another.reach(height);
    other.reach(height);
    let ask = |home: &Path| answer(home, &["roots", &height.to_string()]);
    assert_eq!(ask(&first), ask(&second), "the first to join goes on like everyone");
    assert_eq!(ask(&first), ask(&third), "so does the second");
}
