//! The numbers of a round, and its sweeps: which way each one goes, and what lies between them.
//!
//! Invariant while `exact`: `sums[i] = base + Σ contribution(weight, shares[source])` over the
//! in-links of i. `shares` lag behind `codes` by what `ahead` names. Everything is under private
//! numbers (see [`crate::links`]).

use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::links::Links;
use crate::memory;
use crate::pull::{Columns, Pull};
use crate::push::{Move, Sums};
use crate::share::share;
use crate::tiles::SPAN;

/// Which sweeps an engine may use; the answer is the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strategy {
    /// Whichever costs less, sweep by sweep.
    Cheapest,
    /// Full sweeps only.
    Full,
    /// Delta sweeps wherever sums are at hand.
    Delta,
}

/// Where the shares of codes that changed are.
#[derive(Debug)]
enum Ahead {
    /// To be computed, for these particles.
    List(Vec<u32>),
    /// All in `next`.
    Next,
    /// To be computed for all.
    All,
}

/// A link on a full sweep costs less than one of a delta sweep, by this factor.
const PUSH_COST: usize = 4;

#[derive(Debug)]
pub struct Round {
    pub base: u64,
    pub bits: u32,
    pub codes: Vec<u32>,
    pub exponents: Vec<u8>,
    /// Up to a multiple of the chunks of tiles.
    shares: Vec<u32>,
    next: Vec<u32>,
    /// By thread: sums of the block it works on.
    scratch: Vec<Vec<u64>>,
    sums: Vec<u64>,
    marks: Vec<u8>,
    /// By range of rows: particles with a mark.
    moved: Vec<Vec<u32>>,
    ahead: Ahead,
    exact: bool,
}

/// How the sweeps of a round went.
#[derive(Debug, Default)]
pub struct Sweeps {
    pub full: u32,
    pub delta: u32,
    pub changed_in_last: u64,
}

impl Round {
    pub fn new() -> Round {
        Round {
            base: 0,
            bits: 0,
            codes: Vec::new(),
            exponents: Vec::new(),
            shares: Vec::new(),
            next: Vec::new(),
            scratch: Vec::new(),
            sums: Vec::new(),
            marks: Vec::new(),
            moved: Vec::new(),
            ahead: Ahead::All,
            exact: false,
        }
    }

    /// New particles, which start from the base and have no links yet.
    pub fn grow(&mut self, particles: usize, fresh: u32) {
        memory::extend(&mut self.codes, particles, fresh);
        memory::extend(&mut self.exponents, particles, 0);
        // The share of a particle without links is never read.
        let whole_chunks = particles.next_multiple_of(SPAN);
        memory::extend(&mut self.shares, whole_chunks, 0);
        memory::extend(&mut self.next, whole_chunks, 0);
        memory::extend(&mut self.sums, particles, self.base);
        memory::extend(&mut self.marks, particles, 0);
    }

    /// Says that sums or shares no longer fit links, weights, parameters or codes.
    pub fn forget(&mut self) {
        self.exact = false;
        self.ahead = Ahead::All;
        for moved in &mut self.moved {
            moved.drain(..).for_each(|row| self.marks[row as usize] = 0);
        }
    }

    /// Whether sums are at hand.
    pub fn is_exact(&self) -> bool {
        self.exact
    }

    /// Takes out what `sources` gave, before their weights change; they give anew in the next
    /// sweep. Only while exact.
    pub fn withdraw(&mut self, links: &Links, sources: &[u32], ranges: &[Range<usize>]) {
        let moves: Vec<Move> = sources
            .iter()
            .map(|&source| {
                let old = std::mem::replace(&mut self.shares[source as usize], 0);
                Move { source, old, new: 0 }
            })
            .collect();
        self.sums(links, ranges).0.push(&moves);
        match &mut self.ahead {
            Ahead::List(list) => list.extend_from_slice(sources),
            Ahead::Next | Ahead::All => unreachable!("a round ends with a list while exact"),
        }
    }

