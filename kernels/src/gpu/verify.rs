//! Whether a worker's answer is right, as far as it pays to look.
//!
//! 1. It must agree with itself: hashes with codes, the sample with the hashes, totals with values.
//! 2. Where a whole round on the CPU is cheap, all of it is computed again: a proof.
//! 3. Else one sweep, chosen where the worker cannot guess it, is computed again: whole on graphs
//!    of middle size, the particles of one block on large ones. That finds a device that often
//!    computes wrongly, and only by chance one that does so once: detection, no proof.
//!
//! Both ways the CPU engine is asked, which the node keeps anyway.

use super::client::Fault;
use super::hash;
use super::resident::Sweeps;
use crate::{code, Control, Error, Graph, Parameters};

/// How much is computed again. Either number may be 0.
#[derive(Clone, Copy, Debug)]
pub struct Checks {
    /// Links and particles times sweeps up to which a whole round is.
    pub round_work: u64,
    /// Links and particles up to which a whole sweep is, and not a part of its particles.
    pub sweep_work: u64,
}

impl Default for Checks {
    /// A few milliseconds on one core.
    fn default() -> Checks {
        Checks { round_work: 1 << 20, sweep_work: 1 << 20 }
    }
}

impl Checks {
    /// Whether a round of so many sweeps is computed again as a whole.
    pub fn cover(&self, graph: &Graph, sweeps: u32) -> bool {
        size(graph).saturating_mul(sweeps.into()) <= self.round_work
    }
}

/// Why there is no answer to be used.
#[derive(Debug)]
pub enum Found {
    /// The worker's.
    Fault(Fault),
    /// The round's.
    Error(Error),
}

impl From<Fault> for Found {
    fn from(fault: Fault) -> Found {
        Found::Fault(fault)
    }
}

impl From<Error> for Found {
    fn from(error: Error) -> Found {
        Found::Error(error)
    }
}

/// Looks at an answer alone. `start` is the hash of the codes that the round began with.
pub fn agrees_with_itself(
    found: &Sweeps,
    parameters: &Parameters,
    start: u64,
    sample: u32,
) -> Result<(), String> {
    let bits = parameters.code_bits;
    if found.hashes[0] != start {
        return Err("it did not start from the codes it should".to_owned());
    }
    let last = found.sweeps as usize;
    let is = hash::codes(&found.codes);
    if is != found.hashes[last] {
        return Err(format!("codes of hash {is:016x}, not {:016x}", found.hashes[last]));
    }
    if let Some(place) = found.codes.iter().position(|&code| !code::is_canonical(code, bits)) {
        return Err(format!("{:#x} of particle {place} is no code", found.codes[place]));
    }
    let values = found.codes.iter().map(|&code| u128::from(code::value(code, bits)));
    let total: u128 = values.sum();
    if total != u128::from(found.total) {
        return Err(format!("a total of {}, not {total}", found.total));
    }
    let rests = found.changed_in_last_sweep == 0;
    if rests != (found.hashes[last - 1] == found.hashes[last]) {
        return Err(format!("{} codes changed in sweep {last}", found.changed_in_last_sweep));
    }
    if !rests && found.sweeps < parameters.sweeps {
        return Err(format!("it stopped after sweep {last}, which changed codes"));
    }
    let early = found.hashes[..last].windows(2).position(|pair| pair[0] == pair[1]);
    if let Some(sweep) = early {
        return Err(format!("it went on after sweep {}, which changed nothing", sweep + 1));
    }
    if let Some([before, after]) = &found.sample {
        let after_last = sample > found.sweeps;
        let (one, two) = match after_last {
            true => (last, last),
            false => (sample as usize - 1, sample as usize),
        };
        if [hash::codes(before), hash::codes(after)] != [found.hashes[one], found.hashes[two]] {
            return Err(format!("the codes around sweep {sample} are not those it has hashes of"));
        }
    }
    Ok(())
}

/// Computes a part of the answer again. The graph holds what the worker's does; `choice` is a
/// number that the worker cannot know.
pub fn by_computing(
    graph: &mut Graph,
    parameters: &Parameters,
    start: &[u32],
    found: &Sweeps,
    (checks, choice, control): (&Checks, u64, &Control),
) -> Result<(), Found> {
    if checks.cover(graph, found.sweeps) {
        let own = graph.run(parameters, start.to_vec(), control)?;
        let is = (own.sweeps, own.changed_in_last_sweep);
        if (found.sweeps, found.changed_in_last_sweep) != is || found.codes != own.codes {
            return Err(wrong(first_difference("round", &found.codes, &own.codes)));
        }
        return Ok(());
    }
    let Some([before, after]) = &found.sample else { return Ok(()) };
    if size(graph) <= checks.sweep_work {
        let one = Parameters { sweeps: 1, ..*parameters };
        let own = graph.run(&one, before.clone(), control).map_err(theirs)?;
        if own.codes != *after {
            return Err(wrong(first_difference("sweep", after, &own.codes)));
        }
        return Ok(());
    }
    for (particle, code) in graph.part_of_sweep(parameters, before, choice).map_err(theirs)? {
        let is = after[particle as usize];
        if is != code {
            let text = format!("sweep: {is:#x} for particle {particle}, right is {code:#x}");
            return Err(wrong(text));
        }
    }
    Ok(())
}

/// What a sweep goes through.
fn size(graph: &Graph) -> u64 {
    graph.links() + u64::from(graph.particles())
}

/// An error over the worker's codes is the worker's.
fn theirs(error: Error) -> Found {
    match error {
        Error::Aborted => Found::Error(error),
        _ => wrong(format!("sweep: {error}")),
    }
}

fn wrong(text: String) -> Found {
    Found::Fault(Fault::Wrong(text))
}

fn first_difference(what: &str, theirs: &[u32], own: &[u32]) -> String {
    match theirs.iter().zip(own).position(|(a, b)| a != b) {
        Some(place) => {
            format!("{what}: {:#x} for particle {place}, right is {:#x}", theirs[place], own[place])
        }
        None => format!("{what}: the number of sweeps or changes"),
    }
}
