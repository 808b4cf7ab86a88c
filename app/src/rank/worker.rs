//! The thread that computes rounds: jobs in, results out, no polling and no sleeping.
//!
//! It keeps the graph of the engine between rounds and takes in only what is new. Whatever it
//! holds can be rebuilt from a snapshot, so a node that starts again just starts the round again.
//! Where a GPU is set up ([`super::device`]), rounds go there first, and come back here if need be.

use super::device::{Budget, FrozenGraph, Setup};
use super::input::{Feed, Moved};
use crate::error::Fault;
use crate::modules::rank::{state, Frozen};
use crate::niceness::give_way;
use crate::store::Snapshot;
use crate::telemetry::{timed, RoundPhase};
use cyber_kernels::gpu::{Engine, Work};
use cyber_kernels::{Control, Outcome, Pause};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{channel, Receiver, Sender};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

/// A round to compute: its inputs are in the snapshot.
struct Job {
    frozen: Frozen,
    snapshot: Arc<Snapshot>,
    /// Neurons that may have another rank-stake than in the round before.
    moved: Moved,
}

/// The worker's handle, owned by the block's side of the engine.
pub struct Worker {
    jobs: Option<Sender<Job>>,
    results: Receiver<Result<Outcome, cyber_kernels::Error>>,
    running: Option<u64>,
    control: Arc<Control>,
    /// Whether the round that runs can wait for blocks.
    has_time: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// Called by the thread before each round; tests slow it down here.
pub type BeforeRound = Box<dyn Fn(u64) + Send>;

impl Worker {
    /// Starts the thread. `threads`: how many a sweep may use, see [`Budget::threads`]; rounds
    /// stand still under `pause`.
    pub fn new(
        threads: usize,
        before_round: Option<BeforeRound>,
        device: Option<Setup>,
        pause: Arc<Pause>,
    ) -> Worker {
        let (jobs, inbox) = channel::<Job>();
        let (outbox, results) = channel();
        let control = Arc::new(Control::new(pause));
        let told = Arc::clone(&control);
        let has_time = Arc::new(AtomicBool::new(false));
        let says = Arc::clone(&has_time);
        let body = move || {
            give_way("rank");
            let mut engine = Engine::new(threads, device.map(Setup::into_parts));
            let mut budget = Budget::default();
            while let Ok(job) = inbox.recv() {
                if let Some(hook) = &before_round {
                    hook(job.frozen.round);
                }
                let limit = budget.begin();
                engine.set_threads(budget.threads(threads));
                says.store(budget.has_time(), Ordering::Relaxed);
                let outcome = compute(&mut engine, &job, limit, &told);
                budget.end();
                if outbox.send(outcome).is_err() {
                    return;
                }
            }
        };
        let thread = std::thread::Builder::new().name("rank".into()).spawn(body);
        let thread = thread.expect("the system gives a thread");
        Worker { jobs: Some(jobs), results, running: None, control, has_time, thread: Some(thread) }
    }

    /// Starts the round that a snapshot holds frozen, unless it runs already or none is frozen.
    /// `moved`: the neurons whose rank-stakes its freeze may have changed.
    pub fn ensure(&mut self, snapshot: &Arc<Snapshot>, moved: &Moved) {
        let Some(frozen) = state::frozen(snapshot.as_ref()) else { return };
        if self.running == Some(frozen.round) {
            return;
        }
        self.running = Some(frozen.round);
        let job = Job { frozen, snapshot: Arc::clone(snapshot), moved: moved.clone() };
        let jobs = self.jobs.as_ref().expect("present until drop");
        jobs.send(job).expect("the thread lives until the worker is dropped");
    }

    /// Keeps a running round that has time still until what this gives is dropped or somebody waits
    /// for the round: blocks have the cores to themselves.
    pub fn stand_still(&self) -> Still {
        let pause = self.control.pause();
        pause.set(self.has_time.load(Ordering::Relaxed));
        Still(Arc::clone(pause))
    }

    /// Waits for the running round.
    pub fn finish(&mut self) -> Result<Outcome, Fault> {
        self.control.pause().set(false);
        let round = self.running.take();
        let outcome = self.results.recv().map_err(|_| {
            Fault::Consensus(format!("the rank worker died in round {}", round.unwrap_or(0)))
        })?;
        outcome.map_err(|error| Fault::Consensus(format!("rank round: {error}")))
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.control.abort();
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            if thread.join().is_err() {
                tracing::error!("the rank worker panicked");
            }
        }
    }
}

/// While it lives the running round stands still, see [`Worker::stand_still`].
pub struct Still(Arc<Pause>);

impl Drop for Still {
    fn drop(&mut self) {
        self.0.set(false);
    }
}

/// Takes in what is new and sweeps; a device may take as long as `limit`.
fn compute(
    engine: &mut Engine,
    job: &Job,
    limit: Duration,
    control: &Control,
) -> Result<Outcome, cyber_kernels::Error> {
    let loaded = u32::try_from(engine.links()).expect("fewer than 2^32 links");
    let feed =
        timed(RoundPhase::Load, || Feed::new(&job.frozen, &job.snapshot, loaded, &job.moved));
    let snapshot = Arc::clone(&job.snapshot);
    let work = Work {
        particles: feed.particles,
        links: &feed.links,
        stakes: &feed.stakes,
        codes: feed.codes,
        parameters: feed.parameters,
        source: Arc::new(FrozenGraph { frozen: job.frozen.clone(), snapshot }),
        limit,
    };
    engine.run(work, control)
}