    /// Sweeps until nothing changes, `limit` times at most; `None` if `abort` was raised, and then
    /// the numbers are of no use.
    pub fn sweeps(
        &mut self,
        links: &mut Links,
        (limit, strategy): (u32, Strategy),
        ranges: &[Range<usize>],
        abort: &AtomicBool,
    ) -> Option<Sweeps> {
        let mut done = Sweeps::default();
        let most = links.len() / PUSH_COST;
        for _ in 0..limit {
            if abort.load(Ordering::Relaxed) {
                return None;
            }
            let full = !self.exact
                || match (strategy, &self.ahead) {
                    (Strategy::Full, _) => true,
                    (Strategy::Delta, _) => false,
                    (Strategy::Cheapest, Ahead::List(list)) => self.is_long(links, list, most),
                    (Strategy::Cheapest, _) => true,
                };
            let room = if strategy == Strategy::Delta { usize::MAX } else { most + 1 };
            done.changed_in_last = if full {
                done.full += 1;
                self.pull(links, room, ranges, abort)?
            } else {
                done.delta += 1;
                self.push(links, ranges)
            };
            if done.changed_in_last == 0 {
                break;
            }
        }
        if let Ahead::Next = self.ahead {
            std::mem::swap(&mut self.shares, &mut self.next);
            self.ahead = Ahead::List(Vec::new());
            self.exact = false;
        }
        Some(done)
    }

    fn is_long(&self, links: &Links, list: &[u32], most: usize) -> bool {
        let mut work = 0;
        list.iter().any(|&source| {
            work += links.degree(source);
            work > most
        })
    }

    fn pull(
        &mut self,
        links: &mut Links,
        limit: usize,
        ranges: &[Range<usize>],
        abort: &AtomicBool,
    ) -> Option<u64> {
        links.settle(ranges.len());
        match std::mem::replace(&mut self.ahead, Ahead::All) {
            Ahead::List(list) => {
                for source in list {
                    self.shares[source as usize] = self.share_of(source as usize);
                }
            }
            Ahead::Next => std::mem::swap(&mut self.shares, &mut self.next),
            Ahead::All => {
                for source in 0..self.codes.len() {
                    self.shares[source] = self.share_of(source);
                }
            }
        }
        for moved in &mut self.moved {
            moved.drain(..).for_each(|row| self.marks[row as usize] = 0);
        }
        let pull = Pull {
            links,
            shares: &self.shares,
            exponents: &self.exponents,
            base: self.base,
            bits: self.bits,
            limit,
            abort,
        };
        let columns =
            Columns { codes: &mut self.codes, sums: &mut self.sums, next: &mut self.next };
        self.scratch.resize_with(ranges.len(), || memory::zeros(SPAN));
        let changed = pull.sweep(columns, &mut self.scratch)?;
        self.ahead = changed.list.map_or(Ahead::Next, Ahead::List);
        self.exact = true;
        Some(changed.codes)
    }

    fn push(&mut self, links: &Links, ranges: &[Range<usize>]) -> u64 {
        let ahead = std::mem::replace(&mut self.ahead, Ahead::All);
        let list = match ahead {
            Ahead::List(list) => list,
            Ahead::Next | Ahead::All => unreachable!("a delta sweep has a list of changes"),
        };
        let mut moves = Vec::with_capacity(list.len());
        for source in list {
            let new = self.share_of(source as usize);
            let old = std::mem::replace(&mut self.shares[source as usize], new);
            if old != new {
                moves.push(Move { source, old, new });
            }
        }
        let bits = self.bits;
        let (mut sums, codes) = self.sums(links, ranges);
        let changed = sums.sweep(&moves, codes, bits);
        let count = changed.len() as u64;
        self.ahead = Ahead::List(changed);
        count
    }

    fn share_of(&self, source: usize) -> u32 {
        share(self.codes[source], self.exponents[source], self.bits)
    }

    /// The columns a push works on; ranges are the same all through a round.
    fn sums<'a>(
        &'a mut self,
        links: &'a Links,
        ranges: &'a [Range<usize>],
    ) -> (Sums<'a>, &'a mut [u32]) {
        self.moved.resize(ranges.len(), Vec::new());
        let sums = Sums {
            links,
            sums: &mut self.sums,
            marks: &mut self.marks,
            moved: &mut self.moved,
            ranges,
        };
        (sums, &mut self.codes)
    }

    /// Bytes held.
    pub fn bytes(&self) -> usize {
        let fours = [&self.codes, &self.shares, &self.next];
        fours.iter().map(|array| array.capacity() * 4).sum::<usize>()
            + self.sums.capacity() * 8
            + self.marks.capacity()
            + self.exponents.capacity()
            + self.scratch.len() * SPAN * 8
            + self.moved.iter().map(|list| list.capacity() * 4).sum::<usize>()
    }
}
