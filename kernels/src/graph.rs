//! The engine of a node: takes in links and stakes as they come, computes rounds.
//!
//! Invariant: a round gives the codes of [`crate::cpu::round`] for the same links, stakes,
//! parameters and starting codes, whatever was run before and however many threads there are
//! (`tests/engines.rs`). What is kept between rounds is a cache: rounds that go on from the last
//! one's codes, with few new links and stakes, start from its sums.

use std::ops::Range;
use std::time::Instant;

use crate::control::Control;
use crate::links::{self, Links};
use crate::output::{Outcome, Timing};
use crate::pull::Instructions;
use crate::round::{Round, Strategy};
use crate::share::{contribution, share};
use crate::threads::Crew;
use crate::tiles::SPAN;
use crate::weigh::Weigher;
use crate::{code, memory, threads, Error, Link, Parameters};

/// How an engine works; none of it changes a result.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Most threads at a time, this one included.
    pub threads: usize,
    pub strategy: Strategy,
    /// New links that are held apart at least before all links are put in order again; beyond, a
    /// hundredth of all.
    pub apart: usize,
    /// Links and particles from which one more thread is worth its start.
    pub work_per_thread: usize,
    /// The most that full sweeps use of the processor's instructions.
    pub instructions: Instructions,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            threads: 1,
            strategy: Strategy::Cheapest,
            apart: 1 << 12,
            work_per_thread: 1 << 16,
            instructions: Instructions::best(),
        }
    }
}

/// Particles that a thread takes at a time where there is little to do for each.
const CHUNK: usize = 1 << 17;
/// How many particles ahead codes are asked for.
const CODES_AHEAD: usize = 32;

/// A graph that only grows.
#[derive(Debug)]
pub struct Graph {
    options: Options,
    particles: u32,
    /// By neuron.
    stakes: Vec<u64>,
    /// Links and neurons with another stake since the last round.
    new_links: Vec<Link>,
    restaked: Vec<u32>,
    links: Links,
    round: Round,
    /// The codes that the last round gave, by particle, if those in `round` are the same.
    last: Option<Vec<u32>>,
    /// Damping and source stake that the weights were computed with.
    weighed: Option<(u32, u64)>,
}

impl Graph {
    /// An empty graph whose rounds use at most `threads` threads.
    pub fn new(threads: usize) -> Graph {
        Graph::with(Options { threads, ..Options::default() })
    }

    /// An empty graph that works in a way of its own.
    pub fn with(options: Options) -> Graph {
        Graph {
            options: Options { threads: options.threads.max(1), ..options },
            particles: 0,
            stakes: Vec::new(),
            new_links: Vec::new(),
            restaked: Vec::new(),
            links: Links::new(),
            round: Round::new(options.instructions),
            last: None,
            weighed: None,
        }
    }

    /// Works on at most `threads` threads from now on.
    pub fn set_threads(&mut self, threads: usize) {
        self.options.threads = threads.max(1);
    }

    /// Particles, from 0.
    pub fn particles(&self) -> u32 {
        self.particles
    }

    /// Links of all neurons.
    pub fn links(&self) -> u64 {
        (self.links.len() + self.new_links.len()) as u64
    }

    /// Memory held, in bytes, but for what a running round adds.
    pub fn bytes(&self) -> usize {
        self.links.bytes()
            + self.round.bytes()
            + self.new_links.capacity() * size_of::<Link>()
            + self.stakes.capacity() * 8
            + self.last.as_ref().map_or(0, Vec::capacity) * 4
    }

    /// Sets the number of particles, which never falls.
    pub fn grow(&mut self, particles: u32) {
        assert!(particles >= self.particles, "particles never become fewer");
        self.particles = particles;
    }

    /// Adds links, triples not added before, between particles the graph already has. A neuron not
    /// heard of before has no stake.
    pub fn append_links(&mut self, links: &[Link]) {
        for link in links {
            assert!(link.from.max(link.to) < self.particles, "{link:?}: grow the graph first");
            self.stake_of(link.neuron);
        }
        self.new_links.extend_from_slice(links);
    }

    /// Sets a neuron's rank-stake (see [`code::hold_stake`]).
    pub fn set_stake(&mut self, neuron: u32, stake: u64) {
        let held = self.stake_of(neuron);
        if *held != stake {
            *held = stake;
            self.restaked.push(neuron);
        }
    }

    fn stake_of(&mut self, neuron: u32) -> &mut u64 {
        let neuron = neuron as usize;
        if neuron >= self.stakes.len() {
            self.stakes.resize(neuron + 1, 0);
        }
        &mut self.stakes[neuron]
    }

