//! The graph that go-cyber exports beside its genesis (`export/graph`, read back as
//! `config/graph`): numbers are 8 bytes, little endian.
//!
//! ```text
//! particles ‖ each: length of the CID (1) ‖ CID, a text ‖ its number
//! ‖ links ‖ each: from ‖ to ‖ account number
//! ```

use super::accounts::Ledger;
use super::report::{SectionReport, Total};
use super::source::fault;
use crate::error::Fault;
use crate::node::cometbft::genesis::lists::{GraphLists, NewLink};
use crate::types::Particle;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

/// Reads the file.
///
/// # Errors
/// [`Fault::Genesis`]: it is no such file, or ends early.
pub fn read(
    path: &Path,
    ledger: &Ledger,
    report: &mut SectionReport,
    totals: &mut Vec<Total>,
) -> Result<GraphLists, Fault> {
    let at = |text: String| Fault::Genesis(format!("{}: {text}", path.display()));
    let file = File::open(path).map_err(|error| at(error.to_string()))?;
    let bytes = file.metadata().map_err(|error| at(error.to_string()))?.len();
    let mut input = Input { inner: BufReader::with_capacity(1 << 20, file), path };
    let count = input.u64()?;
    if count > bytes / 9 {
        return fault(format!("{}: {count} particles do not fit into it", path.display()));
    }
    let (numbered, strange) = input.particles(count)?;
    let find = |number: u64| {
        let place = numbered.binary_search_by_key(&number, |(number, _)| *number);
        place.ok().map(|place| numbered[place].1)
    };
    let links = input.u64()?;
    let particles = numbered.iter().map(|(_, one)| *one).collect();
    let graph = GraphLists::of_particles(particles);
    let mut graph = graph.map_err(|fault| at(text_of(fault)))?;
    let (mut nobody, mut nothing, mut itself) = (0u64, 0u64, 0u64);
    let mut all = Vec::new();
    for _ in 0..links {
        let [from, to, account] = [input.u64()?, input.u64()?, input.u64()?];
        match (find(from), find(to), ledger.numbers.get(&account)) {
            (Some(from), Some(to), _) if from == to => itself += 1,
            (Some(from), Some(to), Some(neuron)) => {
                all.push(NewLink { neuron: *neuron, from, to });
            }
            (Some(_), Some(_), None) => nobody += 1,
            _ => nothing += 1,
        }
    }
    input.end()?;
    let added = graph.extend(&all)?;
    report.took(format!("{} particles in the order of their numbers", numbered.len()));
    report.took(format!("{} cyberlinks with their neurons", added.added));
    report.changed("cyberlinks carry height 0: the file does not tell when they were made");
    for (count, what) in [
        (strange, "particles that are no CIDv0"),
        (nobody, "links of account numbers that no account has"),
        (nothing, "links from or to a particle that is not there"),
        (itself, "links of a particle to itself"),
        (added.passed_over, "links that stand twice"),
    ] {
        if count > 0 {
            report.left(format!("{count} {what}"));
        }
    }
    let reason = "those that were left, as said above".to_owned();
    for (what, source, ours) in
        [("particles", count, numbered.len() as u64), ("cyberlinks", links, added.added)]
    {
        let (source, ours, reason) = (source.into(), ours.into(), reason.clone());
        totals.push(Total { what: what.to_owned(), source, ours, reason });
    }
    Ok(graph)
}

fn text_of(fault: Fault) -> String {
    match fault {
        Fault::Genesis(text) => text,
        other => other.to_string(),
    }
}

struct Input<'a> {
    inner: BufReader<File>,
    path: &'a Path,
}

impl Input<'_> {
    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), Fault> {
        self.inner.read_exact(bytes).map_err(|error| {
            Fault::Genesis(format!(
                "{}: {error}: a graph that go-cyber exported is right",
                self.path.display()
            ))
        })
    }

    /// So many particles in the order of their numbers, and how many are none of this chain's.
    fn particles(&mut self, count: u64) -> Result<(Vec<(u64, Particle)>, u64), Fault> {
        let mut numbered: Vec<(u64, Particle)> = Vec::new();
        let mut strange = 0u64;
        for _ in 0..count {
            let [length] = self.array::<1>()?;
            let mut cid = vec![0; length.into()];
            self.fill(&mut cid)?;
            let number = self.u64()?;
            match std::str::from_utf8(&cid).ok().and_then(|cid| Particle::parse(cid).ok()) {
                Some(particle) => numbered.push((number, particle)),
                None => strange += 1,
            }
        }
        numbered.sort_unstable_by_key(|(number, _)| *number);
        let Some(pair) = numbered.windows(2).find(|pair| pair[0].0 == pair[1].0) else {
            return Ok((numbered, strange));
        };
        let (number, one, other) = (pair[0].0, pair[0].1, pair[1].1);
        let path = self.path.display();
        fault(format!("{path}: number {number} is that of {one} and of {other}: one is right"))
    }

    /// Refuses a file that goes on.
    fn end(&mut self) -> Result<(), Fault> {
        let path = self.path.display();
        match self.inner.fill_buf() {
            Ok([]) => Ok(()),
            Ok(_) => fault(format!("{path}: it goes on after its last link: a whole one is right")),
            Err(error) => fault(format!("{path}: {error}")),
        }
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        let mut bytes = [0; N];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }

    fn u64(&mut self) -> Result<u64, Fault> {
        self.array().map(u64::from_le_bytes)
    }
}
