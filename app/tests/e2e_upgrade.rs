//! The rehearsal of an upgrade: two nodes of this version halt at the planned height, the next
//! version (feature `next-version`: one more row, one migration) goes on, and both agree. A third
//! node, of the next version alone, replays all blocks from the genesis of this one.
//!
//! The second binary is built here, with the dependencies that this test was built with: only the
//! crate itself is compiled again.

#![allow(clippy::disallowed_methods, reason = "waits for other processes")]

mod support;

use serde_json::{json, Value};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use support::{answer, cyberd, free_ports, get, wait_until, Process};

/// The first block under the new rules.
const HEIGHT: u64 = 40;

/// The program of the next version.
fn next_version() -> PathBuf {
    let own = Path::new(env!("CARGO_BIN_EXE_cyberd"));
    let built = own.parent().expect("a folder");
    let target = built.parent().expect("a folder").join("upgrade");
    let place = target.join(built.file_name().expect("the name of the profile"));
    for part in ["deps", "build", ".fingerprint"] {
        link(&built.join(part), &place.join(part));
    }
    let mut command = Command::new(env!("CARGO"));
    // With tests, so that dependencies have the features they have here.
    command.args(["test", "--no-run", "-p", "cyberd", "--test", "e2e_upgrade", "--locked"]);
    command.args(["--features", "next-version", "--target-dir"]).arg(&target);
    if built.ends_with("release") {
        command.arg("--release");
    }
    // What cargo tells this test about itself is not for the other build.
    for (name, _) in std::env::vars() {
        if name.starts_with("CARGO_") && name != "CARGO_HOME" || name == "RUSTC" {
            command.env_remove(name);
        }
    }
    let status = command.current_dir(env!("CARGO_MANIFEST_DIR")).stdin(Stdio::null()).status();
    assert!(status.expect("cargo runs").success(), "the next version is built");
    place.join("cyberd")
}

/// Links a folder's files into another, but those of this crate and what is there and as new.
fn link(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder");
    for entry in std::fs::read_dir(from).expect("a folder").flatten() {
        let name = entry.file_name();
        let text = name.to_string_lossy();
        let is_own =
            ["cyberd-", "libcyberd-", "e2e_", "flow_"].iter().any(|own| text.starts_with(own));
        if is_own {
            continue;
        }
        let (from, to) = (entry.path(), to.join(&name));
        let written = |path: &Path| path.metadata().and_then(|it| it.modified()).ok();
        if from.is_dir() {
            link(&from, &to);
        } else if written(&to) < written(&from) {
            // Compiled again since the last time, or not there yet.
            std::fs::remove_file(&to).ok();
            if std::fs::hard_link(&from, &to).is_err() {
                std::fs::copy(&from, &to).expect("copied");
            }
        }
    }
}

/// A home and its ports.
struct Node {
    home: PathBuf,
    ports: u16,
}

impl Node {
    fn rpc(&self, path: &str) -> Option<Value> {
        let answer: Value = serde_json::from_str(&get(self.ports, path)?).ok()?;
        answer.get("result").cloned()
    }

    fn height(&self) -> u64 {
        let height = self
            .rpc("/status")
            .and_then(|status| status["sync_info"]["latest_block_height"].as_str()?.parse().ok());
        height.unwrap_or(0)
    }

    fn header(&self, height: u64) -> Value {
        let commit = self.rpc(&format!("/commit?height={height}")).expect("an answer");
        commit["signed_header"]["header"].clone()
    }

    fn start(&self) -> Process {
        Process::start(&self.home, &["run"], &self.home.with_extension("old.log"))
    }

    /// `pre-upgrade` of a program, as Cosmovisor asks it.
    fn pre_upgrade(&self, program: &Path) -> Option<i32> {
        let mut command = Command::new(program);
        command.args(["pre-upgrade", "--home"]).arg(&self.home).stdout(Stdio::null());
        command.stderr(Stdio::null()).status().expect("it runs").code()
    }
}

/// A validator, a full node and one that comes later, of a chain that plans an upgrade.
fn nodes(folder: &Path) -> ([Node; 2], Node) {
    let [validator, full, late] = ["validator", "full", "late"]
        .map(|name| Node { home: folder.join(name), ports: free_ports() });
    let address = cyberd::types::Address::new(&[7; 20]).expect("twenty bytes");
    let account = format!("{}=1000000boot", address.to_bech32("bostrom"));
    let base = validator.ports.to_string();
    let first = ["init", "--chain-id", "upgrade-1", "--account", &account, "--port-base", &base];
    let made = answer(&validator.home, &[&first[..], &["--block-time", "300ms"]].concat());
    let genesis = validator.home.join("config/genesis.json");
    let text = std::fs::read_to_string(&genesis).expect("a genesis");
    let mut document: Value = serde_json::from_str(&text).expect("JSON");
    document["app_state"]["chain"]["upgrade"] =
        json!({ "name": "v2", "height": HEIGHT, "info": "a rehearsal" });
    std::fs::write(&genesis, document.to_string()).expect("written");

    let peer = made["peer"].as_str().expect("a peer").replace("HOST", "127.0.0.1");
    let genesis = genesis.to_str().expect("UTF-8");
    for node in [&full, &late] {
        let base = node.ports.to_string();
        let other = ["init", "--genesis", genesis, "--peer", &peer, "--port-base", &base];
        answer(&node.home, &[&other[..], &["--block-time", "300ms"]].concat());
    }
    for node in [&validator, &full, &late] {
        let path = node.home.join("config/config.toml");
        let text = std::fs::read_to_string(&path).expect("settings");
        let loopback = text
            .replace("addr_book_strict = true", "addr_book_strict = false")
            .replace("allow_duplicate_ip = false", "allow_duplicate_ip = true")
            .replace("tcp://0.0.0.0:", "tcp://127.0.0.1:");
        std::fs::write(&path, loopback).expect("written");
    }
    ([validator, full], late)
}

