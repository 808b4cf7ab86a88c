//! Weights of out-links, source by source, as [`crate::cpu::weights`] defines them.

use std::ops::Range;

use crate::links::Links;
use crate::rows::{end, weight, word, AddedLink};
use crate::{cpu, threads};

/// What weights are computed from besides the links.
#[derive(Clone, Copy)]
pub struct Weigher<'a> {
    /// By neuron.
    pub stakes: &'a [u64],
    /// Damping factor · 2^32.
    pub damping: u32,
    pub source_stake: u64,
}

/// Who is told of weights as they are set.
pub trait Witness: Send {
    /// This source has this exponent now; its links follow.
    fn source(&mut self, source: usize, exponent: u8);
    /// What a link weighed and weighs.
    fn link(&mut self, target: u32, old: u32, new: u32);
}

/// Nobody wants to know.
impl Witness for () {
    #[inline(always)]
    fn source(&mut self, _source: usize, _exponent: u8) {}
    #[inline(always)]
    fn link(&mut self, _target: u32, _old: u32, _new: u32) {}
}

/// The sources one thread weighs, what it writes to, and who is told.
struct Task<'a, W> {
    rows: Range<usize>,
    witness: W,
    words: &'a mut [u64],
    exponents: &'a mut [u8],
    added: Vec<(u32, &'a mut [AddedLink])>,
}

impl Weigher<'_> {
    /// Sets the weights of all sources.
    pub fn all(&self, links: &mut Links, exponents: &mut [u8], ranges: &[Range<usize>]) {
        let nobody = vec![(); ranges.len()];
        self.run(links, exponents, (ranges, nobody), |rows, visit| rows.for_each(visit));
        links.touch_all();
    }

    /// Sets the weights of `sources`, ascending, with one witness for each range of rows.
    pub fn some<W: Witness>(
        &self,
        links: &mut Links,
        exponents: &mut [u8],
        sources: &[u32],
        ranges: &[Range<usize>],
        witnesses: Vec<W>,
    ) {
        self.run(links, exponents, (ranges, witnesses), |rows, visit| {
            let place = |row: usize| sources.partition_point(|&source| (source as usize) < row);
            sources[place(rows.start)..place(rows.end)].iter().for_each(|&row| visit(row as usize));
        });
        links.touch(sources);
    }

    /// Splits the rows and calls `choose` on each thread with its range and what to do with a row.
    fn run<W: Witness>(
        &self,
        links: &mut Links,
        exponents: &mut [u8],
        (ranges, witnesses): (&[Range<usize>], Vec<W>),
        choose: impl Fn(Range<usize>, &mut dyn FnMut(usize)) + Sync,
    ) {
        let (offsets, neurons) = (&links.out.offsets, &links.neurons);
        let pieces: Vec<Range<usize>> = ranges
            .iter()
            .map(|rows| offsets[rows.start] as usize..offsets[rows.end] as usize)
            .collect();
        let mut added = links.added.iter_mut().peekable();
        let words = threads::parts(&mut links.out.words, &pieces);
        let exponents = threads::parts(exponents, ranges);
        let parts = ranges.iter().zip(witnesses).zip(words.into_iter().zip(exponents));
        let tasks = parts.map(|((rows, witness), (words, exponents))| {
            let in_range = |entry: &(u32, _)| (entry.0 as usize) < rows.end;
            let added = std::iter::from_fn(|| added.next_if(in_range)).collect();
            Task { rows: rows.clone(), witness, words, exponents, added }
        });
        threads::each(tasks.collect(), |mut task| {
            let begin = offsets[task.rows.start] as usize;
            choose(task.rows.clone(), &mut |row| {
                let range = offsets[row] as usize..offsets[row + 1] as usize;
                let place = task.added.binary_search_by_key(&(row as u32), |entry| entry.0);
                let mut source = Source {
                    number: row,
                    words: &mut task.words[range.start - begin..range.end - begin],
                    neurons: &neurons[range],
                    added: place.map_or(&mut [], |place| &mut *task.added[place].1),
                };
                let exponent = &mut task.exponents[row - task.rows.start];
                *exponent = self.weigh(&mut source, &mut task.witness);
            });
        });
    }

    /// Weighs a source; gives its exponent.
    fn weigh(&self, source: &mut Source<'_>, witness: &mut impl Witness) -> u8 {
        let (mut total, mut largest) = (u128::from(self.source_stake), 0);
        let mut at = Place::default();
        while let Some((_, stake, next)) = self.pair(source, at) {
            total += stake;
            largest = stake.max(largest);
            at = next;
        }
        let scale = Scale::new(self.damping, total, largest);
        witness.source(source.number, scale.exponent as u8);
        let mut at = Place::default();
        while let Some((target, stake, next)) = self.pair(source, at) {
            // The pair's first link has it all.
            let mut left = scale.weight(stake);
            for link in &mut source.words[at.row..next.row] {
                let new = std::mem::take(&mut left);
                witness.link(target, weight(*link), new);
                *link = word(target, new);
            }
            for link in &mut source.added[at.added..next.added] {
                let new = std::mem::take(&mut left);
                witness.link(target, link.weight, new);
                link.weight = new;
            }
            at = next;
        }
        scale.exponent as u8
    }

    /// The pair whose links begin at a place: its target, its stake, and where they end.
    #[inline(always)]
    fn pair(&self, source: &Source<'_>, mut at: Place) -> Option<(u32, u128, Place)> {
        let stake = |neuron: u32| u128::from(self.stakes[neuron as usize]);
        let in_row = source.words.get(at.row).map(|&word| end(word));
        let in_added = source.added.get(at.added).map(|link| link.target);
        let target = match (in_row, in_added) {
            (Some(one), Some(other)) => one.min(other),
            (one, other) => one.or(other)?,
        };
        let mut sum = 0;
        while source.words.get(at.row).is_some_and(|&word| end(word) == target) {
            sum += stake(source.neurons[at.row]);
            at.row += 1;
        }
        while let Some(link) = source.added.get(at.added).filter(|link| link.target == target) {
            sum += stake(link.neuron);
            at.added += 1;
        }
        Some((target, sum, at))
    }
}

