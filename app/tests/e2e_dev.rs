//! A development chain of four validators: in the background, through kills, stopped from outside
//! and continued with a fifth node that has no vote.

#![allow(clippy::disallowed_methods, reason = "waits for other processes")]

mod support;

use nix::sys::signal::{kill, Signal};
use nix::unistd::Pid;
use serde_json::Value;
use std::path::Path;
use std::process::Command;
use support::processes::{children, mentioning};
use support::{answer, cyberd, get, wait_until};

const NODES: u16 = 4;

/// The first port of fifty that nobody listens on.
fn ports() -> u16 {
    let free = |port: u16| std::net::TcpListener::bind(("127.0.0.1", port)).is_ok();
    let start = 41_000 + (std::process::id() % 80) as u16 * 50;
    let mut rows = (start..45_000).step_by(50);
    rows.find(|base| (*base..base + 10 * (NODES + 1)).all(free)).expect("a free row of ports")
}

/// The latest height of a node and its hash.
fn head(ports: u16, node: u16) -> Option<(u64, String)> {
    let status: Value = serde_json::from_str(&get(ports + 10 * node, "/status")?).ok()?;
    let info = &status["result"]["sync_info"];
    let height = info["latest_block_height"].as_str()?.parse().ok()?;
    Some((height, info["latest_app_hash"].as_str()?.to_owned()))
}

fn height(ports: u16, node: u16) -> u64 {
    head(ports, node).map_or(0, |(height, _)| height)
}

/// The process that runs a home, as its lock file says.
fn runner(home: &Path) -> u32 {
    let text = std::fs::read_to_string(home.join("cyberd.lock")).expect("a lock");
    text.trim().parse().expect("a number")
}

fn nothing_runs(home: &Path) {
    let place = home.to_string_lossy().into_owned();
    wait_until("end of all processes", || mentioning(&place).is_empty());
}

#[test]
fn four_validators_go_on_through_kills_and_are_stopped_and_continued() {
    let folder = tempfile::tempdir().expect("a folder");
    let home = folder.path().join("home");
    let links = folder.path().join("links.tsv");
    std::fs::write(&links, "alice\tdog\tcanine\nbob\tcanine\tmammal\n").expect("links");
    let (ports, text) = (ports(), links.to_str().expect("UTF-8").to_owned());
    let (base, nodes) = (ports.to_string(), NODES.to_string());
    let flags = ["--nodes", &nodes, "--port-base", &base, "--block-time", "100ms"];
    let command = [&["dev", "--detach", "--links", &text], &flags[..]].concat();

    let ready = answer(&home, &command);
    let all = ready["nodes"].as_array().expect("nodes");
    assert_eq!(all.len(), usize::from(NODES));
    assert_eq!(all[3]["rpc"], format!("http://127.0.0.1:{}", ports + 30));
    let found = answer(&home, &["search", "dog"]);
    assert_eq!(found["results"][0]["text"], "canine", "{found}");

    // One of four is killed: the others go on, it comes back and catches up.
    let dev = runner(&home);
    assert_eq!(children(dev).len(), 2 * usize::from(NODES));
    let last = home.join("node3").to_string_lossy().into_owned();
    let victims = mentioning(&last);
    assert_eq!(victims.len(), 2, "{victims:?}");
    let before = height(ports, 0);
    for victim in &victims {
        let id = victim.split(' ').next().and_then(|id| id.parse().ok()).expect("a number");
        kill(Pid::from_raw(id), Signal::SIGKILL).expect("it runs");
    }
    wait_until("new blocks of all four", || {
        (0..NODES).all(|node| height(ports, node) > before + 3)
    });

    // The whole of it killed: nothing stays behind that would keep the ports.
    kill(Pid::from_raw(dev as i32), Signal::SIGKILL).expect("it runs");
    nothing_runs(&home);

    // The same chain again: links, validators and ports are remembered. A node without a vote
    // comes in and takes all blocks from the others.
    let before = ready["accounts"].clone();
    let again = answer(&home, &["dev", "--detach", "--full-nodes", "1"]);
    assert_eq!(again["accounts"], before);
    let nodes = again["nodes"].as_array().expect("nodes");
    assert_eq!(nodes[..usize::from(NODES)], all[..]);
    let votes: Vec<bool> = nodes.iter().map(|node| node["validator"] == true).collect();
    assert_eq!(votes, [true, true, true, true, false]);
    let log = std::fs::read_to_string(home.join("logs/dev.log")).expect("its log");
    assert!(log.contains("is continued, at height") && log.contains("already"), "{log}");
    let mut heads = Vec::new();
    wait_until("the same head of all five", || {
        heads = (0..=NODES).map(|node| head(ports, node)).collect();
        heads.iter().all(|head| head.is_some() && *head == heads[0])
    });

    // The script of the project stops it; with nothing there it says so.
    let down = Path::new(env!("CARGO_MANIFEST_DIR")).join("../testnet/down");
    for says in ["stopped", "nothing runs"] {
        let ran = Command::new(&down).env("CYBERD_HOME", &home).output().expect("the script runs");
        let said = String::from_utf8_lossy(&ran.stderr).into_owned();
        assert!(ran.status.success() && said.contains(says), "{said}");
    }
    nothing_runs(&home);
    let other = cyberd(&home, &["dev", "--nodes", "1"]);
    assert_eq!(other.code, 2, "{other:?}");
    assert!(other.failure() == "client/usage" && other.said.contains("--reset --nodes 1"));
}
