//! Answers by rank: what a particle leads to, what leads to it, the best of all.
//!
//! Derived data: it follows the committed states, consensus never reads it, it may be switched
//! off, and its loss is repaired by following again from nothing. Ranks themselves stand in the
//! state; here is who links to whom ([`adjacency`]) and the order ([`order`], [`neighbours`]).
//!
//! ```text
//! commit → Index::follow(snapshot)          one writer
//! query  → Index::view(snapshot) → View     any number, without locks but those of caches
//! ```
//!
//! Invariants: an answer is a function of the snapshot asked for, never of what came later or of
//! what was asked before (`tests`: equal to a plain sort on random graphs); nothing is sorted
//! when a round is published, only what is asked for when it is asked for; caches are bounded.
//! Deliberately absent: texts, particles as bytes, persistence.

mod adjacency;
pub mod deadline;
mod derived;
pub mod explain;
pub mod follower;
mod neighbours;
mod order;
pub mod transactions;

#[cfg(test)]
mod tests;

pub use adjacency::List;
pub use deadline::{Deadline, Late};
pub use follower::Follower;

use crate::state::Link;
use crate::store::columns::Sizes;
use crate::store::Snapshot;
use crate::types::{LinkNumber, NeuronNumber, ParticleNumber};
use adjacency::Adjacency;
use arc_swap::{ArcSwap, ArcSwapOption};
use derived::Derived;
use neighbours::{Kept, Question};
use std::ops::Range;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use transactions::Transactions;

/// What all ranks together come to where the API speaks of rank as an integer.
pub const RANK_SCALE: u64 = 1_000_000_000_000_000;

/// A question finds the index at most so many links behind, or waits for nothing and hears that
/// it is not ready.
const CATCH_UP_LINKS: u32 = 50_000;

/// The best of all particles are kept in order down to this place.
const TOP_KEPT: usize = 10_000;

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SearchError {
    #[error("search is switched off on this node")]
    Off,
    #[error("the search index is not ready, {percent} % of {links} links are in")]
    NotReady { percent: u64, links: u32 },
    #[error(transparent)]
    Late(#[from] Late),
}

/// Which ends of a particle's links are meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Side {
    /// What it links to.
    Targets,
    /// What links to it.
    Sources,
}

/// A particle with its rank, scaled to [`RANK_SCALE`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ranked {
    pub particle: ParticleNumber,
    pub rank: u64,
}

/// Some of the answers, best first, and how many there are in all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    pub total: usize,
    pub ranked: Vec<Ranked>,
}

/// The index. One for a node, shared by all who ask.
pub struct Index {
    enabled: bool,
    adjacency: Adjacency,
    /// What readers may ask for.
    followed: ArcSwap<Sizes>,
    /// Links taken in by the writer and how many it goes for: for the percentage alone.
    progress: [AtomicU32; 2],
    writer: Mutex<()>,
    neighbours: Kept,
    top: Mutex<Option<Top>>,
    derived: Derived,
    explained: explain::Kept,
    /// The state noted last, and one that held the inputs of the round published last.
    noted: Mutex<Option<Arc<Snapshot>>>,
    inputs: ArcSwapOption<Snapshot>,
    transactions: Transactions,
}

/// The best of all particles under the ranks of so many rounds.
struct Top {
    rounds: u32,
    particles: u32,
    keys: Arc<Vec<u64>>,
}

impl Index {
    /// An index that has not followed anything yet.
    pub fn new() -> Index {
        Index {
            enabled: true,
            adjacency: Adjacency::new(),
            followed: ArcSwap::from_pointee(Sizes::default()),
            progress: Default::default(),
            writer: Mutex::new(()),
            neighbours: Kept::default(),
            top: Mutex::new(None),
            derived: Derived::default(),
            explained: explain::Kept::default(),
            noted: Mutex::new(None),
            inputs: ArcSwapOption::empty(),
            transactions: Transactions::default(),
        }
    }

    /// An index that costs nothing and answers nothing.
    pub fn off() -> Index {
        tracing::warn!("search is switched off: searches answer nothing, karma is refused");
        Index { enabled: false, ..Index::new() }
    }

    /// Whether it answers.
    pub fn is_on(&self) -> bool {
        self.enabled
    }

    /// Takes in what a state has that was not followed yet: after each commit what the block
    /// added, at a start everything. An older state changes nothing.
    pub fn follow(&self, snapshot: &Snapshot) {
        if !self.enabled {
            return;
        }
        let _writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let (before, after) = (**self.followed.load(), snapshot.sizes());
        if after.links <= before.links && after.particles <= before.particles {
            return;
        }
        let [done, aim] = &self.progress;
        aim.store(after.links, Relaxed);
        self.adjacency.extend(before, snapshot, |links| done.store(links, Relaxed));
        done.store(after.links, Relaxed);
        self.followed.store(Arc::new(after));
    }

