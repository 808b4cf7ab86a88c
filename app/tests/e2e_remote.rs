//! What gRPC and REST answer by asking CometBFT, against the real one: node, blocks, validators,
//! transactions and their search.

mod support;

use cyber_proto::cosmos::base::tendermint::v1beta1 as chain;
use cyber_proto::cosmos::tx::v1beta1 as tx;
use cyber_proto::cyber::graph::v1beta1::MsgCyberlink;
use cyberd::config::QueryLimits;
use cyberd::query::remote::Remote;
use cyberd::query::Queries;
use cyberd::search::Index;
use cyberd::testkit;
use nix::sys::signal::Signal;
use prost::Message;
use serde_json::Value;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use support::{answer, free_ports, Chain};

/// The totals and hashes of searches over the node's REST, which answers from its own lists.
fn search_over_rest(ports: u16, query: &str) -> (u64, Vec<String>) {
    let escaped: String = query.bytes().map(|byte| format!("%{byte:02X}")).collect();
    let path = format!("/cosmos/tx/v1beta1/txs?query={escaped}&limit=10");
    let mut stream = TcpStream::connect(("127.0.0.1", ports + 4)).expect("REST listens");
    let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it answers");
    let from = answer.find('{').unwrap_or_else(|| panic!("{answer}"));
    let until = answer.rfind('}').expect("a body") + 1;
    let json: Value = serde_json::from_str(&answer[from..until]).expect("JSON");
    let rows = json["tx_responses"].as_array().unwrap_or_else(|| panic!("{answer}"));
    let hash = |row: &Value| row["txhash"].as_str().expect("a hash").to_owned();
    let total = json["total"].as_str().and_then(|total| total.parse().ok());
    (total.expect("a total"), rows.iter().map(hash).collect())
}

/// The node's lists give what CometBFT's index gives.
async fn compare_searches(caller: &Caller, ports: u16, neuron: &str) {
    let dog = "QmV58CecabGuvUDKEDkfiKqFge3yp9aow2whTVJz8NQWpE";
    for query in [
        format!("message.sender='{neuron}'"),
        "message.action='/cyber.graph.v1beta1.MsgCyberlink'".to_owned(),
        format!("message.action='/cosmos.bank.v1beta1.MsgSend' AND message.sender='{neuron}'"),
        format!("cyberlink.neuron='{neuron}'"),
        format!("cyberlink.particleFrom='{dog}'"),
        format!("cyberlink.particleTo='{dog}'"),
        format!("cyberlink.particleFrom='{dog}' AND cyberlink.neuron='{neuron}'"),
    ] {
        let request =
            tx::GetTxsEventRequest { query: query.clone(), limit: 10, ..Default::default() };
        let path = "/cosmos.tx.v1beta1.Service/GetTxsEvent";
        let theirs: tx::GetTxsEventResponse = caller.ask(path, &request).await.expect("found");
        let hashes = theirs.tx_responses.iter().map(|row| row.txhash.clone()).collect();
        assert_eq!(search_over_rest(ports, &query), (theirs.total, hashes), "{query}");
    }
}

/// Waits until a node searches its own lists.
fn has_lists(home: &Path) {
    let log = home.join("logs/application.log");
    support::wait_until("lists of transactions", || {
        let said = std::fs::read_to_string(&log).unwrap_or_default();
        let last = said.rfind("node runs").unwrap_or(0);
        said[last..].contains("searched in lists of our own")
    });
}

/// The caller, over any application's state: it is asked for the prefix of addresses alone.
fn remote(ports: u16) -> Remote {
    let mut any = testkit::Chain::new();
    any.block(Vec::new());
    let time_limit = Duration::from_secs(60);
    let limits = QueryLimits { rows_max: 1000, bytes_max: 4_000_000, time_limit, threads: 1 };
    let reader = any.engine().reader().clone();
    let queries = Arc::new(Queries::new(reader, Arc::new(Index::new()), limits));
    Remote::new(&format!("http://127.0.0.1:{ports}"), queries, Vec::new()).expect("an address")
}

struct Caller(Remote);

impl Caller {
    async fn ask<Response: Message + Default>(
        &self,
        path: &str,
        request: &impl Message,
    ) -> Result<Response, (u32, String)> {
        let answer = self.0.call(path, &request.encode_to_vec(), 0).await.expect("a path of it");
        let bytes = answer.map_err(|error| error.status())?;
        Ok(Response::decode(bytes.as_slice()).expect("its response"))
    }

    async fn search(&self, events: &[&str]) -> tx::GetTxsEventResponse {
        let events = events.iter().map(|event| (*event).to_owned()).collect();
        let request = tx::GetTxsEventRequest { events, ..Default::default() };
        let path = "/cosmos.tx.v1beta1.Service/GetTxsEvent";
        self.ask(path, &request).await.unwrap_or_else(|error| panic!("{error:?}"))
    }
}

