//! The numbers of a round, and its sweeps: which way each one goes, and what lies between them.
//!
//! Invariant while `exact`: `sums[i] = base + Σ contribution(weight, shares[source])` over the
//! in-links of i. `shares` lag behind `codes` by what `ahead` names. Everything is under private
//! numbers (see [`crate::links`]).

use crate::control::Control;
use crate::links::Links;
use crate::memory;
use crate::pull::{Columns, Instructions, Pull};
use crate::push::{self, Changes, Push};
use crate::share::share;
use crate::threads::Crew;
use crate::tiles::SPAN;
use crate::weigh::{self, Weigher};

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
    List(Changes),
    /// All in `next`.
    Next,
    /// To be computed for all.
    All,
}

/// What a link costs in a delta sweep, and what one costs that a full sweep has to bring up to date
/// first, when one of a full sweep costs 1.
pub const PUSH_COST: usize = 8;
/// The first of a graph of up to so many particles: a core's own cache holds the ranks of all, and
/// what a full sweep saves is places in memory.
const PUSH_COST_OF_SMALL: usize = 11;
const SMALL: usize = 1 << 18;
const STALE_COST: usize = 8;
/// What the target's part of it costs.
pub const GIFT_COST: usize = 4;

/// Of so many codes one may change before a list of changes is of no use.
const LISTED: usize = 16;

#[derive(Debug)]
pub struct Round {
    pub base: u64,
    pub bits: u32,
    /// Of full sweeps.
    instructions: Instructions,
    pub codes: Vec<u32>,
    pub exponents: Vec<u8>,
    /// Up to a multiple of the chunks of tiles.
    shares: Vec<u32>,
    next: Vec<u32>,
    /// By thread: sums of the block it works on.
    scratch: Vec<Vec<u64>>,
    sums: Vec<u64>,
    push: Push,
    ahead: Ahead,
    exact: bool,
}

/// How the sweeps of a round went.
#[derive(Debug, Default)]
pub struct Sweeps {
    pub full: u32,
    pub delta: u32,
    pub changed_in_last: u64,
    /// Particles whose code changed, some more than once; `None`: too many for a list.
    pub changed: Option<Vec<u32>>,
}

impl Sweeps {
    /// Takes down what a sweep changed, up to `most` particles.
    fn list(&mut self, ahead: &Ahead, most: usize) {
        self.changed = match (ahead, self.changed.take()) {
            (Ahead::List(changes), Some(mut all)) if all.len() + changes.list.len() <= most => {
                all.extend_from_slice(&changes.list);
                Some(all)
            }
            _ => None,
        };
    }
}

