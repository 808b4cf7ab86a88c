//! How long a large genesis takes, and how much memory: writes a `genesis.bin` of so many accounts
//! and links, then begins a chain with it: InitChain, the first block, its commit, a start again.
//!
//! `cargo run --release -p cyberd --example big_genesis -- 1000000 10000000`

#![allow(clippy::disallowed_methods, reason = "an example that measures time")]
#![allow(clippy::float_arithmetic, reason = "figures for people")]

use cyberd::engine::genesis::bulk::{AccountRecord, BulkReference, LinkRecord, Writer, FILE};
use cyberd::engine::genesis::development;
use cyberd::engine::{Block, Engine, Options, Time};
use cyberd::store::{self, Store};
use cyberd::testkit::chain::{genesis, ChainOptions};
use cyberd::types::{sha256, Address, Amount, Coin, Height, Particle};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

/// Neurons that have links, at most.
const NEURONS: u64 = 1_000;

fn address(n: u64) -> Address {
    Address::new(&sha256(&n.to_be_bytes())[..20]).expect("20 bytes")
}

/// The most memory this process had, in MB.
fn peak_mb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kibibytes = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kibibytes.unwrap_or(0) * 1_024 / 1_000_000
}

/// Links of every neuron to particles at a stride of its own: no two are the same.
fn write(path: &Path, accounts: u64, links: u64) -> BulkReference {
    let mut writer = Writer::create(path).expect("a file");
    for number in 0..accounts {
        let coins = vec![Coin::new("boot", Amount(1_000_000 + u128::from(number)))];
        let (address, key, module) = (address(number), None, None);
        let record = AccountRecord { address, number, sequence: 0, key, module, coins };
        writer.put(&record).expect("written");
    }
    let particles = (links / 10).max(NEURONS);
    for n in 0..particles {
        writer.put(&Particle(sha256(&[&b"p"[..], &n.to_be_bytes()].concat()))).expect("written");
    }
    let neurons = NEURONS.min(accounts);
    (0..neurons).for_each(|n| writer.put_neuron(address(n)).expect("written"));
    for index in 0..links {
        let (neuron, own) = (index % neurons, index / neurons);
        let from = own % particles;
        let to = (from + 1 + (neuron + own / particles) % (particles - 1)) % particles;
        let [neuron, from, to] = [neuron, from, to].map(|n| n as u32);
        writer.put_link(LinkRecord { neuron, from, to }).expect("written");
    }
    writer.finish(FILE).expect("written")
}

/// The node's state in a folder, as a start opens it.
fn open(folder: &Path) -> Engine {
    let path = folder.join("store");
    std::fs::create_dir_all(&path).expect("a folder");
    let store = Store::open(&path, store::Options::default()).expect("opens");
    let genesis_folder = Some(folder.to_owned());
    Engine::new(store, Options { genesis_folder, ..Options::default() })
}

/// Does something and says how long it took.
fn timed(what: &str, work: &mut dyn FnMut()) {
    let started = Instant::now();
    work();
    let seconds = started.elapsed().as_secs_f64();
    println!("{what:<12} {seconds:7.2} s, peak {} MB", peak_mb());
}

fn main() {
    if let Some(folder) = std::env::args_os().nth(1).map(PathBuf::from).filter(|at| at.is_dir()) {
        return timed("start again", &mut || drop(open(&folder)));
    }
    let sizes: Vec<u64> = std::env::args().filter_map(|text| text.parse().ok()).collect();
    let [accounts, links] = [0, 1].map(|at| sizes.get(at).copied().unwrap_or(100_000));
    let folder = tempfile::tempdir().expect("a temporary folder");
    let reference = write(&folder.path().join(FILE), accounts, links);
    println!("{accounts} accounts, {links} links: genesis.bin of {} bytes", reference.size);
    let options = ChainOptions::default();
    let mut state = development(&options.prefix, &options.denom, &[]);
    state.bulk = Some(reference);
    let genesis = genesis(&options, serde_json::to_vec(&state).expect("JSON").into());
    let engine = open(folder.path());
    let all = Instant::now();
    timed("InitChain", &mut || drop(engine.init_chain(&genesis).expect("good")));
    let time = Time { seconds: 1_700_000_000, nanos: 0 };
    let block = Block { height: Height(1), time, proposer: vec![1; 20], txs: Vec::new() };
    timed("first block", &mut || drop(engine.finalize_block(&block).expect("no fault")));
    timed("its commit", &mut || {
        engine.commit().expect("the disk takes it");
    });
    println!("in all       {:7.2} s", all.elapsed().as_secs_f64());
    drop(engine);
    // As a process of its own: this one has memory that only looks used.
    let program = std::env::current_exe().expect("this program");
    let again = Command::new(program).arg(folder.path()).status().expect("it runs");
    assert!(again.success(), "{again}");
}
