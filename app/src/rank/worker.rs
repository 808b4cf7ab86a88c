//! The thread that computes rounds: jobs in, results out, no polling and no sleeping.
//!
//! It keeps the graph of the engine between rounds and takes in only what is new. Whatever it
//! holds can be rebuilt from a snapshot, so a node that starts again just starts the round again.

use crate::error::Fault;
use crate::modules::rank::{state, Frozen};
use crate::store::Snapshot;
use crate::types::{LinkNumber, NeuronNumber};
use cyber_kernels::{code, Graph, Link, Outcome, Parameters};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{channel, Receiver, Sender};
use std::sync::Arc;
use std::thread::JoinHandle;

/// A round to compute: its inputs are in the snapshot.
struct Job {
    frozen: Frozen,
    snapshot: Arc<Snapshot>,
}

/// The worker's handle, owned by the block's side of the engine.
pub struct Worker {
    jobs: Option<Sender<Job>>,
    results: Receiver<Result<Outcome, cyber_kernels::Error>>,
    running: Option<u64>,
    abort: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// Called by the thread before each round; tests slow it down here.
pub type BeforeRound = Box<dyn Fn(u64) + Send>;

impl Worker {
    /// Starts the thread. `threads`: how many a sweep may use.
    pub fn new(threads: usize, before_round: Option<BeforeRound>) -> Worker {
        let (jobs, inbox) = channel::<Job>();
        let (outbox, results) = channel();
        let abort = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&abort);
        let body = move || {
            let mut graph = Graph::new(threads);
            while let Ok(job) = inbox.recv() {
                if let Some(hook) = &before_round {
                    hook(job.frozen.round);
                }
                if outbox.send(compute(&mut graph, &job, &flag)).is_err() {
                    return;
                }
            }
        };
        let thread = std::thread::Builder::new().name("rank".into()).spawn(body);
        let thread = thread.expect("the system gives a thread");
        Worker { jobs: Some(jobs), results, running: None, abort, thread: Some(thread) }
    }

    /// Starts the round that a snapshot holds frozen, unless it runs already or none is frozen.
    pub fn ensure(&mut self, snapshot: &Arc<Snapshot>) {
        let Some(frozen) = state::frozen(snapshot.as_ref()) else { return };
        if self.running == Some(frozen.round) {
            return;
        }
        self.running = Some(frozen.round);
        let job = Job { frozen, snapshot: Arc::clone(snapshot) };
        let jobs = self.jobs.as_ref().expect("present until drop");
        jobs.send(job).expect("the thread lives until the worker is dropped");
    }

    /// Waits for the running round.
    pub fn finish(&mut self) -> Result<Outcome, Fault> {
        let round = self.running.take();
        let outcome = self.results.recv().map_err(|_| {
            Fault::Consensus(format!("the rank worker died in round {}", round.unwrap_or(0)))
        })?;
        outcome.map_err(|error| Fault::Consensus(format!("rank round: {error}")))
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.abort.store(true, Ordering::Relaxed);
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            if thread.join().is_err() {
                tracing::error!("the rank worker panicked");
            }
        }
    }
}

/// Takes in what is new and sweeps.
fn compute(
    graph: &mut Graph,
    job: &Job,
    abort: &AtomicBool,
) -> Result<Outcome, cyber_kernels::Error> {
    let Job { frozen, snapshot } = job;
    graph.grow(frozen.particles);
    let loaded = u32::try_from(graph.links()).expect("fewer than 2^32 links");
    let new: Vec<Link> = (loaded..frozen.links)
        .map(|number| {
            let (neuron, from, to) = snapshot.link_ends(LinkNumber(number));
            Link { neuron: neuron.0, from: from.0, to: to.0 }
        })
        .collect();
    graph.append_links(&new);
    for number in 0..snapshot.neurons() {
        let neuron = snapshot.neuron(NeuronNumber(number)).expect("a number below the size");
        graph.set_stake(number, state::stake(snapshot.as_ref(), &neuron));
    }
    let codes = snapshot.rank().codes().flatten().copied();
    let previous: Vec<u32> = codes.take(frozen.particles as usize).collect();
    let published = state::published(snapshot.as_ref());
    let scale = published.map_or((frozen.code_bits, frozen.base_shift), |published| {
        (published.code_bits, published.base_shift)
    });
    let to = (frozen.code_bits, frozen.base_shift);
    let codes = code::starting_codes(&previous, scale, frozen.particles, to);
    let parameters = Parameters {
        damping_atomics: frozen.damping_atomics,
        code_bits: frozen.code_bits,
        source_stake: frozen.source_stake,
        sweeps: frozen.sweeps,
        base_shift: frozen.base_shift,
    };
    graph.run(&parameters, &codes, abort)
}
