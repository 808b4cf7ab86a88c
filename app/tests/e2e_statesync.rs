//! A second node joins a running chain by state sync, with the real CometBFT over loopback: it
//! replays nothing, answers ranks at once and goes on like everyone.

#![allow(clippy::disallowed_methods, reason = "waits for other processes")]

mod support;

use nix::sys::signal::Signal;
use std::path::Path;
use std::time::Instant;
use support::{answer, free_ports, is_whole, joinable, text, until_restored};
use support::{with_snapshots, Chain};

/// Tells a home's CometBFT to join by state sync, trusting the block of a height.
fn trust(home: &Path, rpc: u16, height: &str, hash: &str) {
    let path = home.join("config/config.toml");
    let text = std::fs::read_to_string(&path).expect("settings");
    let server = format!("http://127.0.0.1:{rpc}");
    let section = format!(
        "\n[statesync]\nenable = true\nrpc_servers = \"{server},{server}\"\n\
         trust_height = {height}\ntrust_hash = \"{hash}\"\ntrust_period = \"168h0m0s\"\n\
         discovery_time = \"5s\"\n"
    );
    std::fs::write(&path, text + &section).expect("settings");
}

#[test]
fn a_second_node_joins_by_state_sync_and_answers_ranks_at_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let first = folder.path().join("first/home");
    let (mut chain, links) = joinable(&first);
    let behind = chain.height();
    chain.reach(behind + 45);

    let status = chain.rpc("/status").expect("it answers");
    let peer = format!("{}@127.0.0.1:{}", text(&status, "/node_info/id"), chain.ports + 1);
    let block = chain.rpc(&format!("/commit?height={}", behind + 1)).expect("a block");
    let second = folder.path().join("second/home");
    with_snapshots(&second);
    let (base, genesis) = (free_ports(), first.join("config/genesis.json"));
    let (base_text, genesis) = (base.to_string(), genesis.to_str().expect("UTF-8"));
    let init = ["init", "--genesis", genesis, "--peer", &peer, "--port-base", &base_text];
    answer(&second, &[&init[..], &["--block-time", "300ms"]].concat());
    let hash = text(&block, "/signed_header/commit/block_id/hash");
    trust(&second, chain.ports, &(behind + 1).to_string(), hash);

    let begin = Instant::now();
    let mut joiner = Chain::run(&second, base);
    until_restored(&mut joiner.process);
    is_whole(&joiner, &chain, behind, begin);

    let height = joiner.height();
    joiner.reach(height + 12);
    let ask = |home: &Path| answer(home, &["roots", &(height + 10).to_string()]);
    assert_eq!(ask(&first), ask(&second), "rounds published after the restore are the same");

    let height = joiner.height();
    let (ended, _) = joiner.process.signal(Signal::SIGKILL);
    assert!(!ended.success());
    let mut again = Chain::run(&second, base);
    again.reach(height + 12);
    let ask = |home: &Path| answer(home, &["roots", &(height + 10).to_string()]);
    assert_eq!(ask(&first), ask(&second), "and so they are after a kill");
    again.process.signal(Signal::SIGTERM);
    let exported = answer(&second, &["export"]);
    assert_eq!(exported["app_state"]["graph"]["links"].as_array().map(Vec::len), Some(links));
}