fn halted(node: &Node, process: &mut Process) {
    let status = process.wait();
    let said = process.said();
    assert_eq!(status.code(), Some(9), "{said}");
    let needed = format!("UPGRADE \"v2\" NEEDED at height {HEIGHT} (a rehearsal)");
    assert!(said.contains(&needed), "{said}");
    let info = std::fs::read_to_string(node.home.join("data/upgrade-info.json")).expect("written");
    assert_eq!(info, format!(r#"{{"name":"v2","height":{HEIGHT},"info":"a rehearsal"}}"#));
    assert!(support::processes::mentioning(&node.home.display().to_string()).is_empty());
}

/// A node of the next version with an empty home takes every block of the chain.
fn replays_all(next: &Path, late: &Node, other: &Node, on: u64) {
    let mut process =
        Process::of_program(next, &late.home, &["run"], &late.home.with_extension("log"));
    process.until("all blocks by the next version", || late.height() > on);
    for height in [1, 2, HEIGHT, HEIGHT + 1, on] {
        assert_eq!(late.header(height), other.header(height), "height {height}");
    }
    let stopped = process.signal(nix::sys::signal::Signal::SIGTERM).0;
    assert!(stopped.success(), "{}", process.said());
}

#[test]
fn two_nodes_halt_at_the_height_and_the_next_version_goes_on_with_one_hash() {
    let begin = Instant::now();
    let next = next_version();
    let old = Path::new(env!("CARGO_BIN_EXE_cyberd"));
    println!("upgrade: the next version was built in {} s", begin.elapsed().as_secs());
    let folder = tempfile::tempdir().expect("a folder");
    let begin = Instant::now();
    let (nodes, late) = nodes(folder.path());
    assert_eq!(nodes[0].pre_upgrade(&next), Some(1), "nothing is due");
    // CometBFT dials a peer that does not listen yet again after seconds only: the full node could
    // come when the validator has halted.
    let validator = nodes[0].start();
    wait_until("blocks of the validator", || nodes[0].height() > 0);
    let mut running = [validator, nodes[1].start()];
    wait_until("blocks", || nodes.iter().all(|node| node.height() > 2));
    let status = cyberd(&nodes[0].home, &["status"]).json();
    let height = status["SyncInfo"]["latest_block_height"].as_str().and_then(|it| it.parse().ok());
    assert!(height > Some(2_u64), "{status}");
    for (node, process) in nodes.iter().zip(&mut running) {
        halted(node, process);
    }
    let halt_s = begin.elapsed().as_secs();
    // The same program stands at the same height again, whoever starts it.
    let mut again = nodes[1].start();
    halted(&nodes[1], &mut again);
    assert_eq!([old, &next].map(|program| nodes[0].pre_upgrade(program)), [Some(30), Some(0)]);

    let mut running = nodes.each_ref().map(|node| {
        let log = node.home.with_extension("next.log");
        Process::of_program(&next, &node.home, &["run"], &log)
    });
    let on = HEIGHT + 5;
    wait_until("blocks under the new rules", || {
        running.iter_mut().for_each(|process| {
            let ended = process.ended();
            assert!(ended.is_none(), "{ended:?} {}", process.said());
        });
        nodes.iter().all(|node| node.height() > on)
    });
    assert_eq!(nodes[0].pre_upgrade(&next), Some(31), "it runs");
    for height in [HEIGHT - 1, HEIGHT, HEIGHT + 1, on] {
        let [validator, full] = nodes.each_ref().map(|node| node.header(height));
        assert!(validator["app_hash"].is_string(), "{validator}");
        assert_eq!(validator["app_hash"], full["app_hash"], "height {height}");
        let version = if height > HEIGHT { "2" } else { "1" };
        let app = &validator["version"]["app"];
        assert_eq!(app.as_str().unwrap_or("0"), version, "height {height}");
    }
    // The migration: 50 before it.
    let params = get(nodes[0].ports + 4, "/cyber/bandwidth/v1beta1/bandwidth/params");
    let params: Value = serde_json::from_str(&params.expect("served")).expect("JSON");
    assert!(params.to_string().contains(r#""skip_cost":"100""#), "{params}");
    replays_all(&next, &late, &nodes[0], on);
    for process in &mut running {
        assert!(
            process.signal(nix::sys::signal::Signal::SIGTERM).0.success(),
            "{}",
            process.said()
        );
    }
    // There is no way back.
    let mut back = nodes[1].start();
    assert_eq!(back.wait().code(), Some(9), "{}", back.said());
    assert!(back.said().contains("follows version 2"), "{}", back.said());
    let took = begin.elapsed();
    println!("upgrade: halted after {halt_s} s, the whole rehearsal took {} s", took.as_secs());
    assert!(took < Duration::from_secs(60), "{took:?}");
}
