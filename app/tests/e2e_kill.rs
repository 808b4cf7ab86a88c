//! `kill -9` of both processes at random moments of an import: every restart comes up by itself,
//! the import goes on, and the app hash at each height equals that of an undisturbed replay of the
//! same blocks into an empty home.
//!
//! Small by default. `testnet/checks/kill --full` sets `CYBERD_KILLS=30` and `CYBERD_LINKS=all`;
//! `CYBERD_SEED` chooses other moments.

#![allow(clippy::disallowed_methods, reason = "waits for other processes")]

mod support;

use cyberd::client::Client;
use cyberd::testkit::story::Numbers;
use nix::sys::signal::Signal;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use support::processes::{kill_now, pair};
use support::{cyberd, free_ports, links, wait_until, Chain, Process};

const KILLS: u64 = 3;
const LINKS: usize = 60_000;
const SEED: u64 = 20_260_101;
/// A kill comes at most so long after its place in the import.
const LATEST_MS: u64 = 400;

/// App hashes by height.
type Hashes = BTreeMap<u64, String>;

fn number(name: &str, default: u64) -> u64 {
    match std::env::var(name) {
        Ok(text) if !text.is_empty() => text.parse().unwrap_or_else(|_| panic!("{name}={text}")),
        _ => default,
    }
}

/// Lines of the sample graph, from all its parts.
fn lines() -> Vec<String> {
    let all = links::sample();
    let wanted = match std::env::var("CYBERD_LINKS") {
        Ok(text) if text == "all" => all.len(),
        _ => usize::try_from(number("CYBERD_LINKS", LINKS as u64)).expect("a count"),
    };
    let step = all.len().div_ceil(wanted);
    all.into_iter().step_by(step).collect()
}

/// What the kills did.
#[derive(Default)]
struct Kills {
    done: u64,
    /// While the pair was just coming up after the kill before.
    early: u64,
    /// From a kill to the next block, in milliseconds.
    up_ms: Vec<u64>,
}

#[test]
fn killed_at_any_moment_a_node_comes_up_again_and_its_state_is_that_of_a_replay() {
    let (seed, kills) = (number("CYBERD_SEED", SEED), number("CYBERD_KILLS", KILLS));
    let folder = tempfile::tempdir().expect("a folder");
    let home = folder.path().join("killed");
    let lines = lines();
    let file = links::write(&folder.path().join("links.tsv"), &lines);
    println!("kill: seed {seed}, {kills} kills during the import of {} links", lines.len());

    let ports = free_ports();
    let (mut chain, _) = Chain::dev(&home, ports, &["--no-import", "--block-time", "200ms"]);
    let begin = Instant::now();
    let log = folder.path().join("import.log");
    let arguments = ["import", file.to_str().expect("UTF-8"), "--output", "json"];
    let mut import = Process::start(&home, &arguments, &log);
    let kills = kill_on_the_way(&mut chain, &mut import, lines.len() as u64, seed, kills);
    assert!(import.wait().success(), "the import ends well:\n{}", import.said());
    let seconds = begin.elapsed().as_secs();
    assert_eq!(chain.links(), Some(lines.len() as u64), "{}", import.said());
    chain.ranked();

    let height = chain.height();
    chain.reach(height + 1);
    let headers = headers(&chain, height);
    let kept = roots(&chain, height);
    let (status, _) = chain.process.signal(Signal::SIGINT);
    assert!(status.success(), "{}", chain.process.said());

    let (replayed, replay_ms) = replay(&home, &folder.path().join("replayed"), ports, height);
    assert_eq!(headers.len() as u64, height);
    assert_eq!(replayed, headers, "app hashes of an undisturbed replay");
    assert!(kept.len() >= 2, "the killed node tells its roots");
    for (height, hash) in &kept {
        assert_eq!(Some(hash), headers.get(height), "roots of height {height}");
    }
    tell(&kills, lines.len() as u64, seconds);
    println!("kill: {height} heights equal, replayed in {replay_ms} ms");
}

fn tell(kills: &Kills, links: u64, seconds: u64) {
    let mut up = kills.up_ms.clone();
    up.sort_unstable();
    println!(
        "kill: {} kills ({} while coming up), next block after {} ms in the middle, {} ms at \
         worst; {links} links in {seconds} s with all that",
        kills.done,
        kills.early,
        up[up.len() / 2],
        up[up.len() - 1]
    );
}

