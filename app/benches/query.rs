//! What single queries take inside the node at a million links: 131,072 particles, a thousand
//! neurons, one particle with 10,000 incoming links, one with 10,000 outgoing ones. Each kind is
//! asked many times with other arguments; median, 99th percentile and worst on standard output.
//!
//! `cargo bench -p cyberd --bench query`; `-- --test` runs it at a hundredth of the size. One
//! thread asks, nothing else runs: no socket, no JSON.

#![allow(clippy::disallowed_methods, reason = "a bench measures time")]
#![allow(clippy::float_arithmetic, reason = "figures for people")]

use cyber_proto::cosmos::auth::v1beta1::QueryAccountRequest;
use cyber_proto::cosmos::bank::v1beta1::QueryBalanceRequest;
use cyber_proto::cyber::graph::v1beta1::Link;
use cyber_proto::cyber::rank::v1beta1 as rank;
use cyber_proto::cyberd::v1 as own;
use cyberd::config::QueryLimits;
use cyberd::engine::QueryRequest;
use cyberd::query::Queries;
use cyberd::search::{explain, Deadline, Index};
use cyberd::state::Read;
use cyberd::store::Snapshot;
use cyberd::testkit::{Chain, ChainOptions, Wallet};
use cyberd::types::{sha256, Height, Particle};
use prost::Message;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

#[derive(Clone, Copy)]
struct Size {
    links: u32,
    particles: u32,
    neurons: u32,
    /// Links into the one hub and out of the other.
    hub: u32,
    asked: u32,
}

const FULL: Size =
    Size { links: 1_000_000, particles: 131_072, neurons: 1_000, hub: 10_000, asked: 2_000 };
const SMALL: Size = Size { links: 10_000, particles: 1_500, neurons: 50, hub: 100, asked: 50 };

fn number(seed: u32, index: u32) -> u32 {
    let hash = sha256(&[seed.to_be_bytes(), index.to_be_bytes()].concat());
    u32::from_be_bytes([hash[0], hash[1], hash[2], hash[3]])
}

fn cid(number: u32) -> String {
    Particle(sha256(&number.to_be_bytes())).to_cid()
}

/// Particle 0 is linked to by many, particle 1 links to many, the rest by chance with a few
/// popular ones.
fn links(size: Size) -> Vec<(u32, u32, u32)> {
    let mut seen = BTreeSet::new();
    let mut links = Vec::new();
    for index in 0.. {
        if links.len() as u32 == size.links {
            return links;
        }
        let neuron = number(1, index) % size.neurons;
        let chance = |seed: u32| {
            let draw = u64::from(number(seed, index) % size.particles);
            let popular = u64::from(number(seed + 7, index) % size.particles);
            (draw * popular / u64::from(size.particles)) as u32
        };
        let (from, to) = match index {
            index if index < size.hub => (2 + index % (size.particles - 2), 0),
            index if index < 2 * size.hub => (1, 2 + (index - size.hub) % (size.particles - 2)),
            _ => (chance(2), chance(3)),
        };
        if from != to && seen.insert((neuron, from, to)) {
            links.push((neuron, from, to));
        }
    }
    unreachable!("the loop has no end of its own")
}

fn chain(size: Size) -> Chain {
    let name = |number: u32| format!("neuron {number}");
    let accounts = (0..size.neurons)
        .map(|number| (name(number), 1_000_000_000_000 / (u128::from(number) + 1)));
    let options = ChainOptions { accounts: accounts.collect(), ..ChainOptions::default() };
    let neurons: Vec<String> = (0..size.neurons)
        .map(|number| Wallet::new(&name(number), &options.prefix, &options.chain_id).bech32())
        .collect();
    let mut chain = Chain::with(options, |state| {
        state.graph.particles = (0..size.particles).map(cid).collect();
        state.graph.neurons = neurons;
        state.graph.links = links(size);
    });
    chain.run_to(Height(30));
    assert!(chain.snapshot().rounds() > 0, "ranks are published");
    chain
}

/// Asks a path many times, once before it counts; prints how long it took.
fn measure(queries: &Queries, asked: u32, name: &str, ask: impl Fn(u32) -> (String, Vec<u8>)) {
    let once = |index| {
        let (path, data) = ask(index);
        let request = QueryRequest { path, data: data.into(), height: 0, prove: false };
        let begin = Instant::now();
        let answer = queries.answer(request);
        let took = begin.elapsed();
        assert_eq!(answer.code, 0, "{name}: {}", answer.log);
        took
    };
    once(0);
    report(name, (0..asked).map(once).collect());
}

