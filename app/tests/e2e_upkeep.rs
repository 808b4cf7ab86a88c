//! The upkeep of a real home: `cyberd compact`, `cyberd snapshot`, and a store that is damaged
//! while the node stands still. What cannot be done is refused with a remedy, and changes nothing.

#![allow(clippy::disallowed_methods, reason = "waits for other processes")]

mod support;

use cyberd::engine::{Engine, APP_VERSION};
use cyberd::state::Read;
use cyberd::statesync::file;
use cyberd::store::{Options, Store};
use cyberd::testkit::story;
use nix::sys::signal::Signal;
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::time::Duration;
use support::{answer, cyberd, free_ports, links, text, with_settings, Chain, Process};

/// A chain with links whose node makes snapshots and checkpoints often, past two of each.
fn chain(folder: &Path) -> (Chain, usize) {
    let home = folder.join("node/home");
    with_settings(&home, &[("store.snapshot_interval", "20"), ("store.checkpoint_heights", "10")]);
    let lines = links::around("dog", 1_000);
    let file = links::write(&folder.join("links.tsv"), &lines);
    let flags = ["--block-time", "100ms", "--links", file.to_str().expect("UTF-8")];
    let (mut chain, _) = Chain::dev(&home, free_ports(), &flags);
    let height = chain.height();
    chain.reach((height / 20 + 2) * 20 + 3);
    (chain, lines.len())
}

/// Runs a command that must be refused; its message and hint.
fn refused(home: &Path, arguments: &[&str]) -> (String, String) {
    let ran = cyberd(home, arguments);
    assert_eq!(ran.code, 1, "{arguments:?}: {ran:?}");
    let json = ran.json();
    let hint = json["error"]["hint"].as_str().unwrap_or_default().to_owned();
    (text(&json, "/error/message").to_owned(), hint)
}

/// Its message.
fn message(home: &Path, arguments: &[&str]) -> String {
    refused(home, arguments).0
}

fn store_of(home: &Path) -> PathBuf {
    home.join("data/cyberd")
}

/// Height, app hash and number of links of a stopped node's state.
fn state(home: &Path) -> (u64, String, u32) {
    let store = Store::open(&store_of(home), Options::default()).expect("it opens");
    assert_eq!(store.recovery().damage, Vec::<String>::new());
    let latest = store.latest();
    let links = latest.graph_size().1;
    (latest.height().0, hex::encode(latest.app_hash()), links.0)
}

fn bytes(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).expect("a folder").flatten();
    let size = |entry: fs::DirEntry| match entry.path().is_dir() {
        true => bytes(&entry.path()),
        false => entry.metadata().expect("a file").len(),
    };
    entries.map(size).sum()
}

/// The snapshots of a running node are shown, copied and checked; the newest is in the file.
fn snapshots_of_a_running_node(chain: &Chain, to: &str) -> u64 {
    let home = &chain.home;
    let list = answer(home, &["snapshot", "list"]);
    let heights: Vec<u64> =
        list["snapshots"].as_array().into_iter().flatten().map(height).collect();
    assert!(heights.len() >= 2 && heights.iter().all(|height| height % 20 == 0), "{list}");
    let newest = heights[heights.len() - 1];
    let wrong = message(home, &["snapshot", "export", "7", "--to", to]);
    assert!(wrong.contains("no snapshot of height 7 here; there are:"), "{wrong}");
    assert!(wrong.contains(&newest.to_string()) && !Path::new(to).exists(), "{wrong}");
    answer(home, &["snapshot", "export", &newest.to_string(), "--to", to]);
    let verified = answer(home, &["snapshot", "verify", to]);
    assert_eq!(height(&verified), newest);
    assert_eq!(verified["roots"].as_object().map(serde_json::Map::len), Some(10));
    let header = chain.rpc(&format!("/block?height={}", newest + 1)).expect("a block");
    assert_eq!(verified["app_hash"], header["block"]["header"]["app_hash"]);
    newest
}

fn height(of: &Value) -> u64 {
    of["height"].as_u64().expect("a height")
}