    /// Which transactions did what.
    pub fn transactions(&self) -> &Transactions {
        &self.transactions
    }

    /// Notes a committed state: when a round is published, the state before it holds what the
    /// round was computed from, which [`explain`] asks for. Costs the memory of what one round
    /// changed in the trees.
    pub fn note(&self, state: &Arc<Snapshot>) {
        let mut noted = self.noted.lock().unwrap_or_else(PoisonError::into_inner);
        let before = noted.replace(Arc::clone(state));
        if before.as_ref().is_some_and(|before| before.rounds() == state.rounds()) {
            return;
        }
        let inputs = before.filter(|before| before.rounds() + 1 == state.rounds());
        self.inputs.store(inputs);
    }

    /// A state that holds the inputs of the last round a state has; none since a start.
    pub fn inputs(&self, snapshot: &Snapshot) -> Option<Arc<Snapshot>> {
        self.inputs.load_full().filter(|inputs| inputs.rounds() + 1 == snapshot.rounds())
    }

    /// The index as of a state. One a little ahead of what was followed is followed first.
    pub fn view<'a>(&'a self, snapshot: &'a Snapshot) -> Result<View<'a>, SearchError> {
        if !self.enabled {
            return Err(SearchError::Off);
        }
        let (followed, sizes) = (**self.followed.load(), snapshot.sizes());
        if sizes.links.saturating_sub(followed.links) > CATCH_UP_LINKS {
            let [done, aim] = self.progress.each_ref().map(|count| count.load(Relaxed));
            let links = aim.max(sizes.links);
            let percent = u64::from(done) * 100 / u64::from(links);
            return Err(SearchError::NotReady { percent, links });
        }
        if sizes.links > followed.links || sizes.particles > followed.particles {
            self.follow(snapshot);
        }
        Ok(View { index: self, snapshot })
    }

    /// The best of all particles, by places from 0. Needs no links.
    pub fn top(
        &self,
        snapshot: &Snapshot,
        places: Range<usize>,
        deadline: &Deadline,
    ) -> Result<Page, SearchError> {
        if !self.enabled {
            return Err(SearchError::Off);
        }
        let ranks = snapshot.rank();
        let total = ranks.len() as usize;
        let end = places.end.min(total);
        let keys = match end <= TOP_KEPT.min(total) {
            true => {
                let kept = self.kept_top(snapshot, deadline)?;
                kept[places.start.min(end)..end].to_vec()
            }
            false => order::top(ranks, places, deadline)?,
        };
        Ok(page(snapshot, total, &keys))
    }

    fn kept_top(&self, snapshot: &Snapshot, deadline: &Deadline) -> Result<Arc<Vec<u64>>, Late> {
        let (rounds, particles) = (snapshot.rounds(), snapshot.rank().len());
        let mut kept = self.top.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(top) = kept.as_ref().filter(|top| top.rounds == rounds) {
            // Particles newer than the list have no rank: they stand behind all that have one.
            let all_ranked = top.keys.last().is_some_and(|key| order::code(*key) > 0);
            let unchanged = all_ranked && top.keys.len() == TOP_KEPT;
            if top.particles == particles || unchanged {
                return Ok(Arc::clone(&top.keys));
            }
        }
        let keys = Arc::new(order::top(snapshot.rank(), 0..TOP_KEPT, deadline)?);
        *kept = Some(Top { rounds, particles, keys: Arc::clone(&keys) });
        Ok(keys)
    }

    /// Negentropy of the whole graph, in whole bits.
    pub fn negentropy(&self, snapshot: &Snapshot, deadline: &Deadline) -> Result<u64, SearchError> {
        Ok(self.derived.negentropy(snapshot, deadline)?)
    }
}

impl Default for Index {
    fn default() -> Index {
        Index::new()
    }
}

/// The index as of one state.
#[derive(Clone, Copy)]
pub struct View<'a> {
    index: &'a Index,
    snapshot: &'a Snapshot,
}