    /// Computes one round from `codes`, the [`code::starting_codes`], which the answer has its room
    /// from. Another thread pauses it or ends it early through `control`. Whatever the answer, the
    /// graph is ready for the next round.
    pub fn run(
        &mut self,
        parameters: &Parameters,
        mut codes: Vec<u32>,
        control: &Control,
    ) -> Result<Outcome, Error> {
        let start = now();
        parameters.check()?;
        let particles = self.particles;
        if codes.len() != particles as usize {
            return Err(Error::CodesLength { codes: codes.len(), particles });
        }
        let last = self.last.take().filter(|last| self.goes_on(parameters, last, &codes));
        if last.is_none() {
            check_codes(parameters.code_bits, &codes)?;
        }
        let built = self.absorb(parameters);
        if built || last.is_none() {
            self.load(parameters, &codes);
        }
        self.weigh(parameters, built);
        let mut timing = Timing { weights: start.elapsed(), built, ..Timing::default() };
        let start = now();
        let (plan, crew) = ((parameters.sweeps, self.options.strategy), self.crew());
        let Some(sweeps) = self.round.sweeps(&mut self.links, plan, crew, control) else {
            self.round.forget();
            return Err(Error::Aborted);
        };
        (timing.full_sweeps, timing.delta_sweeps) = (sweeps.full, sweeps.delta);
        timing.sweeps = start.elapsed();
        let start = now();
        let mut last = last.unwrap_or_default();
        let known = last.len();
        memory::extend(&mut last, codes.len(), 0);
        last[known..].copy_from_slice(&codes[known..]);
        self.put_in_order(sweeps.changed.as_deref(), [&mut codes, &mut last]);
        self.last = Some(last);
        timing.codes = start.elapsed();
        Ok(Outcome {
            codes,
            sweeps: sweeps.full + sweeps.delta,
            changed_in_last_sweep: sweeps.changed_in_last,
            timing,
        })
    }

    /// One sweep from `codes` for some of the particles, with their new codes: which ones, `choice`
    /// says, any number. What another engine computed is held against it.
    pub(crate) fn part_of_sweep(
        &mut self,
        parameters: &Parameters,
        codes: &[u32],
        choice: u64,
    ) -> Result<Vec<(u32, u32)>, Error> {
        parameters.check()?;
        check_codes(parameters.code_bits, codes)?;
        // What is kept for a round that goes on is of no use here.
        self.round.forget();
        let built = self.absorb(parameters);
        if built || (self.round.base, self.round.bits) != (parameters.base(), parameters.code_bits)
        {
            self.load(parameters, codes);
        }
        self.weigh(parameters, built);
        self.links.settle(self.options.threads);
        let (links, round) = (&self.links, &self.round);
        let blocks = links.tiles.targets(codes.len());
        let Some(block) = choice.checked_rem(blocks.len() as u64) else { return Ok(Vec::new()) };
        let targets = &blocks[block as usize];
        let mut sums = vec![parameters.base(); targets.len()];
        let mut add = |source: usize, target: usize, weight: u32| {
            let code = codes[links.outer[source] as usize];
            let share = share(code, round.exponents[source], parameters.code_bits);
            sums[target] = sums[target].wrapping_add(contribution(weight, share));
        };
        for (chunk, pairs) in links.tiles.of(block as usize).enumerate() {
            let first = chunk * SPAN;
            let pairs = pairs.iter();
            pairs.for_each(|pair| {
                add(first + usize::from(pair.source), pair.target.into(), pair.weight)
            });
        }
        for pair in links.added_into(targets) {
            add(pair.source as usize, pair.target as usize - targets.start, pair.weight);
        }
        let own = |(private, sum): (usize, u64)| {
            let particle = links.outer[private];
            let code = codes[particle as usize];
            (particle, code::towards(code, sum, parameters.code_bits))
        };
        Ok(targets.clone().zip(sums).map(own).collect())
    }

    fn crew(&self) -> Crew {
        Crew { most: self.options.threads, least: self.options.work_per_thread }
    }

    fn ranges(&self, offsets: &[u32]) -> Vec<Range<usize>> {
        threads::split(offsets, self.options.threads, self.options.work_per_thread)
    }

    /// Whether a round from these codes goes on where the `last` one ended.
    fn goes_on(&self, parameters: &Parameters, last: &[u32], codes: &[u32]) -> bool {
        let round = &self.round;
        let fresh = code::floor(parameters.base(), parameters.code_bits);
        (round.base, round.bits) == (parameters.base(), parameters.code_bits)
            && codes[last.len()..].iter().all(|&code| code == fresh)
            && self
                .on_all_threads(codes.chunks(CHUNK).zip(last.chunks(CHUNK)), |(codes, last)| {
                    codes[..last.len()] == *last
                })
                .into_iter()
                .all(|same| same)
    }

