//! Names of logs and metrics in one place; never influences state.
//!
//! Metrics go to whatever recorder [`install_metrics`] puts in place, to nowhere without it, so
//! tests and tools record for free. Logs: [`logs`]. What becomes of a panic: [`panics`].

pub mod logs;
pub mod panics;

use crate::error::Code;
use crate::types::Height;
use metrics::{counter, gauge, histogram};
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::OnceLock;
use std::time::Duration;

/// The metrics, by the names an operator sees.
pub mod name {
    macro_rules! metrics {
        ($($name:ident = $text:literal, $help:literal;)*) => {
            $(#[doc = $help] pub const $name: &str = $text;)*
            /// Every metric with what it means.
            pub const ALL: &[(&str, &str)] = &[$(($name, $help)),*];
        };
    }

    metrics! {
        HEIGHT = "cyberd_height", "Last committed height";
        BLOCK_SECONDS = "cyberd_block_seconds", "Execution of a block";
        COMMIT_SECONDS = "cyberd_commit_seconds", "Commit of a block, durable when it ends";
        TRANSACTIONS = "cyberd_transactions_total", "Transactions in blocks, by codespace and code";
        CHECKED = "cyberd_checked_total", "Transactions checked, by codespace and code";
        CHECK_BATCH = "cyberd_check_batch", "Transactions checked in one call";
        ABCI_SECONDS = "cyberd_abci_seconds", "ABCI calls, by method";
        ABCI_REFUSED = "cyberd_abci_refused_total", "ABCI connections and requests refused";
        API_SECONDS = "cyberd_api_seconds", "Answers over gRPC and REST, by server and status";
        PARTICLES = "cyberd_particles", "Particles in the graph";
        LINKS = "cyberd_links", "Cyberlinks in the graph";
        BANDWIDTH_LOAD = "cyberd_bandwidth_load", "Units of the last period / units offered";
        BANDWIDTH_PRICE = "cyberd_bandwidth_price", "Price of a raw unit of bandwidth";
        ROUND = "cyberd_round", "Last published rank round";
        ROUND_SECONDS = "cyberd_round_seconds", "Rank round, by phase";
        GPU_UP = "cyberd_gpu_up", "1 while a GPU worker computes the ranks";
        GPU_ROUNDS = "cyberd_gpu_rounds_total", "Rank rounds that a GPU worker computed";
        GPU_FAULTS = "cyberd_gpu_faults_total", "Faults of GPU workers, by kind";
        PANICS = "cyberd_panics_total", "Panics turned into an answer";
        MEMORY = "cyberd_memory_bytes", "Resident memory of the process";
        HEAD_AGE = "cyberd_head_age_seconds", "Since the last block, or the start";
        READY = "cyberd_ready", "1 if /ready says yes";
        NOT_READY = "cyberd_not_ready", "1 for each check of /ready that speaks against it";
        DISK_FREE = "cyberd_disk_free_bytes", "Free space where the home is";
        DISK_RESERVE = "cyberd_disk_reserve_bytes", "Free space below which no height is begun";
        ROUND_HEIGHT = "cyberd_round_height", "Height at which the last rank round was published";
        ROUND_PERIOD = "cyberd_round_period_blocks", "Blocks between two rank rounds";
        RESTARTS = "cyberd_restarts", "How often the supervisor started the pair again";
        ROOT_MISMATCH = "cyberd_root_mismatch", "1 once the network had another state";
        INFO = "cyberd_info", "1, with versions and the device of ranks as labels";
    }
}

/// The phases of a rank round, as labels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RoundPhase {
    Freeze,
    /// The worker: reading what is new, taking it in, then sweeping.
    Load,
    Weights,
    Sweeps,
    /// Block production waiting for a result that is late.
    Wait,
    /// Finding what changed, the tree, the record.
    Publish,
    /// Of that, hashing the tree.
    Tree,
    /// Writing down what changed for who asks, within the commit.
    Deltas,
}

impl RoundPhase {
    fn name(self) -> &'static str {
        match self {
            RoundPhase::Freeze => "freeze",
            RoundPhase::Load => "load",
            RoundPhase::Weights => "weights",
            RoundPhase::Sweeps => "sweeps",
            RoundPhase::Wait => "wait",
            RoundPhase::Publish => "publish",
            RoundPhase::Tree => "tree",
            RoundPhase::Deltas => "deltas",
        }
    }
}