fn report(name: &str, mut times: Vec<Duration>) {
    times.sort();
    let micros = |at: usize| times[at.min(times.len() - 1)].as_secs_f64() * 1e6;
    println!(
        "{name:<34} {:>10.1} µs median {:>10.1} µs p99 {:>10.1} µs worst",
        micros(times.len() / 2),
        micros(times.len() * 99 / 100),
        micros(times.len())
    );
}

fn search(particle: u32, page: u32) -> (String, Vec<u8>) {
    let pagination = Some(rank::PageRequest { page, per_page: 10 });
    let request = rank::QuerySearchRequest { particle: cid(particle), pagination };
    ("/cyber.rank.v1beta1.Query/Search".into(), request.encode_to_vec())
}

/// The hub's answer, as the first page after a round makes it.
fn explained_anew(snapshot: &Snapshot, index: &Index, size: Size) {
    let number = snapshot.particle_number(&Particle(sha256(&0u32.to_be_bytes())));
    let number = number.expect("linked");
    let anew = |_| {
        let view = index.view(snapshot).expect("followed");
        let begin = Instant::now();
        let made = explain::anew(&view, snapshot, number, &Deadline::never());
        let took = begin.elapsed();
        assert_eq!(made.expect("no deadline").shares.len(), size.hub as usize);
        took
    };
    report("explain of 10,000 links, made anew", (0..size.asked / 10).map(anew).collect());
}

/// The chain and its index, up to date.
fn made(size: Size) -> (Chain, Arc<Index>) {
    let begin = Instant::now();
    let chain = chain(size);
    let index = Arc::new(Index::new());
    index.follow(&chain.snapshot());
    index.note(&chain.snapshot());
    let sizes = chain.snapshot().sizes();
    println!(
        "{} links, {} particles, made in {:.1?}",
        sizes.links,
        sizes.particles,
        begin.elapsed()
    );
    (chain, index)
}

fn main() {
    let small = std::env::args().any(|argument| argument == "--test");
    let size = if small { SMALL } else { FULL };
    let (chain, index) = made(size);
    let limits = QueryLimits {
        rows_max: 1_000,
        bytes_max: 4_000_000,
        time_limit: Duration::from_secs(60),
        threads: 1,
    };
    let queries = Queries::new(chain.engine().reader().clone(), Arc::clone(&index), limits);
    let neuron = |index: u32| chain.wallet(&format!("neuron {}", index % size.neurons)).bech32();
    let neurons: Vec<String> = (0..size.neurons).map(neuron).collect();
    let neuron = |index: u32| neurons[index as usize % neurons.len()].clone();
    let any = |index: u32| 2 + number(11, index) % (size.particles - 2);
    let of = |path: &str, data: Vec<u8>| (path.to_owned(), data);
    measure(&queries, size.asked, "account", |index| {
        let request = QueryAccountRequest { address: neuron(index) };
        of("/cosmos.auth.v1beta1.Query/Account", request.encode_to_vec())
    });
    measure(&queries, size.asked, "balance", |index| {
        let request = QueryBalanceRequest { address: neuron(index), denom: "boot".into() };
        of("/cosmos.bank.v1beta1.Query/Balance", request.encode_to_vec())
    });
    measure(&queries, size.asked, "rank", |index| {
        let request = rank::QueryRankRequest { particle: cid(any(index)) };
        of("/cyber.rank.v1beta1.Query/Rank", request.encode_to_vec())
    });
    measure(&queries, size.asked, "search, page of 10", |index| search(any(index), 0));
    measure(&queries, size.asked, "search of a hub, any page", |index| search(1, index % 1_000));
    measure(&queries, size.asked, "100 links exist", |index| {
        let link = |at: u32| Link { from: cid(any(index + at)), to: cid(any(index + at + 1)) };
        let links = (0..100).map(link).collect();
        let request = own::QueryExistsRequest { neuron: neuron(index), links };
        of("/cyberd.v1.Query/Exists", request.encode_to_vec())
    });
    measure(&queries, size.asked, "preview of a link", |index| {
        let request = own::QueryPreviewRequest {
            neuron: neuron(index),
            from: cid(any(index)),
            to: cid(size.particles + index),
            ..Default::default()
        };
        of("/cyberd.v1.Query/Preview", request.encode_to_vec())
    });
    explained_anew(&chain.snapshot(), &index, size);
    measure(&queries, size.asked / 10, "explain of 10,000 links, kept", |_| {
        let request = own::QueryExplainRequest { particle: cid(0), pagination: None };
        of("/cyberd.v1.Query/Explain", request.encode_to_vec())
    });
    measure(&queries, size.asked / 10, "neighbourhood, 100 nodes", |index| {
        let request = own::QueryNeighbourhoodRequest {
            particle: cid(any(index)),
            depth: 2,
            ..Default::default()
        };
        of("/cyberd.v1.Query/Neighbourhood", request.encode_to_vec())
    });
}
