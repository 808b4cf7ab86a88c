//! The delta sweep: particles whose share changed take back what they gave and give anew; only
//! particles whose sum moved look at their code.
//!
//! Exact: sums are integers, and a code whose sum did not move stays as it is (`towards` is
//! idempotent). It goes in two steps, so that nothing is reached at random but what fits into a
//! thread's own cache: first the changed sources write what they give to whom, into bins of
//! targets; then each bin adds it up and looks at its codes. Sources that get other weights write
//! what that makes into the same bins ([`Giver`]). Lists of particles ascend throughout.

use std::ops::Range;

use crate::control::Control;
use crate::links::Links;
use crate::round::{GIFT_COST, PUSH_COST};
use crate::rows::{end, weight};
use crate::share::{contribution, share, towards};
use crate::threads::Crew;
use crate::weigh::Witness;
use crate::{memory, threads};

/// Bins that a graph is cut into, and the fewest and most particles of one, as powers of two. Marks
/// stand in words of 64, and a target within its bin has 16 bits.
const BINS: u32 = 5;
const LEAST: u32 = 6;
const MOST: u32 = 16;
/// Most sources that a thread takes at a time.
const SOURCES: usize = 512;
/// How many sources ahead rows are asked for, and where they are twice as many.
const ROWS_AHEAD: usize = 8;
const WORDS_PER_LINE: usize = 8;
/// How many gifts ahead sums are asked for.
const GIFTS_AHEAD: usize = 16;

/// Particles, ascending, and their links and themselves, counted.
#[derive(Debug, Default)]
pub struct Changes {
    pub list: Vec<u32>,
    pub work: usize,
}

/// What the targets of a bin get more, modulo 2^64; a target is counted from where its bin begins.
#[derive(Debug, Default)]
struct Gifts {
    /// The target in the lower 16 bits, above it a difference that has 48 bits with its sign.
    small: Vec<u64>,
    /// Differences with more bits.
    large: Vec<(u16, u64)>,
}

impl Gifts {
    #[inline(always)]
    fn put(&mut self, target: u16, more: u64) {
        if ((more as i64) << 16 >> 16) as u64 == more {
            self.small.push(more << 16 | u64::from(target));
        } else {
            self.large.push((target, more));
        }
    }

    fn is_empty(&self) -> bool {
        self.small.is_empty() && self.large.is_empty()
    }

    fn clear(&mut self) {
        self.small.clear();
        self.large.clear();
    }
}

/// The target and the difference of a small gift.
#[inline(always)]
fn parts(gift: u64) -> (usize, u64) {
    ((gift & 0xffff) as usize, (gift as i64 >> 16) as u64)
}

/// What one thread gives, by bin.
#[derive(Debug, Default)]
struct Bins {
    /// Particles of a bin, as a power of two.
    shift: u32,
    bins: Vec<Gifts>,
}

impl Bins {
    #[inline(always)]
    fn put(&mut self, target: u32, more: u64) {
        let within = target & ((1 << self.shift) - 1);
        self.bins[(target >> self.shift) as usize].put(within as u16, more);
    }

    fn clear(&mut self) {
        self.bins.iter_mut().for_each(Gifts::clear);
    }
}

