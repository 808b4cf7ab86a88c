//! A GPU that computes ranks for the node: which worker, what becomes of its faults, how long a
//! round may take on it.
//!
//! Invariants: nothing here changes a result or keeps a round from being computed; the CPU takes
//! over (`cyber_kernels::gpu::Engine`). A fault is one log line and one count of
//! `cyberd_gpu_faults_total`. The only clock is [`Budget`]'s, which limits another process.
//! Deliberately absent: CUDA, and any sign of the device in state.

use super::input::{link, stakes};
use crate::modules::rank::Frozen;
use crate::store::Snapshot;
use crate::telemetry;
use cyber_kernels::gpu::{Event, Fault, Options, Program, Report, Source};
use cyber_kernels::Link;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// A worker to be used.
pub struct Setup {
    options: Options,
    /// Whether the operator counts on it (`rank.device = "gpu"`).
    required: bool,
    status: Status,
}

/// Why the worker does not compute at the moment; shared with whoever asks.
#[derive(Clone)]
pub struct Status(Arc<Mutex<Option<String>>>);

impl Status {
    /// Nothing if it does.
    pub fn missing(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Gives what it was before.
    fn set(&self, missing: Option<String>) -> Option<String> {
        std::mem::replace(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner), missing)
    }
}

impl Setup {
    /// The worker is this program.
    pub fn new(program: PathBuf, required: bool) -> Setup {
        let status = Status(Arc::new(Mutex::new(Some("has not started yet".to_owned()))));
        Setup { options: Options::new(Program::Command(program)), required, status }
    }

    /// With options of its own, for tests.
    pub fn with(options: Options) -> Setup {
        Setup { options, ..Setup::new(PathBuf::new(), true) }
    }

    /// What becomes known of it.
    pub fn status(&self) -> Status {
        self.status.clone()
    }

    /// What the engine wants.
    pub fn into_parts(self) -> (Options, Report) {
        let Setup { options, required, status } = self;
        telemetry::gpu_up(false);
        (options, Arc::new(move |event: &Event<'_>| tell(event, required, &status)))
    }
}

/// Log, metrics, status.
fn tell(event: &Event<'_>, required: bool, status: &Status) {
    match event {
        Event::Up { device } => {
            status.set(None);
            telemetry::gpu_up(true);
            tracing::info!(device, "the GPU worker is up, it computes the rounds from now on");
        }
        Event::Round => telemetry::gpu_round(),
        Event::Fault { fault, pause } => {
            let before = status.set(Some(fault.to_string()));
            telemetry::gpu_up(false);
            telemetry::gpu_fault(fault.kind());
            let next = pause.map_or("never".to_owned(), |pause| format!("after {pause:?}"));
            // What is not there is tried now and then, and told once.
            let known = before.is_some_and(|text| text == fault.to_string());
            match fault {
                Fault::Absent(_) if known => tracing::debug!(%fault, next, "still no GPU worker"),
                Fault::Absent(_) if !required => {
                    tracing::info!(%fault, next, "the GPU worker: the CPU computes the ranks");
                }
                _ => tracing::warn!(%fault, next, "the GPU worker: the CPU computes the ranks"),
            }
        }
    }
}

/// What a round is frozen from, for a worker that starts from nothing.
pub struct FrozenGraph {
    pub frozen: Frozen,
    pub snapshot: Arc<Snapshot>,
}

impl Source for FrozenGraph {
    fn particles(&self) -> u32 {
        self.frozen.particles
    }

    fn links(&self) -> u32 {
        self.frozen.links
    }

    fn link(&self, number: u32) -> Link {
        link(&self.snapshot, number)
    }

    fn stakes(&self) -> Vec<(u32, u64)> {
        stakes(&self.snapshot)
    }
}

/// What a round may take of the node. How long a worker: as long as the CPU, starting after it,
/// would still be done by the next boundary, and no more than half of the time between two
/// boundaries. How many threads: all but one where that is fast enough; then it also stands still
/// while a block is executed. A node that catches up has no such time and uses all its cores.
#[derive(Default)]
pub struct Budget {
    began: Option<Instant>,
    between: Option<Duration>,
    /// The last round on the CPU, or with the worker, whichever it was.
    took: Duration,
}

/// Less would be unfair to any device; late by that much a boundary may be when blocks come fast.
const LEAST: Duration = Duration::from_millis(250);
const MOST: Duration = Duration::from_secs(30);

impl Budget {
    /// A round begins; its limit.
    #[allow(clippy::disallowed_methods, reason = "limits another process; no result depends on it")]
    pub fn begin(&mut self) -> Duration {
        let now = Instant::now();
        if let Some(before) = self.began.replace(now) {
            self.between = Some(now - before);
        }
        self.limit()
    }

    fn limit(&self) -> Duration {
        // The first round after a start: nothing is known.
        let Some(between) = self.between else { return LEAST * 4 };
        let after_cpu = between.saturating_sub(self.took * 2);
        (between / 2).min(after_cpu).clamp(LEAST, MOST)
    }

    /// Whether rounds can wait for blocks: the last one took less than a quarter of the time
    /// between two boundaries.
    pub fn has_time(&self) -> bool {
        self.between.is_some_and(|between| self.took * 4 < between)
    }

    /// How many of `most` threads the CPU's sweeps use: one fewer, which blocks have to themselves,
    /// where there is time.
    pub fn threads(&self, most: usize) -> usize {
        match self.has_time() {
            true => most.saturating_sub(1).max(1),
            false => most,
        }
    }

    /// The round ended.
    pub fn end(&mut self) {
        self.took = self.began.map_or(Duration::ZERO, |began| began.elapsed());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_leaves_the_cpu_its_time_and_is_never_too_short_or_too_long() {
        let limit = |between: u64, took: u64| {
            let ms = Duration::from_millis;
            Budget { began: None, between: Some(ms(between)), took: ms(took) }.limit().as_millis()
        };
        assert_eq!(Budget::default().limit(), LEAST * 4);
        assert_eq!(limit(10_000, 100), 5_000);
        assert_eq!(limit(10_000, 3_000), 4_000);
        assert_eq!(limit(10_000, 9_000), 250);
        assert_eq!(limit(3, 1), 250);
        assert_eq!(limit(3_600_000, 1), 30_000);
    }

    #[test]
    fn a_round_leaves_a_thread_to_blocks_where_it_has_the_time() {
        let threads = |between: Option<u64>, took: u64, most: usize| {
            let ms = Duration::from_millis;
            Budget { began: None, between: between.map(ms), took: ms(took) }.threads(most)
        };
        assert_eq!(threads(Some(10_000), 100, 4), 3);
        assert_eq!(threads(Some(10_000), 100, 1), 1);
        assert_eq!(threads(Some(10_000), 2_500, 4), 4);
        assert_eq!(threads(None, 0, 4), 4);
    }

    #[test]
    fn a_fault_is_the_status_until_the_worker_is_up() {
        let setup = Setup::new(PathBuf::new(), true);
        let status = setup.status();
        assert!(status.missing().is_some());
        let (_, report) = setup.into_parts();
        report(&Event::Up { device: "a device" });
        assert_eq!(status.missing(), None);
        let fault = Fault::Wrong("sweep: 0x1 for particle 2, right is 0x3".to_owned());
        report(&Event::Fault { fault: &fault, pause: None });
        let text = status.missing().expect("a reason");
        assert!(text.contains("computed wrongly") && text.contains("particle 2"), "{text}");
    }
}