/// Upper bounds of the duration histograms, in seconds.
const SECONDS: [f64; 16] = [
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5,
    5.0, 10.0,
];
/// Upper bounds of the histograms that count things.
const COUNTS: [f64; 8] = [1.0, 4.0, 16.0, 64.0, 128.0, 256.0, 512.0, 1024.0];

/// Begins to collect metrics, with the first call; the handle renders them as Prometheus wants
/// them. Somebody has to call its `run_upkeep` now and then, or histograms grow.
pub fn install_metrics() -> &'static PrometheusHandle {
    static HANDLE: OnceLock<PrometheusHandle> = OnceLock::new();
    HANDLE.get_or_init(|| {
        let install = || -> Result<PrometheusHandle, BuildError> {
            let builder = PrometheusBuilder::new();
            let seconds = Matcher::Suffix("_seconds".to_owned());
            let builder = builder.set_buckets_for_metric(seconds, &SECONDS)?;
            let counts = Matcher::Suffix("_batch".to_owned());
            builder.set_buckets_for_metric(counts, &COUNTS)?.install_recorder()
        };
        let handle = install().expect("the only recorder, and its buckets are not empty");
        for (metric, help) in name::ALL {
            // One description serves every kind: the recorder keeps it by name.
            metrics::describe_gauge!(*metric, *help);
        }
        // An increase from nothing to one is none to Prometheus: an alert would miss the first.
        counter!(name::PANICS).increment(0);
        handle
    })
}

/// An ABCI call that took this long.
pub fn abci_call(method: &'static str, took: Duration) {
    histogram!(name::ABCI_SECONDS, "method" => method).record(took);
}

/// A connection or request that was refused, by its reason.
pub fn abci_refused(reason: &'static str) {
    counter!(name::ABCI_REFUSED, "reason" => reason).increment(1);
}

/// An answer over gRPC or REST, with its status, that took this long.
pub fn api_answer(server: &'static str, status: u16, took: Duration) {
    let status = status.to_string();
    histogram!(name::API_SECONDS, "server" => server, "status" => status).record(took);
}

/// Transactions that were checked in one call.
pub fn txs_checked(codes: impl ExactSizeIterator<Item = Code>) {
    histogram!(name::CHECK_BATCH).record(u32::try_from(codes.len()).unwrap_or(u32::MAX));
    by_code(name::CHECKED, codes);
}

/// A block that was executed.
pub fn block_finalized(height: Height, codes: impl Iterator<Item = Code>) {
    by_code(name::TRANSACTIONS, codes);
    tracing::debug!(height = height.0, "block executed");
}

/// A block that is durable: its line in the log.
pub fn block_committed(height: Height, app_hash: &[u8], txs: usize, failed: usize) {
    let height = height.0;
    tracing::info!(height, app_hash = hex::encode_upper(app_hash), txs, failed, "block");
}

fn by_code(metric: &'static str, codes: impl Iterator<Item = Code>) {
    // Neighbours mostly share their code: one increment for each run.
    let mut run: Option<(Code, u64)> = None;
    let write = |(code, count): (Code, u64)| {
        let number = code.number.to_string();
        counter!(metric, "codespace" => code.space, "code" => number).increment(count);
    };
    for code in codes {
        run = match run {
            Some((same, count)) if same == code => Some((code, count.saturating_add(1))),
            other => {
                other.into_iter().for_each(write);
                Some((code, 1))
            }
        };
    }
    run.into_iter().for_each(write);
}

/// A block's execution took this long.
pub fn block_seconds(took: Duration) {
    histogram!(name::BLOCK_SECONDS).record(took);
}

/// A commit took this long.
pub fn commit_seconds(took: Duration) {
    histogram!(name::COMMIT_SECONDS).record(took);
}

/// What stands after a commit.
pub fn committed(height: Height, particles: u32, links: u32) {
    gauge!(name::HEIGHT).set(as_gauge(height.0));
    gauge!(name::PARTICLES).set(particles);
    gauge!(name::LINKS).set(links);
}

