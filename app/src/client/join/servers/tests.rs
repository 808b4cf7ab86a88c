//! Servers that are dead, disagree, are of another chain or too new; heights too low.

use super::super::fetch;
use super::super::network::{NetworkFile, Place, Source};
use super::*;
use axum::extract::{Query, State};
use axum::routing::get as route;
use axum::{Json, Router};
use serde_json::json;
use std::collections::BTreeMap;

/// What a server of a test answers.
#[derive(Clone)]
struct Mock {
    chain_id: &'static str,
    latest: u64,
    earliest: u64,
    app_version: u64,
    hash: &'static str,
    snapshots: &'static [u64],
}

const GOOD: Mock = Mock {
    chain_id: "net-1",
    latest: 2_345,
    earliest: 1,
    app_version: 1,
    hash: "A",
    snapshots: &[],
};

async fn status(State(mock): State<Mock>) -> Json<Value> {
    Json(json!({ "result": {
        "node_info": { "network": mock.chain_id },
        "sync_info": { "latest_block_height": mock.latest.to_string(),
            "earliest_block_height": mock.earliest.to_string() },
    } }))
}

async fn info(State(mock): State<Mock>) -> Json<Value> {
    Json(json!({ "result": { "response": { "app_version": mock.app_version.to_string() } } }))
}

async fn snapshots(State(mock): State<Mock>) -> Json<Value> {
    let list: Vec<Value> = mock.snapshots.iter().map(|at| json!({ "height": at })).collect();
    let value = BASE64_STANDARD.encode(json!(list).to_string());
    Json(json!({ "result": { "response": { "value": value } } }))
}

async fn commit(
    State(mock): State<Mock>,
    Query(asked): Query<BTreeMap<String, String>>,
) -> Json<Value> {
    let height: u64 = asked["height"].parse().expect("a height");
    let hash = format!("{}{height:04}", mock.hash.repeat(60));
    Json(json!({ "result": { "signed_header": { "commit": { "block_id": { "hash": hash } } } } }))
}

async fn start(mock: Mock) -> String {
    // One that tells nothing of snapshots is of another version.
    let router = Router::new()
        .route("/status", route(status))
        .route("/abci_info", route(info))
        .route("/abci_query", route(snapshots))
        .route("/commit", route(commit))
        .with_state(mock);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = format!("http://{}", listener.local_addr().expect("an address"));
    tokio::spawn(async move { axum::serve(listener, router).await.expect("served") });
    address
}

fn network(rpc: Vec<String>) -> NetworkFile {
    NetworkFile {
        chain_id: "net-1".into(),
        genesis: Source { url: "genesis.json".into(), sha256: "0".repeat(64) },
        bulk: None,
        rpc,
        peers: vec![format!("{}@127.0.0.1:26656", "ab".repeat(20))],
        cometbft: "0.38.25".into(),
        cyberd: "0.1.0".into(),
        app_version: crate::engine::APP_VERSION,
        snapshot_interval: 1_000,
    }
}

/// Asks, checks and chooses, as the command does.
async fn chosen(mocks: &[Mock], dead: usize, wanted: Option<Trust>) -> Result<Trust, Failure> {
    let http = fetch::http()?;
    let mut rpc = Vec::new();
    for mock in mocks {
        rpc.push(start(mock.clone()).await);
    }
    rpc.extend((0..dead).map(|_| "http://127.0.0.1:1".to_owned()));
    let network = network(rpc);
    let asked = ask(&http, &network).await;
    check(&asked, &network, wanted.as_ref())?;
    let height = match &wanted {
        Some(trust) => trust.height,
        None => height(&asked.servers, network.snapshot_interval).expect("a snapshot"),
    };
    trust(&http, &asked.servers, height, wanted.as_ref()).await
}

#[tokio::test]
async fn two_servers_that_agree_are_trusted_and_dead_ones_passed_over() {
    let trust = chosen(&[GOOD, GOOD], 1, None).await.expect("two agree");
    assert_eq!(trust.height, 1_999, "one below the newest multiple of the interval");
    assert!(trust.hash.ends_with("A1999"), "{}", trust.hash);
    let told = Mock { snapshots: &[1_000, 2_340], ..GOOD };
    assert_eq!(chosen(&[told, GOOD], 0, None).await.expect("told").height, 2_339);
    let pruned = Mock { earliest: 2_100, ..GOOD };
    assert_eq!(chosen(&[pruned, GOOD], 0, None).await.expect("pruned").height, 2_100);
}

