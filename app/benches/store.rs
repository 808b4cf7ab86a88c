//! The store at a million links and a million keys: start time and memory of a fresh process,
//! stage and commit of a height with 10,000 links, checkpoint, disk. Figures on standard output.
//!
//! `cargo bench -p cyberd --bench store` (about a minute, 400 MB of disk in the temporary folder);
//! `-- --test` runs it at a hundredth of the size. With `--open FOLDER` it only opens and reports,
//! which is how the fresh process is measured.

#![allow(clippy::disallowed_methods, reason = "a bench measures time")]
#![allow(clippy::float_arithmetic, reason = "figures for people")]

use criterion::{BatchSize, Criterion};
use cyberd::state::{Link, Overlay, Read, StoreName, Write};
use cyberd::store::{Options, Store};
use cyberd::types::{sha256, Address, Height, Particle, ParticleNumber};
use std::path::Path;
use std::time::{Duration, Instant};

/// How large everything is.
#[derive(Clone, Copy)]
struct Size {
    keys: u64,
    links: u64,
    particles: u64,
    block_links: u64,
}

const FULL: Size =
    Size { keys: 1_000_000, links: 1_000_000, particles: 150_000, block_links: 10_000 };
const SMALL: Size = Size { keys: 10_000, links: 10_000, particles: 1_500, block_links: 100 };

fn number(kind: u8, index: u64) -> u64 {
    let hash = sha256(&[&[kind][..], &index.to_be_bytes()].concat());
    u64::from_be_bytes(hash[..8].try_into().expect("8 bytes"))
}

fn set_key(overlay: &mut Overlay<'_>, index: u64, version: u64) {
    let digest = sha256(&index.to_be_bytes());
    let store = if index.is_multiple_of(2) { StoreName::Acc } else { StoreName::Bank };
    let key = [&[1][..], &digest[..20]].concat();
    let value = [&sha256(&version.to_be_bytes())[..], &digest, &digest[..16]].concat();
    overlay.set(store, key, value);
}

/// Adds `count` links, particles as they come, starting the search for new ones at `seed`.
fn add_links(overlay: &mut Overlay<'_>, size: Size, count: u64, seed: u64, height: Height) {
    let (mut added, mut index) = (0, seed);
    while added < count {
        let mut ends = [ParticleNumber(0); 2];
        for (side, end) in ends.iter_mut().enumerate() {
            // The square makes a few particles popular.
            let draw = number(side as u8, index) % size.particles;
            let chosen = draw * (number(7, index) % size.particles) / size.particles;
            let particle = Particle(sha256(&[&b"particle"[..], &chosen.to_be_bytes()].concat()));
            let known = overlay.particle_number(&particle);
            *end = known.unwrap_or_else(|| overlay.add_particle(particle));
        }
        let neuron = sha256(&[&b"neuron"[..], &(number(9, index) % 10_000).to_be_bytes()].concat());
        let neuron = Address::new(&neuron[..20]).expect("20 bytes");
        let [from, to] = ends;
        if from != to && !overlay.has_link(&neuron, from, to) {
            overlay.add_link(Link { neuron, from, to, height });
            added += 1;
        }
        index += 1;
    }
}

/// A store with everything in it, most of it in the genesis.
fn fill(folder: &Path, size: Size) -> Store {
    let mut store = Store::open(folder, Options::default()).expect("an empty folder");
    let empty = store.latest();
    let mut overlay = Overlay::new(&*empty);
    (0..size.keys).for_each(|index| set_key(&mut overlay, index, 0));
    add_links(&mut overlay, size, size.links, 0, Height(0));
    let started = Instant::now();
    let genesis = store.stage_genesis(Height(1), overlay.into_changes(), None);
    println!("genesis staged in {:?}", started.elapsed());
    let first = store.stage_on(&genesis, Height(1), Overlay::new(&*empty).changes(), None);
    let started = Instant::now();
    store.commit(first).expect("the disk takes it");
    println!("genesis committed in {:?}", started.elapsed());
    let started = Instant::now();
    store.checkpoint().expect("the disk takes it");
    println!("checkpoint written in {:?}", started.elapsed());
    store
}