/// The links of one source: those of its row and those that came later, both by target.
struct Source<'a> {
    number: usize,
    words: &'a mut [u64],
    neurons: &'a [u32],
    added: &'a mut [AddedLink],
}

/// How far both are gone through.
#[derive(Clone, Copy, Default)]
struct Place {
    row: usize,
    added: usize,
}

/// What the weights of a source share. A weight is `floor(numerator / (2 · total))`
/// ([`cpu::mantissa`]); a reciprocal guesses it, and what is left over corrects the guess, which
/// takes a third of a division's time.
struct Scale {
    damping: u32,
    /// 0 stands for a source without stake.
    total: u128,
    exponent: u32,
    /// About `2^(63 + length) / (2 · total)`, where `2 · total` has `length` bits.
    reciprocal: u64,
    /// Numerators lose so many low bits for the guess, and their product so many.
    before: u32,
    after: u32,
}

impl Scale {
    fn new(damping: u32, total: u128, largest: u128) -> Scale {
        if largest == 0 {
            let (total, exponent, reciprocal) = (0, 0, 0);
            return Scale { damping, total, exponent, reciprocal, before: 0, after: 0 };
        }
        let length = u128::BITS - (2 * total).leading_zeros();
        let leading = ((2 * total) << (u128::BITS - length)) >> 64;
        let reciprocal = ((1 << 127) / leading).min(u64::MAX.into()) as u64;
        // Numerators have at most 33 bits more than `2 · total`.
        let before = (length + 33).saturating_sub(64);
        let exponent = cpu::exponent(total, largest);
        Scale { damping, total, exponent, reciprocal, before, after: 63 + length - before }
    }

    #[inline(always)]
    fn weight(&self, stake: u128) -> u32 {
        if self.total == 0 {
            return 0;
        }
        let (lifted, whole) = (stake << self.exponent, 2 * self.total);
        match u64::try_from(whole) {
            // Known to be that narrow, they take a third of the multiplications.
            Ok(whole) => self.quotient((lifted as u64).into(), whole.into()),
            Err(_) => self.quotient(lifted, whole),
        }
    }

    #[inline(always)]
    fn quotient(&self, lifted: u128, whole: u128) -> u32 {
        let numerator = u128::from(2 * u64::from(self.damping)) * lifted + whole / 2;
        let leading = (numerator >> self.before) as u64;
        let mut guess = ((u128::from(leading) * u128::from(self.reciprocal)) >> self.after) as u64;
        let mut product = u128::from(guess) * whole;
        while product > numerator {
            (guess, product) = (guess - 1, product - whole);
        }
        while numerator - product >= whole {
            (guess, product) = (guess + 1, product + whole);
        }
        guess as u32
    }
}

/// Ranges of rows that hold about equal work of `sources`, ascending.
pub fn spread(sources: &[u32], links: &Links, thread_count: usize) -> Vec<Range<usize>> {
    let work: usize = sources.iter().map(|&source| links.degree(source) + 1).sum();
    let parts = thread_count.min(work >> 14).max(1);
    let mut ranges = Vec::with_capacity(parts);
    let (mut start, mut done) = (0, 0);
    for &source in sources {
        if done >= work * (ranges.len() + 1) / parts && ranges.len() + 1 < parts {
            ranges.push(start..source as usize);
            start = source as usize;
        }
        done += links.degree(source) + 1;
    }
    ranges.push(start..links.particles());
    ranges
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(5000))]
        #[test]
        fn a_guessed_weight_is_the_defined_one(
            largest in 1u128..1 << 94, down in 0u32..94, more in 0u128..1 << 93, less in 0u32..94,
            part in 0u128..1 << 94, drop in 0u32..94, damping in 0..=3_865_470_566u32,
        ) {
            let largest = (largest >> down).max(1);
            let total = (largest + (more >> less)).min((1 << 94) - 1).max(largest);
            let scale = Scale::new(damping, total, largest);
            let near = (total >> scale.exponent).min(largest);
            for stake in [largest, (part >> drop) % (largest + 1), near, 0, largest / 2] {
                let defined = cpu::mantissa(damping, stake, scale.exponent, total);
                prop_assert_eq!(scale.weight(stake), defined);
            }
        }
    }

    #[test]
    fn weights_at_the_edges_of_powers_of_two_are_the_defined_ones() {
        for bit in 0..94 {
            for total in [(1u128 << bit) - 1, 1 << bit, (1 << bit) + 1] {
                for largest in [1, total / 2, total - total.min(1), total] {
                    if largest == 0 || largest > total {
                        continue;
                    }
                    let scale = Scale::new(3_650_722_202, total, largest);
                    let defined =
                        |stake| cpu::mantissa(3_650_722_202, stake, scale.exponent, total);
                    for stake in [0, 1, largest / 3, largest] {
                        assert_eq!(scale.weight(stake), defined(stake), "{stake} of {total}");
                    }
                }
            }
        }
    }

    #[test]
    fn a_source_without_stake_weighs_nothing() {
        assert_eq!(Scale::new(u32::MAX, 5, 0).weight(0), 0);
    }
}