impl<'a> View<'a> {
    /// The links from a particle, newest first.
    pub fn out_links(&self, particle: ParticleNumber) -> impl Iterator<Item = LinkNumber> + 'a {
        self.index.adjacency.from(particle, self.snapshot.sizes().links)
    }

    /// The links to a particle, newest first.
    pub fn in_links(&self, particle: ParticleNumber) -> impl Iterator<Item = LinkNumber> + 'a {
        self.index.adjacency.to(particle, self.snapshot.sizes().links)
    }

    /// The links of a neuron, newest first.
    pub fn links_of(&self, neuron: NeuronNumber) -> impl Iterator<Item = LinkNumber> + 'a {
        self.index.adjacency.of(neuron, self.snapshot.sizes().links)
    }

    /// A list of links, newest first; from one of them on if one is named. None: that one is not
    /// in the list.
    pub fn list(
        &self,
        list: List,
        first: Option<LinkNumber>,
    ) -> Option<impl Iterator<Item = LinkNumber> + 'a> {
        let links = self.snapshot.sizes().links;
        let first = match (first, list) {
            (Some(first), _) => {
                let ends = (first.0 < links).then(|| self.snapshot.link_ends(first));
                let (neuron, from, to) = ends?;
                let inside = match list {
                    List::From(particle) => from == particle,
                    List::To(particle) => to == particle,
                    List::Of(number) => neuron == number,
                };
                inside.then_some(Some(first))?
            }
            (None, List::From(particle)) => self.out_links(particle).next(),
            (None, List::To(particle)) => self.in_links(particle).next(),
            (None, List::Of(neuron)) => self.links_of(neuron).next(),
        };
        let rest = first.map(|first| self.index.adjacency.resume(list, first, links));
        Some(rest.into_iter().flatten())
    }

    /// The answers of [`explain`] that are kept.
    fn explained(&self) -> &'a explain::Kept {
        &self.index.explained
    }

    /// The state it is of.
    pub fn snapshot(&self) -> &'a Snapshot {
        self.snapshot
    }

    /// A link by its number.
    pub fn link(&self, number: LinkNumber) -> Link {
        self.snapshot.link(number).expect("chains lead to links of the state")
    }

    /// The distinct particles at the other ends of a particle's links, by places from 0.
    pub fn neighbours(
        &self,
        particle: ParticleNumber,
        side: Side,
        places: Range<usize>,
        deadline: &Deadline,
    ) -> Result<Page, SearchError> {
        let question = Question { snapshot: self.snapshot, side, particle, places };
        let kept = &self.index.neighbours;
        let slice = match side {
            Side::Targets => kept.slice(&question, || self.out_links(particle), deadline),
            Side::Sources => kept.slice(&question, || self.in_links(particle), deadline),
        }?;
        Ok(page(self.snapshot, slice.total, &slice.keys))
    }

    /// Whether anybody made this link: both lists are walked together until one ends.
    pub fn has_any_link(
        &self,
        from: ParticleNumber,
        to: ParticleNumber,
        deadline: &Deadline,
    ) -> Result<bool, SearchError> {
        let (mut out, mut back) = (self.out_links(from), self.in_links(to));
        for step in 0.. {
            deadline.check_step(step)?;
            let (Some(out), Some(back)) = (out.next(), back.next()) else { return Ok(false) };
            let (_, _, target) = self.snapshot.link_ends(out);
            let (_, source, _) = self.snapshot.link_ends(back);
            if target == to || source == from {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Karma of a neuron, scaled as ranks are.
    pub fn karma(&self, neuron: NeuronNumber, deadline: &Deadline) -> Result<u64, SearchError> {
        Ok(self.index.derived.karma(self, neuron, deadline)?)
    }
}

/// Entropy of a particle, scaled as ranks are.
pub fn entropy(snapshot: &Snapshot, particle: ParticleNumber) -> u64 {
    derived::entropy(snapshot, particle)
}

/// The published rank of a particle, scaled to [`RANK_SCALE`]; 0 before the first round and for
/// a number that is none.
pub fn scaled_rank(snapshot: &Snapshot, particle: ParticleNumber) -> u64 {
    let ranks = snapshot.rank();
    scale(ranks.value(particle).unwrap_or(0), ranks.total())
}

fn scale(value: u64, total: u128) -> u64 {
    // 2^64 · 10^15 < 2^128, and a value is at most the total.
    let scaled = u128::from(value) * u128::from(RANK_SCALE);
    scaled.checked_div(total).map_or(0, |scaled| scaled as u64)
}

fn page(snapshot: &Snapshot, total: usize, keys: &[u64]) -> Page {
    let ranked = |key: &u64| {
        let particle = order::particle(*key);
        Ranked { particle, rank: scaled_rank(snapshot, particle) }
    };
    Page { total, ranked: keys.iter().map(ranked).collect() }
}
