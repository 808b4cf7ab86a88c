//! What the benches of blocks share: a large chain on disk, neurons that sign, medians.
//!
//! The chain has so many links, a tenth as many particles, and accounts, of which the first
//! [`NEURONS`] have keys; blocks may be ten times as large as those of a development chain, and all
//! bandwidth recovers from one block to the next. `--keep FOLDER` makes it once and copies it each
//! time.

#![allow(clippy::disallowed_methods, reason = "a bench measures time")]
#![allow(clippy::float_arithmetic, reason = "figures for people")]
#![allow(dead_code, reason = "each bench uses a part of it")]

use cyberd::engine::genesis::{self, development};
use cyberd::engine::{Block, BlockOutcome, Engine, Options, Time};
use cyberd::state::{Link, Overlay, Read, Write};
use cyberd::store::{self, Store};
use cyberd::testkit::wallet::TxOptions;
use cyberd::testkit::{self, ChainOptions, Wallet};
use cyberd::types::{sha256, Address, Amount, Coin, Height, Particle, ParticleNumber};
use prost::bytes::Bytes;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Accounts with keys.
pub const NEURONS: usize = 10_000;
/// Accounts in all.
pub const ACCOUNTS: usize = 1_000_000;

/// What the command line asks for.
pub struct Arguments {
    /// Links of each chain to measure.
    pub sizes: Vec<u64>,
    pub accounts: usize,
    pub keep: Option<PathBuf>,
    pub is_test: bool,
    /// Words that are no number and no option: names of what to run; none: everything.
    pub names: Vec<String>,
}

impl Arguments {
    /// Reads `[LINKS …] [NAME …] [--keep FOLDER] [--test]`.
    pub fn read() -> Arguments {
        let mut words = std::env::args().skip(1);
        let (sizes, names) = (Vec::new(), Vec::new());
        let mut arguments =
            Arguments { sizes, accounts: ACCOUNTS, keep: None, is_test: false, names };
        while let Some(word) = words.next() {
            match (word.as_str(), word.parse()) {
                (_, Ok(size)) => arguments.sizes.push(size),
                ("--test", _) => arguments.is_test = true,
                ("--keep", _) => arguments.keep = words.next().map(PathBuf::from),
                (option, _) if option.starts_with('-') => {}
                (name, _) => arguments.names.push(name.to_owned()),
            }
        }
        match (arguments.is_test, arguments.sizes.is_empty()) {
            (true, _) => (arguments.sizes, arguments.accounts) = (vec![20_000], 2 * NEURONS),
            (false, true) => arguments.sizes = vec![100_000, 1_000_000],
            (false, false) => {}
        }
        arguments
    }

    /// Whether to run what has this name.
    pub fn wants(&self, name: &str) -> bool {
        self.names.is_empty() || self.names.iter().any(|word| word == name)
    }

    /// A folder with a store of so many links, to write into.
    pub fn chain(&self, links: u64) -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let Some(keep) = &self.keep else {
            fill(folder.path(), links, self.accounts);
            return folder;
        };
        let kept = keep.join(format!("{links}-{}", self.accounts));
        if !kept.exists() {
            let making = keep.join("making");
            // What a run that was stopped left.
            let _ = std::fs::remove_dir_all(&making);
            fill(&making, links, self.accounts);
            std::fs::rename(&making, &kept).expect("a free name");
        }
        copy(&kept, folder.path());
        folder
    }
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder can be made");
    for entry in std::fs::read_dir(from).expect("a folder").flatten() {
        let target = to.join(entry.file_name());
        match entry.path().is_dir() {
            true => copy(&entry.path(), &target),
            false => drop(std::fs::copy(entry.path(), target).expect("a file can be copied")),
        }
    }
}

/// A number drawn for an index, always the same.
pub fn draw(kind: u8, index: u64) -> u64 {
    let hash = sha256(&[&[kind][..], &index.to_be_bytes()].concat());
    u64::from_be_bytes(hash[..8].try_into().expect("8 bytes"))
}

pub fn particle(number: u64) -> Particle {
    Particle(sha256(&[&b"particle"[..], &number.to_be_bytes()].concat()))
}

pub fn wallet(neuron: usize) -> Wallet {
    let options = ChainOptions::default();
    Wallet::new(&format!("neuron {neuron}"), &options.prefix, &options.chain_id)
}

/// The address of an account without a key.
fn keyless(number: usize) -> Address {
    let digest = sha256(&[&b"account"[..], &number.to_be_bytes()].concat());
    Address::new(&digest[..20]).expect("20 bytes")
}