/// Kills both processes; each time at a random place of the import and a random while after it,
/// every fourth time on average once more while they come up.
fn kill_on_the_way(
    chain: &mut Chain,
    import: &mut Process,
    total: u64,
    seed: u64,
    kills: u64,
) -> Kills {
    let mut numbers = Numbers::new(seed);
    let mut counts = Kills::default();
    while counts.done < kills {
        let part = total / (kills + 1);
        let place = counts.done * part + numbers.below(part);
        import.until("progress", || chain.links().is_some_and(|links| links >= place));
        std::thread::sleep(Duration::from_millis(numbers.below(LATEST_MS)));
        let height = chain.height();
        strike(chain, &mut numbers);
        counts.done += 1;
        if counts.done < kills && numbers.below(4) == 0 {
            std::thread::sleep(Duration::from_millis(numbers.below(LATEST_MS)));
            strike(chain, &mut numbers);
            counts.done += 1;
            counts.early += 1;
        }
        let killed = Instant::now();
        chain.reach(height + 1);
        counts.up_ms.push(u64::try_from(killed.elapsed().as_millis()).expect("not ages"));
    }
    counts
}

/// `kill -9` of application and CometBFT, whichever first.
fn strike(chain: &mut Chain, numbers: &mut Numbers) {
    let supervisor = chain.process.id();
    let mut both = None;
    chain.process.until("pair of processes", || {
        both = pair(supervisor);
        both.is_some()
    });
    let mut both = both.expect("waited for");
    if numbers.below(2) == 0 {
        both.reverse();
    }
    let ids = both.clone().map(|process| process.id);
    assert!(both.iter().all(kill_now), "both were there");
    wait_until("end of both", || {
        pair(supervisor).is_none_or(|now| now.iter().all(|one| !ids.contains(&one.id)))
    });
}

/// The app hash of each height up to one, as the header of the next one has it.
fn headers(chain: &Chain, last: u64) -> Hashes {
    let mut hashes = Hashes::new();
    for height in 1..=last {
        let header = chain.rpc(&format!("/header?height={}", height + 1)).expect("a header");
        let hash = header["header"]["app_hash"].as_str().expect("a hash").to_lowercase();
        hashes.insert(height, hash);
    }
    hashes
}

/// The app hash of each height that the application still tells, from the roots of its stores.
fn roots(chain: &Chain, last: u64) -> Hashes {
    let client = Client::new(&format!("http://127.0.0.1:{}", chain.ports)).expect("an address");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("a runtime");
    let hash = |height| {
        let answer = runtime.block_on(client.roots(height)).ok()?;
        assert_eq!(answer.height, height);
        Some((height, hex::encode(answer.app_hash)))
    };
    let hashes: Hashes = (1..=last).filter_map(hash).collect();
    let shown = cyberd(&chain.home, &["roots", &last.to_string()]).json();
    assert_eq!(shown["app_hash"].as_str(), hashes.get(&last).map(String::as_str));
    hashes
}

/// Genesis, settings and blocks of a stopped node, with an empty store for the application:
/// CometBFT hands it all blocks again before it goes on.
fn replay(from: &Path, to: &Path, ports: u16, last: u64) -> (Hashes, u64) {
    copy(from, to, &|path| !path.ends_with("data/cyberd"));
    for name in ["config.toml", "app.toml", "dev.toml"] {
        let path = to.join("config").join(name);
        let text = std::fs::read_to_string(&path).expect("settings");
        let (old, new) = (from.to_string_lossy(), to.to_string_lossy());
        std::fs::write(&path, text.replace(&*old, &new)).expect("settings");
    }
    assert!(!to.join("data/cyberd").exists() && to.join("data/blockstore.db").exists());
    let mut chain = Chain::run(to, ports);
    chain.reach(last + 1);
    let time = u64::try_from(chain.process.started.elapsed().as_millis()).expect("not ages");
    let hashes = roots(&chain, last);
    let (status, _) = chain.process.signal(Signal::SIGINT);
    assert!(status.success(), "{}", chain.process.said());
    (hashes, time)
}

fn copy(from: &Path, to: &Path, wanted: &dyn Fn(&Path) -> bool) {
    std::fs::create_dir_all(to).expect("a folder");
    for entry in std::fs::read_dir(from).expect("a folder").flatten() {
        let (source, target): (PathBuf, PathBuf) = (entry.path(), to.join(entry.file_name()));
        let kind = entry.file_type().expect("a kind");
        if !wanted(&source) {
            continue;
        }
        if kind.is_dir() {
            copy(&source, &target, wanted);
        } else if kind.is_file() {
            std::fs::copy(&source, &target).expect("a copy");
        }
    }
}