async fn blocks(caller: &Caller) {
    let of = |method: &str| format!("/cosmos.base.tendermint.v1beta1.Service/{method}");
    let info: chain::GetNodeInfoResponse =
        caller.ask(&of("GetNodeInfo"), &chain::GetNodeInfoRequest {}).await.expect("info");
    let version = info.application_version.expect("ours");
    assert_eq!(version.app_name, "cyberd");
    assert_eq!(version.cosmos_sdk_version, "v0.47.12");
    assert!(info.default_node_info.expect("CometBFT's").version.starts_with("0.38."));
    let latest: chain::GetLatestBlockResponse =
        caller.ask(&of("GetLatestBlock"), &chain::GetLatestBlockRequest {}).await.expect("block");
    let header = latest.sdk_block.expect("ours").header.expect("a header");
    assert!(header.proposer_address.starts_with("bostromvalcons1"), "{header:?}");
    let first: chain::GetBlockByHeightResponse = caller
        .ask(&of("GetBlockByHeight"), &chain::GetBlockByHeightRequest { height: 1 })
        .await
        .expect("the first");
    assert_eq!(first.block.expect("it").header.expect("a header").height, 1);
    for height in [0, -1, 1_000_000_000] {
        let request = chain::GetBlockByHeightRequest { height };
        let refused: Result<chain::GetBlockByHeightResponse, _> =
            caller.ask(&of("GetBlockByHeight"), &request).await;
        assert_eq!(refused.expect_err("no such height").0, 3);
    }
    let validators: chain::GetLatestValidatorSetResponse = caller
        .ask(&of("GetLatestValidatorSet"), &chain::GetLatestValidatorSetRequest::default())
        .await
        .expect("validators");
    assert_eq!(validators.validators.len(), 1);
    assert!(validators.validators[0].address.starts_with("bostromvalcons1"));
}

async fn transactions(caller: &Caller, neuron: &str) {
    let of_neuron = format!("cyberlink.neuron='{neuron}'");
    let found = caller.search(&[&of_neuron]).await;
    assert_eq!((found.total, found.txs.len(), found.tx_responses.len()), (2, 2, 2));
    let response = &found.tx_responses[0];
    assert_eq!(response.code, 0);
    assert!(response.timestamp.ends_with('Z') && response.logs.len() == 1, "{response:?}");
    let body = found.txs[0].body.as_ref().expect("a body");
    let message = MsgCyberlink::decode(body.messages[0].value.as_slice()).expect("a link");
    // What cyb.ai asks: two conditions on one event.
    let from = format!("cyberlink.particleFrom='{}'", message.links[0].from);
    assert_eq!(caller.search(&[&from, &of_neuron]).await.total, 2);
    let to = format!("cyberlink.particleTo='{}'", message.links[0].to);
    assert_eq!(caller.search(&[&to, &of_neuron]).await.total, 1);
    let sender = format!("message.sender='{neuron}'");
    assert_eq!(caller.search(&[&sender]).await.total, 2);
    let action = "message.action='/cyber.graph.v1beta1.MsgCyberlink'";
    assert_eq!(caller.search(&[action]).await.total, 2);
    assert_eq!(caller.search(&["cyberlink.neuron='nobody'"]).await.total, 0);
    let newest = tx::GetTxsEventRequest {
        query: of_neuron.clone(),
        limit: 1,
        order_by: tx::OrderBy::Desc.into(),
        ..Default::default()
    };
    let path = "/cosmos.tx.v1beta1.Service/GetTxsEvent";
    let page: tx::GetTxsEventResponse = caller.ask(path, &newest).await.expect("a page");
    assert_eq!((page.total, page.tx_responses.len()), (2, 1));
    assert_eq!(page.tx_responses[0].txhash, found.tx_responses[1].txhash);
    let past = tx::GetTxsEventRequest { page: 9, ..newest };
    let page: tx::GetTxsEventResponse = caller.ask(path, &past).await.expect("an empty page");
    assert!(page.tx_responses.is_empty());
    let one = tx::GetTxRequest { hash: response.txhash.clone() };
    let path = "/cosmos.tx.v1beta1.Service/GetTx";
    let same: tx::GetTxResponse = caller.ask(path, &one).await.expect("by its hash");
    assert_eq!(same.tx_response.as_ref(), Some(response));
    let hash = "AB".repeat(32);
    let none: Result<tx::GetTxResponse, _> =
        caller.ask(path, &tx::GetTxRequest { hash: hash.clone() }).await;
    assert_eq!(none.expect_err("no such"), (5, format!("tx not found: {hash}")));
    let path = "/cosmos.tx.v1beta1.Service/GetBlockWithTxs";
    let request = tx::GetBlockWithTxsRequest { height: response.height, pagination: None };
    let block: tx::GetBlockWithTxsResponse = caller.ask(path, &request).await.expect("a block");
    assert!(!block.txs.is_empty() && block.block_id.is_some());
    let request =
        tx::BroadcastTxRequest { tx_bytes: vec![1, 2, 3], mode: tx::BroadcastMode::Sync.into() };
    let path = "/cosmos.tx.v1beta1.Service/BroadcastTx";
    let refused: tx::BroadcastTxResponse = caller.ask(path, &request).await.expect("an answer");
    let refused = refused.tx_response.expect("with a code");
    assert_eq!((refused.codespace.as_str(), refused.code), ("sdk", 2));
}

#[tokio::test]
async fn what_cometbft_keeps_is_answered_in_the_shape_of_the_sdk() {
    let folder = tempfile::tempdir().expect("a folder");
    let (home, ports) = (folder.path().join("home"), free_ports());
    let flags = ["--no-import", "--block-time", "200ms"];
    let (mut chain, _) = Chain::dev(&home, ports, &flags);
    let linked = answer(&home, &["link", "dog", "cat", "--from", "alice"]);
    answer(&home, &["link", "dog", "wolf", "--from", "alice"]);
    let neuron = answer(&home, &["keys", "show", "alice"])["address"].clone();
    let neuron = neuron.as_str().unwrap_or_else(|| panic!("{linked}")).to_owned();
    let caller = Caller(remote(ports));
    blocks(&caller).await;
    transactions(&caller, &neuron).await;
    answer(&home, &["send", "bob", "5boot", "--from", "alice", "--fee", "10000boot"]);
    has_lists(&home);
    compare_searches(&caller, ports, &neuron).await;
    // The lists of another process are read from CometBFT's blocks.
    chain.process.signal(Signal::SIGTERM);
    let (_chain, _) = Chain::dev(&home, ports, &flags);
    has_lists(&home);
    compare_searches(&caller, ports, &neuron).await;
}
