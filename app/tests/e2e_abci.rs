//! The ABCI server under the real CometBFT: a key-value application of twenty lines, and what an
//! empty block costs.

mod network;

use cyberd::abci::address::Address;
use cyberd::abci::server::Server;
use cyberd::abci::Application;
use cyberd::config::Config;
use cyberd::engine::*;
use cyberd::error::{code, Fault, Refusal};
use cyberd::node::Node;
use cyberd::types::{sha256, Hash, Height};
use network::{wait_until, Cometbft, Network};
use prost::bytes::Bytes;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Takes `key=value`; the app hash is that of all pairs.
#[derive(Default)]
struct Pairs {
    committed: Mutex<State>,
    next: Mutex<State>,
}

#[derive(Clone, Default)]
struct State {
    height: u64,
    pairs: BTreeMap<String, String>,
}

impl State {
    fn hash(&self) -> Hash {
        sha256(format!("{:?}", self.pairs).as_bytes())
    }
}

fn read(tx: &[u8]) -> Option<(String, String)> {
    let (key, value) = std::str::from_utf8(tx).ok()?.split_once('=')?;
    Some((key.to_owned(), value.to_owned()))
}

fn result(tx: &[u8]) -> TxResult {
    match read(tx) {
        Some(_) => TxResult {
            code: code::OK,
            data: Bytes::new(),
            log: String::new(),
            gas_wanted: 1,
            gas_used: 1,
            events: Vec::new(),
        },
        None => TxResult::refused(Refusal::new(code::TX_PARSE, "key=value is right"), 0, 0),
    }
}

impl Application for Pairs {
    fn info(&self) -> Info {
        let state = self.committed.lock().expect("no panics here");
        let app_hash = if state.height == 0 { Vec::new() } else { state.hash().to_vec() };
        Info { version: "pairs", app_version: 1, height: Height(state.height), app_hash }
    }

    fn init_chain(&self, _genesis: Genesis) -> Result<GenesisOutcome, Fault> {
        let app_hash = State::default().hash();
        Ok(GenesisOutcome { app_hash, validators: Vec::new(), consensus_params: None })
    }

    fn check_txs(&self, requests: &[CheckRequest], results: &mut Vec<TxResult>) {
        results.extend(requests.iter().map(|request| result(&request.tx)));
    }

    fn prepare_proposal(&self, proposal: Proposal) -> Result<Vec<Bytes>, Fault> {
        Ok(proposal.txs)
    }

    fn process_proposal(&self, _proposal: Proposal) -> Result<ProposalVerdict, Fault> {
        Ok(ProposalVerdict::Accept)
    }

    fn finalize_block(&self, block: Block) -> Result<BlockOutcome, Fault> {
        let mut next = self.committed.lock().expect("no panics here").clone();
        next.height = block.height.0;
        next.pairs.extend(block.txs.iter().filter_map(|tx| read(tx)));
        let app_hash = next.hash();
        *self.next.lock().expect("no panics here") = next;
        Ok(BlockOutcome {
            results: block.txs.iter().map(|tx| result(tx)).collect(),
            events: Vec::new(),
            validator_updates: Vec::new(),
            consensus_params: None,
            app_hash,
        })
    }

    fn commit(&self) -> Result<Height, Fault> {
        let next = self.next.lock().expect("no panics here").clone();
        *self.committed.lock().expect("no panics here") = next;
        Ok(Height(0))
    }

    fn query(&self, request: QueryRequest) -> QueryAnswer {
        assert_ne!(request.path, "panic", "as asked");
        let state = self.committed.lock().expect("no panics here");
        let value = state.pairs.get(&request.path).cloned().unwrap_or_default();
        let height = i64::try_from(state.height).expect("few heights");
        QueryAnswer { value: value.into(), height, ..QueryAnswer::default() }
    }

    fn list_snapshots(&self) -> Vec<Snapshot> {
        Vec::new()
    }

    fn offer_snapshot(&self, _offer: Snapshot, _hash: Hash) -> Result<OfferVerdict, Fault> {
        Ok(OfferVerdict::Abort("there are none".into()))
    }

    fn load_snapshot_chunk(&self, _height: Height, _format: u32, _chunk: u32) -> Option<Bytes> {
        None
    }

    fn apply_snapshot_chunk(
        &self,
        _index: u32,
        _chunk: Bytes,
        _sender: &str,
    ) -> Result<ChunkVerdict, Fault> {
        Ok(ChunkVerdict::Abort("there are none".into()))
    }
}

fn serve(address: &Address) -> Server {
    let fault = Box::new(|fault: Fault| panic!("no faults here: {fault}"));
    Server::start(address, Arc::new(Pairs::default()), 4, fault).expect("it listens")
}

/// The value of a key, by a query over CometBFT's RPC.
fn value(cometbft: &Cometbft, key: &str) -> (u64, String) {
    let answer = cometbft.get(&format!("/abci_query?path=\"{key}\""));
    let response = &answer["result"]["response"];
    let bytes = response["value"].as_str().unwrap_or_default();
    let bytes = base64::Engine::decode(&base64::prelude::BASE64_STANDARD, bytes).expect("base64");
    (response["code"].as_u64().unwrap_or(0), String::from_utf8(bytes).expect("text"))
}

