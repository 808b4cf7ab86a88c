//! What a new worker has to compute before it is trusted with a round: three rounds of a graph
//! that grows, with rows of every bin, dust and stakes near the end of the range, compared with
//! the definition after every sweep.

use super::client::{Client, Fault, Source, Wanted};
use super::hash;
use crate::{cpu, starting_codes, Link, Parameters};

const PARTICLES: u32 = 5_000;
const NEURONS: u32 = 24;

/// A graph as plain lists, for tests of workers.
#[derive(Clone, Debug, Default)]
pub struct Listed {
    pub particles: u32,
    pub links: Vec<Link>,
    /// By neuron.
    pub stakes: Vec<u64>,
}

impl Source for Listed {
    fn particles(&self) -> u32 {
        self.particles
    }

    fn links(&self) -> u32 {
        self.links.len() as u32
    }

    fn link(&self, number: u32) -> Link {
        self.links[number as usize]
    }

    fn stakes(&self) -> Vec<(u32, u64)> {
        (0..).zip(self.stakes.iter().copied()).collect()
    }
}

/// Has the worker compute the test; leaves its graph empty.
pub fn run(client: &mut Client, wanted: Wanted<'_>) -> Result<(), Fault> {
    let parameters = Parameters {
        damping_atomics: 850_000_000_000_000_000,
        code_bits: 15,
        source_stake: 1_000_000,
        sweeps: 12,
        base_shift: 0,
    };
    let mut graph = Listed::default();
    let mut codes = Vec::new();
    for stage in 0..3 {
        grow(&mut graph, stage);
        codes = starting_codes(&codes, (15, 0), graph.particles, (15, 0));
        let history = cpu::round(&graph.links, &graph.stakes, &parameters, codes.clone());
        client.take(&graph, &graph.stakes(), wanted)?;
        let found = client.run(&parameters, &codes, 2, wanted)?;
        let hashes = [&codes].into_iter().chain(&history).map(|codes| hash::codes(codes));
        let same = found.hashes.iter().copied().eq(hashes);
        if !same || Some(&found.codes) != history.last() {
            return Err(Fault::Wrong(format!("round {} of the test at the start", stage + 1)));
        }
        codes = found.codes;
    }
    client.clear(wanted)
}

/// More of everything. Links are unique: each is of another pair of neuron and source.
fn grow(graph: &mut Listed, stage: u32) {
    graph.particles = PARTICLES + stage * 40;
    let stake = |neuron| (7 + u64::from(stage)) << (neuron * 57 / NEURONS);
    graph.stakes = (0..NEURONS).map(stake).collect();
    let neuron = |n: u32| (n / 7 + stage * 5) % NEURONS;
    let share = PARTICLES / 3;
    let mut add = |from: u32, to: u32| {
        graph.links.push(Link { neuron: neuron(from), from, to });
    };
    for n in stage * share..(stage + 1) * share {
        // Rows of thousands, of a hundred, of ten, of a few words; a tenth lead nowhere.
        if n % 10 != 0 {
            add(n, 0);
            add(n, 1 + n % 40);
            add(n, 50 + n % 300);
            add(n, 400 + n % 3_000);
        }
    }
    let new = graph.particles - 40;
    for n in new..graph.particles {
        add(n, n - new);
        add(0, n);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gpu::rows::bin_of;
    use std::collections::BTreeSet;

    #[test]
    fn the_test_has_rows_of_every_bin_and_no_link_twice() {
        let mut graph = Listed::default();
        (0..3).for_each(|stage| grow(&mut graph, stage));
        let unique: BTreeSet<Link> = graph.links.iter().copied().collect();
        assert_eq!(unique.len(), graph.links.len());
        let mut lengths = vec![0; graph.particles as usize];
        let pairs: BTreeSet<(u32, u32)> =
            graph.links.iter().map(|link| (link.from, link.to)).collect();
        pairs.iter().for_each(|&(_, to)| lengths[to as usize] += 1);
        let bins: BTreeSet<usize> = lengths.into_iter().map(bin_of).collect();
        assert_eq!(bins.into_iter().collect::<Vec<_>>(), [0, 1, 2, 3, 4]);
    }
}
