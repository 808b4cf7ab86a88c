//! The engine of a node with a worker: the device computes where it can, the CPU always could.
//!
//! Invariant: a round gives the codes of the definition, or of a worker that [`super::verify`] did
//! not catch. Whatever the worker does (absent, ends, hangs, fails, answers wrongly), the round
//! goes on at once on the CPU, whose graph takes in everything all the time; there is one report
//! for each fault. A worker that failed is started again after a pause that doubles each time; one
//! that computed wrongly is not. Starting (with a test against the definition, and the graph's way
//! to the device) happens beside the rounds.
//!
//! Deliberately absent: what the reports become (the node's logs and metrics), and where the limit
//! for a round comes from.

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::client::{Client, Fault, Program, Source, Wanted};
use super::self_test;
use super::verify::{by_computing, Checks, Found};
use crate::{Control, Error, Graph, Link, Outcome, Parameters, Timing};

/// How a worker is used.
#[derive(Clone)]
pub struct Options {
    pub program: Program,
    /// For starting, testing and loading.
    pub start_limit: Duration,
    /// First and longest pause before another start.
    pub pauses: (Duration, Duration),
    pub checks: Checks,
    /// Whether a new worker must show on small graphs that it computes as the definition does.
    pub self_test: bool,
    /// Whether a round waits for a worker that is being started, for tests.
    pub wait_for_start: bool,
}

impl Options {
    /// As a node wants it.
    pub fn new(program: Program) -> Options {
        Options {
            program,
            start_limit: Duration::from_secs(600),
            pauses: (Duration::from_secs(1), Duration::from_secs(300)),
            checks: Checks::default(),
            self_test: true,
            wait_for_start: false,
        }
    }
}

