//! Links by source, on the worker's host: what weights are computed from.
//!
//! A link remembers the index of its pair in the target's row, which never changes, so new weights
//! find their place without the rows being kept here. Weights themselves are not kept.

use super::rows::Rows;
use crate::{cpu, Link, Parameters};

#[derive(Clone, Copy, Debug)]
struct Out {
    target: u32,
    neuron: u32,
    /// Index of the pair in the target's row; the same for all neurons with this pair.
    slot: u32,
}

/// Links by source, stakes by neuron, and which sources have something new.
#[derive(Debug, Default)]
pub struct Sources {
    /// Sorted by target.
    links: Vec<Vec<Out>>,
    stakes: Vec<u64>,
    /// Sources a neuron has links from, some of them twice.
    by_neuron: Vec<Vec<u32>>,
    touched: Vec<u32>,
    /// Damping and source stake that all weights were computed with.
    weighed: Option<(u32, u64)>,
}

impl Sources {
    /// New particles, without links.
    pub fn grow(&mut self, particles: u32) {
        self.links.resize_with(particles as usize, Vec::new);
    }

    /// Sets a neuron's stake.
    pub fn set_stake(&mut self, neuron: u32, stake: u64) {
        self.know(neuron);
        let held = &mut self.stakes[neuron as usize];
        if *held != stake {
            *held = stake;
            self.touched.extend_from_slice(&self.by_neuron[neuron as usize]);
        }
    }

    fn know(&mut self, neuron: u32) {
        if neuron as usize >= self.stakes.len() {
            self.stakes.resize(neuron as usize + 1, 0);
            self.by_neuron.resize_with(neuron as usize + 1, Vec::new);
        }
    }

    /// Takes in links; the rows of targets grow by pairs that are new.
    pub fn append(&mut self, links: &[Link], rows: &mut Rows) {
        for link in links {
            self.know(link.neuron);
            let sources = &mut self.by_neuron[link.neuron as usize];
            if sources.last() != Some(&link.from) {
                sources.push(link.from);
            }
        }
        let mut links = links.to_vec();
        links.sort_unstable_by_key(|link| (link.from, link.to, link.neuron));
        for new in links.chunk_by(|one, other| one.from == other.from) {
            let own = &mut self.links[new[0].from as usize];
            let before = own.len();
            for link in new {
                let place = own[..before].partition_point(|out| out.target < link.to);
                let known = own[..before].get(place).filter(|out| out.target == link.to);
                let last = own[before..].last().filter(|out| out.target == link.to);
                let slot = match known.or(last) {
                    Some(pair) => pair.slot,
                    None => rows.push(link.to),
                };
                own.push(Out { target: link.to, neuron: link.neuron, slot });
            }
            // Two sorted runs: merged in one pass.
            own.sort_by_key(|out| out.target);
            self.touched.push(new[0].from);
        }
    }

    /// The sources whose weights have to be computed anew, ascending.
    pub fn touched(&mut self, parameters: &Parameters) -> Vec<u32> {
        let with = (parameters.damping(), parameters.source_stake);
        let mut touched = std::mem::take(&mut self.touched);
        if self.weighed.is_some_and(|before| before != with) {
            touched = (0..self.links.len() as u32).collect();
        }
        self.weighed = Some(with);
        touched.sort_unstable();
        touched.dedup();
        touched
    }

    /// Computes the weights of a source as [`cpu::weights`] defines them; `put` gets target, slot
    /// and mantissa of each pair. The answer is their exponent.
    pub fn weigh(
        &self,
        source: u32,
        parameters: &Parameters,
        mut put: impl FnMut(u32, u32, u32),
    ) -> u32 {
        let links = &self.links[source as usize];
        let pairs = || links.chunk_by(|one, other| one.target == other.target);
        let stake = |pair: &[Out]| -> u128 {
            pair.iter().map(|out| u128::from(self.stakes[out.neuron as usize])).sum()
        };
        let (mut total, mut largest) = (u128::from(parameters.source_stake), 0);
        for stake in pairs().map(stake) {
            total += stake;
            largest = stake.max(largest);
        }
        let exponent = if largest > 0 { cpu::exponent(total, largest) } else { 0 };
        for pair in pairs() {
            let mantissa = match largest {
                0 => 0,
                _ => cpu::mantissa(parameters.damping(), stake(pair), exponent, total),
            };
            put(pair[0].target, pair[0].slot, mantissa);
        }
        exponent
    }
}