/// What stays between delta sweeps.
#[derive(Debug, Default)]
pub struct Push {
    particles: usize,
    /// One bit per particle: its sum moved since its code was looked at.
    marks: Vec<u64>,
    /// By bin: whether it has marks.
    marked: Vec<bool>,
    /// By thread: empty but from the weighing of a round to its first sweep.
    bins: Vec<Bins>,
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
        assert!(!wider || self.waiting() == 0, "gifts wait within a round only");
        let any = wider && self.marked.contains(&true);
        self.marked.resize(particles.div_ceil(1 << shift(particles)), false);
        if any {
            self.marked.fill(true);
        }
        self.particles = particles;
    }

    /// Takes all marks and gifts away.
    pub fn forget(&mut self) {
        if self.marked.contains(&true) {
            self.marks.fill(0);
            self.marked.fill(false);
        }
        self.bins.iter_mut().for_each(Bins::clear);
    }

    /// Gifts that wait for the next sweep.
    pub fn waiting(&self) -> usize {
        let gifts = self.bins.iter().flat_map(|own| &own.bins);
        gifts.map(|gifts| gifts.small.len() + gifts.large.len()).sum()
    }

    /// Bytes held.
    pub fn bytes(&self) -> usize {
        let gifts = self.bins.iter().flat_map(|own| &own.bins);
        let bytes = gifts.map(|gifts| gifts.small.capacity() * 8 + gifts.large.capacity() * 16);
        self.marks.capacity() * 8 + bytes.sum::<usize>()
    }

    /// One giver for each range of rows, the last of which ends with the last particle.
    pub fn givers<'a>(
        &'a mut self,
        ranges: &[Range<usize>],
        columns: (&'a mut [u32], &'a [u32]),
        bits: u32,
    ) -> Vec<Giver<'a>> {
        let (shares, codes) = columns;
        let shares = threads::parts(&mut shares[..self.particles], ranges);
        let bins = self.ready(ranges.len()).iter_mut();
        let parts = ranges.iter().zip(shares).zip(bins);
        parts
            .map(|((rows, shares), bins)| Giver {
                first: rows.start,
                shares,
                codes,
                bits,
                bins,
                old: 0,
                new: 0,
            })
            .collect()
    }

    /// Bins for so many threads.
    fn ready(&mut self, thread_count: usize) -> &mut [Bins] {
        self.bins.resize_with(self.bins.len().max(thread_count), Bins::default);
        for own in &mut self.bins {
            own.shift = shift(self.particles);
            own.bins.resize_with(self.marked.len(), Gifts::default);
        }
        &mut self.bins[..thread_count]
    }

    /// Gives what changes with the shares of `changes`, then sets the codes of all particles whose
    /// sums moved; gives those whose code changed.
    pub fn sweep(
        &mut self,
        columns: Columns<'_>,
        changes: &Changes,
        (crew, control): (Crew, &Control),
    ) -> Changes {
        let Columns { links, shares, sums, codes, exponents, bits } = columns;
        let thread_count = crew.size(changes.work * PUSH_COST + self.waiting() * GIFT_COST);
        let sources = Sources { links, codes: &*codes, exponents, bits };
        self.scatter(&sources, shares, changes, (thread_count, control));
        let mut bins = std::mem::take(&mut self.bins);
        let tasks = self.tasks(&bins, sums, codes);
        let answers =
            threads::queue(tasks, &mut vec![(); thread_count], |(), (number, mut bin)| {
                // A delta sweep is short: it stands still, and is not aborted.
                control.go_on();
                bins.iter().for_each(|own| bin.collect(&own.bins[number]));
                bin.look(links, bits)
            });
        bins.iter_mut().for_each(Bins::clear);
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
        all: &Sources<'_>,
        shares: &mut [u32],
        changes: &Changes,
        (thread_count, control): (usize, &Control),
    ) {
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
        threads::queue(tasks, self.ready(thread_count), |bins, (sources, shares)| {
            control.go_on();
            all.scatter(sources, shares, bins);
        });
    }

    /// The bins that have gifts or marks; they will have marks.
    fn tasks<'a>(
        &'a mut self,
        gifts: &[Bins],
        sums: &'a mut [u64],
        codes: &'a mut [u32],
    ) -> Vec<(usize, Bin<'a>)> {
        for (bin, marked) in self.marked.iter_mut().enumerate() {
            *marked |= gifts.iter().any(|own| !own.bins[bin].is_empty());
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

/// Brings shares up to date with new weights of their sources, on one thread, and gives targets
/// what that makes.
pub struct Giver<'a> {
    /// Rows from here on.
    first: usize,
    shares: &'a mut [u32],
    /// Of all particles.
    codes: &'a [u32],
    bits: u32,
    bins: &'a mut Bins,
    /// Shares of the source before and after.
    old: u32,
    new: u32,
}

impl Witness for Giver<'_> {
    #[inline(always)]
    fn source(&mut self, source: usize, exponent: u8) {
        self.new = share(self.codes[source], exponent, self.bits);
        self.old = std::mem::replace(&mut self.shares[source - self.first], self.new);
    }

    #[inline(always)]
    fn link(&mut self, target: u32, old: u32, new: u32) {
        let more = contribution(new, self.new).wrapping_sub(contribution(old, self.old));
        if more != 0 {
            self.bins.put(target, more);
        }
    }
}

