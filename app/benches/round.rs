//! The whole round in the node: how long each part of it takes for a graph of 10^6 and of 10^7
//! links, cold, and warm after 100 and 10,000 new links; and what blocks lose while rounds run on
//! the same cores, with a thread for each core and with one fewer, as a node whose rounds have time
//! runs them.
//!
//! `cargo bench -p cyberd --bench round [-- LINKS …]` (10^7 links: about 4 minutes and 4 GB);
//! `-- --test` runs it at 20,000 links. Figures on standard output, in Markdown.

#![allow(clippy::disallowed_methods, reason = "a bench measures time")]
#![allow(clippy::float_arithmetic, reason = "figures for people")]

use cyber_kernels::{starting_codes, Control, Graph, Parameters, Pause};
use cyberd::engine::genesis::{self, development};
use cyberd::engine::{Block, Engine, Options, Time};
use cyberd::state::{Link, Overlay, Read, Write};
use cyberd::store::{self, Snapshot, Store};
use cyberd::telemetry;
use cyberd::testkit::{self, ChainOptions, Wallet};
use cyberd::types::{sha256, Amount, Height, Particle, ParticleNumber};
use prost::bytes::Bytes;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Phases of a round as the node's metrics name them, in the order they happen.
const PHASES: [&str; 8] =
    ["freeze", "load", "weights", "sweeps", "wait", "tree", "publish", "deltas"];
const NEURONS: usize = 1_000;
/// Blocks of a round.
const PERIOD: u64 = 5;
/// Transactions of a block where blocks are measured, a link each.
const BLOCK_TXS: usize = 500;
/// Percent of the throughput that blocks may lose to rounds on the same cores.
const MOST_LOST: f64 = 25.0;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let sizes: Vec<u64> = arguments.iter().filter_map(|size| size.parse().ok()).collect();
    let sizes = match (arguments.iter().any(|word| word == "--test"), sizes.is_empty()) {
        (true, _) => vec![20_000],
        (false, true) => vec![1_000_000, 10_000_000],
        (false, false) => sizes,
    };
    telemetry::install_metrics();
    for links in sizes {
        let folder = tempfile::tempdir().expect("a temporary folder");
        fill(folder.path(), links);
        rounds(folder.path(), links);
        beside_rounds(folder.path(), links);
    }
}

fn number(kind: u8, index: u64) -> u64 {
    let hash = sha256(&[&[kind][..], &index.to_be_bytes()].concat());
    u64::from_be_bytes(hash[..8].try_into().expect("8 bytes"))
}

fn particle(number: u64) -> Particle {
    Particle(sha256(&[&b"particle"[..], &number.to_be_bytes()].concat()))
}

fn wallet(neuron: usize) -> Wallet {
    let options = ChainOptions::default();
    Wallet::new(&format!("neuron {neuron}"), &options.prefix, &options.chain_id)
}

/// Ends of the link with a number: the squares make a few particles popular.
fn ends(index: u64, particles: u64) -> [u64; 2] {
    let skewed = |kind| number(kind, index) % particles * (number(kind + 1, index) % particles);
    [number(0, index) % particles, skewed(1) / particles]
}

