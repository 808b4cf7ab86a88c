//! Asks a node's REST as fast as some workers can and tells how it bore it: answers a second,
//! latencies, and beside them the time between blocks and the node's memory, idle and under load.
//!
//! `cargo run -p cyberd --example load -- --rest 127.0.0.1:1317 --health 127.0.0.1:26661 \
//!  --workers 8 --seconds 20 --query search`. Queries: search, rank, account, balance, mixed. The
//! particles asked for are those that rank highest. An answer other than 200 counts as an error.

#![allow(clippy::disallowed_methods, reason = "a measurement")]

use std::collections::BTreeMap;
use std::error::Error;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;
use std::time::{Duration, Instant};

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let of = |name: &str, default: &str| {
        let at = arguments.iter().position(|argument| argument == &format!("--{name}"));
        at.and_then(|at| arguments.get(at + 1)).map_or(default, String::as_str).to_owned()
    };
    let rest = of("rest", "127.0.0.1:1317");
    let health = of("health", "127.0.0.1:26661");
    let workers: usize = of("workers", "8").parse()?;
    let seconds = Duration::from_secs(of("seconds", "20").parse()?);
    let idle = Duration::from_secs(of("idle", "0").parse()?);
    let paths = Arc::new(paths(&rest, &of("query", "search"))?);
    println!("{} different queries, such as {}", paths.len(), paths[0]);

    let before = watch(&health, idle)?;
    if !idle.is_zero() {
        println!("idle:  {before}");
    }
    let stop = Arc::new(AtomicBool::new(false));
    let threads: Vec<_> = (0..workers)
        .map(|worker| {
            let (rest, paths, stop) = (rest.clone(), paths.clone(), stop.clone());
            std::thread::spawn(move || work(&rest, &paths, worker, &stop))
        })
        .collect();
    let during = watch(&health, seconds)?;
    stop.store(true, Ordering::Relaxed);
    let mut all = Counts::default();
    for thread in threads {
        let own = thread.join().map_err(|_| "a worker panicked")?;
        all.latencies.extend(own.latencies);
        all.errors += own.errors;
        all.dropped += own.dropped;
        all.bytes += own.bytes;
        for (status, count) in own.statuses {
            *all.statuses.entry(status).or_default() += count;
        }
    }
    println!("load:  {during}");
    all.show(workers, seconds);
    Ok(())
}

/// What a worker counted. Latencies in microseconds.
#[derive(Default)]
struct Counts {
    latencies: Vec<u32>,
    statuses: BTreeMap<u16, u64>,
    errors: u64,
    dropped: u64,
    bytes: u64,
}

impl Counts {
    fn show(&mut self, workers: usize, seconds: Duration) {
        self.latencies.sort_unstable();
        let count = self.latencies.len();
        let at = |thousandths: usize| {
            let place = (count * thousandths / 1000).min(count.saturating_sub(1));
            self.latencies.get(place).copied().unwrap_or_default()
        };
        println!(
            "{workers} workers, {} s: {} answers/s, p50 {} us, p90 {} us, p99 {} us, p99.9 {} us, \
             max {} us",
            seconds.as_secs(),
            count as u64 / seconds.as_secs().max(1),
            at(500),
            at(900),
            at(990),
            at(999),
            at(1000)
        );
        println!(
            "{} bytes an answer, statuses {:?}, {} errors, {} dropped connections",
            self.bytes / (count as u64).max(1),
            self.statuses,
            self.errors,
            self.dropped
        );
    }
}

/// A connection that is kept.
struct Connection {
    reader: BufReader<TcpStream>,
}

impl Connection {
    fn open(at: &str) -> Outcome<Connection> {
        let stream = TcpStream::connect(at)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(30)))?;
        Ok(Connection { reader: BufReader::with_capacity(65_536, stream) })
    }

    /// Status and body of an answer.
    fn get(&mut self, path: &str) -> Outcome<(u16, Vec<u8>)> {
        let head = format!("GET {path} HTTP/1.1\r\nhost: load\r\n\r\n");
        self.reader.get_mut().write_all(head.as_bytes())?;
        let (mut status, mut length, mut line) = (0, 0, String::new());
        loop {
            line.clear();
            if self.reader.read_line(&mut line)? == 0 {
                return Err("closed".into());
            }
            let text = line.trim_end();
            if text.is_empty() {
                break;
            }
            if let Some(rest) = text.strip_prefix("HTTP/1.1 ") {
                status = rest.get(..3).unwrap_or_default().parse()?;
            }
            if let Some(rest) = text.strip_prefix("content-length: ") {
                length = rest.parse()?;
            }
        }
        let mut body = vec![0; length];
        self.reader.read_exact(&mut body)?;
        Ok((status, body))
    }

    fn json(&mut self, path: &str) -> Outcome<serde_json::Value> {
        Ok(serde_json::from_slice(&self.get(path)?.1)?)
    }
}

