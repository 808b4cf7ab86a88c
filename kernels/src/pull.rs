//! The full sweep: every particle sums what its in-links give it.
//!
//! Threads take blocks of targets ([`crate::tiles`]) until none is left. Sums are exact, so
//! neither order nor split shows anywhere.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crate::links::Links;
use crate::share::{contribution, share, towards};
use crate::tiles::{Pair, SPAN};
use crate::{memory, threads};

/// How far ahead pairs are asked for, and how many are added in between: what a processor finds
/// out by itself is too little at the ends of pages.
const PAIRS_AHEAD: usize = 256;
const PAIRS_PER_LINE: usize = 8;
/// Rows whose codes are set in one go, without a branch; then the changed ones are listed.
const STRIP: usize = 256;

/// What a full sweep reads.
pub struct Pull<'a> {
    pub links: &'a Links,
    pub shares: &'a [u32],
    pub exponents: &'a [u8],
    pub base: u64,
    pub bits: u32,
    /// Out-links of changed particles from which a list of them is of no use.
    pub limit: usize,
    pub abort: &'a AtomicBool,
}

/// What a full sweep writes, of all rows or of one block's.
pub struct Columns<'a> {
    /// In place: a row reads its own code only.
    pub codes: &'a mut [u32],
    /// The sums behind the new codes.
    pub sums: &'a mut [u64],
    /// Shares of the new codes.
    pub next: &'a mut [u32],
}

/// What a sweep changed.
#[derive(Debug, Default)]
pub struct Changed {
    /// Number of codes.
    pub codes: u64,
    /// Their particles, unless their out-links together passed the limit.
    pub list: Option<Vec<u32>>,
}

