//! The engine of a node: takes in links and stakes as they come, computes rounds.
//!
//! Invariant: a round gives the codes of [`crate::cpu::round`] for the same links, stakes,
//! parameters and starting codes, whatever was run before. Between rounds the graph keeps only
//! what it could compute again.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use crate::pull::{self, InLinks};
use crate::{code, cpu, Error, Link, Outcome, Parameters, Timing};

/// A graph that only grows.
#[derive(Debug)]
pub struct Graph {
    threads: usize,
    particles: u32,
    /// Sorted by source, target, neuron but for those since the last round.
    links: Vec<Link>,
    sorted: usize,
    stakes: Vec<u64>,
    /// Weights as of the parameters named beside them; none after a change.
    weights: Option<(u32, u64, Weighted)>,
}

/// In-links with weights, and the exponent of every source.
#[derive(Debug)]
struct Weighted {
    links: InLinks,
    exponents: Vec<u8>,
}

impl Graph {
    /// An empty graph whose sweeps use at most `threads` threads.
    pub fn new(threads: usize) -> Graph {
        Graph {
            threads: threads.max(1),
            particles: 0,
            links: Vec::new(),
            sorted: 0,
            stakes: Vec::new(),
            weights: None,
        }
    }

    /// Particles, from 0.
    pub fn particles(&self) -> u32 {
        self.particles
    }

    /// Links of all neurons.
    pub fn links(&self) -> u64 {
        self.links.len() as u64
    }

    /// Sets the number of particles, which never falls.
    pub fn grow(&mut self, particles: u32) {
        assert!(particles >= self.particles, "particles never become fewer");
        if particles > self.particles {
            self.particles = particles;
            self.weights = None;
        }
    }

    /// Adds links, triples not added before, between particles the graph already has. A neuron not
    /// heard of before has no stake.
    pub fn append_links(&mut self, links: &[Link]) {
        for link in links {
            assert!(link.from.max(link.to) < self.particles, "{link:?}: grow the graph first");
            if link.neuron as usize >= self.stakes.len() {
                self.stakes.resize(link.neuron as usize + 1, 0);
            }
        }
        if !links.is_empty() {
            self.links.extend_from_slice(links);
            self.weights = None;
        }
    }

    /// Sets a neuron's rank-stake (see [`code::hold_stake`]).
    pub fn set_stake(&mut self, neuron: u32, stake: u64) {
        if neuron as usize >= self.stakes.len() {
            self.stakes.resize(neuron as usize + 1, 0);
        }
        let held = &mut self.stakes[neuron as usize];
        if *held != stake {
            *held = stake;
            self.weights = None;
        }
    }

    /// Computes one round from `codes`, the [`code::starting_codes`]. Another thread ends it early
    /// by raising `abort`. The graph is the same afterwards, whatever the answer.
    pub fn run(
        &mut self,
        parameters: &Parameters,
        codes: &[u32],
        abort: &AtomicBool,
    ) -> Result<Outcome, Error> {
        parameters.check()?;
        self.check_codes(parameters.code_bits, codes)?;
        let start = now();
        let (damping, source_stake) = (parameters.damping(), parameters.source_stake);
        let weighted = match self.weights.take() {
            Some((d, s, weighted)) if (d, s) == (damping, source_stake) => weighted,
            _ => self.weigh(parameters),
        };
        let (_, _, weighted) = self.weights.insert((damping, source_stake, weighted));
        let mut timing = Timing { weights: start.elapsed(), ..Timing::default() };
        let start = now();
        let ranges = pull::split(&weighted.links.offsets, self.threads);
        let (base, bits) = (parameters.base(), parameters.code_bits);
        let mut codes = codes.to_vec();
        let mut shares = vec![0; codes.len()];
        let (mut sweeps, mut changed) = (0, 1);
        while sweeps < parameters.sweeps && changed > 0 {
            for ((share, &code), &exponent) in
                shares.iter_mut().zip(&codes).zip(&weighted.exponents)
            {
                *share = pull::share(code, u32::from(exponent), bits);
            }
            let split = (&ranges[..], abort);
            changed = pull::sweep(&weighted.links, &shares, &mut codes, (base, bits), split)
                .filter(|_| !abort.load(Ordering::Relaxed))
                .ok_or(Error::Aborted)?;
            sweeps += 1;
        }
        timing.sweeps = start.elapsed();
        Ok(Outcome { codes, sweeps, changed_in_last_sweep: changed, timing })
    }

    /// One code per particle, each one a round can have given, in sum below 2^63.
    fn check_codes(&self, bits: u32, codes: &[u32]) -> Result<(), Error> {
        let particles = self.particles;
        if codes.len() != particles as usize {
            return Err(Error::CodesLength { codes: codes.len(), particles });
        }
        let mut sum = 0;
        for (particle, &code) in (0..).zip(codes) {
            if !code::is_canonical(code, bits) {
                return Err(Error::Code { particle, code, bits });
            }
            sum += u128::from(code::value(code, bits));
        }
        if sum >> 63 != 0 {
            return Err(Error::CodesSum { sum });
        }
        Ok(())
    }

    /// All weights from the links and stakes of now.
    fn weigh(&mut self, parameters: &Parameters) -> Weighted {
        let key = |link: &Link| (link.from, link.to, link.neuron);
        self.links[self.sorted..].sort_unstable_by_key(key);
        self.links.sort_by_key(key); // merges the sorted runs
        self.sorted = self.links.len();
        let mut exponents = vec![0; self.particles as usize];
        // Weights of the pairs in order of source and target, then moved to their rows.
        let mut pairs = Vec::with_capacity(self.links.len());
        let mut offsets = vec![0u32; self.particles as usize + 1];
        for links in self.links.chunk_by(|a, b| a.from == b.from) {
            let first = pairs.len();
            exponents[links[0].from as usize] =
                weigh_source(links, &self.stakes, parameters, &mut pairs);
            for &(target, _, _) in &pairs[first..] {
                offsets[target as usize + 1] += 1;
            }
        }
        for row in 0..self.particles as usize {
            offsets[row + 1] += offsets[row];
        }
        let mut cursors = offsets.clone();
        let mut words = vec![0; pairs.len()];
        for (target, source, weight) in pairs {
            let cursor = &mut cursors[target as usize];
            words[*cursor as usize] = u64::from(weight) << 32 | u64::from(source);
            *cursor += 1;
        }
        Weighted { links: InLinks { offsets, words }, exponents }
    }
}

/// Appends (target, source, weight) of the pairs of one source; gives its exponent.
fn weigh_source(
    links: &[Link],
    stakes: &[u64],
    parameters: &Parameters,
    pairs: &mut Vec<(u32, u32, u32)>,
) -> u8 {
    let stake_of = |pair: &[Link]| -> u128 {
        pair.iter().map(|link| u128::from(stakes[link.neuron as usize])).sum()
    };
    let same = |a: &Link, b: &Link| a.to == b.to;
    let (mut total, mut largest) = (u128::from(parameters.source_stake), 0);
    for pair in links.chunk_by(same) {
        let stake = stake_of(pair);
        total += stake;
        largest = stake.max(largest);
    }
    if largest == 0 {
        return 0;
    }
    let exponent = cpu::exponent(total, largest);
    for pair in links.chunk_by(same) {
        let weight = cpu::mantissa(parameters.damping(), stake_of(pair), exponent, total);
        if weight > 0 {
            pairs.push((pair[0].to, pair[0].from, weight));
        }
    }
    exponent as u8
}

#[allow(
    clippy::disallowed_methods,
    reason = "durations for logs; nothing computed depends on them"
)]
fn now() -> Instant {
    Instant::now()
}
