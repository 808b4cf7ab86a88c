//! The full sweep: every particle sums what its in-links give it.
//!
//! Threads take blocks of targets ([`crate::tiles`]) until none is left. Sums are exact, so
//! neither order nor split shows anywhere.
//!
//! There is one body, compiled for three sets of [`Instructions`]: what every processor has (the
//! only one where it is not x86-64), AVX2, AVX-512. `tests/engines.rs` forces each that its machine
//! has and compares; nothing else in this crate is compiled more than once.

use std::sync::atomic::{AtomicUsize, Ordering};

use crate::control::Control;
use crate::links::Links;
use crate::push::Changes;
use crate::share::{contribution, share, towards};
use crate::tiles::{Pair, SPAN};
use crate::{memory, threads};

/// How far ahead pairs are asked for, and how many are added in between: what a processor finds
/// out by itself is too little at the ends of pages.
const PAIRS_AHEAD: usize = 256;
const PAIRS_PER_LINE: usize = 8;
/// Rows whose codes are set in one go, without a branch; then those that moved are listed.
const STRIP: usize = 256;

/// Which instructions of the processor a full sweep uses; the answer is the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Instructions {
    /// What the program was compiled for.
    Plain,
    /// AVX2, BMI and LZCNT.
    Avx2,
    /// The same with AVX-512 F, CD and VL.
    Avx512,
}

impl Instructions {
    /// The most that this processor has; it has all before it, too.
    pub fn best() -> Instructions {
        #[cfg(target_arch = "x86_64")]
        {
            use std::arch::is_x86_feature_detected as has;
            if has!("bmi1") && has!("bmi2") && has!("lzcnt") && has!("avx2") {
                let newest = has!("avx512f") && has!("avx512cd") && has!("avx512vl");
                return if newest { Instructions::Avx512 } else { Instructions::Avx2 };
            }
        }
        Instructions::Plain
    }
}

/// What a full sweep reads.
pub struct Pull<'a> {
    pub links: &'a Links,
    pub shares: &'a [u32],
    pub exponents: &'a [u8],
    pub base: u64,
    pub bits: u32,
    /// Work of changed particles from which a list of them is of no use.
    pub limit: usize,
    /// At most; what the processor does not have is not used.
    pub instructions: Instructions,
    pub control: &'a Control,
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
    /// Their particles, unless their work together passed the limit.
    pub list: Option<Changes>,
}

