//! The delta sweep: particles whose share changed take back what they gave and give anew; only
//! particles whose sum moved look at their code.
//!
//! Exact: sums are integers, and a code whose sum did not move stays as it is (`towards` is
//! idempotent). Each thread owns a range of targets and follows all changed sources into it, so no
//! sum is written by two threads and nothing depends on their order.

use std::ops::Range;

use crate::code::towards;
use crate::links::Links;
use crate::rows::{end, weight, within};
use crate::share::contribution;
use crate::threads;

/// A source whose share changes.
#[derive(Clone, Copy, Debug)]
pub struct Move {
    pub source: u32,
    pub old: u32,
    pub new: u32,
}

/// Rows from this length on are entered by search, not from their first link.
const LONG_ROW: usize = 32;
/// Moves that a single thread makes faster than others start.
const MOVES_PER_THREAD: usize = 256;

/// Sums, codes and marks of all particles.
pub struct Sums<'a> {
    pub links: &'a Links,
    pub sums: &'a mut [u64],
    /// Which particles are in `moved`.
    pub marks: &'a mut [u8],
    /// By thread: particles whose sum moved since their codes were looked at.
    pub moved: &'a mut [Vec<u32>],
    pub ranges: &'a [Range<usize>],
}

/// What one thread works on.
struct Part<'a> {
    rows: Range<u32>,
    sums: &'a mut [u64],
    marks: &'a mut [u8],
    moved: &'a mut Vec<u32>,
}

impl Sums<'_> {
    /// Makes the moves; `self.moved` remembers what they reached.
    pub fn push(&mut self, moves: &[Move]) {
        let links = self.links;
        let tasks = self.tasks();
        let work = |mut part: Part<'_>| part.push(links, moves);
        if moves.len() < MOVES_PER_THREAD {
            tasks.into_iter().for_each(work);
        } else {
            threads::each(tasks, work);
        }
    }

    /// Makes the moves, then sets the codes of all particles reached; gives those that changed.
    pub fn sweep(&mut self, moves: &[Move], codes: &mut [u32], bits: u32) -> Vec<u32> {
        let links = self.links;
        let codes = threads::parts(codes, self.ranges);
        let tasks: Vec<_> = self.tasks().into_iter().zip(codes).collect();
        let work = |(mut part, codes): (Part<'_>, &mut [u32])| {
            part.push(links, moves);
            part.settle(codes, bits)
        };
        let reached: usize = tasks.iter().map(|(part, _)| part.moved.len()).sum();
        if moves.len() + reached < MOVES_PER_THREAD {
            tasks.into_iter().flat_map(work).collect()
        } else {
            threads::each(tasks, work).concat()
        }
    }

    fn tasks(&mut self) -> Vec<Part<'_>> {
        let sums = threads::parts(self.sums, self.ranges);
        let marks = threads::parts(self.marks, self.ranges);
        let columns = sums.into_iter().zip(marks).zip(self.moved.iter_mut());
        self.ranges
            .iter()
            .zip(columns)
            .map(|(rows, ((sums, marks), moved))| Part {
                rows: rows.start as u32..rows.end as u32,
                sums,
                marks,
                moved,
            })
            .collect()
    }
}

impl Part<'_> {
    fn push(&mut self, links: &Links, moves: &[Move]) {
        for change in moves {
            let row = links.out.row(change.source as usize);
            let row = match row.len() < LONG_ROW {
                true => row,
                false => {
                    let (from, to) = within(row, &self.rows, |&word| end(word));
                    &row[from..to]
                }
            };
            for &word in row {
                self.add(end(word), weight(word), change);
            }
            for link in links.added.row(change.source) {
                self.add(link.target, link.weight, change);
            }
        }
    }

    #[inline]
    fn add(&mut self, target: u32, weight: u32, change: &Move) {
        let row = target.wrapping_sub(self.rows.start) as usize;
        let Some(sum) = self.sums.get_mut(row) else { return };
        let (old, new) = (contribution(weight, change.old), contribution(weight, change.new));
        *sum = sum.wrapping_add(new).wrapping_sub(old);
        let mark = &mut self.marks[row];
        if *mark == 0 {
            *mark = 1;
            self.moved.push(target);
        }
    }

    fn settle(&mut self, codes: &mut [u32], bits: u32) -> Vec<u32> {
        let mut changed = Vec::new();
        let mut seen = 0;
        for target in self.moved.drain(..) {
            let row = (target - self.rows.start) as usize;
            self.marks[row] = 0;
            seen |= self.sums[row];
            let after = towards(codes[row], self.sums[row], bits);
            if after != codes[row] {
                codes[row] = after;
                changed.push(target);
            }
        }
        assert!(seen >> 63 == 0, "all ranks together are below 2^63");
        changed
    }
}