/// What is asked for.
fn paths(rest: &str, query: &str) -> Outcome<Vec<String>> {
    let mut connection = Connection::open(rest)?;
    let base = "/cyber/rank/v1beta1/rank";
    let top = connection.json(&format!("{base}/top?pagination.per_page=500"))?;
    let particles = top["result"].as_array().ok_or("no ranked particles")?.iter();
    let particles = particles.filter_map(|row| row["particle"].as_str());
    let accounts = connection.json("/cosmos/auth/v1beta1/accounts?pagination.limit=200")?;
    let accounts = accounts["accounts"].as_array().ok_or("no accounts")?.iter();
    let accounts: Vec<&str> = accounts.filter_map(|it| it["address"].as_str()).collect();
    let mut paths = Vec::new();
    let all = query == "mixed";
    for particle in particles {
        if all || query == "search" {
            paths.push(format!("{base}/search/{particle}?pagination.per_page=10"));
        }
        if all || query == "rank" {
            paths.push(format!("{base}/rank/{particle}"));
        }
    }
    for account in accounts {
        if all || query == "account" {
            paths.push(format!("/cosmos/auth/v1beta1/accounts/{account}"));
        }
        if all || query == "balance" {
            let by = "by_denom?denom=boot";
            paths.push(format!("/cosmos/bank/v1beta1/balances/{account}/{by}"));
        }
    }
    if paths.is_empty() {
        return Err("queries are search, rank, account, balance, mixed".into());
    }
    Ok(paths)
}

fn work(rest: &str, paths: &[String], worker: usize, stop: &AtomicBool) -> Counts {
    let mut counts = Counts::default();
    let mut connection = Connection::open(rest).ok();
    let mut place = worker * 7919;
    while !stop.load(Ordering::Relaxed) {
        let Some(open) = &mut connection else {
            counts.dropped += 1;
            connection = Connection::open(rest).ok();
            continue;
        };
        place += 1;
        let begin = Instant::now();
        match open.get(&paths[place % paths.len()]) {
            Ok((status, body)) => {
                let took = u32::try_from(begin.elapsed().as_micros()).unwrap_or(u32::MAX);
                counts.latencies.push(took);
                counts.bytes += body.len() as u64;
                counts.errors += u64::from(status != 200);
                *counts.statuses.entry(status).or_default() += 1;
            }
            Err(_) => connection = None,
        }
    }
    counts
}

/// What a node did for some time: blocks and memory.
struct Watched {
    blocks: u64,
    lasted: Duration,
    memory_mb: u64,
}

impl std::fmt::Display for Watched {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Watched { blocks, lasted, memory_mb } = self;
        let between = lasted.as_millis() / u128::from((*blocks).max(1));
        write!(f, "{blocks} blocks, {between} ms a block, memory at most {memory_mb} MB")
    }
}

fn watch(health: &str, lasts: Duration) -> Outcome<Watched> {
    let (begin, first) = (Instant::now(), height(health)?.0);
    let (mut last, mut memory_mb) = (first, 0);
    let mut ended = begin.elapsed();
    while begin.elapsed() < lasts {
        std::thread::sleep(Duration::from_millis(200));
        let (now, memory) = height(health)?;
        if now > last {
            (last, ended) = (now, begin.elapsed());
        }
        memory_mb = memory_mb.max(memory);
    }
    Ok(Watched { blocks: last - first, lasted: ended, memory_mb })
}

/// Height and memory in MB, by the node's own metrics.
fn height(health: &str) -> Outcome<(u64, u64)> {
    let (_, body) = Connection::open(health)?.get("/metrics")?;
    let text = String::from_utf8(body)?;
    let value = |name: &str| {
        let mut lines = text.lines().filter_map(|line| line.split_once(' '));
        let found = lines.rfind(|(key, _)| *key == name)?;
        found.1.split('.').next()?.parse::<u64>().ok()
    };
    let height = value("cyberd_height").ok_or("no height in the metrics")?;
    Ok((height, value("cyberd_memory_bytes").unwrap_or_default() / 1_000_000))
}
