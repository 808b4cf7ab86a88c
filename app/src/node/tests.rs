//! A node from outside: its HTTP answers, its restarts, its refusals.

use super::*;
use crate::abci::Application;
use crate::config::ApiSettings;
use crate::engine::{Block, QueryRequest, Time};
use crate::testkit::Chain;
use crate::types::Height;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU8, Ordering};

const CATCHING_UP: u8 = 1;
const DONE: u8 = 2;
const ODD: u8 = 3;

/// Something that answers `/status` as CometBFT does; the state is what it says, 0: nothing.
fn rpc(state: Arc<AtomicU8>) -> String {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let place = listener.local_addr().expect("bound");
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.expect("a connection");
            let mut request = Vec::new();
            let mut byte = [0];
            while !request.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|n| n > 0) {
                request.push(byte[0]);
            }
            let sync = match state.load(Ordering::SeqCst) {
                CATCHING_UP => r#"{"catching_up":true,"latest_block_height":"7"}"#,
                DONE => r#"{"catching_up":false,"latest_block_height":"7"}"#,
                ODD => "{}",
                _ => continue,
            };
            let body = format!(r#"{{"result":{{"sync_info":{sync}}}}}"#);
            let _ = write!(stream, "HTTP/1.0 200 OK\r\n\r\n{body}");
        }
    });
    format!("http://{place}")
}

/// Status line and body of an answer.
fn get(at: SocketAddr, path: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(at).expect("it listens");
    write!(stream, "GET {path} HTTP/1.0\r\n\r\n").expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it answers");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    (status.expect("a status"), body.to_owned())
}

