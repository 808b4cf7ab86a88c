//! `cargo bench -p cyber-kernels --bench rank -- [S] [M] [L] [XL]`: our sweeps and rounds beside
//! those of others, on one graph in one process, variants interleaved; writes
//! `kernels/benches/report.md` and `.json`.
//! A variant whose result is wrong is not timed: the program ends. `--sweeps` leaves out the rounds
//! with new links; `--rounds` measures nothing else, shows ratios and writes no report; `--rmat`
//! and `--uniform` measure only that kind. L needs 10 GB, XL 100 GB; a size that does not fit is
//! refused before anything is measured.
#![allow(clippy::float_arithmetic, reason = "a benchmark; opponents compute in floats")]
#![allow(clippy::disallowed_methods, reason = "a benchmark reads the clock")]

mod generator;
mod memory;
mod opponents;
mod report;
mod sweeps;

use std::time::{Duration, Instant};

use cyber_kernels::{starting_codes, Control, Graph, Options, Outcome, Parameters, Strategy};

use generator::{generate, Input, Kind};
use report::{DeltaRow, Report, Section};

const RUNS: usize = 7;
/// Runs of a round with new links at sizes L and XL.
const FEW_RUNS: usize = 3;
const SHAPE: (u32, u32) = (15, 0);
const PARAMETERS: Parameters = Parameters {
    damping_atomics: 850_000_000_000_000_000,
    code_bits: SHAPE.0,
    source_stake: 1_000_000_000,
    sweeps: 64,
    base_shift: SHAPE.1,
};

/// Name, particles as a power of two, links for every two particles.
const SIZES: [(&str, u32, u32); 4] = [("S", 17, 16), ("M", 20, 16), ("L", 23, 24), ("XL", 27, 15)];
/// Measured at size L: both engines, all opponents and the list of links.
const BYTES_PER_LINK: usize = 100;

fn main() {
    let chosen = chosen().unwrap_or_else(|refusal| {
        eprintln!("{refusal}");
        std::process::exit(2);
    });
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let mut report = Report::read(threads);
    for (size, scale, degree) in chosen {
        for (kind, name, other) in
            [(Kind::Rmat, "RMAT", "--uniform"), (Kind::Uniform, "uniform", "--rmat")]
        {
            if !flag(other) {
                eprintln!("{name} {size}");
                let input = generate(kind, scale, degree);
                report.put(section(format!("{name} {size}"), input, threads, size));
                if !flag("--rounds") {
                    report.write();
                }
            }
        }
    }
    eprintln!("done");
    if !flag("--rounds") {
        println!("{}", report.markdown());
    }
}

/// The sizes that arguments name, S and M if they name none; or why this machine cannot.
fn chosen() -> Result<Vec<(&'static str, u32, u32)>, String> {
    let mut names: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with('-')).collect();
    if names.is_empty() {
        names = vec!["S".to_owned(), "M".to_owned()];
    }
    let known = |name: &String| SIZES.iter().any(|size| size.0 == name);
    if let Some(name) = names.iter().find(|&name| !known(name)) {
        return Err(format!("{name} is no size: S, M, L and XL are"));
    }
    let chosen: Vec<_> =
        SIZES.into_iter().filter(|size| names.iter().any(|name| name == size.0)).collect();
    for (name, scale, degree) in &chosen {
        let needed = (BYTES_PER_LINK * *degree as usize) << (scale - 1);
        let there = memory::total();
        if there != 0 && needed > there {
            let (needed, there) = (needed >> 30, there >> 30);
            return Err(format!("{name} needs about {needed} GiB of memory, here are {there} GiB"));
        }
    }
    Ok(chosen)
}

/// Whether an argument is there: `--sweeps` measures no rounds with new links.
fn flag(name: &str) -> bool {
    std::env::args().any(|argument| argument == name)
}

fn section(name: String, input: Input, threads: usize, size: &str) -> Section {
    let before = memory::reset_peak();
    let start = Instant::now();
    let mut graph = engine(&input, threads, Strategy::Full);
    let cold = round(&mut graph, &PARAMETERS, &cold_codes(&input));
    let (load, build) = (start.elapsed(), cold.timing.weights);
    let peak_bytes = memory::peak().saturating_sub(before);
    let bytes = graph.bytes();
    let sweeps = match flag("--rounds") {
        true => Vec::new(),
        false => sweeps::measure(&input, &mut graph, threads, size == "S"),
    };
    let runs = if size.ends_with('L') { FEW_RUNS } else { RUNS };
    let deltas = if flag("--sweeps") { Vec::new() } else { deltas(&input, graph, threads, runs) };
    Section {
        name,
        particles: input.particles,
        links: input.links.len(),
        load_ms: millis(load - cold.timing.sweeps),
        build_ms: millis(build),
        cold_sweeps: cold.sweeps,
        cold_ms: millis(cold.timing.sweeps),
        bytes,
        peak_bytes,
        sweeps,
        deltas,
    }
}

fn cold_codes(input: &Input) -> Vec<u32> {
    starting_codes(&[], SHAPE, input.particles, SHAPE)
}

fn engine(input: &Input, threads: usize, strategy: Strategy) -> Graph {
    let mut graph = Graph::with(Options { threads, strategy, ..Options::default() });
    graph.grow(input.particles);
    (0..).zip(&input.stakes).for_each(|(neuron, &stake)| graph.set_stake(neuron, stake));
    graph.append_links(&input.links);
    graph
}

fn round(graph: &mut Graph, parameters: &Parameters, codes: &[u32]) -> Outcome {
    graph.run(parameters, codes.to_vec(), &Control::default()).expect("a legal round")
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// Rounds after new links, in full and as it comes, from the same codes to the same codes.
fn deltas(input: &Input, mut full: Graph, threads: usize, runs: usize) -> Vec<DeltaRow> {
    let mut ours = engine(input, threads, Strategy::Cheapest);
    let mut codes = round(&mut full, &PARAMETERS, &cold_codes(input)).codes;
    assert!(codes == round(&mut ours, &PARAMETERS, &cold_codes(input)).codes);
    eprintln!("measuring rounds");
    let mut later = &input.later[..];
    let mut rows = Vec::new();
    for exponent in (2..=7).rev() {
        let count = input.links.len() / 10usize.pow(exponent);
        if count == 0 {
            continue;
        }
        let part = format!("10^-{exponent}");
        let mut row = DeltaRow { part, new_links: count, ..DeltaRow::default() };
        for _ in 0..runs {
            let (new, rest) = later.split_at(count);
            later = rest;
            full.append_links(new);
            ours.append_links(new);
            let expected = round(&mut full, &PARAMETERS, &codes);
            let found = round(&mut ours, &PARAMETERS, &codes);
            assert!(found.codes == expected.codes, "a delta round differs from a full one");
            assert_eq!(found.sweeps, expected.sweeps);
            row.add(&expected, &found);
            codes = found.codes;
        }
        eprintln!("{}: {:.2}", row.part, row.ratio());
        rows.push(row);
    }
    rows
}
