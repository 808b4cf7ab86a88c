//! Checks a file of known answers, the format of `tests/vectors/rank.json`, with every engine.
//! Shared by the test and the example `vectors`.

mod engines;

use std::path::Path;

use cyber_kernels::{base_shift, hold_stake, starting_codes, Link, Parameters};
use serde::Deserialize;

use engines::{Answer, Engine, Named};

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

/// Number of cases and engines checked, or the first difference. `folder` is where engines that are
/// compiled first are put.
pub fn check(text: &str, folder: &Path) -> Result<(usize, usize), String> {
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
    let engines = engines::all(folder);
    for case in &file.cases {
        for engine in &engines {
            check_case(case, engine).map_err(|difference| {
                format!("case {:?}, engine {}: {difference}", case.name, engine.name)
            })?;
        }
    }
    Ok((file.cases.len(), engines.len()))
}

fn check_case(case: &Case, engine: &Named) -> Result<(), String> {
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
    let phases = [
        ("cold", &first, &case.stakes, &case.cold, case.cold_sweeps),
        ("warm", &then, &case.warm_stakes, &case.warm, case.warm_sweeps),
    ];
    // One graph makes whole rounds, the other stops after each sweep.
    let (mut whole, mut stepped) = ((engine.new)()?, (engine.new)()?);
    for (phase, links, stakes, expected, sweeps) in phases {
        let stakes = numbers(stakes)?;
        for graph in [&mut whole, &mut stepped] {
            graph.take(case.particles, links, &stakes);
        }
        let history = steps(&mut *stepped, &parameters, codes.clone())?;
        let (at_once, after, _) = whole.run(&parameters, &codes)?;
        same(at_once as usize, history.len(), || format!("{phase}: sweeps at once"))?;
        compare(&after, history.last(), || format!("{phase}: whole round"))?;
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

/// The codes after each sweep, one round per sweep.
fn steps(
    graph: &mut dyn Engine,
    parameters: &Parameters,
    mut codes: Vec<u32>,
) -> Result<Vec<Vec<u32>>, String> {
    let mut history = Vec::new();
    for _ in 0..parameters.sweeps {
        let one = Parameters { sweeps: 1, ..*parameters };
        let (_, after, changed): Answer = graph.run(&one, &codes)?;
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
