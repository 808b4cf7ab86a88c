//! The real CometBFT with the settings, keys and genesis we write, and its own key-value store in
//! the application's place.

#![allow(clippy::disallowed_methods, reason = "waits for another process")]

use cyberd::node::cometbft::genesis::{self, Account, Validator};
use cyberd::node::cometbft::home::{public_key, CometHome, NodeKeys, Ports, Settings};
use cyberd::node::{cometbft, supervisor};
use cyberd::types::Address;
use std::process::Command;
use std::time::{Duration, Instant};

/// Six ports nobody listens on at the moment.
fn free_ports() -> Ports {
    let free = |port: &u16| std::net::TcpListener::bind(("127.0.0.1", *port)).is_ok();
    let start = 20_000 + (std::process::id() % 4_000) as u16 * 10;
    let candidates = (0..100).map(|step| start.wrapping_add(step * 10).max(1_024));
    let mut fitting = candidates
        .filter_map(|base| Ports::of(Some(base), 0).ok())
        .filter(|ports| ports.named().iter().all(|(_, port)| free(port)));
    fitting.next().expect("a free row of ports")
}

#[test]
fn cometbft_takes_our_settings_keys_and_genesis_and_makes_blocks() {
    let folder = tempfile::tempdir().expect("folder");
    let program = cometbft::find_or_install(folder.path(), &mut |line| eprintln!("{line}"))
        .expect("CometBFT is there or can be built");
    let home = CometHome::of(folder.path());
    let keys = NodeKeys::random().expect("keys");
    let ports = free_ports();
    home.write_keys(&keys).expect("keys");
    let settings = Settings {
        moniker: "test".to_owned(),
        ports,
        proxy_app: "kvstore".to_owned(),
        block_time_ms: 50,
        development: true,
        peers: Vec::new(),
    };
    home.write_settings(&settings).expect("settings");
    let public_key = public_key(&keys.validator);
    let validators = [Validator { name: "one".to_owned(), public_key, power: 10 }];
    let address = Address::new(&[7; 20]).expect("twenty bytes");
    let accounts = [Account { address, amount: 1_000_000 }];
    let document = genesis::document("test-1", "2026-01-01T00:00:00Z", &validators, &accounts);
    std::fs::write(home.genesis(), document.to_string()).expect("genesis");

    let mut child = Command::new(program)
        .args(["start", "--home"])
        .arg(home.path())
        .stdout(std::process::Stdio::null())
        .spawn()
        .expect("CometBFT starts");
    let start = Instant::now();
    let reached = loop {
        match supervisor::latest_height(ports.rpc) {
            Some(height) if height >= 3 => break true,
            _ if start.elapsed() > Duration::from_secs(30) => break false,
            _ => std::thread::sleep(Duration::from_millis(50)),
        }
    };
    child.kill().expect("it was running");
    child.wait().expect("it ends");
    assert!(reached, "no block within 30 s");
}
