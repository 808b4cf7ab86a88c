//! The delta sweep: particles whose share changed take back what they gave and give anew; only
//! particles whose sum moved look at their code.
//!
//! Exact: sums are integers, and a code whose sum did not move stays as it is (`towards` is
//! idempotent). It goes in two steps, so that nothing is reached at random but what fits into a
//! thread's own cache: first the changed sources write what they give to whom, into bins of
//! targets; then each bin adds it up and looks at its codes. Lists of particles ascend throughout.

use crate::links::Links;
use crate::round::PUSH_COST;
use crate::rows::{end, weight};
use crate::share::{contribution, share, towards};
use crate::threads::Crew;
use crate::{memory, threads};

/// Bins that a graph is cut into, and the fewest and most particles of one, as powers of two. Marks
/// stand in words of 64.
const BINS: u32 = 5;
const LEAST: u32 = 6;
const MOST: u32 = 16;
/// Most sources that a thread takes at a time.
const SOURCES: usize = 512;
/// How many sources ahead rows are asked for, and offsets twice as many.
const ROWS_AHEAD: usize = 8;
/// How many gifts ahead sums are asked for.
const GIFTS_AHEAD: usize = 16;

/// Particles, ascending, and their links and themselves, counted.
#[derive(Debug, Default)]
pub struct Changes {
    pub list: Vec<u32>,
    pub work: usize,
}

/// What a target gets more, modulo 2^64 in two halves.
#[derive(Debug, Clone, Copy)]
struct Gift {
    target: u32,
    more: [u32; 2],
}

/// What stays between delta sweeps.
#[derive(Debug, Default)]
pub struct Push {
    particles: usize,
    /// One bit per particle: its sum moved since its code was looked at.
    marks: Vec<u64>,
    /// By bin: whether it has marks.
    marked: Vec<bool>,
    /// By thread and bin: empty but for the moment.
    bins: Vec<Vec<Vec<Gift>>>,
}

/// What a delta sweep reads and writes.
pub struct Columns<'a> {
    pub links: &'a Links,
    pub shares: &'a mut [u32],
    pub sums: &'a mut [u64],
    /// Looked at only in a sweep.
    pub codes: &'a mut [u32],
    pub exponents: &'a [u8],
    pub bits: u32,
}

/// What one thread makes of a bin.
struct Bin<'a> {
    first: usize,
    sums: &'a mut [u64],
    codes: &'a mut [u32],
    marks: &'a mut [u64],
}

impl Push {
    /// New particles.
    pub fn grow(&mut self, particles: usize) {
        memory::extend(&mut self.marks, particles.div_ceil(64), 0);
        let wider = shift(particles) != shift(self.particles);
        let any = wider && self.marked.contains(&true);
        self.marked.resize(particles.div_ceil(1 << shift(particles)), false);
        if any {
            self.marked.fill(true);
        }
        self.particles = particles;
    }

    /// Takes all marks away.
    pub fn forget(&mut self) {
        if self.marked.contains(&true) {
            self.marks.fill(0);
            self.marked.fill(false);
        }
    }

    /// Bytes held.
    pub fn bytes(&self) -> usize {
        let gifts: usize = self.bins.iter().flatten().map(Vec::capacity).sum();
        self.marks.capacity() * 8 + gifts * size_of::<Gift>()
    }

    /// Takes back what `sources` gave; remembers whose sums moved.
    pub fn withdraw(&mut self, columns: Columns<'_>, sources: &Changes, crew: Crew) {
        let thread_count = crew.size(sources.work * PUSH_COST);
        self.scatter(columns.links, columns.shares, sources, |_| 0, thread_count);
        let mut bins = std::mem::take(&mut self.bins);
        let tasks = self.tasks(&bins, columns.sums, columns.codes);
        threads::queue(tasks, &mut vec![(); thread_count], |(), (number, mut bin)| {
            bins.iter().for_each(|own| bin.collect(&own[number]));
        });
        bins.iter_mut().flatten().for_each(Vec::clear);
        self.bins = bins;
    }

    /// Gives what changes with the shares of `changes`, then sets the codes of all particles whose
    /// sums moved; gives those whose code changed.
    pub fn sweep(&mut self, columns: Columns<'_>, changes: &Changes, crew: Crew) -> Changes {
        let Columns { links, shares, sums, codes, exponents, bits } = columns;
        let thread_count = crew.size(changes.work * PUSH_COST);
        let old = &*codes;
        let new = |source: u32| share(old[source as usize], exponents[source as usize], bits);
        self.scatter(links, shares, changes, new, thread_count);
        let mut bins = std::mem::take(&mut self.bins);
        let tasks = self.tasks(&bins, sums, codes);
        let answers =
            threads::queue(tasks, &mut vec![(); thread_count], |(), (number, mut bin)| {
                bins.iter().for_each(|own| bin.collect(&own[number]));
                bin.look(links, bits)
            });
        bins.iter_mut().flatten().for_each(Vec::clear);
        self.bins = bins;
        self.marked.fill(false);
        let mut all = Changes::default();
        for part in answers {
            all.list.extend(part.list);
            all.work += part.work;
        }
        all
    }

