//! One real CometBFT for a test: a home with fresh keys, a genesis, free ports, the process.

#![allow(clippy::disallowed_methods, reason = "waits for another process")]
#![allow(dead_code, reason = "every test file uses a part of it")]

use cyberd::node::cometbft::genesis::{self, Account, Validator};
use cyberd::node::cometbft::home::{public_key, CometHome, NodeKeys, Ports, Settings};
use cyberd::node::{cometbft, supervisor};
use cyberd::types::Address;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

/// Longer than anything takes on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A home and the program for it.
pub struct Network {
    pub folder: tempfile::TempDir,
    pub ports: Ports,
    program: PathBuf,
    keys: NodeKeys,
    block_time_ms: u64,
}

/// A CometBFT that is killed when dropped.
pub struct Cometbft {
    child: Child,
    rpc: u16,
}

/// Six ports nobody listens on at the moment, others for each test of a process.
fn free_ports() -> Ports {
    static ROWS: AtomicU16 = AtomicU16::new(0);
    let free = |port: u16| TcpListener::bind(("127.0.0.1", port)).is_ok();
    let start = 33_000 + (std::process::id() % 100) as u16 * 60;
    let rows = (0..1_000).map(|_| start + ROWS.fetch_add(1, Ordering::Relaxed) % 700 * 10);
    let rows = rows.filter_map(|base| Ports::of(Some(base), 0).ok());
    let mut fitting = rows.filter(|ports| ports.named().iter().all(|(_, port)| free(*port)));
    fitting.next().expect("a free row of ports")
}

impl Network {
    /// A home with keys; CometBFT is built first where there is none.
    pub fn new(block_time_ms: u64) -> Network {
        let folder = tempfile::tempdir().expect("a folder");
        let program = cometbft::find_or_install(folder.path(), &mut |line| eprintln!("{line}"));
        let keys = NodeKeys::random().expect("keys");
        CometHome::of(folder.path()).write_keys(&keys).expect("keys");
        let program = program.expect("CometBFT is there or can be built");
        Network { folder, ports: free_ports(), program, keys, block_time_ms }
    }

    pub fn home(&self) -> &Path {
        self.folder.path()
    }

    /// `http://…` of the RPC.
    pub fn rpc(&self) -> String {
        format!("http://127.0.0.1:{}", self.ports.rpc)
    }

    /// Writes settings and genesis for an application and starts CometBFT on it.
    pub fn start(&self, proxy_app: &str) -> Cometbft {
        let home = CometHome::of(self.home());
        let settings = Settings {
            moniker: "test".to_owned(),
            ports: self.ports,
            proxy_app: proxy_app.to_owned(),
            block_time_ms: self.block_time_ms,
            development: true,
            peers: Vec::new(),
        };
        home.write_settings(&settings).expect("settings");
        let public_key = public_key(&self.keys.validator);
        let validators = [Validator { name: "one".to_owned(), public_key, power: 10 }];
        let address = Address::new(&[7; 20]).expect("twenty bytes");
        let accounts = [Account { address, amount: 1_000_000_000 }];
        let document = genesis::document("test-1", "2026-01-01T00:00:00Z", &validators, &accounts);
        std::fs::write(home.genesis(), document.to_string()).expect("a genesis");
        let child = Command::new(&self.program)
            .args(["start", "--home"])
            .arg(self.home())
            .env("GOMAXPROCS", supervisor::cometbft_threads().to_string())
            .stdout(Stdio::null())
            .spawn();
        Cometbft { child: child.expect("CometBFT starts"), rpc: self.ports.rpc }
    }
}

impl Cometbft {
    /// The latest height, 0 while there is none.
    pub fn height(&self) -> u64 {
        supervisor::latest_height(self.rpc).unwrap_or(0)
    }

    /// An RPC answer, however long it takes.
    pub fn get(&self, path: &str) -> serde_json::Value {
        let mut stream = TcpStream::connect(("127.0.0.1", self.rpc)).expect("it listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a socket");
        stream.write_all(format!("GET {path} HTTP/1.0\r\n\r\n").as_bytes()).expect("it reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("it answers");
        let (_, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
        serde_json::from_str(body).expect("JSON")
    }

    /// Waits until a height is reached.
    pub fn reach(&mut self, height: u64) {
        wait_until(&format!("height {height}"), || {
            let ended = self.child.try_wait().expect("a child of ours");
            assert!(ended.is_none(), "CometBFT ended: {ended:?}");
            self.height() >= height
        });
    }
}

impl Drop for Cometbft {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits until something holds; fails, naming it, if it does not come to hold.
pub fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !holds() {
        assert!(begin.elapsed() < PATIENCE, "no {what} within {PATIENCE:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
