//! The full sweep: every particle sums what its in-links give it.
//!
//! A link is one word of 8 bytes, a source is read as one word of 4 ([`crate::share`]); rows are
//! split over threads by links. Sums are exact, so neither order nor split shows anywhere.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::links::Links;
use crate::rows::{end, weight};
use crate::share::{contribution, share, towards};
use crate::{memory, threads};

/// Rows that are summed up before their codes are looked at: two short loops are faster than one
/// long one, and between two blocks the thread looks whether to end the round.
const BLOCK: usize = 1024;
/// How far ahead of the sums, in words, shares and words are asked for: what a processor finds
/// out by itself is too little when most shares are outside its own caches.
const SHARES_AHEAD: usize = 64;
const WORDS_AHEAD: usize = 512;

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

/// What a full sweep writes, of all rows or of one thread's.
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
    pub fn sweep(&self, columns: Columns<'_>, ranges: &[Range<usize>]) -> Option<Changed> {
        let codes = threads::parts(columns.codes, ranges);
        let sums = threads::parts(columns.sums, ranges);
        let next = threads::parts(columns.next, ranges);
        let tasks = ranges.iter().zip(codes.into_iter().zip(sums.into_iter().zip(next)));
        let parts = threads::each(tasks.collect(), |(rows, (codes, (sums, next)))| {
            self.rows(rows.clone(), Columns { codes, sums, next })
        });
        let mut all = Changed { codes: 0, list: Some(Vec::new()) };
        for part in parts {
            let part = part?;
            all.codes += part.codes;
            all.list = all.list.zip(part.list).map(|(mut all, part)| {
                all.extend(part);
                all
            });
        }
        Some(all)
    }

    /// The rows of one thread.
    fn rows(&self, rows: Range<usize>, columns: Columns<'_>) -> Option<Changed> {
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
            return unsafe { self.rows_newer(rows, columns) };
        }
        self.rows_plain(rows, columns)
    }

    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2,bmi1,bmi2,lzcnt")]
    fn rows_newer(&self, rows: Range<usize>, columns: Columns<'_>) -> Option<Changed> {
        self.rows_plain(rows, columns)
    }

    #[inline(always)]
    fn rows_plain(&self, rows: Range<usize>, columns: Columns<'_>) -> Option<Changed> {
        let mut added = self.links.added_into(&rows);
        let mut list = List { particles: Vec::new(), room: self.limit };
        let (mut changed, mut seen) = (0, 0);
        let Columns { codes, sums, next } = columns;
        for begin in (0..rows.len()).step_by(BLOCK) {
            if self.abort.load(Ordering::Relaxed) {
                return None;
            }
            let block = begin..(begin + BLOCK).min(rows.len());
            let first = rows.start + begin;
            let sums = &mut sums[block.clone()];
            self.sum(first, sums);
            while let Some((pair, rest)) = added.split_first() {
                let Some(sum) = sums.get_mut(pair.target as usize - first) else { break };
                let share = self.shares[pair.source as usize];
                *sum = sum.wrapping_add(contribution(pair.weight, share));
                added = rest;
            }
            let exponents = &self.exponents[first..first + block.len()];
            let cells = codes[block.clone()].iter_mut().zip(&mut next[block]);
            for (row, ((code, next), (&x, &exponent))) in
                (first..).zip(cells.zip(sums.iter().zip(exponents)))
            {
                seen |= x;
                let after = towards(*code, x, self.bits);
                *next = share(after, exponent, self.bits);
                let moves = after != *code;
                *code = after;
                changed += u64::from(moves);
                if list.room > 0 && moves {
                    list.push(row as u32, self.links.degree(row as u32));
                }
            }
        }
        assert!(seen >> 63 == 0, "all ranks together are below 2^63");
        let list = (list.room > 0).then_some(list.particles);
        Some(Changed { codes: changed, list })
    }

    /// Base and in-rows of the particles from `first` on.
    #[inline(always)]
    fn sum(&self, first: usize, sums: &mut [u64]) {
        let into = &self.links.into;
        let offsets = &into.offsets[first..first + sums.len() + 1];
        let mut at = offsets[0] as usize;
        for (sum, &row_end) in sums.iter_mut().zip(&offsets[1..]) {
            let row_end = row_end as usize;
            memory::prefetch(&into.words, at + WORDS_AHEAD);
            let words = &into.words[at..row_end];
            let later = into.words.get(at + SHARES_AHEAD..row_end + SHARES_AHEAD);
            at = row_end;
            *sum =
                words.iter().zip(later.unwrap_or(words)).fold(self.base, |sum, (&pair, &later)| {
                    memory::prefetch(self.shares, end(later) as usize);
                    sum.wrapping_add(contribution(weight(pair), self.shares[end(pair) as usize]))
                });
        }
    }
}

/// Changed particles, as long as their out-links have room.
struct List {
    particles: Vec<u32>,
    /// 0 once passed.
    room: usize,
}

impl List {
    #[inline]
    fn push(&mut self, particle: u32, degree: usize) {
        self.particles.push(particle);
        self.room = self.room.saturating_sub(degree + 1);
        if self.room == 0 {
            self.particles = Vec::new();
        }
    }
}