impl Pull<'_> {
    /// One sweep over all rows; `None` if `abort` was raised, and then the columns are of no use.
    /// There are as many threads as `scratch`, which holds the sums of one block for each.
    pub fn sweep(&self, columns: Columns<'_>, scratch: &mut [Vec<u64>]) -> Option<Changed> {
        let blocks = self.links.tiles.targets(columns.codes.len());
        let codes = threads::parts(columns.codes, &blocks);
        let sums = threads::parts(columns.sums, &blocks);
        let next = threads::parts(&mut columns.next[..self.links.particles()], &blocks);
        let tasks = codes.into_iter().zip(sums.into_iter().zip(next)).enumerate();
        // Out-links of the changed particles so far.
        let work = AtomicUsize::new(0);
        let parts = threads::queue(tasks.collect(), scratch, |scratch, (block, columns)| {
            let (codes, (sums, next)) = columns;
            let scratch: &mut [u64; SPAN] =
                scratch.as_mut_slice().try_into().expect("room for a block");
            let first = blocks[block].start;
            self.block((block, first), scratch, Columns { codes, sums, next }, &work)
        });
        let mut all = Changed { codes: 0, list: None };
        let mut list = Vec::new();
        for part in parts {
            let part = part?;
            all.codes += part.codes;
            list.extend(part.list.unwrap_or_default());
        }
        all.list = (work.into_inner() < self.limit).then_some(list);
        Some(all)
    }

    /// One block, with the instructions that this processor has.
    fn block(
        &self,
        block: (usize, usize),
        scratch: &mut [u64; SPAN],
        columns: Columns<'_>,
        work: &AtomicUsize,
    ) -> Option<Changed> {
        #[cfg(target_arch = "x86_64")]
        if std::arch::is_x86_feature_detected!("avx2")
            && std::arch::is_x86_feature_detected!("bmi1")
            && std::arch::is_x86_feature_detected!("bmi2")
            && std::arch::is_x86_feature_detected!("lzcnt")
        {
            // SAFETY: the processor has these instructions, as just asked.
            #[allow(
                unsafe_code,
                reason = "the same code for newer processors: shifts in one step"
            )]
            return unsafe { self.block_newer(block, scratch, columns, work) };
        }
        self.block_plain(block, scratch, columns, work)
    }

    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2,bmi1,bmi2,lzcnt")]
    fn block_newer(
        &self,
        block: (usize, usize),
        scratch: &mut [u64; SPAN],
        columns: Columns<'_>,
        work: &AtomicUsize,
    ) -> Option<Changed> {
        self.block_plain(block, scratch, columns, work)
    }

    /// The block of that number, whose targets begin at `first`.
    #[inline(always)]
    fn block_plain(
        &self,
        (block, first): (usize, usize),
        scratch: &mut [u64; SPAN],
        columns: Columns<'_>,
        work: &AtomicUsize,
    ) -> Option<Changed> {
        let rows = columns.codes.len();
        scratch[..rows].fill(self.base);
        let tiles = self.links.tiles.of(block);
        for (pairs, shares) in tiles.zip(self.shares.chunks_exact(SPAN)) {
            if self.abort.load(Ordering::Relaxed) {
                return None;
            }
            add(pairs, shares.try_into().expect("a chunk of shares"), scratch);
        }
        for pair in self.links.added_into(&(first..first + rows)) {
            let share = self.shares[pair.source as usize];
            let sum = &mut scratch[pair.target as usize - first];
            *sum = sum.wrapping_add(contribution(pair.weight, share));
        }
        Some(self.finish(first, &scratch[..rows], columns, work))
    }

    /// Sets codes and shares from the sums of the rows from `first` on.
    #[inline(always)]
    fn finish(
        &self,
        first: usize,
        totals: &[u64],
        Columns { codes, sums, next }: Columns<'_>,
        work: &AtomicUsize,
    ) -> Changed {
        sums.copy_from_slice(totals);
        let exponents = &self.exponents[first..first + totals.len()];
        let mut list = Vec::new();
        let (mut changed, mut seen, mut degrees) = (0, 0, 0);
        let mut listing = work.load(Ordering::Relaxed) < self.limit;
        for begin in (0..totals.len()).step_by(STRIP) {
            let strip = begin..(begin + STRIP).min(totals.len());
            let mut before = [0; STRIP];
            let before = &mut before[..strip.len()];
            let codes = &mut codes[strip.clone()];
            before.copy_from_slice(codes);
            let cells = codes.iter_mut().zip(&mut next[strip.clone()]);
            let reads = totals[strip.clone()].iter().zip(&exponents[strip]);
            let mut moves = 0;
            for ((code, next), (&x, &exponent)) in cells.zip(reads) {
                seen |= x;
                let after = towards(*code, x, self.bits);
                *next = share(after, exponent, self.bits);
                moves += u32::from(after != *code);
                *code = after;
            }
            changed += u64::from(moves);
            if moves > 0 && listing {
                for (row, (before, after)) in (first + begin..).zip(before.iter().zip(codes)) {
                    if before != after {
                        list.push(row as u32);
                        degrees += self.links.degree(row as u32) + 1;
                    }
                }
                listing = degrees < self.limit;
            }
        }
        assert!(seen >> 63 == 0, "all ranks together are below 2^63");
        work.fetch_add(degrees, Ordering::Relaxed);
        Changed { codes: changed, list: Some(list) }
    }
}

/// Adds what the pairs of a tile give.
#[inline(always)]
fn add(pairs: &[Pair], shares: &[u32; SPAN], sums: &mut [u64; SPAN]) {
    let mut one = |pair: &Pair| {
        let sum = &mut sums[usize::from(pair.target)];
        let share = shares[usize::from(pair.source)];
        *sum = sum.wrapping_add(contribution(pair.weight, share));
    };
    let mut lines = pairs.chunks_exact(PAIRS_PER_LINE);
    for line in &mut lines {
        memory::prefetch(line, PAIRS_AHEAD);
        line.iter().for_each(&mut one);
    }
    lines.remainder().iter().for_each(one);
}