/// Resident memory and its peak, in bytes.
fn memory() -> (u64, u64) {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        let number = line.and_then(|rest| rest.split_whitespace().next());
        number.and_then(|number| number.parse::<u64>().ok()).unwrap_or(0) * 1024
    };
    (line("VmRSS:"), line("VmHWM:"))
}

fn disk(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let size = |entry: std::fs::DirEntry| match entry.path().is_dir() {
        true => disk(&entry.path()),
        false => entry.metadata().map_or(0, |data| data.len()),
    };
    entries.map(size).sum()
}

/// What `--open FOLDER` prints.
fn open_and_report(folder: &Path) {
    let started = Instant::now();
    let store = Store::open(folder, Options::default()).expect("what this bench wrote");
    let elapsed = started.elapsed();
    let (now, peak) = memory();
    let (recovery, megabytes) = (store.recovery(), |bytes: u64| bytes as f64 / 1e6);
    println!(
        "open: {elapsed:?}, height {}, checkpoint {:?}, {} heights replayed, resident {:.0} MB, \
         peak {:.0} MB",
        recovery.height,
        recovery.checkpoint,
        recovery.replayed,
        megabytes(now),
        megabytes(peak)
    );
}

fn report_fresh_process(what: &str, folder: &Path) {
    print!("{what} ({:.0} MB on disk): ", disk(folder) as f64 / 1e6);
    std::io::Write::flush(&mut std::io::stdout()).expect("standard output");
    let program = std::env::current_exe().expect("this program");
    let status = std::process::Command::new(program).arg("--open").arg(folder).status();
    assert!(status.expect("it starts").success());
}

/// Commits heights of `block_links` links and twice as many keys, and says how long each part took.
fn blocks(store: &mut Store, size: Size, count: u64) {
    let (mut staging, mut committing) = (Vec::new(), Vec::new());
    for _ in 0..count {
        let base = store.latest();
        let height = base.height().next().expect("a height");
        let mut overlay = Overlay::new(&*base);
        add_links(&mut overlay, size, size.block_links, height.0 << 32, height);
        let keys = (0..2 * size.block_links).map(|index| number(3, height.0 << 32 | index));
        keys.for_each(|index| set_key(&mut overlay, index % size.keys, height.0));
        let started = Instant::now();
        let staged = store.stage(&base, height, overlay.changes(), None);
        staging.push(started.elapsed());
        let started = Instant::now();
        store.commit(staged).expect("the disk takes it");
        committing.push(started.elapsed());
    }
    let median = |times: &mut Vec<Duration>| {
        times.sort();
        times[times.len() / 2]
    };
    println!(
        "{count} heights of {} links and {} keys: stage {:?}, commit {:?} (medians; commit at \
         most {:?})",
        size.block_links,
        2 * size.block_links,
        median(&mut staging),
        median(&mut committing),
        committing[committing.len() - 1]
    );
}

fn lookups(criterion: &mut Criterion, store: &Store) {
    let (snapshot, reader) = (store.latest(), store.reader());
    let links = snapshot.sizes().links;
    criterion.bench_function("store/has_link", |bencher| {
        let mut index = 0;
        let next = || {
            index += 1;
            let link = (number(5, index) % u64::from(links)) as u32;
            snapshot.link(cyberd::types::LinkNumber(link)).expect("a link")
        };
        let ask = |link: Link| snapshot.has_link(&link.neuron, link.to, link.from);
        bencher.iter_batched(next, ask, BatchSize::SmallInput);
    });
    criterion.bench_function("store/latest", |bencher| bencher.iter(|| reader.latest()));
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if let Some(place) = arguments.iter().position(|argument| argument == "--open") {
        return open_and_report(Path::new(&arguments[place + 1]));
    }
    let size = if arguments.iter().any(|argument| argument == "--test") { SMALL } else { FULL };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut store = fill(folder.path(), size);
    let mut criterion = Criterion::default().configure_from_args();
    lookups(&mut criterion, &store);
    drop(store);
    report_fresh_process("from a checkpoint", folder.path());
    store = Store::open(folder.path(), Options::default()).expect("what this bench wrote");
    blocks(&mut store, size, 20);
    drop(store);
    report_fresh_process("after 20 large heights", folder.path());
}