/// Files that are no snapshot, or not this chain's, change nothing.
fn wrong_files_are_refused(home: &Path, good: &Path) {
    let before = state(home);
    let folder = good.parent().expect("a folder");
    let whole = fs::read(good).expect("a snapshot");
    let mut flipped = whole.clone();
    flipped[1_000] ^= 1;
    let half = &whole[..whole.len() / 2];
    let cases: [(&str, &[u8], &str); 4] = [
        (
            "text",
            b"a text that is longer than the end of a snapshot has to be, by far",
            "cut short",
        ),
        ("short", b"short", "5 bytes are no snapshot"),
        ("half", half, "cut short"),
        ("flipped", &flipped, "the hash of chunk 0 does not fit"),
    ];
    for (name, bytes, says) in cases {
        let path = folder.join(format!("{name}.snapshot"));
        fs::write(&path, bytes).expect("written");
        let path = path.to_str().expect("UTF-8");
        for command in [&["verify", path][..], &["import", path, "--replace"]] {
            let said = message(home, &[&["snapshot"], command].concat());
            assert!(said.contains(path) && said.contains(says), "{said}");
        }
    }
    let missing = message(home, &["snapshot", "verify", "nowhere.snapshot"]);
    assert!(missing.contains("nowhere.snapshot"), "{missing}");

    let mut other = cyberd::testkit::Chain::new();
    story::tell(&mut other, 3, 5);
    let path = folder.join("other.snapshot");
    file::write(&path, &other.snapshot(), APP_VERSION, &AtomicBool::new(false)).expect("written");
    let path = path.to_str().expect("UTF-8");
    let (said, hint) = refused(home, &["snapshot", "import", path, "--replace"]);
    assert!(said.contains(&format!("is of the chain {}", other.genesis.chain_id)), "{said}");
    assert!(hint.contains("this chain"), "{hint}");

    let good = good.to_str().expect("UTF-8");
    let hash = "AB".repeat(32);
    let (said, _) = refused(home, &["snapshot", "import", good, "--app-hash", &hash, "--replace"]);
    assert!(said.contains("another was asked for"), "{said}");
    let (said, hint) = refused(home, &["snapshot", "import", good]);
    assert!(said.contains("holds the state of height"), "{said}");
    assert!(hint.contains("--replace"), "{hint}");
    let nowhere = folder.join("nowhere");
    let (said, hint) = refused(&nowhere, &["snapshot", "import", good]);
    assert!(said.contains("genesis.json") && hint.contains("cyberd join"), "{said} {hint}");
    assert!(!nowhere.exists(), "nothing is made of it");
    assert_eq!(state(home), before);
}

/// Compaction gives space back and changes nothing else, whenever it is killed.
fn compaction(home: &Path) {
    let before = state(home);
    let copy = home.join("data/cyberd.compact");
    let mut kills = 0;
    for pause_ms in [0, 5, 20, 60, 150, 400, 1_000] {
        let mut process = Process::start(home, &["compact"], &home.join("compact.log"));
        process.until("copy", || copy.exists() || process_said(home).contains("now"));
        std::thread::sleep(Duration::from_millis(pause_ms));
        let (ended, _) = process.signal(Signal::SIGKILL);
        kills += u32::from(!ended.success());
        assert_eq!(state(home), before, "killed after {pause_ms} ms: {}", process.said());
    }
    assert!(kills >= 2, "{kills} kills");
    let (said, size) = (answer(home, &["compact"]), bytes(&store_of(home)));
    assert_eq!(said["height"], before.0);
    let (was, is) = (said["bytes_before"].as_u64(), said["bytes_after"].as_u64());
    eprintln!("{kills} kills; {was:?} bytes before compaction, {is:?} after, {size} in use");
    assert!(is <= was && !copy.exists(), "{said}");
    assert_eq!(state(home), before);
}

#[test]
fn compaction_gives_back_what_replaced_values_took() {
    let folder = tempfile::tempdir().expect("a folder");
    let home = folder.path();
    let mut told = cyberd::testkit::Chain::new();
    story::tell(&mut told, 5, 200);
    // A checkpoint after every block: two databases that are written over and over.
    let options = Options { checkpoint_heights: 1, ..Options::default() };
    let store = Store::open(&store_of(home), options).expect("a new store");
    let engine = Engine::new(store, cyberd::engine::Options::default());
    engine.init_chain(&told.genesis).expect("a genesis");
    for (block, _) in &told.blocks {
        engine.finalize_block(block).expect("a block");
        engine.commit().expect("a commit");
        // One that is still being written when the next is due takes its place.
        std::thread::sleep(Duration::from_millis(20));
    }
    drop(engine);
    let before = state(home);
    assert_eq!(before.0, 200);
    let said = answer(home, &["compact"]);
    let (was, is) = (said["bytes_before"].as_u64(), said["bytes_after"].as_u64());
    eprintln!("{was:?} bytes before compaction, {is:?} after");
    assert!(is.zip(was).is_some_and(|(is, was)| 2 * is < was), "{said}");
    assert_eq!(is, Some(bytes(&store_of(home))));
    assert_eq!(state(home), before);
}