/// A store whose genesis holds the graph, a tenth as many particles as links.
fn fill(folder: &Path, links: u64) {
    let options = ChainOptions::default();
    let account = |n: usize| (wallet(n).address(), Amount(1_000_000_000_000_000 / (n as u128 + 1)));
    let accounts: Vec<_> = (0..NEURONS).map(account).collect();
    let mut state = development(&options.prefix, &options.denom, &accounts);
    // Enough for any block of this bench.
    state.bandwidth.params.network_bandwidth = 1 << 48;
    state.rank.params.calculation_period = PERIOD;
    let json: Bytes = serde_json::to_vec(&state).expect("a genesis is JSON").into();
    let genesis = testkit::chain::genesis(&options, json);
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
        let [from, to] = ends(index, particles).map(|end| ParticleNumber(end as u32));
        let neuron = accounts[number(9, index) as usize % NEURONS].0;
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

fn open(folder: &Path, pause: Arc<Pause>) -> Engine {
    let store = Store::open(folder, store::Options::default()).expect("what this bench wrote");
    Engine::new(store, Options { pause, ..Options::default() })
}

/// Executes a block and makes it durable; how long that took.
fn block(engine: &Engine, txs: Vec<Bytes>) -> Duration {
    let height = engine.base().expect("there is a state").height().next().expect("small");
    let time = Time { seconds: 1_700_000_000 + height.0 as i64, nanos: 0 };
    let block = Block { height, time, proposer: vec![1; 20], txs };
    let started = Instant::now();
    let outcome = engine.finalize_block(&block).expect("no fault");
    engine.commit().expect("the disk takes it");
    let took = started.elapsed();
    let refused = outcome.results.iter().find(|result| !result.is_ok());
    assert!(refused.is_none(), "{refused:?}");
    took
}

/// Signs links that are not there yet.
struct Signer {
    wallets: Vec<Wallet>,
    next: u64,
    particles: u64,
}

impl Signer {
    fn new(engine: &Engine, links: u64) -> Signer {
        let state = engine.base().expect("there is a state");
        let numbered = |n: usize| {
            let mut wallet = wallet(n);
            let account = cyberd::modules::auth::state::account(&*state, &wallet.address());
            let account = account.expect("of the genesis");
            wallet.account_number = account.base().account_number;
            wallet.sequence = account.base().sequence;
            wallet
        };
        let next = 1 << 40 | state.height().0 << 20;
        Signer { wallets: (0..NEURONS).map(numbered).collect(), next, particles: links / 10 }
    }

    /// Transactions of `each` links; one end of each link is new.
    fn sign(&mut self, txs: usize, each: usize) -> Vec<Bytes> {
        let mut one = |_| {
            let neuron = number(9, self.next) as usize % NEURONS;
            let links: Vec<_> = (0..each)
                .map(|_| {
                    self.next += 1;
                    (particle(ends(self.next, self.particles)[0]), particle(self.next))
                })
                .collect();
            let wallet = &mut self.wallets[neuron];
            let message = wallet.link_message(&links, false);
            wallet.sign(vec![message])
        };
        (0..txs).map(&mut one).collect()
    }
}

/// Seconds so far of every phase.
fn phase_seconds() -> BTreeMap<&'static str, f64> {
    let text = telemetry::install_metrics().render();
    let sum = |phase: &&'static str| {
        let start = format!("cyberd_round_seconds_sum{{phase=\"{phase}\"}} ");
        let line = text.lines().find_map(|line| line.strip_prefix(&start));
        (*phase, line.map_or(0.0, |seconds| seconds.parse().expect("a number")))
    };
    PHASES.iter().map(sum).collect()
}

/// One round after another, from the freeze to the publication.
fn rounds(folder: &Path, links: u64) {
    let started = Instant::now();
    let engine = open(folder, Arc::default());
    let opened = started.elapsed();
    let mut signer = Signer::new(&engine, links);
    println!("\n## {links} links, {} particles, {NEURONS} neurons\n", links / 10);
    println!("Opened in {:.2} s. Milliseconds:\n", opened.as_secs_f64());
    println!("| round | new links | {} | first to last |", PHASES.join(" | "));
    println!("|---|---|{}---|", "---|".repeat(PHASES.len()));
    let cases = [("cold", 0_usize), ("warm", 0), ("warm", 100), ("warm", 100), ("warm", 10_000)];
    for (name, new) in cases {
        let reach = |engine: &Engine| {
            while !engine.base().expect("a state").height().0.is_multiple_of(PERIOD) {
                block(engine, Vec::new());
            }
        };
        if name == "warm" {
            reach(&engine);
            // The last boundary froze the round before: this block begins what the next freezes.
            let txs = signer.sign(new.div_ceil(100), new.min(100));
            block(&engine, txs);
        }
        let before = phase_seconds();
        reach(&engine);
        let froze = phase_seconds();
        // Straight to the boundary that publishes it.
        block(&engine, Vec::new());
        reach(&engine);
        let after = phase_seconds();
        let took = |phase: &str| match phase {
            "freeze" => froze[phase] - before[phase],
            // The worker may have read its input before the freezing block returned.
            "load" => after[phase] - before[phase],
            phase => after[phase] - froze[phase],
        };
        let cells: Vec<String> =
            PHASES.iter().map(|phase| format!("{:.1}", 1e3 * took(phase))).collect();
        // The tree is part of the publication; waiting is sweeps that are not done yet.
        let parts = ["freeze", "load", "weights", "sweeps", "publish", "deltas"];
        let total: f64 = parts.iter().map(|phase| took(phase)).sum();
        println!("| {name} | {new} | {} | {:.1} |", cells.join(" | "), 1e3 * total);
    }
}

