//! Whatever a worker does, every round gives the codes of the definition: a scripted false worker
//! with a thousand random faults, the real worker over the host shim, and the real process killed.
#![cfg(unix)]

mod false_worker;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use cyber_kernels::gpu::{
    self, Checks, Device, Engine, Event, Fault, Listed, Options, Program, Report, Work,
};
use cyber_kernels::{cpu, starting_codes, Control, Link, Parameters};
use false_worker::{Numbers, Trick};

const PARAMETERS: Parameters = Parameters {
    damping_atomics: 850_000_000_000_000_000,
    code_bits: 15,
    source_stake: 1_000,
    sweeps: 40,
    base_shift: 0,
};

/// A history of rounds, computed by an engine and by the definition.
struct History {
    numbers: Numbers,
    frozen: Listed,
    known: BTreeSet<Link>,
    codes: Vec<u32>,
    limit: Duration,
}

impl History {
    fn new(seed: u64, limit: Duration) -> History {
        let frozen = Listed { particles: 1, links: Vec::new(), stakes: vec![0; 8] };
        let numbers = Numbers(seed);
        History { numbers, frozen, known: BTreeSet::new(), codes: Vec::new(), limit }
    }

    /// A round with something new, compared. Stakes are told as moved or, to a new engine, all.
    fn round(&mut self, engine: &mut Engine) {
        let (numbers, frozen) = (&mut self.numbers, &mut self.frozen);
        frozen.particles += numbers.below(3);
        for _ in 0..numbers.below(8) {
            let ends = (numbers.below(frozen.particles), numbers.below(frozen.particles));
            let link = Link { neuron: numbers.below(8), from: ends.0, to: ends.1 };
            if self.known.insert(link) {
                frozen.links.push(link);
            }
        }
        let mut moved = BTreeSet::from([numbers.below(8)]);
        frozen.stakes[*moved.first().expect("one") as usize] = 1 << numbers.below(40);
        let loaded = engine.links() as usize;
        if loaded == 0 {
            moved.extend(0..8);
        }
        let stakes: Vec<(u32, u64)> =
            moved.iter().map(|&neuron| (neuron, frozen.stakes[neuron as usize])).collect();
        let start = starting_codes(&self.codes, (15, 0), frozen.particles, (15, 0));
        let expected = cpu::round(&frozen.links, &frozen.stakes, &PARAMETERS, start.clone());
        let work = Work {
            particles: frozen.particles,
            links: &frozen.links[loaded..],
            stakes: &stakes,
            codes: start,
            parameters: PARAMETERS,
            source: Arc::new(frozen.clone()),
            limit: self.limit,
        };
        let outcome = engine.run(work, &Control::default()).expect("a legal round");
        assert_eq!(Some(&outcome.codes), expected.last());
        assert_eq!(outcome.sweeps as usize, expected.len());
        self.codes = outcome.codes;
    }
}

/// What was reported: faults by kind, and what else by name.
type Counts = Arc<Mutex<BTreeMap<&'static str, u32>>>;

fn counting() -> (Counts, Report) {
    let counts = Counts::default();
    let own = Arc::clone(&counts);
    let report = move |event: &Event<'_>| {
        let name = match event {
            Event::Up { .. } => "up",
            Event::Round => "round",
            Event::Fault { fault, .. } => fault.kind(),
        };
        *own.lock().expect("no panic").entry(name).or_default() += 1;
    };
    (counts, Arc::new(report))
}

fn count(counts: &Counts, name: &str) -> u32 {
    counts.lock().expect("no panic").get(name).copied().unwrap_or(0)
}

/// Without pauses; rounds wait for the worker's start.
fn options(program: Program, limit: Duration) -> Options {
    Options {
        start_limit: limit,
        pauses: (Duration::ZERO, Duration::ZERO),
        self_test: false,
        wait_for_start: true,
        ..Options::new(program)
    }
}

/// The kernels for the host, compiled once.
fn shim() -> &'static Path {
    static SHIM: OnceLock<PathBuf> = OnceLock::new();
    SHIM.get_or_init(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
        gpu::build_shim(folder).unwrap_or_else(|error| panic!("{error}"))
    })
}