/// A store whose genesis holds the graph and the accounts.
fn fill(folder: &Path, links: u64, accounts: usize) {
    let options = ChainOptions::default();
    let address = |n: usize| if n < NEURONS { wallet(n).address() } else { keyless(n) };
    let holders: Vec<_> = (0..accounts).map(|n| (address(n), Amount(1_000_000_000_000))).collect();
    let mut state = development(&options.prefix, &options.denom, &holders);
    state.bandwidth.params.max_block_bandwidth = 400_000_000;
    state.bandwidth.params.recovery_period = 1;
    state.bandwidth.params.network_bandwidth = 1 << 48;
    state.rank.params.calculation_period = 1 << 40;
    let genesis = testkit::chain::genesis(&options, Bytes::new());
    let mut store = Store::open(folder, store::Options::default()).expect("an empty folder");
    let empty = store.latest();
    let mut overlay = Overlay::new(&*empty);
    genesis::init(&mut overlay, &genesis, &state).expect("the genesis is good");
    let particles = links / 10;
    for n in 0..particles {
        overlay.add_particle(particle(n));
    }
    let (mut added, mut index) = (0, 0);
    while added < links {
        let from = ParticleNumber((draw(0, index) % particles) as u32);
        let to = ParticleNumber((draw(1, index) % particles) as u32);
        let neuron = holders[draw(2, index) as usize % NEURONS].0;
        if from != to && !overlay.has_link(&neuron, from, to) {
            overlay.add_link(Link { neuron, from, to, height: Height(0) });
            added += 1;
        }
        index += 1;
    }
    cyberd::modules::graph::state::count(&mut overlay);
    let staged = store.stage_genesis(Height(1), overlay.into_changes(), None);
    let first = store.stage_on(&staged, Height(1), Overlay::new(&*empty).changes(), None);
    store.commit(first).expect("the disk takes it");
    store.checkpoint().expect("the disk takes it");
}

pub fn open(folder: &Path) -> Store {
    Store::open(folder, store::Options::default()).expect("what this bench wrote")
}

pub fn engine(folder: &Path) -> Engine {
    Engine::new(open(folder), Options::default())
}

/// Neurons that sign in turn what is not there yet.
pub struct Signer {
    pub wallets: Vec<Wallet>,
    next: u64,
    turn: usize,
    particles: u64,
}

impl Signer {
    /// With accounts and sequences as the state has them.
    pub fn new(state: &store::Snapshot, links: u64) -> Signer {
        let numbered = |n: usize| {
            let mut wallet = wallet(n);
            let account = cyberd::modules::auth::state::account(state, &wallet.address());
            let account = account.expect("of the genesis");
            wallet.account_number = account.base().account_number;
            wallet.sequence = account.base().sequence;
            wallet
        };
        let next = 1 << 40 | state.height().0 << 24;
        let wallets = (0..NEURONS).map(numbered).collect();
        Signer { wallets, next, turn: 0, particles: links / 10 }
    }

    fn wallet(&mut self) -> &mut Wallet {
        self.turn = (self.turn + 1) % NEURONS;
        &mut self.wallets[self.turn]
    }

    /// Transactions of `each` links; one end of each link is new.
    pub fn links(&mut self, txs: usize, each: usize) -> Vec<Bytes> {
        let mut one = |_| {
            let links: Vec<_> = (0..each)
                .map(|_| {
                    self.next += 1;
                    (particle(draw(3, self.next) % self.particles), particle(self.next))
                })
                .collect();
            let wallet = self.wallet();
            let message = wallet.link_message(&links, false);
            wallet.sign(vec![message])
        };
        (0..txs).map(&mut one).collect()
    }

    /// Transactions that send one coin to another account, with a gas limit that suits them.
    pub fn sends(&mut self, txs: usize) -> Vec<Bytes> {
        let coins = [Coin::new(&ChainOptions::default().denom, Amount(1))];
        let options = TxOptions { gas_limit: 35_000, ..TxOptions::default() };
        let mut one = |_| {
            self.next += 1;
            let to = keyless(NEURONS + draw(4, self.next) as usize % NEURONS);
            let wallet = self.wallet();
            let message = wallet.send_message(&to, &coins);
            wallet.sign_with(vec![message], &options)
        };
        (0..txs).map(&mut one).collect()
    }
}

/// A block on top of what is committed.
pub fn next_block(engine: &Engine, txs: Vec<Bytes>) -> Block {
    let height = engine.base().expect("there is a state").height().next().expect("small");
    let time = Time { seconds: 1_700_000_000 + height.0 as i64, nanos: 0 };
    Block { height, time, proposer: vec![1; 20], txs }
}

/// Executes a block and makes it durable: how long each took, and the results.
pub fn run_block(engine: &Engine, txs: Vec<Bytes>) -> (Duration, Duration, BlockOutcome) {
    let block = next_block(engine, txs);
    let (outcome, finalized) = timed(|| engine.finalize_block(&block).expect("no fault"));
    let (_, committed) = timed(|| engine.commit().expect("the disk takes it"));
    let refused = outcome.results.iter().find(|result| !result.is_ok());
    assert!(refused.is_none(), "{refused:?}");
    (finalized, committed, outcome)
}

pub fn timed<T>(run: impl FnOnce() -> T) -> (T, Duration) {
    let started = Instant::now();
    let result = run();
    (result, started.elapsed())
}

/// In milliseconds.
pub fn median(mut times: Vec<Duration>) -> f64 {
    times.sort_unstable();
    1e3 * times[times.len() / 2].as_secs_f64()
}