impl Round {
    pub fn new(instructions: Instructions) -> Round {
        Round {
            base: 0,
            bits: 0,
            instructions,
            codes: Vec::new(),
            exponents: Vec::new(),
            shares: Vec::new(),
            next: Vec::new(),
            scratch: Vec::new(),
            sums: Vec::new(),
            push: Push::default(),
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
        self.push.grow(particles);
    }

    /// Says that sums or shares no longer fit links, weights, parameters or codes.
    pub fn forget(&mut self) {
        self.exact = false;
        self.ahead = Ahead::All;
        self.push.forget();
    }

    /// Whether sums are at hand.
    pub fn is_exact(&self) -> bool {
        self.exact
    }

    /// Weighs the links of `sources` anew. If they give, which takes exact sums, their targets get
    /// the difference in the next sweep; else nothing is exact any more.
    pub fn weigh(
        &mut self,
        weigher: &Weigher<'_>,
        links: &mut Links,
        (sources, give): (&[u32], bool),
        thread_count: usize,
    ) {
        let ranges = weigh::spread(sources, links, thread_count);
        if give {
            let columns = (&mut self.shares[..], &self.codes[..]);
            let givers = self.push.givers(&ranges, columns, self.bits);
            weigher.some(links, &mut self.exponents, sources, &ranges, givers);
        } else {
            self.forget();
            let nobody = vec![(); ranges.len()];
            weigher.some(links, &mut self.exponents, sources, &ranges, nobody);
        }
    }

    /// Sweeps until nothing changes, `limit` times at most; `None` if it was aborted, and then
    /// the numbers are of no use.
    pub fn sweeps(
        &mut self,
        links: &mut Links,
        (limit, strategy): (u32, Strategy),
        crew: Crew,
        control: &Control,
    ) -> Option<Sweeps> {
        let mut done = Sweeps { changed: Some(Vec::new()), ..Sweeps::default() };
        let small = self.codes.len() <= SMALL;
        let push_cost = if small { PUSH_COST_OF_SMALL } else { PUSH_COST };
        let most = links.len() / push_cost;
        for _ in 0..limit {
            if !control.go_on() {
                return None;
            }
            let full = !self.exact
                || match (strategy, &self.ahead) {
                    (Strategy::Full, _) => true,
                    (Strategy::Delta, _) => false,
                    (Strategy::Cheapest, Ahead::List(changes)) => {
                        let work = changes.work * push_cost + self.push.waiting() * GIFT_COST;
                        work > links.len() + links.stale() * STALE_COST
                    }
                    (Strategy::Cheapest, _) => true,
                };
            let room = match strategy {
                Strategy::Cheapest => most + 1,
                Strategy::Full => 0,
                Strategy::Delta => usize::MAX,
            };
            done.changed_in_last = if full {
                done.full += 1;
                self.pull(links, room, crew, control)?
            } else {
                done.delta += 1;
                self.push(links, crew, control)
            };
            done.list(&self.ahead, self.codes.len() / LISTED);
            if done.changed_in_last == 0 {
                break;
            }
        }
        if let Ahead::Next = self.ahead {
            std::mem::swap(&mut self.shares, &mut self.next);
            self.ahead = Ahead::List(Changes::default());
            self.exact = false;
        }
        Some(done)
    }

    fn pull(
        &mut self,
        links: &mut Links,
        limit: usize,
        crew: Crew,
        control: &Control,
    ) -> Option<u64> {
        let thread_count = crew.size(links.len() + self.codes.len());
        links.settle(thread_count);
        match std::mem::replace(&mut self.ahead, Ahead::All) {
            Ahead::List(changes) => {
                for source in changes.list {
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
        self.push.forget();
        let pull = Pull {
            links,
            shares: &self.shares,
            exponents: &self.exponents,
            base: self.base,
            bits: self.bits,
            limit,
            instructions: self.instructions,
            control,
        };
        let columns =
            Columns { codes: &mut self.codes, sums: &mut self.sums, next: &mut self.next };
        self.scratch.resize_with(thread_count, || memory::zeros(SPAN));
        let changed = pull.sweep(columns, &mut self.scratch)?;
        self.ahead = changed.list.map_or(Ahead::Next, Ahead::List);
        self.exact = true;
        Some(changed.codes)
    }

    fn push(&mut self, links: &Links, crew: Crew, control: &Control) -> u64 {
        let ahead = std::mem::replace(&mut self.ahead, Ahead::All);
        let Ahead::List(changes) = ahead else {
            unreachable!("a delta sweep has a list of changes")
        };
        let (push, columns) = self.columns(links);
        let changes = push.sweep(columns, &changes, (crew, control));
        let count = changes.list.len() as u64;
        self.ahead = Ahead::List(changes);
        count
    }

    fn columns<'a>(&'a mut self, links: &'a Links) -> (&'a mut Push, push::Columns<'a>) {
        let columns = push::Columns {
            links,
            shares: &mut self.shares,
            sums: &mut self.sums,
            codes: &mut self.codes,
            exponents: &self.exponents,
            bits: self.bits,
        };
        (&mut self.push, columns)
    }

    fn share_of(&self, source: usize) -> u32 {
        share(self.codes[source], self.exponents[source], self.bits)
    }

    /// Bytes held.
    pub fn bytes(&self) -> usize {
        let fours = [&self.codes, &self.shares, &self.next];
        fours.iter().map(|array| array.capacity() * 4).sum::<usize>()
            + self.sums.capacity() * 8
            + self.push.bytes()
            + self.exponents.capacity()
            + self.scratch.len() * SPAN * 8
    }
}
