//! The full sweep: every particle sums what its in-links give it.
//!
//! A link is one word of 8 bytes, a source is read as one word of 4 ([`crate::share`]); rows are
//! split over threads by links. Sums are exact, so neither order nor split shows anywhere.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::code::towards;
use crate::links::{AddedPair, Links};
use crate::rows::{end, weight};
use crate::share::{contribution, share};
use crate::threads;

/// Rows between two looks at the flag that ends a round early.
const ROWS_PER_LOOK: usize = 4096;

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
        let mut added = Cursor { pairs: self.links.added_into(&rows) };
        let mut list = List { particles: Vec::new(), room: self.limit };
        let (mut changed, mut seen) = (0, 0);
        let cells = columns.codes.iter_mut().zip(columns.sums).zip(columns.next);
        for (count, (row, ((code, sum), next))) in rows.zip(cells).enumerate() {
            if count % ROWS_PER_LOOK == 0 && self.abort.load(Ordering::Relaxed) {
                return None;
            }
            let mut x = self.row(row);
            if added.is_at(row) {
                x = added.take(row, x, self.shares);
            }
            seen |= x;
            let after = towards(*code, x, self.bits);
            if after != *code {
                changed += 1;
                list.push(row as u32, || self.links.degree(row as u32));
            }
            (*code, *sum) = (after, x);
            *next = share(after, self.exponents[row], self.bits);
        }
        assert!(seen >> 63 == 0, "all ranks together are below 2^63");
        let list = (list.room > 0).then_some(list.particles);
        Some(Changed { codes: changed, list })
    }

    /// Base and in-rows of a particle.
    #[inline]
    fn row(&self, row: usize) -> u64 {
        self.links.into.row(row).iter().fold(self.base, |sum, &pair| {
            sum.wrapping_add(contribution(weight(pair), self.shares[end(pair) as usize]))
        })
    }
}

/// The added pairs of a thread's rows, from the next one on.
struct Cursor<'a> {
    pairs: &'a [AddedPair],
}

impl Cursor<'_> {
    #[inline]
    fn is_at(&self, row: usize) -> bool {
        self.pairs.first().is_some_and(|pair| pair.target as usize == row)
    }

    /// Adds what the pairs of `row` give, and passes them.
    fn take(&mut self, row: usize, mut sum: u64, shares: &[u32]) -> u64 {
        while let Some((pair, rest)) = self.pairs.split_first() {
            if pair.target as usize != row {
                break;
            }
            sum = sum.wrapping_add(contribution(pair.weight, shares[pair.source as usize]));
            self.pairs = rest;
        }
        sum
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
    fn push(&mut self, particle: u32, degree: impl FnOnce() -> usize) {
        if self.room > 0 {
            self.particles.push(particle);
            self.room = self.room.saturating_sub(degree() + 1);
            if self.room == 0 {
                self.particles = Vec::new();
            }
        }
    }
}