/// Bandwidth in use and its price, both in millionths.
pub fn bandwidth(load_millionths: u64, price_millionths: u64) {
    gauge!(name::BANDWIDTH_LOAD).set(millionths(load_millionths));
    gauge!(name::BANDWIDTH_PRICE).set(millionths(price_millionths));
}

/// A rank round was published.
pub fn round_published(round: u64) {
    // Told after every commit: the log wants it once.
    static LAST: AtomicU64 = AtomicU64::new(0);
    if LAST.swap(round, Ordering::Relaxed) != round {
        tracing::info!(round, "round published");
    }
    gauge!(name::ROUND).set(as_gauge(round));
}

/// What an operator watches besides: sampled when it is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    pub head_age: Duration,
    pub is_ready: bool,
    /// Every check of `/ready`, and whether it speaks against it.
    pub checks: Vec<(&'static str, bool)>,
    /// None where the system does not tell.
    pub disk_free_bytes: Option<u64>,
    pub disk_reserve_bytes: u64,
    /// 0 before the first.
    pub round_height: u64,
    pub round_period: u64,
    pub has_mismatch: bool,
}

/// Shows a condition.
pub fn condition(found: &Condition) {
    gauge!(name::HEAD_AGE).set(found.head_age.as_secs_f64());
    gauge!(name::READY).set(u8::from(found.is_ready));
    for (check, speaks_against) in &found.checks {
        gauge!(name::NOT_READY, "check" => *check).set(u8::from(*speaks_against));
    }
    if let Some(free) = found.disk_free_bytes {
        gauge!(name::DISK_FREE).set(as_gauge(free));
    }
    gauge!(name::DISK_RESERVE).set(as_gauge(found.disk_reserve_bytes));
    gauge!(name::ROUND_HEIGHT).set(as_gauge(found.round_height));
    gauge!(name::ROUND_PERIOD).set(as_gauge(found.round_period));
    gauge!(name::ROOT_MISMATCH).set(u8::from(found.has_mismatch));
}

/// What does not change while the process lives.
pub fn identity(cometbft: &'static str, device: &'static str, restarts: u64) {
    let version = env!("CARGO_PKG_VERSION");
    gauge!(name::INFO, "version" => version, "cometbft" => cometbft, "device" => device).set(1);
    gauge!(name::RESTARTS).set(as_gauge(restarts));
    gpu_up(false);
}

/// Whether a GPU worker computes the ranks.
pub fn gpu_up(is_up: bool) {
    gauge!(name::GPU_UP).set(u8::from(is_up));
}

/// A GPU worker computed a round.
pub fn gpu_round() {
    counter!(name::GPU_ROUNDS).increment(1);
}

/// A GPU worker is of no more use.
pub fn gpu_fault(kind: &'static str) {
    counter!(name::GPU_FAULTS, "kind" => kind).increment(1);
}

/// A phase of a rank round took this long.
pub fn round_seconds(phase: RoundPhase, took: Duration) {
    histogram!(name::ROUND_SECONDS, "phase" => phase.name()).record(took);
}

/// Does a phase of a round and records how long it took: the only clock near consensus code, and
/// it reads it here.
#[allow(clippy::disallowed_methods, reason = "a measurement; no result depends on it")]
pub fn timed<T>(phase: RoundPhase, run: impl FnOnce() -> T) -> T {
    let start = std::time::Instant::now();
    let result = run();
    round_seconds(phase, start.elapsed());
    result
}

/// Measures what is a value at the moment of asking: memory.
pub fn sample() {
    if let Some(bytes) = resident_bytes() {
        gauge!(name::MEMORY).set(as_gauge(bytes));
    }
}

/// The resident memory of this process, in bytes; none where the system does not tell.
pub fn resident_bytes() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix(" kB")?.trim().parse().ok()?;
    kib.checked_mul(1024)
}

/// Gauges hold floats; what is shown may be rounded.
fn as_gauge(value: u64) -> f64 {
    value as f64
}

#[allow(clippy::float_arithmetic, reason = "formatting of a metric")]
fn millionths(value: u64) -> f64 {
    value as f64 / 1e6
}
