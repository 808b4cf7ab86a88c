//! What a block costs in the Merkle structures: updates on a tree of 10^6 keys, links appended to
//! a log, a publication on 2^20 ranks. Every measured change is made on a clone, so that nodes are
//! copied as they are when snapshots of older heights are kept.
//!
//! `cargo bench -p cyberd --bench merkle`; the resident memory of the tree goes to standard error.

use criterion::{criterion_group, criterion_main, BatchSize, Criterion};
use cyberd::store::merkle::export::Builder;
use cyberd::store::merkle::{ranks, Log, RankTree, Tree};
use cyberd::types::{sha256, ParticleNumber};
use std::collections::BTreeMap;
use std::hint::black_box;

type Batch = BTreeMap<Vec<u8>, Option<Vec<u8>>>;

const KEYS: u64 = 1_000_000;
const RANKS: u32 = 1 << 20;

/// Key `n`: a prefix and an address, as balances have.
fn key(n: u64) -> Vec<u8> {
    [&[2, 20], &sha256(&n.to_be_bytes())[..20]].concat()
}

/// Sets `count` keys of the first `below`, spread evenly, to values of the given round.
fn batch(count: u64, below: u64, round: u64) -> Batch {
    let value = |n: u64| Some((n ^ round << 32).to_be_bytes().to_vec());
    (0..count).map(|n| (key(n * (below / count)), value(n))).collect()
}

fn resident_megabytes() -> usize {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = text.split(' ').nth(1).and_then(|pages| pages.parse::<usize>().ok());
    pages.unwrap_or_default() * 4096 / 1_000_000
}

fn trees(criterion: &mut Criterion) {
    let all = batch(KEYS, KEYS, 0);
    let before = resident_megabytes();
    let mut tree = Tree::new();
    tree.apply(&all, 1);
    eprintln!("tree of 10^6 keys: {} MB", resident_megabytes() - before);
    drop(all);

    let mut group = criterion.benchmark_group("tree of 10^6 keys");
    group.sample_size(10);
    for count in [200, 2_000, 20_000] {
        let changes = batch(count, KEYS, 1);
        group.bench_function(format!("{count} updates with hashes"), |bench| {
            let changed = |mut tree: Tree| {
                tree.apply(&changes, 2);
                tree
            };
            bench.iter_batched(|| tree.clone(), changed, BatchSize::PerIteration);
        });
    }
    group.bench_function("prove a key", |bench| {
        let key = key(4711);
        bench.iter(|| tree.prove(black_box(&key)));
    });
    group.bench_function("rebuild and verify", |bench| {
        let build = |nodes: Vec<_>| {
            let mut builder = Builder::new();
            nodes.into_iter().try_for_each(|node| builder.push(node)).expect("nodes of a tree");
            builder.finish(&tree.root()).expect("the same tree")
        };
        bench.iter_batched(|| tree.export().collect(), build, BatchSize::PerIteration);
    });
    group.finish();
}

fn logs(criterion: &mut Criterion) {
    let leaf = |index: u64| [&[7; 21][..], &[0; 16], &index.to_be_bytes()].concat();
    let mut log = Log::new();
    log.extend_to(1_000_000, &leaf);
    let mut group = criterion.benchmark_group("log of 10^6 leaves");
    group.sample_size(10);
    group.bench_function("append 20000", |bench| {
        let changed = |mut log: Log| {
            log.extend_to(1_020_000, &leaf);
            log
        };
        bench.iter_batched(|| log.clone(), changed, BatchSize::PerIteration);
    });
    group.bench_function("prove a leaf", |bench| {
        bench.iter(|| log.prove(black_box(333_333), &leaf));
    });
    group.finish();
}

fn rank_trees(criterion: &mut Criterion) {
    let codes = |part: u32, round: u32| -> Vec<(ParticleNumber, u32)> {
        let code = |n: u32| ranks::floor_code(u64::from(n) * 977 + 1 + u64::from(round), 15);
        // Spread without a pattern, in ascending order.
        let chosen = (0..RANKS).filter(|n| n.wrapping_mul(0x9e37_79b1) >> 10 < part);
        chosen.map(|n| (ParticleNumber(n), code(n))).collect()
    };
    let mut tree = RankTree::new(15);
    tree.grow(RANKS);
    tree.set_codes(&codes(1 << 22, 0));
    let mut group = criterion.benchmark_group("2^20 ranks");
    group.sample_size(10);
    for (name, part) in [("0.1 %", 4_194), ("1 %", 41_943), ("5 %", 209_715), ("all", 1 << 22)] {
        let changes = codes(part, 500_000);
        group.bench_function(format!("publish {name}"), |bench| {
            let changed = |mut tree: RankTree| {
                tree.set_codes(&changes);
                tree
            };
            bench.iter_batched(|| tree.clone(), changed, BatchSize::PerIteration);
        });
    }
    group.bench_function("grow by 1000", |bench| {
        let changed = |mut tree: RankTree| {
            tree.grow(RANKS + 1000);
            tree.root()
        };
        bench.iter_batched(|| tree.clone(), changed, BatchSize::PerIteration);
    });
    group.bench_function("prove a rank", |bench| {
        bench.iter(|| tree.prove(black_box(ParticleNumber(77_777))));
    });
    group.finish();
}

criterion_group!(merkle, trees, logs, rank_trees);
criterion_main!(merkle);