#[tokio::test]
async fn one_server_is_too_few_unless_the_user_names_the_block() {
    let failure = chosen(&[GOOD], 2, None).await.expect_err("one");
    assert!(failure.message.contains("1 of 3 servers answer, 2 are needed"), "{failure}");
    assert_eq!(failure.exit, Exit::Unreachable);
    let own = |text: String| Trust::parse(&text).expect("a trust");
    let right = own(format!("2000:{}2000", "A".repeat(60)));
    assert_eq!(chosen(&[GOOD], 2, Some(right.clone())).await.expect("named"), right);
    let wrong = own(format!("2000:{}2000", "B".repeat(60)));
    let failure = chosen(&[GOOD], 0, Some(wrong)).await.expect_err("another hash");
    assert!(failure.message.contains("--trust says BBB"), "{failure}");
}

#[tokio::test]
async fn servers_that_disagree_are_refused_with_both_hashes() {
    let other = Mock { hash: "C", ..GOOD };
    let failure = chosen(&[GOOD, other], 0, None).await.expect_err("a fork");
    let both = failure.message.contains("A1999") && failure.message.contains("C1999");
    assert!(both && failure.hint.is_some(), "{failure}");
}

#[tokio::test]
async fn another_chain_a_newer_machine_and_a_height_too_low_are_refused() {
    let other = Mock { chain_id: "other-1", ..GOOD };
    let failure = chosen(&[GOOD, other], 0, None).await.expect_err("another chain");
    assert!(failure.message.contains("is of the chain other-1"), "{failure}");
    let newer = Mock { app_version: 99, ..GOOD };
    let failure = chosen(&[GOOD, newer], 0, None).await.expect_err("newer");
    assert!(failure.message.contains("runs version 99 of the state machine"), "{failure}");
    let pruned = Mock { earliest: 2_100, ..GOOD };
    let low = Trust::parse(&format!("2000:{}", "A".repeat(64))).expect("a trust");
    let failure = chosen(&[GOOD, pruned], 0, Some(low)).await.expect_err("too low");
    assert!(failure.message.contains("still has is 2100"), "{failure}");
}

#[test]
fn no_snapshot_yet_means_no_height() {
    let server = |latest| Server {
        rpc: String::new(),
        chain_id: String::new(),
        latest,
        earliest: 1,
        app_version: 1,
        snapshot: None,
    };
    assert_eq!(height(&[server(1_001)], 1_000), None);
    assert_eq!(height(&[server(1_002)], 1_000), Some(999));
    assert_eq!(height(&[server(45)], 20), Some(39));
    assert_eq!(height(&[], 20), None);
}

#[test]
fn a_network_file_that_cannot_work_is_refused_with_the_field() {
    let good = serde_json::to_value(network(vec!["http://x".into()])).expect("JSON");
    let parse = |value: &Value| NetworkFile::parse(value.to_string().as_bytes(), "net.json");
    parse(&good).expect("good");
    let cases = [
        ("/app_version", json!(99), "install cyberd 0.1.0"),
        ("/app_version", json!(0), "until the network upgrades"),
        ("/genesis/sha256", json!("ab"), "genesis.sha256 'ab'"),
        ("/peers", json!(["host:1"]), "ID@HOST:PORT"),
        ("/peers", json!([]), "at least one"),
        ("/chain_id", json!(""), "chain_id"),
        ("/rpc", json!("http://x"), "rpc: "),
        ("/rpc", json!(["http://x", "http://x"]), "stands twice"),
        ("/genesis", json!({ "url": "x", "sha256": "y", "size": 1 }), "unknown field"),
    ];
    for (pointer, value, says) in cases {
        let mut file = good.clone();
        *file.pointer_mut(pointer).expect("a field") = value;
        let failure = parse(&file).expect_err(says);
        assert!(failure.message.contains(says), "{pointer}: {failure}");
    }
    assert!(Trust::parse("5").is_err() && Trust::parse("0:aa").is_err());
}

#[tokio::test]
async fn a_file_with_another_hash_is_not_kept() {
    let folder = tempfile::tempdir().expect("folder");
    std::fs::write(folder.path().join("genesis.json"), "{}").expect("written");
    let http = fetch::http().expect("a client");
    let place = Place::of("genesis.json", folder.path());
    let to = folder.path().join("fetched");
    let right = hex::encode(crate::types::sha256(b"{}"));
    fetch::file(&http, &place, &to, 100, &right).await.expect("the right one");
    assert_eq!(std::fs::read(&to).expect("read"), b"{}");
    let wrong = "0".repeat(64);
    let failure = fetch::file(&http, &place, &to, 100, &wrong).await.expect_err("another");
    assert_eq!(failure.code, "client/wrong-hash");
    assert!(failure.message.contains(&right) && failure.message.contains(&wrong));
    let failure = fetch::file(&http, &place, &to, 1, &right).await.expect_err("too long");
    assert!(failure.message.contains("more than 1 bytes") && !to.exists());
}