/// What another thread is told of the rounds it computes, and tells.
#[derive(Default)]
struct Rounds {
    /// Threads of the rounds; none: no rounds.
    wanted: AtomicUsize,
    running: AtomicUsize,
    stop: AtomicBool,
}

impl Rounds {
    /// Returns when rounds run on so many threads.
    fn set(&self, threads: usize) {
        self.wanted.store(threads, Ordering::SeqCst);
        while self.running.load(Ordering::SeqCst) != threads {
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Cold rounds, one after the other, which blocks pause as the node's.
    fn run(&self, base: &Snapshot, cores: usize, pause: &Arc<Pause>) {
        let control = Control::new(Arc::clone(pause));
        cyberd::niceness::give_way("rank");
        let mut graph = Graph::new(cores);
        let (particles, count) = base.graph_size();
        graph.grow(particles.0);
        let link = |n| {
            let (neuron, from, to) = base.link_ends(cyberd::types::LinkNumber(n));
            cyber_kernels::Link { neuron: neuron.0, from: from.0, to: to.0 }
        };
        graph.append_links(&(0..count.0).map(link).collect::<Vec<_>>());
        (0..base.neurons()).for_each(|neuron| graph.set_stake(neuron, 1 << 40));
        let parameters = Parameters {
            damping_atomics: 850_000_000_000_000_000,
            code_bits: 15,
            source_stake: 1_000_000,
            sweeps: 64,
            base_shift: cyber_kernels::base_shift(particles.0.into(), 850_000_000_000_000_000),
        };
        let scale = (15, parameters.base_shift);
        let cold = starting_codes(&[], scale, particles.0, scale);
        while !self.stop.load(Ordering::SeqCst) {
            let threads = self.wanted.load(Ordering::SeqCst);
            self.running.store(threads, Ordering::SeqCst);
            if threads == 0 {
                std::thread::sleep(Duration::from_millis(1));
            } else {
                graph.set_threads(threads);
                drop(graph.run(&parameters, cold.clone(), &control));
            }
        }
    }
}

/// Blocks with and without rounds at the same time, in turns.
fn beside_rounds(folder: &Path, links: u64) {
    let pause = Arc::new(Pause::default());
    let engine = open(folder, Arc::clone(&pause));
    let mut signer = Signer::new(&engine, links);
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let base = engine.base().expect("a state");
    let rounds = Rounds::default();
    let mut times = [0, cores, cores.saturating_sub(1).max(1)].map(|threads| (threads, Vec::new()));
    std::thread::scope(|scope| {
        scope.spawn(|| rounds.run(&base, cores, &pause));
        for turn in 0..41 {
            for (threads, times) in &mut times {
                rounds.set(*threads);
                std::thread::sleep(Duration::from_millis(50));
                let took = block(&engine, signer.sign(BLOCK_TXS, 1));
                // The first turn is the warm-up.
                if turn > 0 {
                    times.push(took);
                }
            }
        }
        rounds.set(0);
        rounds.stop.store(true, Ordering::SeqCst);
    });
    let median = |times: &mut Vec<Duration>| {
        times.sort_unstable();
        times[times.len() / 2].as_secs_f64()
    };
    let [(_, quiet), busy @ ..] = &mut times;
    let quiet = median(quiet);
    println!("\nBlocks of {BLOCK_TXS} transactions, made durable: {:.1} ms alone.", 1e3 * quiet);
    for (threads, times) in busy {
        let busy = median(times);
        let lost = 100.0 * (1.0 - quiet / busy);
        let met = if lost <= MOST_LOST { "met" } else { "missed" };
        println!(
            "{:.1} ms while rounds run on {threads} threads: {lost:.0} % of the throughput is \
             lost; target at most {MOST_LOST:.0} %, {met}.",
            1e3 * busy,
        );
    }
}