fn process_said(home: &Path) -> String {
    fs::read_to_string(home.join("compact.log")).unwrap_or_default()
}

#[test]
fn a_home_is_compacted_and_its_snapshots_are_listed_exported_verified_and_imported() {
    let folder = tempfile::tempdir().expect("a folder");
    let (mut chain, lines) = chain(folder.path());
    let (home, ports) = (chain.home.clone(), chain.ports);
    let exported = folder.path().join("exported.snapshot");
    let to = exported.to_str().expect("UTF-8");
    let newest = snapshots_of_a_running_node(&chain, to);
    for command in [&["compact"][..], &["snapshot", "import", to, "--replace"]] {
        let (said, hint) = refused(&home, command);
        assert!(said.contains("runs the node of"), "{said}");
        assert!(hint.contains("stop it first"), "{hint}");
    }
    chain.process.signal(Signal::SIGTERM);
    let at = state(&home);
    wrong_files_are_refused(&home, &exported);
    compaction(&home);

    // The state is lost, and with it what the node kept for this.
    fs::remove_dir_all(store_of(&home)).expect("it was there");
    fs::remove_dir_all(home.join("data/snapshots")).expect("they were there");
    let imported = answer(&home, &["snapshot", "import", to]);
    assert_eq!(height(&imported), newest);
    assert_eq!(state(&home).0, newest);
    let mut node = Chain::run(&home, ports);
    node.reach(at.0 + 5);
    let roots = answer(&home, &["roots", &at.0.to_string()]);
    assert_eq!(text(&roots, "/app_hash").to_lowercase(), at.1, "the same as before");
    node.process.signal(Signal::SIGTERM);
    assert_eq!(state(&home).2 as usize, lines);
}

/// Flips bits all over the data files of the state.
fn damage(home: &Path) {
    for name in ["journal", "checkpoint-0", "checkpoint-1"] {
        let path = store_of(home).join(name).join("db");
        let mut bytes = fs::read(&path).expect("a database");
        bytes.iter_mut().step_by(997).for_each(|byte| *byte ^= 0x10);
        fs::write(&path, bytes).expect("written");
    }
}

#[test]
fn a_node_whose_state_is_damaged_everywhere_repairs_itself_and_goes_on() {
    let folder = tempfile::tempdir().expect("a folder");
    let (mut chain, lines) = chain(folder.path());
    let (home, ports) = (chain.home.clone(), chain.ports);
    let list = answer(&home, &["snapshot", "list"]);
    let (ended, _) = chain.process.signal(Signal::SIGKILL);
    assert!(!ended.success());
    // Both processes end with the one that started them, and the database waits for that.
    let at = state(&home);
    damage(&home);

    let mut node = Chain::run(&home, ports);
    node.reach(at.0 + 5);
    let said = node.process.said();
    let newest = list["snapshots"].as_array().into_iter().flatten().map(height).max();
    let newest = newest.expect("a snapshot");
    let line = said.lines().find(|line| line.contains("store: repaired")).unwrap_or_default();
    let restored = format!("the state of height {newest} was restored from");
    for part in [restored.as_str(), ".snapshot", "is now", ".damaged-1", "replays"] {
        assert!(line.contains(part), "'{part}' in: {line}\n{said}");
    }
    let roots = answer(&home, &["roots", &at.0.to_string()]);
    assert_eq!(text(&roots, "/app_hash").to_lowercase(), at.1, "the same as before");
    node.process.signal(Signal::SIGTERM);
    assert_eq!(state(&home).2 as usize, lines);

    // Without a snapshot, and told not to start over, it stops with the reason and the ways out.
    damage(&home);
    fs::remove_dir_all(home.join("data/snapshots")).expect("they were there");
    let environment = [("CYBERD_STORE_START_OVER", "false")];
    let log = folder.path().join("refused.log");
    let mut process = Process::with_environment(&home, &["run"], &log, &environment);
    assert!(!process.wait().success());
    let said = process.said();
    for part in ["nothing in", "snapshot import", "cyberd join"] {
        assert!(said.contains(part), "'{part}' in: {said}");
    }
}