/// The worker as it is, on a thread.
fn honest() -> Program {
    let shim = shim();
    Program::Thread(Arc::new(move |socket, shared| {
        // How it ended, the node's side has seen.
        let _ = gpu::serve(socket, &shared, || Device::host(shim));
    }))
}

const LONG: Duration = Duration::from_secs(60);

#[test]
fn a_thousand_random_faults_change_no_code_of_any_round() {
    const FAULTS: u32 = 1_000;
    // Long enough for an honest answer, mostly; what is late without a script costs nothing either.
    let limit = Duration::from_millis(40);
    let (counts, report) = counting();
    let program = false_worker::program_of_tricks(7);
    let new = || Engine::new(1, Some((options(program.clone(), limit), Arc::clone(&report))));
    let mut engine = new();
    let mut history = History::new(1, limit);
    let mut rounds = 0;
    let faults = || -> u32 {
        ["absent", "died", "late", "failed", "protocol", "wrong"]
            .map(|k| count(&counts, k))
            .iter()
            .sum()
    };
    while faults() < FAULTS {
        let wrong = count(&counts, "wrong");
        history.round(&mut engine);
        rounds += 1;
        if count(&counts, "wrong") > wrong {
            // Put out of use for good: as a node that starts again.
            assert!(!engine.is_up());
            history.round(&mut engine);
            assert!(!engine.is_up(), "one that computed wrongly is not started again");
            engine = new();
        }
        if rounds % 40 == 0 {
            history = History::new(rounds, limit);
            engine = new();
        }
        assert!(rounds < 20_000, "most workers do wrong soon");
    }
    let all = counts.lock().expect("no panic").clone();
    for kind in ["died", "late", "failed", "protocol", "wrong", "round"] {
        assert!(all.get(kind).is_some_and(|&count| count > 20), "{kind}: {all:?}");
    }
    eprintln!("{rounds} rounds: {all:?}");
}

#[test]
fn a_worker_that_is_not_there_is_one_report() {
    let (counts, report) = counting();
    let program = Program::Command(PathBuf::from("/nonexistent/cyber-gpu"));
    let options = Options { pauses: (LONG, LONG), ..options(program, LONG) };
    let mut engine = Engine::new(1, Some((options, report)));
    let mut history = History::new(3, LONG);
    (0..20).for_each(|_| history.round(&mut engine));
    assert_eq!(*counts.lock().expect("no panic"), BTreeMap::from([("absent", 1)]));
}

/// Rounds of an honest worker, under one way of checking.
fn honest_rounds(checks: Checks) {
    let (counts, report) = counting();
    let options = Options { checks, self_test: true, ..options(honest(), LONG) };
    let mut engine = Engine::new(2, Some((options, report)));
    let mut history = History::new(4, LONG);
    (0..60).for_each(|_| history.round(&mut engine));
    let all = counts.lock().expect("no panic").clone();
    assert_eq!(all, BTreeMap::from([("round", 60), ("up", 1)]), "{checks:?}");
}

#[test]
fn an_honest_worker_passes_its_test_and_every_check() {
    honest_rounds(Checks::default());
    honest_rounds(Checks { round_work: 0, sweep_work: u64::MAX });
    honest_rounds(Checks { round_work: 0, sweep_work: 0 });
}