fn twenty_blocks_over(address: &Address, network: &Network) {
    let server = serve(address);
    let mut cometbft = network.start(&server.address().to_string());
    cometbft.reach(2);
    let sent = cometbft.get("/broadcast_tx_sync?tx=\"dog=animal\"");
    assert_eq!(sent["result"]["code"], 0, "{sent}");
    let refused = cometbft.get("/broadcast_tx_sync?tx=\"nonsense\"");
    assert_eq!(
        (&refused["result"]["code"], &refused["result"]["codespace"]),
        (&2.into(), &"sdk".into())
    );
    wait_until("transaction in a block", || value(&cometbft, "dog").1 == "animal");
    // A panic in a query costs no connection: CometBFT would end with it.
    assert_eq!(value(&cometbft, "panic").0, 111_222);
    cometbft.reach(20);
    assert_eq!(value(&cometbft, "dog"), (0, "animal".to_owned()));

    // CometBFT dies; the application stays and takes the next one.
    drop(cometbft);
    let mut again = network.start(&server.address().to_string());
    again.reach(24);
    assert_eq!(value(&again, "dog"), (0, "animal".to_owned()));

    // CometBFT loses the application; whether it then ends or hangs is the supervisor's care.
    assert!(server.stop(Duration::from_secs(5)));
}

#[test]
fn twenty_blocks_over_a_unix_socket() {
    let network = Network::new(20);
    twenty_blocks_over(&Address::in_home(network.home()), &network);
}

#[test]
fn twenty_blocks_over_loopback_tcp() {
    let address = Address::parse("tcp://127.0.0.1:0").expect("an address");
    twenty_blocks_over(&address, &Network::new(20));
}

fn node(network: &Network) -> Node {
    let at = |port| Some(SocketAddr::from(([127, 0, 0, 1], port)));
    let mut config = Config::of_template(network.home());
    config.cometbft_rpc = network.rpc();
    config.health_listen = at(network.ports.health);
    config.api.grpc_listen = at(network.ports.grpc);
    config.api.rest_listen = at(network.ports.rest);
    Node::start(&config).expect("it starts")
}

#[test]
fn a_node_gets_ready_and_goes_on_after_both_were_stopped() {
    let network = Network::new(20);
    for height in [12, 20] {
        let node = node(&network);
        let health = node.health_address().expect("it is served");
        assert!(cyberd::node::supervisor::get(health.port(), "/ready").is_none());
        let mut cometbft = network.start(&node.abci_address().to_string());
        cometbft.reach(height);
        wait_until("readiness", || {
            cyberd::node::supervisor::get(health.port(), "/ready").is_some()
        });
        let metrics = cyberd::node::supervisor::get(health.port(), "/metrics").unwrap_or_default();
        for line in ["cyberd_abci_seconds_count{method=\"commit\"}", "cyberd_commit_seconds_sum "] {
            assert!(metrics.contains(line), "{line}: {metrics}");
        }
        drop(cometbft);
        node.stop();
    }
}

/// Milliseconds an empty block takes, over some seconds.
#[allow(clippy::float_arithmetic, clippy::disallowed_methods, reason = "a measurement")]
fn empty_block_ms(proxy_app: &str, network: &Network) -> f64 {
    let mut cometbft = network.start(proxy_app);
    cometbft.reach(50);
    let (begin, first) = (Instant::now(), cometbft.height());
    std::thread::sleep(Duration::from_secs(5));
    let blocks = cometbft.height() - first;
    begin.elapsed().as_secs_f64() * 1e3 / blocks as f64
}

/// Alternates, so that what else the machine does falls on all alike.
#[test]
#[ignore = "a measurement, 50 s: cargo test --release --test e2e_abci -- --ignored --nocapture"]
#[allow(clippy::float_arithmetic, reason = "a measurement")]
fn an_empty_block_costs_at_most_a_third_more_than_with_the_built_in_kvstore() {
    let mut times: [Vec<f64>; 3] = Default::default();
    for _ in 0..3 {
        times[0].push(empty_block_ms("kvstore", &Network::new(0)));
        let network = Network::new(0);
        let server = serve(&Address::in_home(network.home()));
        times[1].push(empty_block_ms(&server.address().to_string(), &network));
        let network = Network::new(0);
        let node = node(&network);
        times[2].push(empty_block_ms(&node.abci_address().to_string(), &network));
        node.stop();
    }
    let median = |times: &mut Vec<f64>| {
        times.sort_by(f64::total_cmp);
        times[1]
    };
    let [kvstore, server, node] = [0, 1, 2].map(|at| median(&mut times[at]));
    eprintln!("empty block, zero commit timeout: built-in kvstore {kvstore:.2} ms,");
    eprintln!("  our server with a small application {server:.2} ms ({:.2} ×),", server / kvstore);
    eprintln!("  the node {node:.2} ms ({:.2} ×)", node / kvstore);
    assert!(server <= 1.3 * kvstore);
    assert!(node <= 1.3 * kvstore);
}
