//! Two validators under load, one with a GPU worker that is killed every few seconds and one with
//! the CPU alone: each has half of the power, so every block is the agreement of both on the app
//! hash before it, and both tell the same roots.
//!
//! The worker is the real program with the real kernels, on the host through the shim. Small by
//! default; `testnet/checks/gpu --full` sets `CYBERD_BLOCKS=200` and `CYBERD_LINKS=60000`.

#![allow(clippy::disallowed_methods, reason = "waits for other processes")]

mod support;

use cyberd::config::{file_text, Config};
use nix::sys::signal::Signal;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};
use support::processes::{children, kill_now, Seen};
use support::{cyberd, free_ports, get, links, wait_until, Chain, Process};

const BLOCKS: u64 = 40;
const LINKS: u64 = 3_000;
/// Kills there are at least, however fast the blocks come.
const KILLS: u64 = 3;
/// From when a worker is up to its end.
const LIFE: Duration = Duration::from_secs(3);

fn number(name: &str, default: u64) -> u64 {
    match std::env::var(name) {
        Ok(text) if !text.is_empty() => text.parse().unwrap_or_else(|_| panic!("{name}={text}")),
        _ => default,
    }
}

/// The worker's program, built by cargo if only a part of the workspace was.
fn worker() -> PathBuf {
    let beside = Path::new(env!("CARGO_BIN_EXE_cyberd")).with_file_name("cyber-gpu");
    if !beside.exists() {
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["build", "-p", "cyber-kernels", "--bin", "cyber-gpu"]);
        let release = beside.components().any(|part| part.as_os_str() == "release");
        cargo.args(release.then_some("--release"));
        let status = cargo.current_dir(env!("CARGO_MANIFEST_DIR")).status().expect("cargo runs");
        assert!(status.success() && beside.exists(), "no {}", beside.display());
    }
    beside
}

fn write_settings(home: &Path, values: &[(&str, &str)]) {
    let path = Config::path(home);
    std::fs::create_dir_all(path.parent().expect("in the home")).expect("a folder");
    std::fs::write(path, file_text(values)).expect("a file");
}

/// The value of a metric of the node with these ports; 0 while there is none.
fn metric(ports: u16, name: &str) -> u64 {
    let text = get(ports + 5, "/metrics").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.and_then(|value| value.parse().ok()).unwrap_or(0)
}

const ROUNDS: &str = "cyberd_gpu_rounds_total";
const DIED: &str = "cyberd_gpu_faults_total{kind=\"died\"}";

/// The worker of a chain's nodes, if one runs.
fn find_worker(chain: &Chain) -> Option<Seen> {
    let applications = children(chain.process.id()).into_iter();
    let applications = applications.filter(|child| child.name == "cyberd");
    let workers = applications.flat_map(|child| children(child.id.unsigned_abs()));
    let workers: Vec<Seen> = workers.filter(|child| child.name == "cyber-gpu").collect();
    assert!(workers.len() <= 1, "only one of the nodes has a worker: {workers:?}");
    workers.into_iter().next()
}

#[test]
fn two_validators_agree_while_the_gpu_worker_of_one_is_killed_again_and_again() {
    let (blocks, count) = (number("CYBERD_BLOCKS", BLOCKS), number("CYBERD_LINKS", LINKS));
    let folder = tempfile::tempdir().expect("a folder");
    let home = folder.path().join("home");
    let shim = cyber_kernels::gpu::build_shim(folder.path()).expect("a C++ compiler");
    // The nodes and with them the worker inherit it; no other test is in this file.
    std::env::set_var("CYBER_GPU_SHIM", &shim);
    let program = worker();
    let program = program.to_str().expect("UTF-8");
    write_settings(&home, &[("rank.device", "gpu"), ("rank.worker", program)]);
    write_settings(&home.join("node1"), &[("rank.device", "cpu")]);

    let ports = free_ports_of_two();
    let flags = ["--nodes", "2", "--no-import", "--block-time", "300ms"];
    let (mut chain, _) = Chain::dev(&home, ports, &flags);
    let all = links::sample();
    let step = all.len().div_ceil(usize::try_from(count).expect("a count"));
    let lines: Vec<String> = all.into_iter().step_by(step).collect();
    let file = links::write(&folder.path().join("links.tsv"), &lines);
    let arguments = ["import", file.to_str().expect("UTF-8")];
    let mut import = Process::start(&home, &arguments, &folder.path().join("import.log"));

    let begin = Instant::now();
    let first = chain.height();
    let kills = kill_on_the_way(&mut chain, ports, first + blocks);
    assert!(import.wait().success(), "the import ends well:\n{}", import.said());
    chain.ranked();
    let (rounds, died) = (metric(ports, ROUNDS), metric(ports, DIED));
    assert!(rounds >= kills, "the worker computed {rounds} rounds between {kills} kills");
    assert!(died >= kills, "{died} deaths of {kills} kills are counted");
    assert_eq!(metric(ports + 10, ROUNDS), 0, "the other node has none");
    let compared = compare(&mut chain, ports);
    println!(
        "gpu: {kills} kills in {} blocks, {rounds} rounds by the worker, {compared} heights with \
         equal roots, {} links in {} s",
        chain.height() - first,
        lines.len(),
        begin.elapsed().as_secs()
    );
    let (status, _) = chain.process.signal(Signal::SIGINT);
    assert!(status.success(), "{}", chain.process.said());
}

/// Two free rows of ports, one after the other.
fn free_ports_of_two() -> u16 {
    let (mut one, mut two) = (free_ports(), free_ports());
    while two != one + 10 {
        (one, two) = (two, free_ports());
    }
    one
}

/// Kills the worker each time it has computed something and lived for a while.
fn kill_on_the_way(chain: &mut Chain, ports: u16, last: u64) -> u64 {
    let mut kills = 0;
    while kills < KILLS || chain.height() < last {
        let rounds = metric(ports, ROUNDS);
        chain.process.until("round of the worker", || metric(ports, ROUNDS) > rounds);
        std::thread::sleep(LIFE);
        if let Some(worker) = find_worker(chain) {
            assert!(kill_now(&worker), "{worker:?} is ours");
            kills += 1;
            let died = metric(ports, DIED);
            chain.process.until("fault counted", || metric(ports, DIED) > died || died >= kills);
        }
    }
    kills
}

/// Both nodes tell the same roots, for as many heights as both still know.
fn compare(chain: &mut Chain, ports: u16) -> u64 {
    let last = chain.height();
    let other = chain.home.join("node1");
    wait_until("height of the other", || {
        cyberd::node::supervisor::latest_height(ports + 10).is_some_and(|at| at >= last)
    });
    let mut compared = 0;
    for height in (1..=last).rev().step_by((last / 20).max(1) as usize) {
        let ask = |home: &Path| {
            let ran = cyberd(home, &["roots", &height.to_string()]);
            (ran.code == 0).then(|| ran.json())
        };
        let (Some(mine), Some(theirs)) = (ask(&chain.home), ask(&other)) else { continue };
        assert_eq!(mine, theirs, "roots of height {height}");
        compared += 1;
    }
    assert!(compared >= 2, "both know some heights");
    compared
}