    /// Sets the shares of `changes` and fills the bins.
    fn scatter(
        &mut self,
        links: &Links,
        shares: &mut [u32],
        changes: &Changes,
        share: impl Fn(u32) -> u32 + Sync,
        thread_count: usize,
    ) {
        self.bins.resize_with(self.bins.len().max(thread_count), Vec::new);
        for own in &mut self.bins {
            own.resize_with(self.marked.len(), Vec::new);
        }
        let shift = shift(self.particles);
        let mut tasks = Vec::new();
        let (mut rest, mut start) = (shares, 0);
        let share_of_thread = changes.list.len() / (4 * thread_count);
        for sources in changes.list.chunks(share_of_thread.clamp(1, SOURCES)) {
            let (first, last) = (sources[0], sources[sources.len() - 1]);
            let (part, after) = std::mem::take(&mut rest)[(first - start) as usize..]
                .split_at_mut((last - first + 1) as usize);
            (rest, start) = (after, last + 1);
            tasks.push((sources, part));
        }
        threads::queue(tasks, &mut self.bins[..thread_count], |bins, (sources, shares)| {
            scatter(links, sources, shares, &share, |gift: Gift| {
                bins[(gift.target >> shift) as usize].push(gift);
            });
        });
    }

    /// The bins that have gifts or marks; they will have marks.
    fn tasks<'a>(
        &'a mut self,
        gifts: &[Vec<Vec<Gift>>],
        sums: &'a mut [u64],
        codes: &'a mut [u32],
    ) -> Vec<(usize, Bin<'a>)> {
        for (bin, marked) in self.marked.iter_mut().enumerate() {
            *marked |= gifts.iter().any(|own| !own[bin].is_empty());
        }
        let width = 1 << shift(self.particles);
        let columns = sums.chunks_mut(width).zip(codes.chunks_mut(width));
        let bins = columns.zip(self.marks.chunks_mut(width / 64)).enumerate();
        bins.filter(|(number, _)| self.marked[*number])
            .map(|(number, ((sums, codes), marks))| {
                (number, Bin { first: number * width, sums, codes, marks })
            })
            .collect()
    }
}

impl Bin<'_> {
    /// Adds up and marks what targets get.
    fn collect(&mut self, gifts: &[Gift]) {
        for (number, gift) in gifts.iter().enumerate() {
            if let Some(later) = gifts.get(number + GIFTS_AHEAD) {
                memory::prefetch(self.sums, later.target as usize - self.first);
                memory::prefetch(self.codes, later.target as usize - self.first);
            }
            let row = gift.target as usize - self.first;
            let more = u64::from(gift.more[0]) | u64::from(gift.more[1]) << 32;
            self.sums[row] = self.sums[row].wrapping_add(more);
            self.marks[row / 64] |= 1 << (row % 64);
        }
    }

    /// Sets the codes of the marked particles; takes the marks away.
    fn look(&mut self, links: &Links, bits: u32) -> Changes {
        let mut changes = Changes::default();
        let mut seen = 0;
        for (begin, word) in (0..).step_by(64).zip(&mut *self.marks) {
            let mut left = std::mem::take(word);
            while left != 0 {
                let row = begin + left.trailing_zeros() as usize;
                left &= left - 1;
                seen |= self.sums[row];
                let after = towards(self.codes[row], self.sums[row], bits);
                if after != self.codes[row] {
                    self.codes[row] = after;
                    changes.list.push((self.first + row) as u32);
                }
            }
        }
        assert!(seen >> 63 == 0, "all ranks together are below 2^63");
        changes.work = links.work(&changes.list);
        changes
    }
}

/// Particles of a bin, as a power of two.
fn shift(particles: usize) -> u32 {
    particles.next_power_of_two().ilog2().saturating_sub(BINS).clamp(LEAST, MOST)
}

/// Sets the shares of `sources`, whose column begins at the first of them, and hands out what
/// their targets get.
#[inline]
fn scatter(
    links: &Links,
    sources: &[u32],
    shares: &mut [u32],
    share: impl Fn(u32) -> u32,
    mut put: impl FnMut(Gift),
) {
    let out = &links.out;
    for (number, &source) in sources.iter().enumerate() {
        if let Some(&later) = sources.get(number + 2 * ROWS_AHEAD) {
            memory::prefetch(&out.offsets, later as usize);
        }
        if let Some(&later) = sources.get(number + ROWS_AHEAD) {
            memory::prefetch(&out.words, out.offsets[later as usize] as usize);
            memory::prefetch(&out.words, out.offsets[later as usize] as usize + 8);
        }
        let new = share(source);
        let old = std::mem::replace(&mut shares[(source - sources[0]) as usize], new);
        if old == new {
            continue;
        }
        let mut give = |target: u32, weight: u32| {
            let more = contribution(weight, new).wrapping_sub(contribution(weight, old));
            if more != 0 {
                put(Gift { target, more: [more as u32, (more >> 32) as u32] });
            }
        };
        for &word in out.row(source as usize) {
            give(end(word), weight(word));
        }
        for link in links.added.row(source) {
            give(link.target, link.weight);
        }
    }
}
