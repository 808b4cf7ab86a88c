//! Checks a file of known answers, the format of `tests/vectors/rank.json`, with every engine.
//! Shared by the test and the example `vectors`.

use std::sync::atomic::AtomicBool;

use cyber_kernels::{
    base_shift, cpu, hold_stake, starting_codes, Graph, Link, Options, Parameters, Strategy,
};
use serde::Deserialize;

#[derive(Deserialize)]
struct File {
    rank_stakes: Vec<RankStakes>,
    base_shift: Vec<(u64, u32)>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct RankStakes {
    stakes: Vec<String>,
    held: Vec<String>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    particles: u32,
    code_bits: u32,
    sweeps_max: u32,
    base: String,
    source_stake: String,
    stakes: Vec<String>,
    links: Vec<(u32, u32, u32)>,
    cold_sweeps: u32,
    cold: Vec<Vec<u32>>,
    warm_stakes: Vec<String>,
    warm_links: Vec<(u32, u32, u32)>,
    warm_sweeps: u32,
    warm: Vec<Vec<u32>>,
}

/// The damping factor that all known answers use, in 18 decimals.
const DAMPING: u64 = 850_000_000_000_000_000;

/// Number of cases and engines checked, or the first difference.
pub fn check(text: &str) -> Result<(usize, usize), String> {
    let file: File = serde_json::from_str(text).map_err(|error| error.to_string())?;
    for history in &file.rank_stakes {
        let mut held = 0;
        for (stake, expected) in numbers(&history.stakes)?.into_iter().zip(numbers(&history.held)?)
        {
            let before = held;
            held = hold_stake(before, stake, 10);
            same(held, expected, || format!("rank-stake of {stake} after {before}"))?;
        }
    }
    for &(particles, expected) in &file.base_shift {
        same(base_shift(particles, DAMPING), expected, || {
            format!("base of {particles} particles")
        })?;
    }
    let engines = engines();
    for case in &file.cases {
        for engine in &engines {
            check_case(case, engine).map_err(|difference| {
                format!("case {:?}, engine {}: {difference}", case.name, engine.name)
            })?;
        }
    }
    Ok((file.cases.len(), engines.len()))
}

/// An engine by name; the definition has no graph.
struct Engine {
    name: &'static str,
    graph: Option<fn() -> Graph>,
}

fn engines() -> Vec<Engine> {
    fn with(threads: usize, strategy: Strategy) -> Graph {
        Graph::with(Options { threads, strategy, apart: 100, work_per_thread: 1 })
    }
    let engine = |name, graph| Engine { name, graph };
    vec![
        engine("definition", None),
        engine("full, one thread", Some(|| with(1, Strategy::Full))),
        engine("full, two threads", Some(|| with(2, Strategy::Full))),
        engine("delta, one thread", Some(|| with(1, Strategy::Delta))),
        engine("delta, two threads", Some(|| with(2, Strategy::Delta))),
        engine("cheapest, one thread", Some(|| with(1, Strategy::Cheapest))),
        engine("cheapest, sixteen threads", Some(|| with(16, Strategy::Cheapest))),
        engine("as in a node", Some(|| Graph::new(2))),
    ]
}

fn check_case(case: &Case, engine: &Engine) -> Result<(), String> {
    let parameters = Parameters {
        damping_atomics: DAMPING,
        code_bits: case.code_bits,
        source_stake: number(&case.source_stake)?,
        sweeps: case.sweeps_max,
        base_shift: base_shift(u64::from(case.particles), DAMPING),
    };
    same(parameters.base(), number(&case.base)?, || "base".into())?;
    let shape = (case.code_bits, parameters.base_shift);
    let mut codes = starting_codes(&[], shape, case.particles, shape);
    let (first, then) = (links(&case.links), links(&case.warm_links));
    let all: Vec<Link> = first.iter().chain(&then).copied().collect();
    let phases = [
        ("cold", &first, &first, &case.stakes, &case.cold, case.cold_sweeps),
        ("warm", &all, &then, &case.warm_stakes, &case.warm, case.warm_sweeps),
    ];
    // One graph makes whole rounds, the other stops after each sweep.
    let mut graphs = engine.graph.map(|new| [new(), new()]);
    for (phase, all, new, stakes, expected, sweeps) in phases {
        let stakes = numbers(stakes)?;
        let history = match &mut graphs {
            None => cpu::round(all, &stakes, &parameters, codes),
            Some([whole, stepped]) => {
                for graph in [&mut *whole, &mut *stepped] {
                    graph.grow(case.particles);
                    graph.append_links(new);
                    (0..).zip(&stakes).for_each(|(n, &stake)| graph.set_stake(n, stake));
                }
                let history = steps(stepped, &parameters, codes.clone())?;
                let outcome = run(whole, &parameters, &codes)?;
                same(outcome.0 as usize, history.len(), || format!("{phase}: sweeps at once"))?;
                compare(&outcome.1, history.last(), || format!("{phase}: whole round"))?;
                history
            }
        };
        same(history.len() as u32, sweeps, || format!("{phase}: sweeps"))?;
        // Large cases show only the first two sweeps and the last.
        for (index, expected_codes) in expected.iter().enumerate() {
            let sweep = if index + 1 == expected.len() { history.len() } else { index + 1 };
            compare(expected_codes, history.get(sweep - 1), || format!("{phase}, sweep {sweep}"))?;
        }
        codes = history.last().cloned().unwrap_or_default();
    }
    Ok(())
}

fn run(
    graph: &mut Graph,
    parameters: &Parameters,
    codes: &[u32],
) -> Result<(u32, Vec<u32>, u64), String> {
    let outcome =
        graph.run(parameters, codes, &AtomicBool::new(false)).map_err(|error| error.to_string())?;
    Ok((outcome.sweeps, outcome.codes, outcome.changed_in_last_sweep))
}

/// The codes after each sweep, one round per sweep.
fn steps(
    graph: &mut Graph,
    parameters: &Parameters,
    mut codes: Vec<u32>,
) -> Result<Vec<Vec<u32>>, String> {
    let mut history = Vec::new();
    for _ in 0..parameters.sweeps {
        let (_, after, changed) = run(graph, &Parameters { sweeps: 1, ..*parameters }, &codes)?;
        let moved = after.iter().zip(&codes).filter(|(a, b)| a != b).count();
        same(changed, moved as u64, || format!("sweep {}: codes changed", history.len() + 1))?;
        history.push(after.clone());
        if changed == 0 {
            break;
        }
        codes = after;
    }
    Ok(history)
}

fn compare(
    expected: &[u32],
    found: Option<&Vec<u32>>,
    what: impl Fn() -> String,
) -> Result<(), String> {
    let found = found.ok_or_else(|| format!("{}: missing", what()))?;
    same(found.len(), expected.len(), || format!("{}: number of codes", what()))?;
    for (particle, (found, expected)) in found.iter().zip(expected).enumerate() {
        same(found, expected, || format!("{}, particle {particle}", what()))?;
    }
    Ok(())
}

fn same<T: PartialEq + std::fmt::Display>(
    found: T,
    expected: T,
    what: impl Fn() -> String,
) -> Result<(), String> {
    if found == expected {
        return Ok(());
    }
    Err(format!("{}: {found} instead of {expected}", what()))
}

fn links(triples: &[(u32, u32, u32)]) -> Vec<Link> {
    triples.iter().map(|&(neuron, from, to)| Link { neuron, from, to }).collect()
}

fn number(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| format!("{text:?} is no number below 2^64"))
}

fn numbers(texts: &[String]) -> Result<Vec<u64>, String> {
    texts.iter().map(|text| number(text)).collect()
}