/// What happened to the worker.
#[derive(Debug)]
pub enum Event<'a> {
    /// It started, passed its test and has the graph.
    Up { device: &'a str },
    /// It computed a round.
    Round,
    /// It is of no more use; another one is started after the pause, if any.
    Fault { fault: &'a Fault, pause: Option<Duration> },
}

/// Who is told what happened.
pub type Report = Arc<dyn Fn(&Event<'_>) + Send + Sync>;

/// A round and what is new since the last one.
pub struct Work<'a> {
    pub particles: u32,
    pub links: &'a [Link],
    /// Rank-stakes that moved.
    pub stakes: &'a [(u32, u64)],
    /// The codes the round starts from.
    pub codes: Vec<u32>,
    pub parameters: Parameters,
    /// All of it, for a worker that starts from nothing.
    pub source: Arc<dyn Source>,
    /// How long the worker may take, before the CPU does it.
    pub limit: Duration,
}

/// A graph that only grows, and its rounds.
pub struct Engine {
    graph: Graph,
    device: Option<Device>,
}

struct Device {
    options: Options,
    report: Report,
    state: State,
    /// Faults since the last round that went well.
    faults: u32,
    /// Stakes that moved since the worker was, or began to be, loaded.
    unsent: Vec<(u32, u64)>,
    stop: Arc<AtomicBool>,
    /// Chooses what is computed again, unforeseeable for the worker.
    secret: RandomState,
    rounds: u64,
    /// Sweeps of the last round.
    sweeps: u32,
}

enum State {
    /// To be started from this moment on.
    Down(Instant),
    Starting(JoinHandle<Result<Client, Fault>>),
    Up(Box<Client>),
    /// Never again.
    Out,
}

impl Engine {
    /// An empty graph; rounds on the CPU use at most `threads` threads.
    pub fn new(threads: usize, device: Option<(Options, Report)>) -> Engine {
        Engine { graph: Graph::new(threads), device: device.map(Device::new) }
    }

    /// Rounds on the CPU use at most `threads` threads from now on.
    pub fn set_threads(&mut self, threads: usize) {
        self.graph.set_threads(threads);
    }

    /// Links taken in so far.
    pub fn links(&self) -> u64 {
        self.graph.links()
    }

    /// The process of a worker that is up, for tests.
    pub fn worker_process(&self) -> Option<u32> {
        match &self.device.as_ref()?.state {
            State::Up(client) => client.process(),
            _ => None,
        }
    }

    /// Whether a worker is up.
    pub fn is_up(&self) -> bool {
        self.device.as_ref().is_some_and(|device| matches!(device.state, State::Up(_)))
    }

    /// Takes in what is new and computes a round, as [`Graph::run`] does.
    pub fn run(&mut self, work: Work<'_>, control: &Control) -> Result<Outcome, Error> {
        self.graph.grow(work.particles);
        self.graph.append_links(work.links);
        work.stakes.iter().for_each(|&(neuron, stake)| self.graph.set_stake(neuron, stake));
        if let Some(device) = &mut self.device {
            if let Some(outcome) = device.round(&mut self.graph, &work, control)? {
                return Ok(outcome);
            }
        }
        self.graph.run(&work.parameters, work.codes, control)
    }
}

impl Device {
    fn new((options, report): (Options, Report)) -> Device {
        Device {
            options,
            report,
            state: State::Down(now()),
            faults: 0,
            unsent: Vec::new(),
            stop: Arc::new(AtomicBool::new(false)),
            secret: RandomState::new(),
            rounds: 0,
            sweeps: 0,
        }
    }

    /// The worker's round, if there is a worker and it made it.
    fn round(
        &mut self,
        graph: &mut Graph,
        work: &Work<'_>,
        control: &Control,
    ) -> Result<Option<Outcome>, Error> {
        self.unsent.extend_from_slice(work.stakes);
        self.start(&work.source);
        self.greet();
        let State::Up(client) = &mut self.state else { return Ok(None) };
        self.rounds += 1;
        let choice = self.secret.hash_one(self.rounds);
        let chosen = (&self.options.checks, choice, self.sweeps);
        match attempt(client, graph, work, &mut self.unsent, chosen, control) {
            Ok(outcome) => {
                (self.faults, self.sweeps) = (0, outcome.sweeps);
                (self.report)(&Event::Round);
                Ok(Some(outcome))
            }
            Err(Found::Error(error)) => Err(error),
            Err(Found::Fault(Fault::Stopped)) => Err(Error::Aborted),
            Err(Found::Fault(fault)) => {
                self.fail(&fault);
                Ok(None)
            }
        }
    }

    /// Begins to start a worker if it is time to.
    fn start(&mut self, source: &Arc<dyn Source>) {
        if !matches!(self.state, State::Down(from) if from <= now()) {
            return;
        }
        self.unsent.clear();
        let (options, source) = (self.options.clone(), Arc::clone(source));
        let stop = Arc::clone(&self.stop);
        let body = move || {
            let wanted = Wanted::within(options.start_limit, &stop);
            let mut client = Client::start(&options.program, wanted)?;
            if options.self_test {
                self_test::run(&mut client, wanted)?;
            }
            client.take(&*source, &source.stakes(), wanted)?;
            Ok(client)
        };
        match std::thread::Builder::new().name("gpu start".into()).spawn(body) {
            Ok(thread) => self.state = State::Starting(thread),
            Err(error) => self.fail(&Fault::Absent(error.to_string())),
        }
    }

    /// Takes over a worker that has been started.
    fn greet(&mut self) {
        let ready = |thread: &JoinHandle<_>| self.options.wait_for_start || thread.is_finished();
        if !matches!(&self.state, State::Starting(thread) if ready(thread)) {
            return;
        }
        let State::Starting(thread) = std::mem::replace(&mut self.state, State::Out) else {
            return;
        };
        match thread.join().expect("starting a worker does not panic") {
            Ok(client) => {
                (self.report)(&Event::Up { device: client.device() });
                self.state = State::Up(Box::new(client));
            }
            Err(fault) => self.fail(&fault),
        }
    }

    /// Puts a worker away.
    fn fail(&mut self, fault: &Fault) {
        let (first, most) = self.options.pauses;
        let pause = match fault {
            Fault::Wrong(_) => None,
            // What is not there will hardly come soon.
            Fault::Absent(_) => Some(most),
            _ => Some(first.saturating_mul(1 << self.faults.min(16)).min(most)),
        };
        self.faults += 1;
        self.state = pause.map_or(State::Out, |pause| State::Down(now() + pause));
        (self.report)(&Event::Fault { fault, pause });
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

/// Asks the worker, and checks what it answers.
fn attempt(
    client: &mut Client,
    graph: &mut Graph,
    work: &Work<'_>,
    unsent: &mut Vec<(u32, u64)>,
    (checks, choice, usual): (&Checks, u64, u32),
    control: &Control,
) -> Result<Outcome, Found> {
    let parameters = &work.parameters;
    parameters.check()?;
    let begin = now();
    let wanted = Wanted::within(work.limit, control.aborted());
    client.take(&*work.source, unsent, wanted)?;
    unsent.clear();
    let weights = begin.elapsed();
    let begin = now();
    // Mostly a sweep that there will be.
    let among = if usual == 0 { parameters.sweeps } else { usual.min(parameters.sweeps) };
    let sample = match checks.cover(graph, parameters.sweeps) {
        true => 0,
        false => 1 + (choice % u64::from(among)) as u32,
    };
    let found = client.run(parameters, &work.codes, sample, wanted)?;
    let sweeps = begin.elapsed();
    let begin = now();
    by_computing(graph, parameters, &work.codes, &found, (checks, choice, control))?;
    let timing = Timing {
        weights,
        sweeps,
        codes: begin.elapsed(),
        full_sweeps: found.sweeps,
        ..Timing::default()
    };
    Ok(Outcome {
        codes: found.codes,
        sweeps: found.sweeps,
        changed_in_last_sweep: found.changed_in_last_sweep,
        timing,
    })
}

#[allow(clippy::disallowed_methods, reason = "pauses and logs; no result depends on it")]
fn now() -> Instant {
    Instant::now()
}