#[test]
fn a_device_that_always_computes_wrongly_is_found_by_one_sweep_or_a_part_of_it() {
    for checks in [
        Checks { round_work: u64::MAX, sweep_work: 0 },
        Checks { round_work: 0, sweep_work: u64::MAX },
        Checks { round_work: 0, sweep_work: 0 },
    ] {
        let (counts, report) = counting();
        let program = false_worker::program_that_always(Trick::EverySweep);
        let options = Options { checks, ..options(program, LONG) };
        let mut engine = Engine::new(1, Some((options, report)));
        let mut history = History::new(5, LONG);
        // The first round has a graph of one particle, the same either way.
        let frozen = &mut history.frozen;
        frozen.particles = 30;
        frozen.links = (0..29).map(|n| Link { neuron: 0, from: n, to: n + 1 }).collect();
        frozen.stakes[0] = 1 << 30;
        let loaded: Vec<Link> = frozen.links.clone();
        history.known.extend(loaded);
        let start = starting_codes(&[], (15, 0), 30, (15, 0));
        let expected =
            cpu::round(&history.frozen.links, &history.frozen.stakes, &PARAMETERS, start.clone());
        let work = Work {
            particles: 30,
            links: &history.frozen.links,
            stakes: &[(0, 1 << 30)],
            codes: start,
            parameters: PARAMETERS,
            source: Arc::new(history.frozen.clone()),
            limit: LONG,
        };
        let outcome = engine.run(work, &Control::default()).expect("a legal round");
        assert_eq!(Some(&outcome.codes), expected.last(), "{checks:?}");
        assert_eq!(*counts.lock().expect("no panic"), BTreeMap::from([("up", 1), ("wrong", 1)]));
    }
}

#[test]
fn a_worker_fails_its_first_test_if_it_computes_wrongly() {
    let (counts, report) = counting();
    let program = false_worker::program_that_always(Trick::EverySweep);
    let options = Options { self_test: true, ..options(program, LONG) };
    let mut engine = Engine::new(1, Some((options, report)));
    let mut history = History::new(6, LONG);
    (0..5).for_each(|_| history.round(&mut engine));
    assert_eq!(*counts.lock().expect("no panic"), BTreeMap::from([("wrong", 1)]));
}

#[test]
fn a_round_that_is_aborted_while_the_worker_hangs_ends_soon() {
    let (_, report) = counting();
    let program = false_worker::program_that_always(Trick::Hang(4));
    let mut engine = Engine::new(1, Some((options(program, LONG), report)));
    let control = Control::default();
    let frozen = Listed {
        particles: 2,
        links: vec![Link { neuron: 0, from: 0, to: 1 }],
        stakes: vec![5; 8],
    };
    let start = starting_codes(&[], (15, 0), 2, (15, 0));
    let work = Work {
        particles: 2,
        links: &frozen.links,
        stakes: &[(0, 5)],
        codes: start,
        parameters: PARAMETERS,
        source: Arc::new(frozen.clone()),
        limit: LONG,
    };
    let answer = std::thread::scope(|scope| {
        let rounds = scope.spawn(|| engine.run(work, &control));
        control.abort();
        rounds.join().expect("no panic")
    });
    assert_eq!(answer.err(), Some(cyber_kernels::Error::Aborted));
}

#[test]
fn the_process_is_killed_again_and_again_and_no_round_notices() {
    // The process inherits the variable; no other test of this file starts one.
    std::env::set_var("CYBER_GPU_SHIM", shim());
    let (counts, report) = counting();
    let program = Program::Command(PathBuf::from(env!("CARGO_BIN_EXE_cyber-gpu")));
    let options = Options { self_test: true, ..options(program, LONG) };
    let mut engine = Engine::new(1, Some((options, report)));
    let mut history = History::new(8, LONG);
    let mut kills = 0;
    while kills < 12 {
        history.round(&mut engine);
        if let Some(process) = engine.worker_process().filter(|_| history.numbers.below(2) == 0) {
            let process = rustix::process::Pid::from_raw(process as i32).expect("not 0");
            rustix::process::kill_process(process, rustix::process::Signal::KILL).expect("ours");
            kills += 1;
        }
    }
    history.round(&mut engine);
    let all = counts.lock().expect("no panic").clone();
    assert_eq!(all["died"], kills, "{all:?}");
    assert!(all["up"] >= kills && all["round"] >= kills / 2, "{all:?}");
}

#[test]
fn faults_have_names_for_metrics() {
    let kinds = [Fault::Stopped, Fault::Late(LONG), Fault::Wrong(String::new())].map(|f| f.kind());
    assert_eq!(kinds, ["stopped", "late", "wrong"]);
}