impl Bin<'_> {
    /// Adds up and marks what targets get.
    fn collect(&mut self, gifts: &Gifts) {
        for (number, &gift) in gifts.small.iter().enumerate() {
            if let Some(&later) = gifts.small.get(number + GIFTS_AHEAD) {
                memory::prefetch(self.sums, parts(later).0);
                memory::prefetch(self.codes, parts(later).0);
            }
            let (row, more) = parts(gift);
            self.add(row, more);
        }
        gifts.large.iter().for_each(|&(row, more)| self.add(row.into(), more));
    }

    #[inline(always)]
    fn add(&mut self, row: usize, more: u64) {
        self.sums[row] = self.sums[row].wrapping_add(more);
        self.marks[row / 64] |= 1 << (row % 64);
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

/// What changed sources are read from.
struct Sources<'a> {
    links: &'a Links,
    codes: &'a [u32],
    exponents: &'a [u8],
    bits: u32,
}

impl Sources<'_> {
    /// Sets the shares of `sources`, whose column begins at the first of them, and puts what their
    /// targets get into the bins.
    fn scatter(&self, sources: &[u32], shares: &mut [u32], bins: &mut Bins) {
        let out = &self.links.out;
        let column = |source: u32| (source - sources[0]) as usize;
        for (number, &source) in sources.iter().enumerate() {
            if let Some(&later) = sources.get(number + 2 * ROWS_AHEAD) {
                memory::prefetch(&out.offsets, later as usize);
                memory::prefetch(self.codes, later as usize);
                memory::prefetch(self.exponents, later as usize);
                memory::prefetch(shares, column(later));
            }
            if let Some(&later) = sources.get(number + ROWS_AHEAD) {
                let begin = out.offsets[later as usize] as usize;
                memory::prefetch(&out.words, begin);
                memory::prefetch(&out.words, begin + WORDS_PER_LINE);
            }
            let code = self.codes[source as usize];
            let new = share(code, self.exponents[source as usize], self.bits);
            let old = std::mem::replace(&mut shares[column(source)], new);
            if old == new {
                continue;
            }
            let mut give = |target: u32, weight: u32| {
                let more = contribution(weight, new).wrapping_sub(contribution(weight, old));
                if more != 0 {
                    bins.put(target, more);
                }
            };
            out.row(source as usize).iter().for_each(|&word| give(end(word), weight(word)));
            let added = self.links.added.row(source).iter();
            added.for_each(|link| give(link.target, link.weight));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bin_adds_up_what_it_gets_however_large() {
        let edge = 1u64 << 47;
        let more = [1, edge - 1, edge, edge + 1, 1 << 62, 0u64.wrapping_sub(1)];
        let all: Vec<u64> = more.iter().flat_map(|&more| [more, more.wrapping_neg()]).collect();
        let mut bins = Bins { shift: 6, bins: Vec::new() };
        bins.bins.resize_with(3, Gifts::default);
        for (target, &more) in (64..).zip(&all) {
            bins.put(target, more);
            bins.put(64, more);
        }
        assert_eq!((bins.bins[1].small.len(), bins.bins[1].large.len()), (14, 10));
        assert!(bins.bins[0].is_empty() && bins.bins[2].is_empty());
        let (mut sums, mut codes, mut marks) = (vec![5u64; 64], vec![0; 64], [0]);
        let columns = (&mut sums[..], &mut codes[..], &mut marks[..]);
        let mut bin = Bin { first: 64, sums: columns.0, codes: columns.1, marks: columns.2 };
        bin.collect(&bins.bins[1]);
        // Each comes with its opposite.
        assert_eq!(sums[0], 5u64.wrapping_add(all[0]));
        assert!((1..all.len()).all(|n| sums[n] == all[n].wrapping_add(5)));
        assert_eq!(marks[0], (1 << all.len()) - 1);
    }
}