    /// Brings the new particles and links to their places; whether that built all rows anew, and
    /// with them the private numbers.
    fn absorb(&mut self, parameters: &Parameters) -> bool {
        let new = std::mem::take(&mut self.new_links);
        let apart = (self.links.out.words.len() / 100).max(self.options.apart);
        if self.links.added.len() + new.len() > apart {
            let old = std::mem::replace(&mut self.links, Links::new());
            self.links = links::build(old, new, self.particles, self.options.threads);
            return true;
        }
        self.links.grow(self.particles);
        let fresh = code::floor(parameters.base(), parameters.code_bits);
        self.round.grow(self.particles as usize, fresh);
        self.new_links = new;
        false
    }

    /// Starts from codes that are not those of the last round.
    fn load(&mut self, parameters: &Parameters, codes: &[u32]) {
        let round = &mut self.round;
        self.last = None;
        (round.base, round.bits) = (parameters.base(), parameters.code_bits);
        round.grow(codes.len(), 0);
        for (own, &number) in round.codes.iter_mut().zip(&self.links.outer) {
            *own = codes[number as usize];
        }
        round.forget();
    }

    /// Takes in new links and stakes: brings weights and exponents up to date.
    fn weigh(&mut self, parameters: &Parameters, built: bool) {
        let (damping, source_stake) = (parameters.damping(), parameters.source_stake);
        let mut sources: Vec<u32> =
            self.new_links.drain(..).map(|link| self.links.add(&link)).collect();
        let restaked = std::mem::take(&mut self.restaked);
        let weigher = Weigher { stakes: &self.stakes, damping, source_stake };
        if built || self.weighed != Some((damping, source_stake)) {
            let ranges = self.ranges(&self.links.out.offsets);
            weigher.all(&mut self.links, &mut self.round.exponents, &ranges);
            self.round.forget();
            self.weighed = Some((damping, source_stake));
            return;
        }
        if !restaked.is_empty() {
            let ranges = self.ranges(&self.links.out.offsets);
            sources.extend(self.links.sources_of(&restaked, &ranges));
        }
        sources.sort_unstable();
        sources.dedup();
        if sources.is_empty() {
            return;
        }
        let few = self.links.work(&sources) <= self.links.len() / 4
            && self.options.strategy != Strategy::Full;
        let give = self.round.is_exact() && (few || self.options.strategy == Strategy::Delta);
        self.round.weigh(&weigher, &mut self.links, (&sources, give), self.options.threads);
    }

    /// Brings the codes of `changed` particles, or of all, into arrays by particle number.
    fn put_in_order(&self, changed: Option<&[u32]>, [one, other]: [&mut [u32]; 2]) {
        let (outer, own) = (&self.links.outer, &self.round.codes);
        if let Some(changed) = changed {
            for (place, &particle) in changed.iter().enumerate() {
                if let Some(&later) = changed.get(place + 2 * CODES_AHEAD) {
                    memory::prefetch(outer, later as usize);
                    memory::prefetch(own, later as usize);
                }
                if let Some(&later) = changed.get(place + CODES_AHEAD) {
                    memory::prefetch(one, outer[later as usize] as usize);
                    memory::prefetch(other, outer[later as usize] as usize);
                }
                let number = outer[particle as usize] as usize;
                (one[number], other[number]) = (own[particle as usize], own[particle as usize]);
            }
            return;
        }
        let inner = self.links.inner.chunks(CHUNK);
        let tasks = one.chunks_mut(CHUNK).zip(other.chunks_mut(CHUNK)).zip(inner);
        self.on_all_threads(tasks, |((one, other), inner)| {
            for (place, (code, &particle)) in one.iter_mut().zip(inner).enumerate() {
                if let Some(&later) = inner.get(place + CODES_AHEAD) {
                    memory::prefetch(own, later as usize);
                }
                *code = own[particle as usize];
            }
            other.copy_from_slice(one);
        });
    }

    /// Runs `work` on every task, on all threads.
    fn on_all_threads<T: Send, R: Send>(
        &self,
        tasks: impl Iterator<Item = T>,
        work: impl Fn(T) -> R + Sync,
    ) -> Vec<R> {
        let tasks: Vec<T> = tasks.collect();
        let mut workers = vec![(); self.options.threads.min(tasks.len())];
        threads::queue(tasks, &mut workers, |(), task| work(task))
    }
}

/// Codes that rounds can have given, in sum below 2^63.
fn check_codes(bits: u32, codes: &[u32]) -> Result<(), Error> {
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

#[allow(
    clippy::disallowed_methods,
    reason = "durations for logs; nothing computed depends on them"
)]
fn now() -> Instant {
    Instant::now()
}