fn config(home: &std::path::Path, rpc: String) -> Config {
    let free = Some(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
    let template = Config::of_template(home);
    let api = ApiSettings { grpc_listen: free, rest_listen: free, ..template.api.clone() };
    Config { cometbft_rpc: rpc, health_listen: free, api, threads: 1, ..template }
}

/// The chain of the test kit and its first blocks, through the node's application.
fn advance(config: &Config, node: &Node, heights: std::ops::RangeInclusive<u64>) {
    let heart = Arc::new(Heart::new());
    let app = application(node.engine(), config, heart).expect("an application");
    if *heights.start() == 1 {
        assert_eq!((app.info().height, app.info().app_hash.len()), (Height(0), 0));
        app.init_chain(Chain::new().genesis).expect("a good genesis");
    }
    for height in heights {
        let time = Time { seconds: 1_700_000_000 + height as i64, nanos: 0 };
        let block = Block { height: Height(height), time, proposer: vec![1; 20], txs: Vec::new() };
        let outcome = app.finalize_block(block).expect("a good block");
        app.commit().expect("a good disk");
        assert_eq!(app.info().height, Height(height));
        assert_eq!(app.info().app_hash, outcome.app_hash);
        let path = "/cyber.graph.v1beta1.Query/GraphStats".to_owned();
        let request = QueryRequest { path, data: Default::default(), height: 0, prove: false };
        let answer = app.query(request);
        assert_eq!((answer.code, answer.height), (0, height as i64), "{}", answer.log);
    }
}

#[test]
fn health_readiness_and_metrics_tell_how_the_node_is() {
    let home = tempfile::tempdir().expect("a directory");
    let state = Arc::new(AtomicU8::new(0));
    let config = config(home.path(), rpc(state.clone()));
    let node = Node::start(&config).expect("it starts");
    let at = node.health_address().expect("it is served");

    let (status, body) = get(at, "/health");
    assert_eq!(status, 200);
    assert!(body.contains(r#""status":"ok""#) && body.contains(r#""height":0"#), "{body}");
    let (status, body) = get(at, "/ready");
    assert_eq!(status, 503);
    assert!(body.contains("not reachable") && body.contains("no block yet"), "{body}");

    advance(&config, &node, 1..=3);
    for (says, status, text) in [
        (CATCHING_UP, 503, "catching up, at height 7"),
        (ODD, 503, "without sync_info"),
        (DONE, 200, r#""ready":true,"height":3"#),
    ] {
        state.store(says, Ordering::SeqCst);
        let (found, body) = get(at, "/ready");
        assert_eq!(found, status, "{body}");
        assert!(body.contains(text), "{body}");
    }
    let (status, body) = get(at, "/metrics");
    assert_eq!(status, 200);
    for line in [
        "cyberd_height 3",
        "cyberd_memory_bytes ",
        "cyberd_bandwidth_price 0.01",
        "cyberd_head_age_seconds 0",
        "cyberd_ready 1",
        "cyberd_not_ready{check=\"catching_up\"} 0",
        "cyberd_disk_free_bytes ",
        "cyberd_disk_reserve_bytes 64000000",
        "cyberd_round_height 0",
        "cyberd_round_period_blocks 5",
        "cyberd_root_mismatch 0",
        "cyberd_restarts 0",
        "cyberd_gpu_up 0",
        "cyberd_info{version=",
    ] {
        assert!(body.contains(line), "{line}: {body}");
    }
    let note = mismatch::RootMismatch { height: 3, line: "wrong".to_owned() };
    std::fs::create_dir_all(home.path().join("data")).expect("a folder");
    note.write(&mismatch::RootMismatch::path(home.path()));
    let (status, body) = get(at, "/ready");
    assert!(status == 503 && body.contains("another state than this node: wrong"), "{body}");
    let body = get(at, "/metrics").1;
    let speaks = ["cyberd_root_mismatch 1", "cyberd_not_ready{check=\"root\"} 1", "cyberd_ready 0"];
    assert!(speaks.iter().all(|line| body.contains(line)), "{body}");
    assert_eq!(get(at, "/other").0, 404);
    node.stop();
    assert!(TcpStream::connect(at).is_err());
}

#[test]
fn an_old_head_and_a_full_disk_are_reasons() {
    let home = tempfile::tempdir().expect("a directory");
    let config = Config {
        head_age_max: Duration::ZERO,
        free_disk_min_bytes: u64::MAX / 4,
        ..config(home.path(), rpc(Arc::new(AtomicU8::new(DONE))))
    };
    let heart = Arc::new(Heart::new());
    let store = Store::open(home.path(), store::Options::default()).expect("it opens");
    let readiness = Readiness::new(&config, store.reader(), heart, None);
    let checks: Vec<_> = readiness.report().reasons.iter().map(|reason| reason.check).collect();
    assert_eq!(checks, ["head", "store"]);
}

#[test]
fn a_missing_gpu_is_a_reason_only_where_the_operator_counts_on_it() {
    let home = tempfile::tempdir().expect("a directory");
    let store = Store::open(home.path(), store::Options::default()).expect("it opens");
    let reasons = |rank_device| {
        let rank_worker = home.path().join("no-such-worker");
        let free_disk_min_bytes = 0;
        let rpc = rpc(Arc::new(AtomicU8::new(DONE)));
        let config =
            Config { rank_device, rank_worker, free_disk_min_bytes, ..config(home.path(), rpc) };
        let gpu = device(&config).as_ref().map(Setup::status);
        let readiness = Readiness::new(&config, store.reader(), Arc::new(Heart::new()), gpu);
        let reasons = readiness.report().reasons.into_iter();
        reasons
            .filter(|reason| reason.check == "gpu")
            .map(|reason| reason.reason)
            .collect::<Vec<String>>()
    };
    assert_eq!(reasons(Device::Cpu), Vec::<String>::new());
    assert_eq!(reasons(Device::Auto), Vec::<String>::new());
    let missing = ["rank.device = gpu, but the worker has not started yet".to_owned()];
    assert_eq!(reasons(Device::Gpu), missing);
}

#[test]
fn a_node_goes_on_where_it_stopped() {
    let home = tempfile::tempdir().expect("a directory");
    let config = config(home.path(), "http://127.0.0.1:1".to_owned());
    let node = Node::start(&config).expect("it starts");
    advance(&config, &node, 1..=6);
    let hash = node.engine().info().app_hash;
    node.stop();
    let node = Node::start(&config).expect("it starts again");
    assert_eq!((node.engine().info().height, node.engine().info().app_hash), (Height(6), hash));
    advance(&config, &node, 7..=8);
    node.stop();
}

#[test]
fn a_taken_port_or_home_is_a_fault_that_names_it() {
    let home = tempfile::tempdir().expect("a directory");
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let rpc = "http://127.0.0.1:1".to_owned();
    let mut config = config(home.path(), rpc);
    config.health_listen = taken.local_addr().ok();
    let text = Node::start(&config).err().expect("it is taken").to_string();
    assert!(text.contains("health.listen = 127.0.0.1:"), "{text}");
    config.health_listen = None;
    let node = Node::start(&config).expect("it starts");
    let text = Node::start(&config).err().expect("it is taken").to_string();
    assert!(text.contains(&home.path().display().to_string()), "{text}");
    node.stop();
}

/// Head and body of an answer to a request with headers and a body.
fn ask(at: SocketAddr, head: &str, body: &[u8]) -> (String, Vec<u8>) {
    let mut stream = TcpStream::connect(at).expect("it listens");
    let length = body.len();
    write!(stream, "{head}\r\nhost: x\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n")
        .expect("it reads");
    stream.write_all(body).expect("it reads");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("it answers");
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n").expect("a whole head");
    let head = String::from_utf8_lossy(&answer[..end]).into_owned();
    (head, answer[end + 4..].to_vec())
}

#[test]
fn pages_of_other_origins_ask_over_rest_and_grpc_web() {
    let home = tempfile::tempdir().expect("a directory");
    let config = config(home.path(), rpc(Arc::new(AtomicU8::new(DONE))));
    let node = Node::start(&config).expect("it starts");
    advance(&config, &node, 1..=3);
    let rest = node.api().rest_address().expect("it is served");
    let grpc = node.api().grpc_address().expect("it is served");
    let origin = "origin: https://cyb.ai\r\n";

    let head = format!(
        "OPTIONS /cosmos/tx/v1beta1/txs HTTP/1.1\r\n{origin}access-control-request-method: POST\r\n\
         access-control-request-headers: content-type,x-cosmos-block-height"
    );
    let (answer, _) = ask(rest, &head, b"");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    for expected in [
        "access-control-allow-origin: *",
        "access-control-allow-methods: GET,POST",
        "access-control-allow-headers: content-type,x-cosmos-block-height",
    ] {
        assert!(answer.contains(expected), "{expected} in {answer}");
    }
    let head = format!("GET /cyber/graph/v1beta1/graph_stats HTTP/1.1\r\n{origin}x: y");
    let (answer, body) = ask(rest, &head, b"");
    let exposed = "access-control-expose-headers: grpc-status,grpc-message,";
    assert!(answer.contains(exposed) && answer.contains("x-cosmos-block-height: 3"), "{answer}");
    assert_eq!(body, br#"{"cyberlinks":"0","particles":"0"}"#);

    let head = format!(
        "POST /cyber.graph.v1beta1.Query/GraphStats HTTP/1.1\r\n{origin}\
         content-type: application/grpc-web+proto"
    );
    let (answer, body) = ask(grpc, &head, &[0; 5]);
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains(exposed), "{answer}");
    assert!(answer.contains("x-cosmos-block-height: 3"), "{answer}");
    let text = String::from_utf8_lossy(&body);
    assert!(text.contains("grpc-status:0"), "{text}");
    node.stop();
}