impl Pull<'_> {
    /// One sweep over all rows; `None` if it was aborted, and then the columns are of no use.
    /// There are as many threads as `scratch`, which holds the sums of one block for each.
    pub fn sweep(&self, columns: Columns<'_>, scratch: &mut [Vec<u64>]) -> Option<Changed> {
        let blocks = self.links.tiles.targets(columns.codes.len());
        let codes = threads::parts(columns.codes, &blocks);
        let sums = threads::parts(columns.sums, &blocks);
        let next = threads::parts(&mut columns.next[..self.links.particles()], &blocks);
        let tasks = codes.into_iter().zip(sums.into_iter().zip(next)).enumerate();
        // Of the changed particles so far.
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
            list.extend(part.list.unwrap_or_default().list);
        }
        let work = work.into_inner();
        all.list = (work < self.limit).then_some(Changes { list, work });
        Some(all)
    }

    /// One block, with the instructions that are wanted and there.
    fn block(
        &self,
        block: (usize, usize),
        scratch: &mut [u64; SPAN],
        columns: Columns<'_>,
        work: &AtomicUsize,
    ) -> Option<Changed> {
        match self.instructions.min(Instructions::best()) {
            Instructions::Plain => self.block_plain(block, scratch, columns, work),
            #[cfg(target_arch = "x86_64")]
            #[allow(unsafe_code, reason = "the same code for newer processors, which this one is")]
            // SAFETY: the processor has these instructions, as just asked.
            Instructions::Avx2 => unsafe { self.block_newer(block, scratch, columns, work) },
            #[cfg(target_arch = "x86_64")]
            #[allow(unsafe_code, reason = "the same code for newer processors, which this one is")]
            // SAFETY: the same.
            Instructions::Avx512 => unsafe { self.block_newest(block, scratch, columns, work) },
            #[cfg(not(target_arch = "x86_64"))]
            _ => unreachable!("no processor of another kind has them"),
        }
    }

    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx512f,avx512cd,avx512vl,bmi1,bmi2,lzcnt")]
    fn block_newest(
        &self,
        block: (usize, usize),
        scratch: &mut [u64; SPAN],
        columns: Columns<'_>,
        work: &AtomicUsize,
    ) -> Option<Changed> {
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
            if !self.control.go_on() {
                return None;
            }
            add(pairs, shares.try_into().expect("a chunk of shares"), scratch);
        }
        for pair in self.links.added_into(&(first..first + rows)) {
            let share = self.shares[pair.source as usize];
            let sum = &mut scratch[pair.target as usize - first];
            *sum = sum.wrapping_add(contribution(pair.weight, share));
        }
        Some(self.finish(first, scratch, columns, work))
    }

    /// Sets codes and shares of the rows from `first` on, from their sums in `scratch`.
    #[inline(always)]
    fn finish(
        &self,
        first: usize,
        scratch: &[u64; SPAN],
        Columns { codes, sums, next }: Columns<'_>,
        work: &AtomicUsize,
    ) -> Changed {
        sums.copy_from_slice(&scratch[..codes.len()]);
        let exponents = &self.exponents[first..first + codes.len()];
        let mut list = Vec::new();
        let (mut changed, mut seen, mut degrees) = (0, 0, 0);
        let mut listing = work.load(Ordering::Relaxed) < self.limit;
        let strips = codes.chunks_mut(STRIP).zip(next.chunks_mut(STRIP));
        let reads = scratch.chunks_exact(STRIP).zip(exponents.chunks(STRIP));
        for (number, ((codes, next), (sums, exponents))) in strips.zip(reads).enumerate() {
            let mut strip = Strip::new(codes, exponents);
            let sums = sums.try_into().expect("sums of whole strips");
            let moves = strip.step(sums, self.bits);
            codes.copy_from_slice(&strip.after[..codes.len()]);
            next.copy_from_slice(&strip.shares[..codes.len()]);
            seen |= sums[..codes.len()].iter().fold(0, |seen, x| seen | x);
            changed += u64::from(moves);
            if moves > 0 && listing {
                let begin = (first + number * STRIP) as u32;
                for (row, (before, after)) in (begin..).zip(strip.before.iter().zip(codes)) {
                    if before != after {
                        list.push(row);
                        degrees += self.links.degree(row) + 1;
                    }
                }
                listing = degrees < self.limit;
            }
        }
        assert!(seen >> 63 == 0, "all ranks together are below 2^63");
        work.fetch_add(degrees, Ordering::Relaxed);
        Changed { codes: changed, list: Some(Changes { list, work: degrees }) }
    }
}

/// Consecutive rows, in arrays of one length so that several go through one instruction. What is
/// beyond the last row does not move.
struct Strip {
    before: [u32; STRIP],
    exponents: [u8; STRIP],
    after: [u32; STRIP],
    shares: [u32; STRIP],
    rows: usize,
}

impl Strip {
    #[inline(always)]
    fn new(codes: &[u32], exponents: &[u8]) -> Strip {
        let mut strip = Strip {
            before: [0; STRIP],
            exponents: [0; STRIP],
            after: [0; STRIP],
            shares: [0; STRIP],
            rows: codes.len(),
        };
        strip.before[..codes.len()].copy_from_slice(codes);
        strip.exponents[..codes.len()].copy_from_slice(exponents);
        strip
    }

    /// Moves the codes towards `sums`; gives how many moved.
    #[inline(always)]
    fn step(&mut self, sums: &[u64; STRIP], bits: u32) -> u32 {
        for ((after, &before), &x) in self.after.iter_mut().zip(&self.before).zip(sums) {
            *after = towards(before, x, bits);
        }
        for ((given, &code), &exponent) in
            self.shares.iter_mut().zip(&self.after).zip(&self.exponents)
        {
            *given = share(code, exponent, bits);
        }
        let pairs = self.before[..self.rows].iter().zip(&self.after[..self.rows]);
        pairs.fold(0, |moves, (before, after)| moves.wrapping_add(u32::from(before != after)))
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
